//! Arbitrary bytes from a server, as our own client reads them: no panic, whether they are a frame's
//! header, a JSON or a protobuf message.
#![no_main]

use gateway::frame;
use libfuzzer_sys::fuzz_target;
use webpubsub::protocol::{json, protobuf};

const LIMIT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(header)) = frame::read_server_header(bytes, LIMIT) {
        assert!(header.payload_len <= LIMIT && header.header_len <= bytes.len());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = json::client::decode(text);
    }
    let _ = protobuf::client::decode(bytes);
});
