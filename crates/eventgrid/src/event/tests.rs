//! Publications in, events out, and everything that is refused.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName};
use kernel::{Error, ErrorKind};
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;
use testkit::golden;

use super::samples::schema;
use super::*;

fn publish(schema: &InputSchema, body: impl Into<Bytes>) -> Result<Vec<Event>, BadPublication> {
    samples::publish(schema, &HeaderMap::new(), body, Limits::default())
}

fn content_type(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())])
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Each form of the event, in the order of the schemas that it has.
fn forms(event: &Event) -> String {
    let forms = DeliverySchema::of_input(event.shape()).iter().map(|schema| {
        let encoded = event.encode(*schema).unwrap();
        let value: Value = serde_json::from_slice(&encoded).unwrap();
        assert!(value.is_object());
        format!("{schema} {}", text(&encoded))
    });
    forms.collect::<Vec<_>>().join(" | ")
}

#[test]
fn events_leave_in_every_form_that_they_have() {
    #[derive(serde::Deserialize)]
    struct Case<'a> {
        r#in: String,
        #[serde(borrow)]
        event: &'a RawValue,
    }
    golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/src/event/golden/encodings.txt"), |line| {
        let case: Case<'_> = serde_json::from_str(line).unwrap();
        let events = publish(&schema(&case.r#in), format!(" [ {} ]\n", case.event)).unwrap();
        assert_eq!(events[0].original(), case.event.get().as_bytes());
        forms(&events[0])
    });
}

#[test]
fn binary_mode_becomes_a_structured_event() {
    golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/src/event/golden/binary.txt"), |line| {
        let case: Value = serde_json::from_str(line).unwrap();
        let headers = case["headers"].as_object().unwrap().iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, value.as_str().unwrap().parse().unwrap())
        });
        let headers: HeaderMap = headers.collect();
        let body = case["body"].as_str().unwrap().to_owned();
        match samples::publish(&InputSchema::CloudEvents, &headers, body, Limits::default()) {
            Ok(events) => forms(&events[0]),
            Err(refusal) => refusal.to_string(),
        }
    });
}

#[test]
fn every_broken_rule_is_named() {
    golden::check(concat!(env!("CARGO_MANIFEST_DIR"), "/src/event/golden/refusals.txt"), |line| {
        let case: Value = serde_json::from_str(line).unwrap();
        let schema = schema(case["in"].as_str().unwrap());
        let headers = case["type"].as_str().map(content_type).unwrap_or_default();
        let body = case["body"].as_str().unwrap().to_owned();
        let refusal = samples::publish(&schema, &headers, body, Limits::default()).unwrap_err();
        assert_eq!(Error::from(refusal.clone()).kind(), ErrorKind::Invalid);
        format!("{}: {refusal}", refusal.code())
    });
}

#[test]
fn cloud_events_are_read_whatever_a_plain_content_type_says() {
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    let batch = format!("[{event},{event}]");
    for kind in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        let publish = |body: &str| {
            let (headers, limits) = (content_type(kind), Limits::default());
            samples::publish(&InputSchema::CloudEvents, &headers, body.to_owned(), limits)
        };
        assert_eq!(publish(event).unwrap().len(), 1, "{kind}");
        assert_eq!(publish(&batch).unwrap().len(), 2, "{kind}");
    }
}

#[test]
fn one_bad_event_refuses_all_and_is_pointed_at() {
    let good = r#"{"id":"1","subject":"s","eventType":"t","eventTime":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(publish(&InputSchema::EventGrid, format!("[{good},{good}]")).unwrap().len(), 2);
    let refusal = publish(&InputSchema::EventGrid, format!("[{good},{good},{{}},1]")).unwrap_err();
    assert_eq!(refusal.index(), Some(2));
    let error = Error::from(refusal);
    assert_eq!((error.code(), error.target_name()), ("InputJsonInvalid", Some("[2]")));
}

#[test]
fn no_event_at_all_is_no_mistake() {
    assert_eq!(publish(&InputSchema::EventGrid, "[]"), Ok(Vec::new()));
    assert_eq!(publish(&InputSchema::CloudEvents, " [ ] "), Ok(Vec::new()));
}

#[test]
fn limits_hold_to_the_byte_and_the_event() {
    let schema = schema("Custom");
    let event = r#"{"a":"0123456789"}"#;
    let body = format!("[{event},{event}]");
    let limits = Limits { request_bytes: body.len(), event_bytes: event.len(), events: 2 };
    let publish = |limits| samples::publish(&schema, &HeaderMap::new(), body.clone(), limits);
    assert_eq!(publish(limits).unwrap().len(), 2);
    for (limits, says, index) in [
        (Limits { request_bytes: body.len() - 1, ..limits }, "The request has 39 bytes", None),
        (Limits { event_bytes: event.len() - 1, ..limits }, "The event has 18 bytes", Some(0)),
        (Limits { events: 1, ..limits }, "The request has 2 events", None),
    ] {
        let refusal = publish(limits).unwrap_err();
        assert!(refusal.to_string().contains(says), "{refusal}");
        assert_eq!(refusal.index(), index);
        let error = Error::from(refusal);
        assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, "RequestEntityTooLarge"));
    }
    let binary = HeaderMap::from_iter([(HeaderName::from_static("ce-id"), "1".parse().unwrap())]);
    let limits = Limits { event_bytes: 38, ..limits };
    let refusal = samples::publish(&InputSchema::CloudEvents, &binary, body, limits).unwrap_err();
    assert!(refusal.to_string().contains("The event has 39 bytes"), "{refusal}");
}

