//! The Event Grid events that a change in chat causes. Pure.
//!
//! There are two families: one event for each user concerned, with the recipient in it, and one for
//! the whole thread. Both fire for every change but typing and read receipts, which fire none. The
//! sender of a message gets no event of its own family about it.
//!
//! The envelope is not made here: topic, schema and delivery are the business of whoever publishes.

use std::sync::Arc;

use kernel::Timestamp;
use serde_json::{Map, Value, json};

use crate::chat::{Actor, ChangeKind, ChatChange, Message, Participant, Thread};
use crate::identifier::RawId;
use crate::time;

/// The full name of an event type.
macro_rules! full {
    ($name:literal) => {
        concat!("Microsoft.Communication.", $name)
    };
}

/// The version of the data of all events here.
pub const DATA_VERSION: &str = "1.0";

/// An event without its envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Such as `Microsoft.Communication.ChatMessageReceived`.
    pub event_type: &'static str,
    /// Thread and people concerned.
    pub subject: String,
    /// When the change happened.
    pub time: Timestamp,
    /// The fields of the type.
    pub data: Value,
}

/// Every event of a change: those of single users first, in the order of the participants.
pub fn of(change: &ChatChange) -> Vec<Event> {
    match &change.kind {
        ChangeKind::Typing | ChangeKind::Read { .. } => Vec::new(),
        ChangeKind::MessageReceived(message) => messages(change, message, RECEIVED_MESSAGE),
        ChangeKind::MessageEdited(message) => messages(change, message, EDITED_MESSAGE),
        ChangeKind::MessageDeleted(message) => messages(change, message, DELETED_MESSAGE),
        ChangeKind::ThreadCreated => thread(change, &CREATED),
        ChangeKind::ThreadUpdated => thread(change, &UPDATED),
        ChangeKind::ThreadDeleted => thread(change, &DELETED),
        ChangeKind::ParticipantsAdded(people) => roster(change, people, &ADDED),
        ChangeKind::ParticipantsRemoved(people) => roster(change, people, &REMOVED),
    }
}

/// The types of the events about a message: for a user, and for the thread.
type MessageEvent = (&'static str, &'static str);

const RECEIVED_MESSAGE: MessageEvent =
    (full!("ChatMessageReceived"), full!("ChatMessageReceivedInThread"));
const EDITED_MESSAGE: MessageEvent =
    (full!("ChatMessageEdited"), full!("ChatMessageEditedInThread"));
const DELETED_MESSAGE: MessageEvent =
    (full!("ChatMessageDeleted"), full!("ChatMessageDeletedInThread"));

/// The fields of an event under construction.
type Data = Map<String, Value>;

fn messages(change: &ChatChange, message: &Message, event: MessageEvent) -> Vec<Event> {
    let thread = &change.thread;
    let Some(sender) = &message.sender else { return Vec::new() };
    let in_thread = {
        let mut data = message_data(change, message);
        data.insert("composeTime".to_owned(), time::offset(message.created()).into());
        let subject = format!("thread/{}/sender/{sender}", thread.id);
        event_of(change, event.1, subject, data)
    };
    let mut per_user = message_data(change, message);
    per_user.insert("senderId".to_owned(), sender.as_str().into());
    let recipients = thread.participants.iter().filter(|it| it.id != *sender);
    let recipients = recipients.map(|recipient| {
        let mut data = per_user.clone();
        add_recipient(&mut data, &recipient.id);
        let subject = format!("thread/{}/sender/{sender}/recipient/{}", thread.id, recipient.id);
        event_of(change, event.0, subject, data)
    });
    recipients.chain([in_thread]).collect()
}

fn message_data(change: &ChatChange, message: &Message) -> Data {
    let mut data = base(change);
    let sender = message.sender.as_ref().map(RawId::to_json);
    for (name, value) in [
        ("messageId", json!(message.id.to_string())),
        ("senderCommunicationIdentifier", json!(sender)),
        ("senderDisplayName", json!(message.sender_display_name.as_deref().unwrap_or_default())),
        ("composeTime", json!(time::seconds(message.created()))),
        ("type", json!(message.kind.notified_as())),
        ("version", json!(message.version)),
    ] {
        data.insert(name.to_owned(), value);
    }
    match message.deleted {
        Some(deleted) => {
            data.insert("deleteTime".to_owned(), time::seconds(deleted).into());
        }
        None => {
            data.insert("messageBody".to_owned(), message.text().into());
            data.insert("metadata".to_owned(), json!(message.metadata));
        }
    }
    if let Some(edited) = message.edited.filter(|_| message.deleted.is_none()) {
        data.insert("editTime".to_owned(), time::seconds(edited).into());
    }
    data
}

/// How the events about a thread itself are named.
struct ThreadEvent {
    per_user: &'static str,
    in_thread: &'static str,
    /// In the subject, and the name of the field of old clients.
    verb: &'static str,
    /// The field with the moment, if it is not the thread's creation.
    time: Option<&'static str>,
}

const CREATED: ThreadEvent = ThreadEvent {
    per_user: full!("ChatThreadCreatedWithUser"),
    in_thread: full!("ChatThreadCreated"),
    verb: "createdBy",
    time: None,
};
const UPDATED: ThreadEvent = ThreadEvent {
    per_user: full!("ChatThreadPropertiesUpdatedPerUser"),
    in_thread: full!("ChatThreadPropertiesUpdated"),
    verb: "editedBy",
    time: Some("editTime"),
};
const DELETED: ThreadEvent = ThreadEvent {
    per_user: full!("ChatThreadWithUserDeleted"),
    in_thread: full!("ChatThreadDeleted"),
    verb: "deletedBy",
    time: Some("deleteTime"),
};

