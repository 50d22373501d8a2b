//! Calls, as far as ringing goes: who is called, who answers, who leaves, and who is told.
//!
//! Media and the protocol of calling clients are not here. An application starts or answers a call over
//! Call Automation and hears by callbacks what becomes of it; a user who is called hears by a signal to
//! connected devices, a push to the others, and an event to the application's back end.
//!
//! - `model`: a call, its connections and people
//! - `machine`: what can happen to a call, and what follows from it; pure
//! - `outcome`: how ringing ends, with the codes that applications know
//! - `context`: the word by which one ringing is answered, once
//! - `callback`: what applications are told; pure
//! - `incoming`: the events and pushes that ringing causes; pure
//! - `store`: calls on disk; a change and all that it causes are one transaction
//! - `rings`: which devices must be told to ring or to be still; pure
//! - `service`: what is asked of calls
//! - `change`: changes carried out, one after another
//! - `journeys`: what is recorded of a call
//! - `repeat`: requests that may be repeated
//! - `courier`: callbacks on their way
//! - `attestation`: how applications know who calls back
//! - `rest`: the calls of Call Automation, `/calling`
//!
//! Invariants: one answer wins; a ringing that has ended is never answered; whoever was rung is told
//! when it stops; a request that is repeated is carried out once.

mod attestation;
mod callback;
mod change;
mod context;
mod courier;
mod incoming;
mod journeys;
mod machine;
mod model;
mod outcome;
mod ports;
mod repeat;
mod rest;
mod rings;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use courier::QUEUE;
pub use ports::{CallEvents, Ringing, Signal, What};
pub use rest::{refuse_unknown, router};
pub use service::{Calling, Foundations};
pub use store::MIGRATIONS;
