//! Arbitrary answers of an event handler, and arbitrary addresses of one: no panic, and what is
//! accepted keeps the rules that the rest of the program relies on.
#![no_main]

use axum::http::{Response, StatusCode};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use webpubsub::name;
use webpubsub::upstream::{ConnectOutcome, UrlTemplate, response};

fuzz_target!(|bytes: &[u8]| {
    // Two bytes of status, a line with the content type, the body.
    let [high, low, rest @ ..] = bytes else { return };
    let status = u16::from_be_bytes([*high, *low]);
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (line, body) = rest.split_at(end);
    let Ok(content_type) = std::str::from_utf8(line) else { return };
    let body = body.get(1..).unwrap_or_default();
    if let Ok(template) = UrlTemplate::parse(content_type) {
        template.fill("hub", "event");
    }
    let Ok(status) = StatusCode::from_u16(status) else { return };
    let answer = Response::builder().status(status).header("content-type", content_type);
    let Ok(answer) = answer.body(Bytes::copy_from_slice(body)) else { return };
    response::user(&answer);
    if let ConnectOutcome::Accepted(grant) = response::connect(&answer, &["chat.v1".to_owned()]) {
        let groups = grant.groups.unwrap_or_default();
        assert!(groups.iter().all(|group| name::check_group(group).is_ok()));
        assert!(grant.subprotocol.is_none_or(|chosen| chosen.eq_ignore_ascii_case("chat.v1")));
    }
});
