//! What chat needs of others. The program gives these; chat knows nothing of who is behind them.

use std::sync::Arc;

use storage::Statement;

use kernel::milestone::{Note, Stage};
use kernel::{Journey, journey};

use crate::chat::{ChangeKind, ChatChange};

/// Durable work that a change causes: events, pushes.
pub trait Outbox: Send + Sync + 'static {
    /// The work of a change. Called before the commit, and again if another change came first: it must
    /// have no effect of its own. Typing is not stored and never asked about.
    fn work(&self, change: &ChatChange) -> Work;
}

/// What one outbox has to do for one change.
#[derive(Default)]
pub struct Work {
    /// They write the work, in the transaction of the change itself: one that fails fails the change.
    pub statements: Vec<Statement>,
    /// Called once when change and work are on disk, in the order of the thread's changes; dropped
    /// when they are not. Must not block.
    pub committed: Option<Box<dyn FnOnce() + Send>>,
}

/// Telling those who are connected.
pub trait Realtime: Send + Sync + 'static {
    /// Hands out a change that is on disk (typing never is). Called in the order of the thread's
    /// changes. Must not block: it is given to a bounded queue that knows what to do when it is full.
    fn announce(&self, change: &Arc<ChatChange>);
}

/// The ports, as the program wires them. Without any, chat stores and answers, and tells nobody.
#[derive(Clone, Default)]
pub struct Ports {
    /// Whoever has durable work to do.
    pub outboxes: Vec<Arc<dyn Outbox>>,
    /// Whoever holds connections.
    pub realtime: Vec<Arc<dyn Realtime>>,
}

impl Ports {
    /// The work of all outboxes, as one. What it leads to belongs to the journey in whose course this
    /// is called.
    pub(crate) fn work(&self, change: &ChatChange) -> (Vec<Statement>, Committed) {
        let (mut statements, mut committed) = (Vec::new(), Vec::new());
        for work in self.outboxes.iter().map(|outbox| outbox.work(change)) {
            statements.extend(work.statements);
            committed.extend(work.committed);
        }
        (statements, Committed { calls: committed, journey: Journey::current() })
    }

    /// Tells everybody that a change is on disk.
    pub(crate) fn committed(&self, change: &Arc<ChatChange>, committed: Committed) {
        let Committed { calls, journey } = committed;
        let tell = || {
            note_stored(change);
            for realtime in &self.realtime {
                realtime.announce(change);
            }
            calls.into_iter().for_each(|call| call());
        };
        match journey {
            Some(journey) => journey.within(tell),
            None => tell(),
        }
    }
}

/// Whom to call when a change is on disk.
#[derive(Default)]
pub(crate) struct Committed {
    calls: Vec<Box<dyn FnOnce() + Send>>,
    journey: Option<Journey>,
}

fn note_stored(change: &ChatChange) {
    let what = match &change.kind {
        ChangeKind::MessageReceived(_) => "a message",
        ChangeKind::MessageEdited(_) => "an edited message",
        ChangeKind::MessageDeleted(_) => "a deleted message",
        ChangeKind::Read { .. } => "a read receipt",
        ChangeKind::ThreadCreated => "a new thread",
        ChangeKind::ThreadUpdated => "changed properties",
        ChangeKind::ThreadDeleted => "the end of the thread",
        ChangeKind::ParticipantsAdded(_) => "new participants",
        ChangeKind::ParticipantsRemoved(_) => "the end of participations",
        // Not stored, and not worth a note.
        ChangeKind::Typing => return,
    };
    journey::note("chat", || {
        let others = change.thread.participants.len().saturating_sub(1);
        let text = format!("{what}, in a thread with {others} others");
        let note = Note::new(Stage::Stored, text).subject("thread", &change.thread.id);
        match &change.kind {
            ChangeKind::MessageReceived(message)
            | ChangeKind::MessageEdited(message)
            | ChangeKind::MessageDeleted(message) => {
                note.subject("message", message.id.to_string())
            }
            _ => note,
        }
    });
}
