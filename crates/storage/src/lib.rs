//! Where everything lives that must outlive the process.
//!
//! Knows no table of any service: a service brings its migrations and its SQL. SQLite is the engine
//! today; the interface leaves room for PostgreSQL with the same SQL text.
//!
//! - [`Db`]: open, migrate, read, write, close
//! - [`Statement`], [`Val`], [`Row`]: SQL with `$1` parameters in, rows out
//! - [`Migration`]: one numbered step of a component's schema
//! - [`MasterKey`]: encryption of secrets before they are stored
//! - `testing`, behind the feature of that name: a database for a test, on every engine
//!
//! Invariants: a write is answered only after its commit (with [`Durability::Full`], after the disk
//! has it); one failing write changes nothing and disturbs no other; every queue is bounded and makes
//! its caller wait when full; nothing here blocks an async task.

mod connection;
mod db;
mod error;
mod migrate;
mod reader;
mod seal;
mod statement;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod value;
mod writer;

pub use connection::{Durability, Options};
pub use db::Db;
pub use error::{Error, Result};
pub use migrate::Migration;
pub use seal::{MasterKey, SealError};
pub use statement::{Outcome, Statement};
pub use value::{FromVal, Row, Val};
