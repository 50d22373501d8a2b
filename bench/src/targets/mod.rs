//! The servers that are measured: how each is started, joined and published to.

mod centrifuge;
mod limit;
mod nats;
mod nchan;
mod node;
pub mod tidings;

use anyhow::Result;

use crate::link::Route;
use crate::process::Lab;
use crate::swarm::{Framing, Step};

/// A server that runs.
pub trait Server {
    /// Its process.
    fn pid(&self) -> u32;
    /// How it is reached.
    fn route(&self) -> Route;
    /// How its messages are counted.
    fn framing(&self) -> Framing {
        Framing::Bytes
    }
    /// Makes a connection a subscriber of a group.
    fn subscriber(&self, index: usize, group: usize) -> Vec<Step>;
    /// Makes a connection a publisher.
    fn publisher(&self) -> Vec<Step>;
    /// Publishes text of `payload` bytes to a group.
    fn publish(&self, group: usize, payload: usize) -> Vec<u8>;
    /// What such a message adds to a subscriber's count.
    fn unit(&self, payload: usize) -> u64;
    /// Milliseconds after the last connection during which it still talks by itself.
    fn settles_in_millis(&self) -> u64 {
        0
    }
}

/// A kind of server.
#[derive(Clone, Copy)]
pub struct Target {
    /// What the report calls it.
    pub name: &'static str,
    /// Starts one.
    pub start: fn(&Lab) -> Result<Box<dyn Server>>,
    /// Whether it is a peer: something that a user could pick instead.
    pub is_peer: bool,
}

/// Every kind of server, the yardsticks first.
pub const ALL: [Target; 10] = [
    Target { name: LIMIT_WRITE, start: limit::write, is_peer: false },
    Target { name: LIMIT_BATCH, start: limit::batch, is_peer: false },
    Target { name: LIMIT_RING, start: limit::ring, is_peer: false },
    Target { name: TIDINGS, start: tidings::json, is_peer: false },
    Target { name: "tidings (simple client)", start: tidings::simple, is_peer: false },
    Target { name: "nats-server", start: nats::start, is_peer: true },
    Target { name: "centrifuge", start: centrifuge::start, is_peer: true },
    Target { name: "socket.io", start: node::socket_io, is_peer: true },
    Target { name: "ws (Node)", start: node::ws, is_peer: true },
    Target { name: "nginx + nchan", start: nchan::start, is_peer: true },
];

/// The yardstick of one message in flight.
pub const LIMIT_WRITE: &str = "write limit";
/// The yardstick of many.
pub const LIMIT_BATCH: &str = "batch limit";
/// The limit program that hands the writes of a turn to the kernel together.
pub const LIMIT_RING: &str = "io_uring limit";
/// What users get.
pub const TIDINGS: &str = "tidings";

/// The target of a name in [`ALL`].
pub fn named(name: &str) -> Target {
    *ALL.iter().find(|target| target.name == name).expect("a name of the table")
}

/// A group's name; all have the same length, so that all messages have the same size.
fn group_name(group: usize) -> String {
    format!("group{group:05}")
}

fn text(payload: usize) -> String {
    "x".repeat(payload)
}
