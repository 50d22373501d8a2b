//! Events that resources of this installation publish about themselves.
//!
//! - `types`: the topic types and event types that there are, with what listings say about them
//! - this module: the envelope of such an event
//!
//! What is in the data is the business of the service that raises the event.

mod types;

use std::sync::Arc;

use kernel::Timestamp;
use serde_json::value::RawValue;

use crate::event::Event;

pub use types::{EventType, TOPIC_TYPES, TopicType, resource_type_of, topic_type, topic_types};

/// An event of a resource, on its way to the system topic of that resource.
#[derive(Clone, Debug)]
pub struct SystemEvent {
    /// Unique for this event.
    pub id: String,
    /// What it is about, within the resource.
    pub subject: String,
    /// The full name, such as `Microsoft.Communication.ChatThreadCreated`.
    pub event_type: &'static str,
    /// When it happened.
    pub time: Timestamp,
    /// The data, as JSON.
    pub data: Box<RawValue>,
}

impl SystemEvent {
    /// The event as the resource with the id `topic` publishes it, accepted at `now`.
    pub fn to_event(&self, topic: &Arc<str>, now: Timestamp) -> Event {
        let version = topic_type_of(self.event_type).map_or("1.0", |known| known.data_version);
        Event::of_system(self, version, topic, now)
    }
}

/// The topic type that an event type belongs to.
fn topic_type_of(event_type: &str) -> Option<&'static TopicType> {
    let has = |topic: &&TopicType| topic.events.iter().any(|event| event.name == event_type);
    types::TOPIC_TYPES.iter().find(has)
}
