//! The objects of chat as JSON, in both directions.

use std::collections::BTreeMap;

use kernel::Result;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::chat::rules::invalid;
use crate::chat::{
    Content, Listed, Message, MessageKind, Metadata, MetadataPatch, NewParticipant, Participant,
    Receipt, Refused, Retention, Thread,
};
use crate::identifier::{IdentifierModel, RawId};
use crate::time;

/// Somebody who is to be in a thread.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParticipantBody {
    communication_identifier: IdentifierModel,
    display_name: Option<String>,
    share_history_time: Option<String>,
    metadata: Option<Metadata>,
}

impl ParticipantBody {
    pub(super) fn read(self) -> Result<NewParticipant> {
        let share_history = self.share_history_time.map(|text| {
            time::parse(&text).ok_or_else(|| {
                let message = "shareHistoryTime is a moment such as 2026-01-02T15:04:05Z.";
                invalid(message).target("shareHistoryTime")
            })
        });
        Ok(NewParticipant {
            id: RawId::from_model(&self.communication_identifier, "communicationIdentifier")?,
            display_name: self.display_name,
            share_history: share_history.transpose()?,
            metadata: self.metadata.unwrap_or_default(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RetentionBody {
    kind: String,
    delete_thread_after_days: Option<i64>,
}

impl RetentionBody {
    pub(super) fn read(&self) -> Result<Retention> {
        let target = "retentionPolicy";
        let days = self.delete_thread_after_days.and_then(|days| u16::try_from(days).ok());
        match (&*self.kind, days) {
            ("none", _) => Ok(Retention::None),
            ("threadCreationDate", Some(days @ 30..=90)) => Ok(Retention::Days(days)),
            ("threadCreationDate", _) => {
                Err(invalid("deleteThreadAfterDays is 30 to 90.").target(target))
            }
            _ => Err(invalid("The kind of a retentionPolicy is none or threadCreationDate.")
                .target(target)),
        }
    }
}

/// A merge patch of metadata: absent, `null`, or keys with texts and nulls.
#[derive(Default)]
pub(super) struct MetadataBody(pub(super) MetadataPatch);

impl<'de> Deserialize<'de> for MetadataBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let keys = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?;
        Ok(Self(keys.map_or(MetadataPatch::Clear, MetadataPatch::Merge)))
    }
}

pub(super) fn thread(thread: &Thread) -> Value {
    let retention = match thread.retention {
        Retention::None => json!({ "kind": "none" }),
        Retention::Days(days) => {
            json!({ "kind": "threadCreationDate", "deleteThreadAfterDays": days })
        }
    };
    json!({
        "id": &*thread.id,
        "topic": &*thread.topic,
        "createdOn": time::seconds(thread.created),
        "createdByCommunicationIdentifier": thread.created_by.to_json(),
        "metadata": &*thread.metadata,
        "retentionPolicy": retention,
    })
}

pub(super) fn listed(thread: &Listed) -> Value {
    let mut json = json!({
        "id": thread.id,
        "topic": thread.topic,
        "lastMessageReceivedOn": time::seconds(thread.last_message),
    });
    if let Some(deleted) = thread.deleted {
        json["deletedOn"] = time::seconds(deleted).into();
    }
    json
}

pub(super) fn participant(participant: &Participant) -> Value {
    let mut json = json!({ "communicationIdentifier": participant.id.to_json() });
    if let Some(name) = &participant.display_name {
        json["displayName"] = (**name).into();
    }
    if let Some(share) = participant.share_history {
        json["shareHistoryTime"] = time::seconds(share).into();
    }
    if !participant.metadata.is_empty() {
        json["metadata"] = json!(&*participant.metadata);
    }
    json
}

pub(super) fn refused(refused: &[Refused]) -> Value {
    let entries = refused
        .iter()
        .map(|it| json!({ "code": it.code, "message": it.message, "target": it.id.as_str() }));
    entries.collect()
}

pub(super) fn message(message: &Message) -> Value {
    let mut json = json!({
        "id": message.id.to_string(),
        "type": message.kind.as_str(),
        "sequenceId": message.sequence.to_string(),
        "version": message.version.to_string(),
        "createdOn": time::seconds(message.created()),
    });
    if let Some(content) = &message.content {
        json["content"] = content_json(content);
    }
    if let Some(sender) = &message.sender {
        json["senderCommunicationIdentifier"] = sender.to_json();
    }
    if let Some(name) = &message.sender_display_name {
        json["senderDisplayName"] = (**name).into();
    }
    for (name, moment) in [("editedOn", message.edited), ("deletedOn", message.deleted)] {
        if let Some(moment) = moment {
            json[name] = time::seconds(moment).into();
        }
    }
    if matches!(message.kind, MessageKind::Text | MessageKind::Html) {
        json["metadata"] = json!(message.metadata);
    }
    json
}

fn content_json(content: &Content) -> Value {
    match content {
        Content::Text(text) => json!({ "message": text }),
        Content::Topic { topic, initiator } => {
            json!({ "topic": &**topic, "initiatorCommunicationIdentifier": initiator.to_json() })
        }
        Content::Participants { participants, initiator } => json!({
            "participants": participants.iter().map(participant).collect::<Vec<_>>(),
            "initiatorCommunicationIdentifier": initiator.to_json(),
        }),
    }
}

pub(super) fn receipt(receipt: &Receipt) -> Value {
    json!({
        "senderCommunicationIdentifier": receipt.reader.to_json(),
        "chatMessageId": receipt.message.to_string(),
        "readOn": time::seconds(receipt.read),
    })
}

/// A page: its rows, and the link to the next one.
pub(super) fn page(value: Vec<Value>, next: Option<String>) -> Value {
    let mut page = serde_json::Map::new();
    page.insert("value".to_owned(), Value::Array(value));
    page.extend(next.map(|next| ("nextLink".to_owned(), next.into())));
    Value::Object(page)
}