#[test]
fn data_lies_in_the_request_and_is_not_copied() {
    let body = Bytes::from_static(b"[{\"key\":1}]");
    let event = publish(&schema("Custom"), body.clone()).unwrap().remove(0);
    assert_eq!(event.original().as_ptr(), body[1..].as_ptr());
    assert_eq!(event.data(), Some("{\"key\":1}"));
}

#[test]
fn a_damaged_record_is_told_and_does_not_panic() {
    let event = publish(&schema("Custom"), "[{\"key\":1}]").unwrap().remove(0);
    let stored = event.store();
    assert_eq!(Event::restore(&stored.clone().into()).as_ref(), Ok(&event));
    assert!(Event::restore(&Bytes::new()).is_err());
    let cut = Bytes::from(stored[..stored.len() - 4].to_vec());
    let damage = Event::restore(&cut).unwrap_err().to_string();
    assert_eq!(damage, "a stored event is damaged: its data cannot be read");
    let other = text(&stored).replace("CustomEventSchema", "Other");
    assert!(Event::restore(&other.into()).is_err());
}

#[test]
fn the_fuzzing_corpus_behaves() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/event_publication");
    let mut accepted = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        accepted += usize::from(behaves(bytes[0], &bytes[1..]));
    }
    assert!(accepted > 3, "{accepted} publications of the corpus are accepted");
}

/// Publishes arbitrary bytes in the way that `kind` says; what must hold then is asserted. Whether
/// they were accepted.
fn behaves(kind: u8, body: &[u8]) -> bool {
    let (schema, headers) = match kind {
        b'G' => (InputSchema::EventGrid, HeaderMap::new()),
        b'S' => (InputSchema::CloudEvents, content_type("application/cloudevents+json")),
        b'B' => (InputSchema::CloudEvents, content_type("application/cloudevents-batch+json")),
        b'P' => {
            let attributes = [("specversion", "1.0"), ("id", "1"), ("source", "/s"), ("type", "t")];
            let mut headers = content_type("application/json");
            for (name, value) in attributes {
                let name = HeaderName::from_bytes(format!("ce-{name}").as_bytes()).unwrap();
                headers.insert(name, value.parse().unwrap());
            }
            (InputSchema::CloudEvents, headers)
        }
        _ => (schema("Custom"), HeaderMap::new()),
    };
    match samples::publish(&schema, &headers, body.to_vec(), Limits::default()) {
        Ok(events) => {
            for event in &events {
                forms(event);
                assert_eq!(Event::restore(&event.store().into()).as_ref(), Ok(event));
            }
            true
        }
        Err(refusal) => {
            assert!(!refusal.to_string().contains(char::is_control), "{refusal:?}");
            let kind = Error::from(refusal).kind();
            assert!(matches!(kind, ErrorKind::Invalid | ErrorKind::TooLarge));
            false
        }
    }
}

/// JSON of any form, with white space and numbers as people write them.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[1-9][0-9]{0,25}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        ".{0,12}".prop_map(|text| crate::json::quoted(&text)),
        Just(r#""\u00e9\/""#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[ {}]", items.join(" ,"))),
            proptest::collection::vec(("[a-z.A-Z]{0,6}", inner), 0..4).prop_map(|members| {
                let members =
                    members.into_iter().map(|(name, value)| format!("\"{name}\" : {value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_events_or_the_publishers_mistake(
        kind in proptest::sample::select(b"GSBPC".to_vec()),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        behaves(kind, &body);
    }

    #[test]
    fn arbitrary_json_is_events_or_the_publishers_mistake(
        kind in proptest::sample::select(b"GSBPC".to_vec()),
        body in any_json(),
    ) {
        behaves(kind, body.as_bytes());
        behaves(kind, format!("[{body}]").as_bytes());
    }

    #[test]
    fn data_keeps_its_bytes_on_every_road(data in any_json(), subject in ".{1,20}") {
        let subject = crate::json::quoted(&subject);
        let event = format!(
            r#"{{"id":"1","subject":{subject},"data":{data},"eventType":"t","eventTime":"2026-01-01T00:00:00Z"}}"#
        );
        let event = publish(&InputSchema::EventGrid, format!("[{event}]")).unwrap().remove(0);
        let event = Event::restore(&event.store().into()).unwrap();
        prop_assert_eq!(event.data(), Some(&*data));
        for schema in [DeliverySchema::EventGrid, DeliverySchema::CloudEvents] {
            let encoded = event.encode(schema).unwrap();
            let members = crate::json::Members::parse(text(&encoded)).unwrap();
            prop_assert_eq!(members.get("data"), Some(&*data));
            prop_assert_eq!(members.get("subject"), Some(&*subject));
        }
    }
}
