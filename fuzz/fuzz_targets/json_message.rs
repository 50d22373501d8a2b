//! Arbitrary text from a client of the JSON subprotocol: no panic, a refusal fits into a close
//! frame, and what is accepted leaves as JSON again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use webpubsub::message::{Message, Source};
use webpubsub::protocol::{ClientMessage, json};

/// RFC 6455 section 5.5: 125 bytes, two of which are the close code.
const MAX_REASON: usize = 123;

fuzz_target!(|text: &str| {
    match json::decode(text) {
        Ok(ClientMessage::SendToGroup { group, data, metadata, .. }) => {
            let source = Source::Group { group: group.into(), user: None };
            let out = json::message(&Message { source, data, metadata });
            serde_json::from_slice::<IgnoredAny>(&out).expect("what is written is JSON");
        }
        Ok(_) => {}
        Err(error) => assert!(error.reason().len() <= MAX_REASON, "{}", error.reason()),
    }
});
