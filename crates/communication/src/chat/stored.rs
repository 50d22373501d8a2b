//! Messages and participants between values and columns.

use std::sync::Arc;

use kernel::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use storage::Row;

use super::model::{Content, Message, MessageKind, Metadata, Participant};
use crate::identifier::RawId;
use crate::time;

/// What the content column of a system message holds.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct System {
    initiator: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    participants: Vec<Person>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_history: Option<i64>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

/// The content column of a message.
pub(super) fn content_column(content: &Content) -> String {
    let system = match content {
        Content::Text(text) => return text.clone(),
        Content::Topic { topic, initiator } => System {
            initiator: initiator.as_str().to_owned(),
            topic: Some((**topic).to_owned()),
            participants: Vec::new(),
        },
        Content::Participants { participants, initiator } => System {
            initiator: initiator.as_str().to_owned(),
            topic: None,
            participants: participants.iter().map(person).collect(),
        },
    };
    serde_json::to_string(&system).expect("text and numbers are JSON")
}

/// The column of metadata.
pub(super) fn metadata_column(metadata: &Metadata) -> String {
    serde_json::to_string(metadata).expect("a map of text is JSON")
}

/// Metadata from its column.
pub(super) fn metadata(column: &str) -> Result<Metadata> {
    serde_json::from_str(column).map_err(|_| damaged("metadata"))
}

/// The columns that [`message`] reads.
pub(super) const MESSAGE: &str = "id, sequence, version, kind, content, sender, \
                                  sender_display_name, metadata, edited_at, deleted_at";

/// A message from its row.
pub(super) fn message(row: &Row) -> Result<Message> {
    let kind: String = row.get(3)?;
    let kind = MessageKind::parse(&kind).ok_or_else(|| damaged("kind"))?;
    let content: Option<String> = row.get(4)?;
    let sender: Option<String> = row.get(5)?;
    let name: Option<String> = row.get(6)?;
    Ok(Message {
        id: row.get(0)?,
        sequence: row.get(1)?,
        version: row.get(2)?,
        content: content.map(|text| read_content(kind, text)).transpose()?,
        kind,
        sender: sender.map(RawId::new),
        sender_display_name: name.map(Into::into),
        metadata: metadata(&row.get::<String>(7)?)?,
        edited: row.get(8)?,
        deleted: row.get(9)?,
    })
}

fn read_content(kind: MessageKind, column: String) -> Result<Content> {
    if matches!(kind, MessageKind::Text | MessageKind::Html) {
        return Ok(Content::Text(column));
    }
    let system: System = serde_json::from_str(&column).map_err(|_| damaged("content"))?;
    let initiator = RawId::new(system.initiator);
    Ok(match system.topic {
        Some(topic) => Content::Topic { topic: topic.into(), initiator },
        None => Content::Participants {
            participants: system.participants.into_iter().map(participant).collect(),
            initiator,
        },
    })
}

fn person(participant: &Participant) -> Person {
    Person {
        id: participant.id.as_str().to_owned(),
        display_name: participant.display_name.as_deref().map(str::to_owned),
        share_history: participant.share_history.map(time::to_millis),
        metadata: (*participant.metadata).clone(),
    }
}

fn participant(person: Person) -> Participant {
    Participant {
        id: RawId::new(person.id),
        display_name: person.display_name.map(Into::into),
        share_history: person.share_history.map(time::from_millis),
        metadata: Arc::new(person.metadata),
        visible_from: 0,
    }
}

/// A column that this program cannot have written.
pub(super) fn damaged(what: &str) -> Error {
    let message = "The server cannot read one of its stored threads. The log has the reason.";
    Error::new(ErrorKind::Internal, "InternalServerError", message)
        .context(format!("a chat row has a damaged {what}"))
}
