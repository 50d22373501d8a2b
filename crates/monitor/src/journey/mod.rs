//! Journeys: what became of one message, event, push or call, stage by stage, and why.
//!
//! Services record milestones ([`kernel::journey`]); here they are kept for a while, found by any id
//! that somebody has in hand, and told in order.
//!
//! - [`Journeys`]: takes what is recorded into the store, on every tick and before every look
//! - `store`: milestones on disk, journeys summed up, subjects by which they are found
//! - `model`: a journey as it is read
//! - `rest`: what people at the server ask
//! - [`otlp`]: the same milestones as spans, for others' tools
//!
//! Invariants: a look sees everything that this process has recorded before it; the store's trouble
//! costs milestones, never a request; what is kept is bounded by age and by number.

mod keeper;
mod model;
pub mod otlp;
mod rest;
mod store;
#[cfg(test)]
mod tests;

pub use keeper::{Journeys, Retention};
pub use model::{Found, Journey, Query, Step, Summary, Verdict};
pub use store::MIGRATIONS;
