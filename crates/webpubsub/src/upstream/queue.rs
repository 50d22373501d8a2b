//! The events of one connection that wait for their turn.
//!
//! Whoever pushes into an idle queue starts the task that empties it; the task ends with the queue
//! empty. So an idle connection has no task, and no connection has two.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kernel::Timestamp;

use super::response::UserOutcome;
use crate::message::Data;
use crate::metadata::Metadata;

/// Where the outcome of a user event goes. It must neither block nor take long.
pub type Reply = Box<dyn FnOnce(UserOutcome) + Send>;

/// An event that nobody waits for in place.
pub enum QueuedEvent {
    /// The client has connected.
    Connected,
    /// The client is gone, for this reason.
    Disconnected {
        /// Why, in words.
        reason: Box<str>,
    },
    /// The client sent an event.
    User(UserEvent),
}

/// An event that a client sent.
pub struct UserEvent {
    /// Its name.
    pub name: Box<str>,
    /// What it carries.
    pub data: Data,
    /// What travels along.
    pub metadata: Metadata,
    /// Gets the outcome; called exactly once, unless the program ends before.
    pub reply: Reply,
}

/// How much of a connection has not been handled yet, what is under way included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Events.
    pub events: usize,
    /// The data of user events, in bytes.
    pub bytes: usize,
}

/// What a push led to.
pub(super) enum Pushed {
    /// The event waits behind others.
    Waits,
    /// The queue was idle: the caller must start the task that empties it.
    Starts,
    /// There is no room for the user event.
    Full(UserEvent),
}

#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: VecDeque<(Timestamp, QueuedEvent)>,
    pending: Pending,
    /// The bytes of the event that is under way; `None` when there is no task.
    under_way: Option<usize>,
}

impl Queue {
    /// Adds an event. System events always fit: a connection has two of them at most.
    pub(super) fn push(&self, now: Timestamp, event: QueuedEvent, most: Pending) -> Pushed {
        let mut state = self.lock();
        let bytes = event.bytes();
        let fits = state.pending.events < most.events && state.pending.bytes + bytes <= most.bytes;
        let event = match event {
            QueuedEvent::User(event) if !fits => return Pushed::Full(event),
            other => other,
        };
        state.pending.events += 1;
        state.pending.bytes += bytes;
        state.waiting.push_back((now, event));
        if state.under_way.is_some() {
            return Pushed::Waits;
        }
        state.under_way = Some(0);
        Pushed::Starts
    }

    /// The next event, once the one before is done; `None` when the task must end.
    pub(super) fn next(&self) -> Option<(Timestamp, QueuedEvent)> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        state.under_way = next.as_ref().map(|(_, event)| event.bytes());
        next
    }

    /// Notes that the event under way is done.
    pub(super) fn done(&self) {
        let mut state = self.lock();
        state.pending.events -= 1;
        state.pending.bytes -= state.under_way.replace(0).unwrap_or(0);
    }

    pub(super) fn pending(&self) -> Pending {
        self.lock().pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing between two changes of the state can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuedEvent {
    fn bytes(&self) -> usize {
        let Self::User(event) = self else { return 0 };
        match &event.data {
            Data::Text(text) | Data::Json(text) => text.len(),
            Data::Binary(bytes) | Data::Protobuf(bytes) => bytes.len(),
        }
    }
}

impl fmt::Debug for UserEvent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a client sends is nobody's business in a log.
        write!(out, "UserEvent({})", self.name)
    }
}

impl fmt::Debug for QueuedEvent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => out.write_str("Connected"),
            Self::Disconnected { reason } => write!(out, "Disconnected({reason:?})"),
            Self::User(event) => event.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Pending = Pending { events: 3, bytes: 10 };
    const NOW: Timestamp = Timestamp::from_secs(1);

    fn user(text: &str) -> QueuedEvent {
        QueuedEvent::User(UserEvent {
            name: "e".into(),
            data: Data::Text(text.into()),
            metadata: Metadata::default(),
            reply: Box::new(|_| {}),
        })
    }

    fn is_full(queue: &Queue, event: QueuedEvent) -> bool {
        matches!(queue.push(NOW, event, MOST), Pushed::Full(_))
    }

    #[test]
    fn one_task_empties_the_queue_in_order() {
        let queue = Queue::default();
        assert!(matches!(queue.push(NOW, QueuedEvent::Connected, MOST), Pushed::Starts));
        assert!(matches!(queue.push(NOW, user("ab"), MOST), Pushed::Waits));
        assert_eq!(format!("{:?}", queue.next().unwrap().1), "Connected");
        queue.done();
        assert!(matches!(queue.push(NOW, user("c"), MOST), Pushed::Waits));
        assert_eq!(queue.pending(), Pending { events: 2, bytes: 3 });
        assert_eq!(format!("{:?}", queue.next().unwrap().1), "UserEvent(e)");
        assert_eq!(queue.pending(), Pending { events: 2, bytes: 3 }, "one is under way");
        queue.done();
        assert!(queue.next().is_some());
        queue.done();
        assert!(queue.next().is_none());
        assert_eq!(queue.pending(), Pending::default());
        assert!(matches!(queue.push(NOW, user("d"), MOST), Pushed::Starts));
    }

    #[test]
    fn user_events_have_limits_and_system_events_always_fit() {
        let queue = Queue::default();
        assert!(!is_full(&queue, user("0123456789")));
        assert!(is_full(&queue, user("x")), "no byte more");
        assert!(!is_full(&queue, user("")) && !is_full(&queue, user("")));
        assert!(is_full(&queue, user("")), "no event more");
        let gone = QueuedEvent::Disconnected { reason: "".into() };
        assert!(!is_full(&queue, gone));
        assert_eq!(queue.pending(), Pending { events: 4, bytes: 10 });
    }
}
