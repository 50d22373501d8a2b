//! The log tables: what services append, kept for a while, read by queries.
//!
//! - [`rows`]: one type a table, whose fields are its columns
//! - [`LogTables`]: the handle that services append with; it never waits
//! - [`Writer`]: the one task that brings appended rows into the store, and forgets old ones
//! - [`Store`]: the rows on disk; queries read it
//!
//! Invariants: appending costs a lock and a push; a full queue drops its oldest rows, which is counted
//! and told; rows are on disk before a query that starts later reads them, unless the store is behind.

mod queue;
pub mod rows;
mod scan;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use queue::LogTables;
pub use schema::{Schema, TableRow};
pub use store::{MIGRATIONS, Store};
pub use writer::{Retention, Writer};
