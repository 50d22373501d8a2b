//! What clients are told: the kinds of notifications, and the fields of the ten that chat has. Pure.
//!
//! Objects inside a notification are JSON in a text. The JavaScript client takes `%` in such a text for
//! an escape, other clients do not, so `%` is written in a way that both read alike ([`nested`]).
//! Fields that no client of today reads are there because the native ones insist on them.

use kernel::Timestamp;
use serde_json::{Map, Value, json};

use crate::chat::{
    Actor, ChangeKind, ChatChange, Message, Metadata, Participant, Retention, Thread,
};
use crate::identifier::RawId;
use crate::time;

/// The ten notifications of chat, and those of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Somebody wrote.
    MessageReceived,
    /// Somebody changed what they wrote.
    MessageEdited,
    /// Somebody deleted what they wrote.
    MessageDeleted,
    /// Somebody is typing.
    TypingIndicator,
    /// Somebody has read up to a message.
    ReadReceipt,
    /// A thread was made.
    ThreadCreated,
    /// Topic, metadata or retention have changed.
    ThreadPropertiesUpdated,
    /// A thread was deleted.
    ThreadDeleted,
    /// Somebody came.
    ParticipantsAdded,
    /// Somebody left.
    ParticipantsRemoved,
    /// Somebody calls.
    IncomingCall,
    /// The call rings no more: it was answered, or nobody took it.
    CallEnded,
}

/// All of them, in the order in which they are counted.
pub const EVENT_KINDS: [EventKind; 12] = [
    EventKind::MessageReceived,
    EventKind::MessageEdited,
    EventKind::MessageDeleted,
    EventKind::TypingIndicator,
    EventKind::ReadReceipt,
    EventKind::ThreadCreated,
    EventKind::ThreadPropertiesUpdated,
    EventKind::ThreadDeleted,
    EventKind::ParticipantsAdded,
    EventKind::ParticipantsRemoved,
    EventKind::IncomingCall,
    EventKind::CallEnded,
];

impl EventKind {
    /// The notification that tells of a change.
    pub(super) fn of(change: &ChatChange) -> Self {
        match &change.kind {
            ChangeKind::MessageReceived(_) => Self::MessageReceived,
            ChangeKind::MessageEdited(_) => Self::MessageEdited,
            ChangeKind::MessageDeleted(_) => Self::MessageDeleted,
            ChangeKind::Typing => Self::TypingIndicator,
            ChangeKind::Read { .. } => Self::ReadReceipt,
            ChangeKind::ThreadCreated => Self::ThreadCreated,
            ChangeKind::ThreadUpdated => Self::ThreadPropertiesUpdated,
            ChangeKind::ThreadDeleted => Self::ThreadDeleted,
            ChangeKind::ParticipantsAdded(_) => Self::ParticipantsAdded,
            ChangeKind::ParticipantsRemoved(_) => Self::ParticipantsRemoved,
        }
    }

    /// The number by which clients know it. Of calls only the first is public; the other is the one
    /// that calling clients are known to name StopRinging.
    pub const fn number(self) -> u16 {
        match self {
            Self::IncomingCall => 107,
            Self::CallEnded => 110,
            Self::MessageReceived => 200,
            Self::TypingIndicator => 245,
            Self::ReadReceipt => 246,
            Self::MessageEdited => 247,
            Self::MessageDeleted => 248,
            Self::ThreadCreated => 257,
            Self::ThreadPropertiesUpdated => 258,
            Self::ThreadDeleted => 259,
            Self::ParticipantsAdded => 260,
            Self::ParticipantsRemoved => 261,
        }
    }

    /// The notification with this number.
    pub(super) fn numbered(number: u16) -> Option<Self> {
        EVENT_KINDS.into_iter().find(|kind| kind.number() == number)
    }

