//! What has happened in a thread, whole: everything that real-time notifications, events and pushes
//! are made of. Nothing here is encoded, and what all receivers share is shared.

use std::sync::Arc;

use kernel::Timestamp;

use super::model::{Message, MessageId, Participant, Thread};
use crate::identifier::RawId;

/// One change, with the thread as it stands after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatChange {
    /// The thread. Its participants are those who are told, and see [`ChatChange::removed`].
    pub thread: Arc<Thread>,
    /// Who did it; `None` when the retention policy did.
    pub actor: Option<Actor>,
    /// When.
    pub at: Timestamp,
    /// Names the change in everything that it causes: the id of the request that asked for it, without
    /// dashes.
    pub transaction: Arc<str>,
    /// What it is.
    pub kind: ChangeKind,
}

/// Who changes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub id: RawId,
    /// The name in the thread, or the one that came with a message.
    pub display_name: Option<Arc<str>>,
}

/// The changes that are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// A user wrote a message.
    MessageReceived(Message),
    /// The sender edited a message; this is the new one.
    MessageEdited(Message),
    /// The sender deleted a message; its content is gone.
    MessageDeleted(Message),
    /// Somebody is typing. Not stored.
    Typing,
    /// Somebody has read up to a message.
    Read {
        /// The message.
        message: MessageId,
    },
    /// The thread was made.
    ThreadCreated,
    /// Topic, metadata or retention have changed.
    ThreadUpdated,
    /// The thread was deleted; its participants are those that it had.
    ThreadDeleted,
    /// Somebody came.
    ParticipantsAdded(Vec<Participant>),
    /// Somebody left or was removed; they are no longer among the thread's participants.
    ParticipantsRemoved(Vec<Participant>),
}

impl ChatChange {
    /// The `version` of the change: milliseconds, as a message's.
    pub fn version(&self) -> i64 {
        match &self.kind {
            ChangeKind::MessageReceived(message)
            | ChangeKind::MessageEdited(message)
            | ChangeKind::MessageDeleted(message) => message.version,
            _ => crate::time::to_millis(self.at),
        }
    }

    /// Those who were removed by this change: told, though no longer in the thread.
    pub fn removed(&self) -> &[Participant] {
        match &self.kind {
            ChangeKind::ParticipantsRemoved(removed) => removed,
            _ => &[],
        }
    }

    /// Everybody whom this change concerns.
    pub fn concerned(&self) -> impl Iterator<Item = &Participant> {
        self.thread.participants.iter().chain(self.removed())
    }
}
