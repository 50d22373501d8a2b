//! What calls need of others.

use kernel::Timestamp;

use crate::events::Event;
use crate::identifier::RawId;
use crate::ports::Work;

/// Whoever publishes the events of a resource.
pub trait CallEvents: Send + Sync + 'static {
    /// The work of publishing them, for the transaction of their cause.
    fn work(&self, events: &[Event]) -> Work;
}

/// Whoever reaches connected devices. Must not block.
pub trait Ringing: Send + Sync + 'static {
    /// Hands out a signal about a change that is on disk. Those of one call come in order.
    fn signal(&self, signal: &Signal);
}

/// What the devices of a user are told of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Whose devices.
    pub user: RawId,
    /// Who calls.
    pub from: RawId,
    /// The name that the caller gave; empty without one.
    pub display_name: String,
    /// The call, as events and callbacks name it.
    pub server_call_id: String,
    /// The call, as pushes name it.
    pub correlation_id: String,
    /// To ring, or to be still.
    pub what: What,
}

/// What a signal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Ring.
    Ring {
        /// The word that answers, rejects or redirects the call.
        context: String,
        /// When it stops by itself.
        until: Timestamp,
    },
    /// Be still.
    Stop {
        /// Whether nobody took it: a missed call.
        missed: bool,
    },
}