    /// The name under which applications subscribe; native clients listen to a path of that name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessageReceived => "chatMessageReceived",
            Self::MessageEdited => "chatMessageEdited",
            Self::MessageDeleted => "chatMessageDeleted",
            Self::TypingIndicator => "typingIndicatorReceived",
            Self::ReadReceipt => "readReceiptReceived",
            Self::ThreadCreated => "chatThreadCreated",
            Self::ThreadPropertiesUpdated => "chatThreadPropertiesUpdated",
            Self::ThreadDeleted => "chatThreadDeleted",
            Self::ParticipantsAdded => "participantsAdded",
            Self::ParticipantsRemoved => "participantsRemoved",
            Self::IncomingCall => "incomingCall",
            Self::CallEnded => "callEnded",
        }
    }

    /// Whether it is worthless a moment later, so that nobody who is away gets it.
    pub(super) const fn is_fleeting(self) -> bool {
        matches!(self, Self::TypingIndicator)
    }

    /// Whether the one who caused it is not told.
    pub(super) const fn spares_actor(self) -> bool {
        matches!(self, Self::TypingIndicator | Self::ReadReceipt)
    }
}

/// Who caused a change; the thread's creator stands for its retention policy, since clients insist on
/// somebody.
pub(super) fn actor(change: &ChatChange) -> &RawId {
    change.actor.as_ref().map_or(&change.thread.created_by, |actor| &actor.id)
}

/// The fields of the notification, but for those that name its receiver.
pub(super) fn fields(change: &ChatChange) -> Map<String, Value> {
    let mut fields = match &change.kind {
        ChangeKind::MessageReceived(message)
        | ChangeKind::MessageEdited(message)
        | ChangeKind::MessageDeleted(message) => of_message(change, message),
        ChangeKind::Typing => typing(change),
        ChangeKind::Read { message } => receipt(change, *message),
        ChangeKind::ThreadCreated => thread_created(change),
        ChangeKind::ThreadUpdated => thread_event(change, "editTime", "editedBy", |fields| {
            put(fields, "properties", properties(&change.thread).into());
        }),
        ChangeKind::ThreadDeleted => thread_event(change, "deleteTime", "deletedBy", |fields| {
            let reason = if change.actor.is_some() { "deletedByUser" } else { "deletedByPolicy" };
            put(fields, "reason", reason.into());
        }),
        ChangeKind::ParticipantsAdded(people) => {
            thread_event(change, "time", "addedBy", |fields| {
                put(fields, "participantsAdded", participants(people).into());
            })
        }
        ChangeKind::ParticipantsRemoved(people) => {
            thread_event(change, "time", "removedBy", |fields| {
                put(fields, "participantsRemoved", participants(people).into());
            })
        }
    };
    put(&mut fields, "eventId", EventKind::of(change).number().into());
    put(&mut fields, "senderId", actor(change).as_str().into());
    put(&mut fields, "transactionId", (*change.transaction).into());
    put(&mut fields, "collapseId", "".into());
    put(&mut fields, "version", change.version().to_string().into());
    fields
}

fn of_message(change: &ChatChange, message: &Message) -> Map<String, Value> {
    let written = iso(message.created());
    let mut fields = message_level(change, message.kind.notified_as(), &written);
    put(&mut fields, "messageId", message.id.to_string().into());
    put(&mut fields, "clientMessageId", "".into());
    put(&mut fields, "composetime", written.into());
    let name = message.sender_display_name.as_deref().unwrap_or_default();
    put(&mut fields, "senderDisplayName", name.into());
    if let Some(deleted) = message.deleted {
        put(&mut fields, "deletetime", iso(deleted).into());
        return fields;
    }
    put(&mut fields, "messageBody", message.text().into());
    put(&mut fields, "priority", "".into());
    put(&mut fields, "acsChatMessageMetadata", metadata(&message.metadata).into());
    if let Some(edited) = message.edited {
        put(&mut fields, "edittime", iso(edited).into());
    }
    fields
}

fn typing(change: &ChatChange) -> Map<String, Value> {
    let mut fields = message_level(change, "Control/Typing", &iso(change.at));
    put(&mut fields, "messageId", change.version().to_string().into());
    put(&mut fields, "senderDisplayName", actor_name(change).into());
    fields
}

fn receipt(change: &ChatChange, message: i64) -> Map<String, Value> {
    let read = time::to_millis(change.at);
    let horizon = json!({
        "user": actor(change).as_str(),
        "consumptionhorizon": format!("{message};{read};0"),
        "messageVisibilityTime": time::to_millis(change.thread.created),
        "version": read.to_string(),
    });
    let kind = "ThreadActivity/MemberConsumptionHorizonUpdate";
    let mut fields = message_level(change, kind, &iso(change.at));
    put(&mut fields, "messageId", message.to_string().into());
    put(&mut fields, "clientMessageId", "0".into());
    put(&mut fields, "senderDisplayName", actor_name(change).into());
    put(&mut fields, "messageBody", nested(&horizon).into());
    fields
}

