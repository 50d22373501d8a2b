//! Arbitrary bytes as a publication: no panic, a refusal is one line, and what is accepted leaves as
//! JSON in every form that it has, with its data as it came.
//!
//! The first byte chooses the input schema and the content type.
#![no_main]

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use eventgrid::event::{
    DeliverySchema, Event, InputSchema, InputSchemaMapping, Intake, Limits, Publication, accept,
};
use kernel::{Error, ErrorKind, Timestamp};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    let (schema, headers) = topic(*kind);
    let intake = Intake {
        topic: &Arc::from("/subscriptions/1/topics/t"),
        schema: &schema,
        limits: &Limits::default(),
        now: Timestamp::from_secs(1_760_000_000),
        new_id: &|| "new".to_owned(),
    };
    let body = Bytes::copy_from_slice(body);
    match accept(&Publication { headers: &headers, body: &body }, &intake) {
        Ok(events) => events.iter().for_each(check),
        Err(refusal) => {
            assert!(!refusal.to_string().contains(char::is_control), "{refusal:?}");
            let kind = Error::from(refusal).kind();
            assert!(matches!(kind, ErrorKind::Invalid | ErrorKind::TooLarge));
        }
    }
});

fn topic(kind: u8) -> (InputSchema, HeaderMap) {
    let mut headers = HeaderMap::new();
    let mut set = |name, value| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    };
    let schema = match kind {
        b'G' => InputSchema::EventGrid,
        b'S' | b'B' | b'P' => InputSchema::CloudEvents,
        _ => {
            let mapping = serde_json::json!({"properties":{
                "id":{"sourceField":"id"},"eventType":{"sourceField":"a.b"}}});
            let mapping = InputSchemaMapping::parse(&mapping).expect("the mapping is good");
            InputSchema::Custom(Box::new(mapping))
        }
    };
    match kind {
        b'S' => set("content-type", "application/cloudevents+json"),
        b'B' => set("content-type", "application/cloudevents-batch+json"),
        b'P' => {
            let attributes =
                [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
            attributes.into_iter().for_each(|(name, value)| set(name, value));
            set("content-type", "application/json");
        }
        _ => {}
    }
    (schema, headers)
}

fn check(event: &Event) {
    for schema in DeliverySchema::of_input(event.shape()) {
        let encoded = event.encode(*schema).expect("the form is one of those it has");
        serde_json::from_slice::<IgnoredAny>(&encoded).expect("what is written is JSON");
    }
    let restored = Event::restore(&event.store().into()).expect("what was stored can be read");
    assert_eq!(&restored, event);
}
