//! A thread in memory: its state, the order of its messages, and the order in which its changes are
//! told.
//!
//! The store decides whether a change holds; this gives each change a place that will hold unless
//! another process writes at the same time. Changes reach the disk in any order, since they wait for
//! it together, but they are told in the order of their places: a change that is written early waits
//! here for those before it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::{Result, Timestamp};

use super::change::{ChangeKind, ChatChange};
use super::model::{MessageId, Thread};
use super::store::Loaded;
use crate::ports::{Committed, Ports};
use crate::time;

/// A thread that is in use.
pub(super) struct Entry {
    ports: Ports,
    state: Mutex<State>,
}

struct State {
    thread: Arc<Thread>,
    deleted: bool,
    last_sequence: i64,
    last_message: MessageId,
    /// The changes that are not told yet, the oldest first, which has the number `oldest`.
    line: VecDeque<Waiting>,
    oldest: u64,
}

enum Waiting {
    /// On its way to the disk.
    Undecided,
    Written(Arc<ChatChange>, Committed),
    /// Nothing to tell.
    Failed,
}

/// Where a change belongs among those of its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The number of the next message.
    pub(super) sequence: i64,
    /// The id of the next message.
    pub(super) id: MessageId,
}

/// A place in the line of changes that are told. Dropping it gives it up.
pub(super) struct Turn {
    entry: Arc<Entry>,
    number: u64,
    settled: bool,
}

impl Entry {
    pub(super) fn new(loaded: Loaded, ports: Ports) -> Arc<Self> {
        let Loaded { thread, deleted, last_sequence, last_message } = loaded;
        let state = State {
            thread: Arc::new(thread),
            deleted,
            last_sequence,
            last_message,
            line: VecDeque::new(),
            oldest: 0,
        };
        Arc::new(Self { ports, state: Mutex::new(state) })
    }

    /// The thread; `None` once it is deleted.
    pub(super) fn thread(&self) -> Option<Arc<Thread>> {
        let state = self.lock();
        (!state.deleted).then(|| Arc::clone(&state.thread))
    }

    /// Lets `decide` look at the thread and say what changes. If it does, the change has its place;
    /// `messages` of its places in the order of messages are used.
    pub(super) fn decide<T>(
        self: &Arc<Self>,
        now: Timestamp,
        decide: impl FnOnce(Option<&Arc<Thread>>, Place) -> Result<(T, Messages)>,
    ) -> Result<(T, Turn)> {
        let mut state = self.lock();
        let place = Place {
            sequence: state.last_sequence + 1,
            id: time::to_millis(now).max(state.last_message + 1),
        };
        let thread = (!state.deleted).then_some(&state.thread);
        let (decided, messages) = decide(thread, place)?;
        if messages == Messages::One {
            state.last_sequence = place.sequence;
            state.last_message = place.id;
        }
        let number = state.oldest + state.line.len() as u64;
        state.line.push_back(Waiting::Undecided);
        Ok((decided, Turn { entry: Arc::clone(self), number, settled: false }))
    }

    /// Takes over what the store has: another process was faster.
    pub(super) fn refresh(&self, loaded: Loaded) {
        let mut state = self.lock();
        state.last_sequence = state.last_sequence.max(loaded.last_sequence);
        state.last_message = state.last_message.max(loaded.last_message);
        state.deleted |= loaded.deleted;
        if loaded.thread.revision > state.thread.revision {
            state.thread = Arc::new(loaded.thread);
        }
    }

    /// The thread does not exist after all.
    pub(super) fn forget(&self) {
        self.lock().deleted = true;
    }

    fn settle(&self, number: u64, outcome: Waiting) {
        let mut state = self.lock();
        if let Waiting::Written(change, _) = &outcome {
            state.apply(change);
        }
        let at = usize::try_from(number - state.oldest).expect("the line fits into memory");
        state.line[at] = outcome;
        // Told under the lock, or two threads could tell two changes in the wrong order.
        while !matches!(state.line.front(), None | Some(Waiting::Undecided)) {
            if let Some(Waiting::Written(change, committed)) = state.line.pop_front() {
                self.ports.committed(&change, committed);
            }
            state.oldest += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many messages a change writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Messages {
    None,
    One,
}

impl State {
    fn apply(&mut self, change: &ChatChange) {
        self.deleted |= change.kind == ChangeKind::ThreadDeleted;
        if change.thread.revision > self.thread.revision {
            self.thread = Arc::clone(&change.thread);
        }
    }
}

impl Turn {
    /// The change is on disk.
    pub(super) fn written(mut self, change: Arc<ChatChange>, committed: Committed) {
        self.settled = true;
        self.entry.settle(self.number, Waiting::Written(change, committed));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.settled {
            self.entry.settle(self.number, Waiting::Failed);
        }
    }
}
