//! How an event waits in the store: a line of JSON with what we know about it, then the original.

use std::sync::Arc;

use bytes::Bytes;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Attributes, Event, Shape};

/// The first line. Short names, since there is one for each event.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    schema: &'a str,
    topic: String,
    /// Microseconds since 1970.
    accepted: i64,
    id: Box<str>,
    #[serde(rename = "type")]
    event_type: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    version: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<(usize, usize)>,
}

/// What was stored is no event; names the part that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored event is damaged: its {0} cannot be read")]
pub struct Damaged(&'static str);

impl Event {
    /// The form in which an event can be kept; [`Event::restore`] reads it.
    pub fn store(&self) -> Vec<u8> {
        let attributes = self.attributes.clone();
        let head = Head {
            schema: self.shape.name(),
            topic: (*self.topic).to_owned(),
            accepted: self.accepted.as_micros(),
            id: attributes.id,
            event_type: attributes.event_type,
            subject: attributes.subject,
            time: attributes.time,
            version: attributes.data_version,
            source: attributes.source,
            data: self.data.as_ref().map(|data| (data.start, data.end)),
        };
        let mut stored = serde_json::to_vec(&head).expect("a head is plain text and numbers");
        stored.push(b'\n');
        stored.extend_from_slice(&self.original);
        stored
    }

    /// Reads what [`Event::store`] wrote.
    ///
    /// # Errors
    /// When it was written by something else.
    pub fn restore(stored: &Bytes) -> Result<Self, Damaged> {
        // JSON of one line holds no line break, so the first one ends the head.
        let end = stored.iter().position(|byte| *byte == b'\n').ok_or(Damaged("head"))?;
        let head: Head<'_> = serde_json::from_slice(&stored[..end]).map_err(|_| Damaged("head"))?;
        let original = stored.slice(end + 1..);
        let text = std::str::from_utf8(&original).map_err(|_| Damaged("original"))?;
        let data = head.data.map(|(start, end)| start..end);
        if data.as_ref().is_some_and(|data| text.get(data.clone()).is_none()) {
            return Err(Damaged("data"));
        }
        Ok(Self {
            shape: Shape::named(head.schema).ok_or(Damaged("schema"))?,
            topic: Arc::from(head.topic),
            accepted: Timestamp::from_micros(head.accepted),
            attributes: Attributes {
                id: head.id,
                event_type: head.event_type,
                subject: head.subject,
                time: head.time,
                data_version: head.version,
                source: head.source,
            },
            original,
            data,
        })
    }
}
