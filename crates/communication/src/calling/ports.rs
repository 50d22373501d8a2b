//! What calls need of others.

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
    /// Hands out a signal about a change that is on disk.
    fn signal(&self, signal: &Signal);
}

/// What the devices of a user are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ring.
    Ring {
        /// Whose devices.
        user: RawId,
        /// Who calls.
        from: RawId,
        /// The name that the caller gave.
        display_name: String,
        /// The call, as events name it.
        server_call_id: String,
        /// The word that answers, rejects or redirects it.
        context: String,
    },
    /// Be still.
    Stop {
        /// Whose devices.
        user: RawId,
        /// The call.
        server_call_id: String,
        /// Whether nobody took it: a missed call.
        missed: bool,
    },
}

/// Publishes nothing and reaches nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl CallEvents for Silent {
    fn work(&self, _: &[Event]) -> Work {
        Work::default()
    }
}

impl Ringing for Silent {
    fn signal(&self, _: &Signal) {}
}
