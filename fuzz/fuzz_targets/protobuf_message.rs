//! Arbitrary bytes from a client of a protobuf subprotocol: no panic, a refusal fits into a close
//! frame, and what is accepted reaches clients of the JSON subprotocol as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use webpubsub::message::{Message, Source};
use webpubsub::protocol::{ClientMessage, json, protobuf};

/// RFC 6455 section 5.5: 125 bytes, two of which are the close code.
const MAX_REASON: usize = 123;

fuzz_target!(|bytes: &[u8]| {
    match protobuf::decode(bytes) {
        Ok(ClientMessage::SendToGroup { group, data, metadata, .. }) => {
            let source = Source::Group { group: group.into(), user: None };
            let message = Message { source, data, metadata };
            let out = json::message(&message);
            serde_json::from_slice::<IgnoredAny>(&out).expect("what is written is JSON");
            protobuf::message(&message);
        }
        Ok(_) => {}
        Err(error) => assert!(error.reason().len() <= MAX_REASON, "{}", error.reason()),
    }
});
