//! Where everything lives that must outlive the process.
//!
//! Knows no table of any service: a service brings its migrations and its SQL. One SQL text serves both
//! engines, SQLite and PostgreSQL.
//!
//! - [`Db`]: open or connect, migrate, read, write, close
//! - [`Statement`], [`Val`], [`Row`]: SQL with `$1` parameters in, rows out
//! - [`Migration`]: one numbered step of a component's schema
//! - [`MasterKey`]: encryption of secrets before they are stored
//! - `testing`, behind the feature of that name: a database for a test, on every engine
//!
//! Invariants: a write is answered only after its commit (with [`Durability::Full`], after the disk
//! has it); one failing write changes nothing and disturbs no other; every queue is bounded and makes
//! its caller wait when full; nothing here blocks an async task.
//!
//! # SQL that means the same on both engines
//!
//! Keywords and types are written in capitals.
//!
//! - **Schema.** The types are `INTEGER`, `REAL`, `TEXT` and `BLOB`; PostgreSQL gets `BIGINT`, `DOUBLE
//!   PRECISION`, `TEXT COLLATE "C"` (text is ordered by its bytes) and `BYTEA`. `STRICT` and `WITHOUT
//!   ROWID` are dropped there. `INTEGER PRIMARY KEY`, with or without `AUTOINCREMENT`, numbers rows by
//!   itself; numbers may have gaps, and of two writes at once the higher number may be visible first.
//!   Partial indexes, `CHECK`, `REFERENCES` and `DEFERRABLE` work.
//! - **Statements.** `ON CONFLICT (…) DO UPDATE | DO NOTHING`, `RETURNING`, common table expressions,
//!   window functions, row values, `IN (SELECT … LIMIT $1)`, `IS NOT DISTINCT FROM`, `CAST(… AS
//!   BIGINT)`, `coalesce`, `count`, `sum`, `min`, `max`, `lower` (ASCII), `length` of text, `||`.
//!   Parameters have the type of their [`Val`]. A comparison that is selected reads as 0 or 1, but
//!   `WHERE` wants a comparison: `flag = 1`. `CAST(… AS INTEGER)` has 32 bits in PostgreSQL.
//! - **Not portable:** `INSERT OR …`, `IFNULL`, `LIKE` (which ignores case in SQLite), `max(a, b)`,
//!   functions of JSON and dates, `rowid`, `x'00'`, columns that do not exist in double quotes, `GROUP
//!   BY` that leaves out a selected column, `NULLS` without `FIRST` or `LAST` in an order that matters.
//! - **For PostgreSQL alone** is what stands in a comment of this form: `/*postgres: FOR UPDATE SKIP
//!   LOCKED*/`.
//!
//! A batch sees and keeps all of its own. With SQLite writes happen one after another. With PostgreSQL
//! they happen side by side, and each *statement* sees what was committed when it began (`READ
//! COMMITTED`): a rule that spans rows needs a unique key, or a first statement that locks the row that
//! stands for all of them. Text cannot hold the character U+0000.

mod db;
mod error;
mod migrate;
mod postgres;
mod seal;
mod sqlite;
mod statement;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod value;

pub use db::{Db, Durability};
pub use error::{Error, Result};
pub use migrate::Migration;
pub use postgres::PostgresOptions;
pub use seal::{MasterKey, SealError};
pub use sqlite::Options;
pub use statement::{Outcome, Statement};
pub use value::{FromVal, Row, Val};
