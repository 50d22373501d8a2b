//! What clients make of their notifications: the one sign that they could read them.
//!
//! The chat client itself takes all ten of chat, whatever its page listens to, so a 404 means that it
//! could not read one, or that something else than a chat client is connected. Of calls it takes none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kernel::Timestamp;

use super::body::{EVENT_KINDS, EventKind};
use super::notice::{About, Notice};
use crate::identifier::RawId;

/// How a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// Requests that are held until there is something to tell.
    LongPolling,
}

/// A client's answer to a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose client.
    pub user: RawId,
    /// What it was told.
    pub event: EventKind,
    /// 200 when the client took it; 404 when it did not, or could not read it.
    pub status: u16,
    /// The client, by the name that it gives itself.
    pub device: String,
    /// How it was told.
    pub transport: Transport,
    /// When what it was told of happened.
    pub at: Timestamp,
    pub(super) notice: Arc<Notice>,
}

impl Answer {
    /// The message that it was told of, if it was one. Costs about as much as the message is long.
    pub fn about(&self) -> Option<About> {
        self.notice.about()
    }

    /// Names the change that it was told of.
    pub fn transaction(&self) -> &str {
        &self.notice.transaction
    }
}

/// Whoever wants to know of answers.
pub trait Observer: Send + Sync + 'static {
    /// An answer has come. Called on the thread of the connection: must be quick.
    fn answered(&self, answer: &Answer);
}

/// How often each notification was answered how. Of fixed size, whatever is observed.
#[derive(Debug, Default)]
pub struct Tally([Row; EVENT_KINDS.len()]);

#[derive(Debug, Default)]
struct Row {
    handled: AtomicU64,
    unhandled: AtomicU64,
    failed: AtomicU64,
}

/// One row of a [`Tally`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The client took it (200).
    pub handled: u64,
    /// The client did not take it (404).
    pub unhandled: u64,
    /// Anything else, such as a handler that did not finish (504).
    pub failed: u64,
}

impl Tally {
    /// The answers to one notification so far.
    pub fn count(&self, event: EventKind) -> Count {
        let Row { handled, unhandled, failed } = &self.0[event as usize];
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Count { handled: read(handled), unhandled: read(unhandled), failed: read(failed) }
    }
}

impl Observer for Tally {
    fn answered(&self, answer: &Answer) {
        let row = &self.0[answer.event as usize];
        let counter = match answer.status {
            200 => &row.handled,
            404 => &row.unhandled,
            _ => &row.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(event = answer.event.name(), status = answer.status, "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signaling::sample;

    #[test]
    fn answers_are_counted_by_event_and_outcome() {
        let tally = Tally::default();
        for status in [200, 200, 404, 504] {
            let event = EventKind::ReadReceipt;
            tally.answered(&Answer {
                user: RawId::new("8:acs:x"),
                event,
                status,
                device: "d".to_owned(),
                transport: Transport::LongPolling,
                at: Timestamp::default(),
                notice: Arc::new(Notice::of(&sample::message("hi"))),
            });
        }
        let expected = Count { handled: 2, unhandled: 1, failed: 1 };
        assert_eq!(tally.count(EventKind::ReadReceipt), expected);
        assert_eq!(tally.count(EventKind::MessageReceived), Count::default());
    }
}
