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
    TOPIC_TYPES.iter().find(has)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::DeliverySchema;

    #[test]
    fn a_system_event_is_an_event_of_its_resource() {
        let data = r#"{"hubName":"chat", "connectionId":"c"}"#;
        let event = SystemEvent {
            id: "1".to_owned(),
            subject: "/hub/chat".to_owned(),
            event_type: "Microsoft.SignalRService.ClientConnectionConnected",
            time: Timestamp::from_secs(1_790_000_000),
            data: RawValue::from_string(data.to_owned()).unwrap(),
        };
        let event = event.to_event(&Arc::from("/resource"), Timestamp::from_secs(1_790_000_001));
        assert_eq!(event.data(), Some(data));
        assert_eq!(Event::restore(&event.store().into()).as_ref(), Ok(&event));
        let encoded = event.encode(DeliverySchema::EventGrid).unwrap();
        let expected = format!(
            "{{\"id\":\"1\",\"topic\":\"/resource\",\"subject\":\"/hub/chat\",\"data\":{data},\
             \"eventType\":\"Microsoft.SignalRService.ClientConnectionConnected\",\
             \"eventTime\":\"2026-09-21T14:13:20Z\",\"dataVersion\":\"1.0\",\"metadataVersion\":\"1\"}}"
        );
        assert_eq!(std::str::from_utf8(&encoded), Ok(&*expected));
    }
}
