//! What the program knows about what it did.
//!
//! - [`cause`]: how rows of failures say why, for programs
//! - [`journey`]: what became of each notification, stage by stage
//! - [`kql`]: the query language, pure
//! - [`table`]: the log tables: appending, keeping, reading
//! - [`metrics`]: the Metrics API over the program's counters
//! - [`query`]: the Logs query API over both
//! - [`playbook`]: why a notification did not arrive, with evidence
//!
//! Nothing here knows a service: the program's wiring turns what services tell into rows.

pub mod cause;
pub mod journey;
pub mod kql;
pub mod metrics;
pub mod playbook;
pub mod query;
pub mod table;
