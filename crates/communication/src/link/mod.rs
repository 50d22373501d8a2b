//! The notification hub that carries the pushes of a resource, and everything that may be wrong with it.
//!
//! A link is two texts: the id of a hub and a connection string that may send through it. The hub may
//! be anybody's who speaks the Notification Hubs protocol. What can be wrong is looked for when the
//! link is made, and found again when something is sent: each fault has a code and a counter.
//!
//! - `connection`: the connection string of a hub, and the tokens that it makes
//! - `fault`: what may be wrong, each with its cure
//! - `answer`: what a hub's answer to a send means; pure
//! - `probe`: the questions that a link is asked before it is made
//! - `hub`: the client that sends through a hub
//! - `links`: the links, stored and sealed
//!
//! It keeps no devices and knows no payload. Invariants: no key is in a log or an error; a changed
//! link holds from the next send on, on every node.

mod answer;
mod connection;
mod fault;
mod hub;
mod links;
mod probe;
#[cfg(test)]
mod tests;

pub use answer::Sent;
pub use connection::HubConnection;
pub use fault::{Fault, FaultKind, Stage};
pub use hub::{Hub, Push};
pub use links::{Link, LinkStatus, Links, MIGRATIONS};
pub use probe::{ApnsMode, HubDirectory, NoDirectory, Platform, Report, findings};
