//! Durable work: written in the transaction of the state that causes it, carried out until it
//! succeeds or is dead-lettered.
//!
//! A service describes what must happen as a [`NewDelivery`], puts the statements of
//! [`Deliveries::enqueue`] into the transaction that writes its own state, and registers a
//! [`Courier`] that makes the attempts. What lies between is the business of this crate: leases,
//! concurrency for each target, retries, probation, expiry, dead letters, redrive.
//!
//! - [`DeliveryId`], [`NewDelivery`], [`Item`], [`DeadLetter`]: the nouns
//! - [`Courier`], [`Plan`], [`Parcel`], [`Verdict`]: what a service brings
//! - [`Schedule`]: when a failed attempt is repeated
//! - [`Deliveries`]: the handle: enqueue, wake, cancel, look, redrive
//! - [`Driver`]: the task that carries out the work of some queues on this node
//!
//! It knows no protocol and no table of any service, and it does not deduplicate: a delivery is
//! attempted **at least** once, so a receiver may see it twice after a crash.
//!
//! Invariants: an item whose transaction was committed ends as delivered or as a dead letter, never
//! as both, and never as neither unless somebody cancels or discards it; at most one node settles an
//! attempt; items of one target with the same order key are attempted one at a time, in the order of
//! their ids; nothing that fails or is slow delays another target.

mod courier;
mod decide;
mod deliveries;
mod driver;
mod engine;
mod id;
mod journeys;
mod model;
mod observe;
mod probation;
mod schedule;
mod store;

pub use courier::{Courier, Doing, Lease, LeaseLost, Parcel, Plan, Verdict};
pub use deliveries::Deliveries;
pub use driver::{Driver, Queue, Settings};
pub use id::DeliveryId;
pub use model::{Counts, DeadLetter, Item, NewDelivery, Pending, Reason};
pub use observe::{Event, Observer};
pub use schedule::Schedule;
pub use store::{Cursor, DeadLetters, NotACursor, Page};
