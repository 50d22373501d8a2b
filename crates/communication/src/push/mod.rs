//! Pushes that wake a phone: device registrations, and messages for those who are not connected.
//!
//! - `registration`: what the native clients register; pure
//! - `seal`: the encryption that they ask for; pure
//! - `payload`: what a device is sent; pure
//! - `devices`: registrations, stored and sealed
//! - `rest`: the registrar's calls
//! - [`Presence`]: who is connected, and needs no push
//! - `outbox`: the work that a change in chat causes
//! - `courier`: the work, carried out through the linked hub
//!
//! A message costs one row in its own transaction, whoever is in the thread; who is away and has which
//! devices is found out afterwards, and each device becomes a delivery of its own. Invariants: a
//! message that is on disk is pushed, or a record says why not; nobody is pushed what they wrote; a
//! device that its platform has forgotten is forgotten here. Who is connected reads messages there, on
//! whichever device; a call rings at every device, so one that is not connected itself is woken.

mod courier;
mod devices;
mod journeys;
mod observer;
mod outbox;
mod payload;
mod presence;
mod registration;
mod rest;
mod seal;
#[cfg(test)]
pub(crate) mod tests;

use delivery::NewDelivery;

pub use devices::{Devices, MIGRATIONS};
pub use observer::{Observer, SentPush};
pub use outbox::Pushes;
pub(crate) use payload::{Payload, Urgency, members};
pub use presence::{Nobody, Presence};
pub use registration::Purpose;
pub use rest::router;

/// The queue of pushes; a target is the name of a resource.
pub const QUEUE: &str = "chat-push";

/// What wakes devices.
pub(crate) struct Wake {
    pub(crate) purpose: Purpose,
    pub(crate) payload: Payload,
    /// How long it is worth anything.
    pub(crate) worth: std::time::Duration,
    /// Pushes of one name reach a device one after another, in the order in which they were made.
    pub(crate) order: Option<String>,
}

/// How new work is written and begun.
pub(crate) struct Enqueued {
    pub(crate) statements: Vec<storage::Statement>,
    pub(crate) deliveries: Vec<NewDelivery>,
}
