//! The ways out: one JSON object for an event, in the schema of a subscription.
//!
//! Encoding happens once for an event and schema, however many subscriptions share it. Attributes
//! are written anew; data is copied as bytes.

use std::ops::Range;

use bytes::Bytes;

use super::{DeliverySchema, Event, Shape};
use crate::json::quoted;

impl Event {
    /// The event in the form `schema`, or `None` when events of its shape have no such form (see
    /// [`DeliverySchema::of_input`]).
    pub fn encode(&self, schema: DeliverySchema) -> Option<Bytes> {
        match (self.shape, schema) {
            (Shape::EventGrid | Shape::Custom, DeliverySchema::EventGrid) => {
                Some(self.as_event_grid().finish())
            }
            (Shape::EventGrid | Shape::Custom, DeliverySchema::CloudEvents) => {
                Some(self.as_cloud_event().finish())
            }
            (Shape::CloudEvents, DeliverySchema::CloudEvents)
            | (Shape::Custom, DeliverySchema::CustomInput) => Some(self.original.clone()),
            (Shape::CloudEvents, DeliverySchema::EventGrid | DeliverySchema::CustomInput)
            | (Shape::EventGrid, DeliverySchema::CustomInput) => None,
        }
    }

    /// Official receivers refuse an event in which one of the seven strings is missing.
    pub(crate) fn as_event_grid(&self) -> Object {
        let mut object = Object::with_capacity(self.original.len() + self.topic.len());
        object.text("id", self.id());
        object.text("topic", &self.topic);
        object.text("subject", self.subject().unwrap_or_default());
        object.raw("data", self.data().unwrap_or("null"));
        object.text("eventType", self.event_type());
        object.text("eventTime", self.time().unwrap_or_default());
        object.text("dataVersion", self.data_version());
        object.text("metadataVersion", "1");
        object
    }

    /// The topic is the source. The data's version becomes the extension `dataversion`, so that it
    /// is not lost.
    fn as_cloud_event(&self) -> Object {
        let mut object = Object::with_capacity(self.original.len() + self.topic.len());
        object.text("specversion", "1.0");
        object.text("id", self.id());
        object.text("source", &self.topic);
        object.text("type", self.event_type());
        if let Some(subject) = self.subject().filter(|subject| !subject.is_empty()) {
            object.text("subject", subject);
        }
        if let Some(time) = self.time() {
            object.text("time", time);
        }
        if !self.data_version().is_empty() {
            object.text("dataversion", self.data_version());
        }
        if let Some(data) = self.data() {
            object.raw("data", data);
        }
        object
    }
}

/// A JSON object under construction, in the order of writing.
#[derive(Debug)]
pub(crate) struct Object(Vec<u8>);

impl Object {
    /// `expected` bytes are set aside for the members.
    pub(crate) fn with_capacity(expected: usize) -> Self {
        let mut bytes = Vec::with_capacity(expected + 128);
        bytes.push(b'{');
        Self(bytes)
    }

    /// Goes on where `json`, a JSON object, ends. A name that is there already is there twice then,
    /// and the new value counts.
    pub(crate) fn extending(json: &[u8]) -> Self {
        let json = json.trim_ascii();
        let open = json.strip_suffix(b"}").unwrap_or(b"{").trim_ascii_end();
        Self(open.to_vec())
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &quoted(value));
    }

    /// Returns where the value is in the finished object.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> Range<usize> {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.extend_from_slice(quoted(name).as_bytes());
        self.0.push(b':');
        let start = self.0.len();
        self.0.extend_from_slice(json.as_bytes());
        start..self.0.len()
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.0.push(b'}');
        self.0.into()
    }
}

/// A JSON array of encoded events.
pub fn array_of(events: &[Bytes]) -> Bytes {
    let bytes: usize = events.iter().map(|event| event.len() + 1).sum();
    let mut array = Vec::with_capacity(bytes + 2);
    array.push(b'[');
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            array.push(b',');
        }
        array.extend_from_slice(event);
    }
    array.push(b']');
    array.into()
}
