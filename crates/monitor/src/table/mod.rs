//! The log tables: what services append, kept for a while, read by queries.
//!
//! - [`rows`]: one type a table, whose fields are its columns
//! - [`LogTables`]: the handle that services append with; it never waits
//! - [`Writer`]: the one task that brings appended rows into the store, and forgets old ones
//! - [`Store`]: the rows on disk; queries read it
//!
//! Invariants: appending costs a lock and a push; what a flood or a slow store makes us drop is counted
//! and told; rows are on disk before a query that starts later reads them, unless the store is behind.

mod queue;
pub mod rows;
mod scan;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use queue::{Intake, LogTables, Tally};
pub use schema::{Schema, TableRow};
pub use store::{MIGRATIONS, Store};
pub use writer::{Retention, Writer};