fn thread(change: &ChatChange, event: &ThreadEvent) -> Vec<Event> {
    let thread = &change.thread;
    let who = actor_id(change);
    let mut in_thread = thread_data(change);
    in_thread.insert(format!("{}CommunicationIdentifier", event.verb), who.to_json());
    if let Some(field) = event.time {
        in_thread.insert(field.to_owned(), time::seconds(change.at).into());
    }
    if !matches!(change.kind, ChangeKind::ThreadDeleted) {
        in_thread.insert("properties".to_owned(), json!({ "topic": &*thread.topic }));
        in_thread.insert("metadata".to_owned(), json!(&*thread.metadata));
    }
    let created = matches!(change.kind, ChangeKind::ThreadCreated);
    if created {
        in_thread.insert("participants".to_owned(), people(&thread.participants));
    }
    let mut per_user = in_thread.clone();
    per_user.insert(event.verb.to_owned(), who.as_str().into());
    if created {
        let member =
            |it: &Participant| json!({ "displayName": name(it), "memberId": it.id.as_str() });
        per_user.insert("members".to_owned(), thread.participants.iter().map(member).collect());
    }
    let subject = format!("thread/{}/{}/{who}", thread.id, event.verb);
    let recipients = thread.participants.iter().map(|recipient| {
        let mut data = per_user.clone();
        add_recipient(&mut data, &recipient.id);
        let subject = format!("{subject}/recipient/{}", recipient.id);
        event_of(change, event.per_user, subject, data)
    });
    let in_thread = event_of(change, event.in_thread, subject.clone(), in_thread);
    recipients.chain([in_thread]).collect()
}

/// How the events about people who come and go are named.
struct RosterEvent {
    per_user: &'static str,
    in_thread: &'static str,
    /// The field with the person, and its place in the subject of an event for a user.
    person: &'static str,
    /// In the subject of the event for the thread.
    subject: &'static str,
    /// The field with who did it.
    by: &'static str,
}

const ADDED: RosterEvent = RosterEvent {
    per_user: full!("ChatParticipantAddedToThreadWithUser"),
    in_thread: full!("ChatThreadParticipantAdded"),
    person: "participantAdded",
    subject: "participantadded",
    by: "addedByCommunicationIdentifier",
};
const REMOVED: RosterEvent = RosterEvent {
    per_user: full!("ChatParticipantRemovedFromThreadWithUser"),
    in_thread: full!("ChatThreadParticipantRemoved"),
    person: "participantRemoved",
    subject: "participantremoved",
    by: "removedByCommunicationIdentifier",
};

/// One event for each person and recipient: those who have just come are told, too, and so is who
/// was removed.
fn roster(change: &ChatChange, concerned: &[Participant], event: &RosterEvent) -> Vec<Event> {
    let thread = &change.thread;
    let mut events = Vec::new();
    for who in concerned {
        let mut data = thread_data(change);
        data.insert("time".to_owned(), time::seconds(change.at).into());
        data.insert(event.by.to_owned(), actor_id(change).to_json());
        data.insert(event.person.to_owned(), person(who));
        let subject = format!("thread/{}/{}/{}", thread.id, event.person, who.id);
        events.extend(change.concerned().map(|recipient| {
            let mut data = data.clone();
            add_recipient(&mut data, &recipient.id);
            let subject = format!("{subject}/recipient/{}", recipient.id);
            event_of(change, event.per_user, subject, data)
        }));
        let subject = format!("thread/{}/{}/{}", thread.id, event.subject, who.id);
        events.push(event_of(change, event.in_thread, subject, data));
    }
    events
}

fn base(change: &ChatChange) -> Data {
    let fields = [
        ("threadId", Value::from(&*change.thread.id)),
        ("transactionId", Value::from(&*change.transaction)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn thread_data(change: &ChatChange) -> Data {
    let mut data = base(change);
    data.insert("createTime".to_owned(), time::seconds(change.thread.created).into());
    data.insert("version".to_owned(), change.version().into());
    data
}

fn add_recipient(data: &mut Data, recipient: &RawId) {
    data.insert("recipientId".to_owned(), recipient.as_str().into());
    data.insert("recipientCommunicationIdentifier".to_owned(), recipient.to_json());
}

/// Who did it; the thread's creator stands for its retention policy, since the field must be there.
fn actor_id(change: &ChatChange) -> &RawId {
    let Thread { created_by, .. } = &*change.thread;
    change.actor.as_ref().map_or(created_by, |Actor { id, .. }| id)
}

fn people(participants: &Arc<[Participant]>) -> Value {
    participants.iter().map(person).collect()
}

fn person(participant: &Participant) -> Value {
    let mut json = json!({
        "displayName": name(participant),
        "participantCommunicationIdentifier": participant.id.to_json(),
    });
    if !participant.metadata.is_empty() {
        json["metadata"] = json!(&*participant.metadata);
    }
    json
}

fn name(participant: &Participant) -> &str {
    participant.display_name.as_deref().unwrap_or_default()
}

fn event_of(change: &ChatChange, event_type: &'static str, subject: String, data: Data) -> Event {
    Event { event_type, subject, time: change.at, data: Value::Object(data) }
}

#[cfg(test)]
mod tests;
