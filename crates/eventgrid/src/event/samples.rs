//! Accepted events for tests.

use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::Bytes;
use kernel::Timestamp;
use serde_json::{Value, json};

use super::{
    BadPublication, Event, InputSchema, InputSchemaMapping, Intake, Limits, Publication, accept,
};

/// The topic that the samples are published to.
const TOPIC: &str = "/subscriptions/1/topics/t";
/// When they are accepted.
const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

/// The schema with this short name: `EventGrid`, `CloudEvents` or `Custom`, the last with a mapping
/// of fields that the samples may have.
pub(crate) fn schema(name: &str) -> InputSchema {
    match name {
        "EventGrid" => InputSchema::EventGrid,
        "CloudEvents" => InputSchema::CloudEvents,
        _ => {
            let mapping = json!({"properties":{
                "id":{"sourceField":"key"},
                "eventTime":{"sourceField":"when"},
                "eventType":{"sourceField":"kind","defaultValue":"none"},
                "subject":{"defaultValue":"DefaultSubject"}}});
            InputSchema::Custom(Box::new(InputSchemaMapping::parse(&mapping).unwrap()))
        }
    }
}

/// Publishes a body.
pub(crate) fn publish(
    schema: &InputSchema,
    headers: &HeaderMap,
    body: impl Into<Bytes>,
    limits: Limits,
) -> Result<Vec<Event>, BadPublication> {
    let intake = Intake {
        topic: &Arc::from(TOPIC),
        schema,
        limits: &limits,
        now: NOW,
        new_id: &|| "new-id".to_owned(),
    };
    accept(&Publication { headers, body: &body.into() }, &intake)
}

/// One accepted event.
pub(crate) fn event(schema_name: &str, event: &Value) -> Event {
    let body = json!([event]).to_string();
    publish(&schema(schema_name), &HeaderMap::new(), body, Limits::default()).unwrap().remove(0)
}