fn message_level(change: &ChatChange, kind: &str, arrival: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    put(&mut fields, "groupId", (*change.thread.id).into());
    put(&mut fields, "messageType", kind.into());
    put(&mut fields, "originalArrivalTime", arrival.into());
    fields
}

fn thread_created(change: &ChatChange) -> Map<String, Value> {
    thread_event(change, "createTime", "createdBy", |fields| {
        put(fields, "members", participants(&change.thread.participants).into());
        put(fields, "properties", properties(&change.thread).into());
    })
}

/// A notification about a thread: when and by whom, and what else there is to say.
fn thread_event(
    change: &ChatChange,
    time_field: &str,
    actor_field: &str,
    more: impl FnOnce(&mut Map<String, Value>),
) -> Map<String, Value> {
    let mut fields = Map::new();
    put(&mut fields, "groupId", "".into());
    put(&mut fields, "threadId", (*change.thread.id).into());
    put(&mut fields, "threadType", "chat".into());
    put(&mut fields, "createTime", iso(change.thread.created).into());
    put(&mut fields, time_field, iso(change.at).into());
    put(&mut fields, actor_field, nested(&acting(change)).into());
    more(&mut fields);
    fields
}

/// The actor as a participant, who may have left the thread by this very change.
fn acting(change: &ChatChange) -> Value {
    let who = actor(change);
    match change.concerned().find(|it| it.id == *who) {
        Some(present) => participant(present),
        None => json!({
            "participantId": who.as_str(),
            "displayName": change.actor.as_ref().and_then(|it| it.display_name.as_deref()),
            "shareHistoryTime": 0,
            "memberMetaData": "{}",
        }),
    }
}

fn actor_name(change: &ChatChange) -> &str {
    let Some(Actor { display_name: Some(name), .. }) = &change.actor else { return "" };
    name
}

fn participants(people: &[Participant]) -> String {
    nested(&people.iter().map(participant).collect())
}

fn participant(who: &Participant) -> Value {
    json!({
        "participantId": who.id.as_str(),
        "displayName": who.display_name.as_deref(),
        // A number: native clients decode an integer, and for JavaScript 0 is none.
        "shareHistoryTime": who.share_history.map_or(0, time::to_millis),
        "memberMetaData": metadata(&who.metadata),
    })
}

fn properties(thread: &Thread) -> String {
    let mut properties = json!({
        "topic": &*thread.topic,
        "acsChatThreadMetadata": metadata(&thread.metadata),
        "partnerName": "spool",
        "isMigrated": true,
    });
    if let Retention::Days(days) = thread.retention {
        let policy = json!({
            "retentionPolicyType": "DeleteAfterCreationTime",
            "executeAfter": format!("{days}.00:00:00"),
        });
        properties["retentionPolicy"] = nested(&policy).into();
    }
    nested(&properties)
}

fn metadata(metadata: &Metadata) -> String {
    nested(&json!(metadata))
}

/// JSON inside a text. The JavaScript client reads it with `JSON.parse(unescape(text))` and the native
/// ones without `unescape`; with `%` written as `\u0025` both see the same.
fn nested(value: &Value) -> String {
    value.to_string().replace('%', "\\u0025")
}

/// To the millisecond, which is as fine as JavaScript's dates.
fn iso(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(time::to_millis(moment)).unwrap_or_default();
    format!("{moment:.3}")
}

fn put(fields: &mut Map<String, Value>, name: &str, value: Value) {
    fields.insert(name.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_are_found_by_their_number() {
        for kind in EVENT_KINDS {
            assert_eq!(EventKind::numbered(kind.number()), Some(kind));
        }
        assert_eq!(EventKind::numbered(201), None);
    }

    #[test]
    fn moments_have_milliseconds() {
        let moment = Timestamp::from_micros(1_767_366_245_120_999);
        assert_eq!(iso(moment), "2026-01-02T15:04:05.120Z");
    }

    proptest! {
        #[test]
        fn nested_texts_hold_no_percent_and_read_back(text in ".*", deep in ".*") {
            let value = json!({ "topic": text, "inner": nested(&json!({ "deep": deep })) });
            let written = nested(&value);
            prop_assert!(!written.contains('%'));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
