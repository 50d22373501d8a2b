//! The nouns of chat, as values. Nothing here is a wire form.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::Timestamp;

use crate::identifier::RawId;
use crate::time;

/// Text to text, as callers attach it to threads, participants and messages.
pub type Metadata = BTreeMap<String, String>;

/// The id of a message: its time in milliseconds, unique and growing within its thread.
pub type MessageId = i64;

/// How long a thread is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Until somebody deletes it.
    None,
    /// This many days after its creation.
    Days(u16),
}

/// Somebody who is in a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Who.
    pub id: RawId,
    /// The name that others see.
    pub display_name: Option<Arc<str>>,
    /// From when on the history is shown.
    pub share_history: Option<Timestamp>,
    /// What the application attached.
    pub metadata: Arc<Metadata>,
    /// The first message that is shown, by its id.
    pub visible_from: MessageId,
}

/// A thread as it stands at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// `19:acsV1_…@thread.v2`
    pub id: Arc<str>,
    /// The name of its resource.
    pub resource: Arc<str>,
    /// What it is about.
    pub topic: Arc<str>,
    /// What the application attached.
    pub metadata: Arc<Metadata>,
    /// How long it is kept.
    pub retention: Retention,
    /// Who made it.
    pub created_by: RawId,
    /// When.
    pub created: Timestamp,
    /// Those who are in it, in the order in which they came.
    pub participants: Arc<[Participant]>,
    /// Counts the changes of everything above.
    pub revision: i64,
}

/// A message, whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id, which is its time.
    pub id: MessageId,
    /// Counts the messages of a thread, from 1.
    pub sequence: i64,
    /// The id at first, then the time of the last change.
    pub version: i64,
    /// What it says; `None` when it was deleted.
    pub content: Option<Content>,
    /// Its kind, which a deleted message keeps.
    pub kind: MessageKind,
    /// Who wrote it; `None` for a message of the system.
    pub sender: Option<RawId>,
    /// The name that the sender gave.
    pub sender_display_name: Option<Arc<str>>,
    /// What the application attached.
    pub metadata: Metadata,
    /// When it was last edited.
    pub edited: Option<Timestamp>,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
}

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Plain text.
    Text,
    /// Sanitised HTML.
    Html,
    /// The system tells that the topic has changed.
    TopicUpdated,
    /// The system tells who has come.
    ParticipantAdded,
    /// The system tells who has gone.
    ParticipantRemoved,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Of a user.
    Text(String),
    /// Of the system: a new topic.
    Topic {
        /// The topic.
        topic: Arc<str>,
        /// Who changed it.
        initiator: RawId,
    },
    /// Of the system: who has come or gone.
    Participants {
        /// They.
        participants: Vec<Participant>,
        /// Who brought or removed them.
        initiator: RawId,
    },
}

impl Thread {
    /// The participant with this id.
    pub fn participant(&self, id: &RawId) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.id == *id)
    }

    /// When the thread ends by itself.
    pub fn expires(&self) -> Option<Timestamp> {
        match self.retention {
            Retention::None => None,
            Retention::Days(days) => {
                Some(self.created + std::time::Duration::from_hours(24 * u64::from(days)))
            }
        }
    }
}

impl Message {
    /// When it was written.
    pub fn created(&self) -> Timestamp {
        time::from_millis(self.id)
    }

    /// What a user has written; empty for a deleted message and one of the system.
    pub fn text(&self) -> &str {
        match &self.content {
            Some(Content::Text(text)) => text,
            Some(Content::Topic { .. } | Content::Participants { .. }) | None => "",
        }
    }
}

impl MessageKind {
    /// The name in REST calls.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Html => "html",
            Self::TopicUpdated => "topicUpdated",
            Self::ParticipantAdded => "participantAdded",
            Self::ParticipantRemoved => "participantRemoved",
        }
    }

    /// The name in notifications and events of messages that users write.
    pub const fn notified_as(self) -> &'static str {
        match self {
            Self::Html => "RichText/Html",
            Self::Text | Self::TopicUpdated | Self::ParticipantAdded | Self::ParticipantRemoved => {
                "Text"
            }
        }
    }

    /// The kind with this name in REST calls.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Text,
            Self::Html,
            Self::TopicUpdated,
            Self::ParticipantAdded,
            Self::ParticipantRemoved,
        ];
        all.into_iter().find(|kind| kind.as_str() == name)
    }
}
