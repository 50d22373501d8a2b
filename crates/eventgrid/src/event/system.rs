//! Events that this program publishes itself, in Event Grid's schema.

use std::sync::Arc;

use kernel::Timestamp;

use super::{Attributes, Event, Object, Shape};
use crate::calendar;
use crate::system::SystemEvent;

impl Event {
    /// An event of the resource `topic`, accepted at `now`. There is nothing to refuse: its parts are
    /// what the program says they are.
    pub(crate) fn of_system(
        event: &SystemEvent,
        data_version: &str,
        topic: &Arc<str>,
        now: Timestamp,
    ) -> Self {
        let time = calendar::rfc3339(event.time);
        let mut object = Object::with_capacity(event.data.get().len() + 256);
        object.text("id", &event.id);
        object.text("subject", &event.subject);
        let data = object.raw("data", event.data.get());
        object.text("eventType", event.event_type);
        object.text("eventTime", &time);
        object.text("dataVersion", data_version);
        Self {
            shape: Shape::EventGrid,
            topic: Arc::clone(topic),
            accepted: now,
            attributes: Attributes {
                id: event.id.as_str().into(),
                event_type: event.event_type.into(),
                subject: Some(event.subject.as_str().into()),
                time: Some(time.into()),
                data_version: data_version.into(),
                source: None,
            },
            original: object.finish(),
            data: Some(data),
        }
    }
}
