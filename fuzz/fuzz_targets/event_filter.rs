//! Arbitrary JSON as the filter of an event subscription: no panic, a refusal names its place, and
//! what is accepted shows itself again and has an answer for every event.
#![no_main]

use std::sync::{Arc, LazyLock};

use axum::http::HeaderMap;
use eventgrid::event::{Event, InputSchema, Intake, Limits, Publication, accept};
use eventgrid::filter::{Filter, Subject};
use kernel::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static EVENT: LazyLock<Event> = LazyLock::new(|| {
    let body =
        br#"[{"id":"1","subject":"/a/B.jpg","eventType":"t","eventTime":"2026-01-01T00:00:00Z",
        "data":{"n":1.5,"b":true,"s":"Text","o":{"a":[1,"x",null,{"b":2}]}}}]"#;
    let intake = Intake {
        topic: &Arc::from("/subscriptions/1/topics/t"),
        schema: &InputSchema::EventGrid,
        limits: &Limits::default(),
        now: Timestamp::from_secs(1_760_000_000),
        new_id: &String::new,
    };
    let publication = Publication { headers: &HeaderMap::new(), body: &body.as_slice().into() };
    accept(&publication, &intake).expect("the event is good").remove(0)
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(json) = serde_json::from_slice::<Value>(bytes) else { return };
    match Filter::parse(&json) {
        Ok(filter) => {
            let again = Filter::parse(&filter.to_json()).expect("what is shown can be read");
            assert_eq!(again, filter);
            let subject = Subject::new(&EVENT);
            assert_eq!(filter.judge(&subject), again.judge(&subject));
        }
        Err(error) => {
            assert!(error.target_name().is_some_and(|at| at.starts_with("filter")), "{error:?}");
            assert!(!error.message().contains(char::is_control), "{error:?}");
        }
    }
});
