//! Answers and what they mean.

use proptest::prelude::*;

use super::*;

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn connected(body: &str) -> ConnectOutcome {
    let offered = ["Custom.v1".to_owned(), "json.webpubsub.azure.v1".to_owned()];
    connect(&response(200, &[("content-type", "application/json")], body), &offered)
}

fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().copied().map(str::to_owned).collect())
}

#[test]
fn a_grant_names_what_it_changes() {
    let none = Grant::default();
    for (body, grant) in [
        ("", none.clone()),
        (" \r\n", none.clone()),
        ("{}", none.clone()),
        (r#"{"userId":null,"groups":null,"roles":null,"subprotocol":null}"#, none.clone()),
        (r#"{"userId":"","groups":[],"subprotocol":"","mqtt":{}}"#, none.clone()),
        (r#"{"userId":"u2"}"#, Grant { user_id: Some("u2".to_owned()), ..none.clone() }),
        (r#"{"groups":["a","b"]}"#, Grant { groups: texts(&["a", "b"]), ..none.clone() }),
        (r#"{"roles":[]}"#, Grant { roles: Some(Vec::new()), ..none.clone() }),
        (r#"{"roles":["r"]}"#, Grant { roles: texts(&["r"]), ..none.clone() }),
        (
            r#"{"subprotocol":"custom.V1"}"#,
            Grant { subprotocol: Some("Custom.v1".to_owned()), ..none },
        ),
    ] {
        assert_eq!(connected(body), ConnectOutcome::Accepted(grant), "{body}");
    }
    let empty = connect(&response(204, &[], ""), &[]);
    assert_eq!(empty, ConnectOutcome::Accepted(Grant::default()));
}

#[test]
fn a_wrong_grant_lets_nobody_in() {
    for (body, says) in [
        ("ok", "not the JSON object"),
        ("[1]", "not the JSON object"),
        (r#"{"userId":5}"#, "not the JSON object"),
        (r#"{"groups":"a"}"#, "not the JSON object"),
        (r#"{"groups":["a"," "]}"#, "invalid group name"),
        (r#"{"subprotocol":"other"}"#, "does not offer"),
    ] {
        let ConnectOutcome::Failed(reason) = connected(body) else { panic!("{body}") };
        assert!(reason.contains(says), "{body}: {reason}");
    }
}

#[test]
fn refusals_reach_the_client_and_nothing_else_does() {
    let text = "x".repeat(5000);
    let refused = connect(&response(401, &[("content-type", "text/plain")], &text), &[]);
    let ConnectOutcome::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.status.as_u16(), refusal.body.len()), (401, MAX_REFUSAL));
    assert_eq!(refusal.content_type.unwrap(), "text/plain");
    for status in [301, 304, 500, 503] {
        let outcome = connect(&response(status, &[], ""), &[]);
        assert_eq!(outcome, ConnectOutcome::Failed(unexpected(outcome_status(status))));
    }
}

fn outcome_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

#[test]
fn the_content_type_decides_what_the_client_gets() {
    let binary = |bytes: &'static [u8]| Data::Binary(Bytes::from_static(bytes));
    for (content_type, body, data) in [
        ("text/plain", "hi", Data::Text("hi".into())),
        ("Text/Plain; charset=utf-8", "hi", Data::Text("hi".into())),
        ("application/json; charset=utf-8", " {\"a\": 1}\n", Data::Json("{\"a\": 1}".into())),
        ("application/octet-stream", "hi", binary(b"hi")),
        ("application/x-protobuf", "\n", Data::Protobuf(Bytes::from_static(b"\n"))),
    ] {
        let outcome = user(&response(200, &[("content-type", content_type)], body));
        let answer = Answer { data, metadata: Metadata::default() };
        assert_eq!(outcome, UserOutcome::Handled(Some(answer)), "{content_type}");
    }
    let untyped = user(&response(200, &[], "hi"));
    let answer = Answer { data: binary(b"hi"), metadata: Metadata::default() };
    assert_eq!(untyped, UserOutcome::Handled(Some(answer)));
}

#[test]
fn an_empty_answer_sends_nothing_unless_it_has_metadata() {
    for (status, content_type) in [(204, "text/plain"), (200, "application/octet-stream")] {
        let outcome = user(&response(status, &[("content-type", content_type)], ""));
        assert_eq!(outcome, UserOutcome::Handled(None));
    }
    let headers = [("X-WebPubSub-Metadata-Trace", "1"), ("x-webpubsub-metadata-trace", "2")];
    let outcome = user(&response(200, &headers, ""));
    let UserOutcome::Handled(Some(answer)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(answer.data, Data::Text("".into()));
    assert_eq!(answer.metadata.iter().collect::<Vec<_>>(), [("trace", "2")]);
}

#[test]
fn an_answer_that_is_not_what_it_says_is_a_failure() {
    for (content_type, body, says) in [
        ("application/json", "{", "not the JSON"),
        ("text/html", "<p>", "'text/html'; expected text/plain"),
    ] {
        let outcome = user(&response(200, &[("content-type", content_type)], body));
        let UserOutcome::Failed(reason) = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains(says), "{reason}");
    }
    let mut latin = response(200, &[("content-type", "text/plain")], "");
    *latin.body_mut() = Bytes::from_static(b"\xe9");
    assert!(matches!(user(&latin), UserOutcome::Failed(_)));
    assert_eq!(user(&response(400, &[], "")), UserOutcome::Refused(StatusCode::BAD_REQUEST));
    assert!(matches!(user(&response(500, &[], "")), UserOutcome::Failed(_)));
}

#[test]
fn the_last_state_of_a_success_counts() {
    let headers = [("ce-connectionState", "a"), ("ce-connectionstate", "b")];
    assert_eq!(state(&response(200, &headers, "")).unwrap(), "b");
    assert_eq!(state(&response(500, &headers, "")), None);
    assert_eq!(state(&response(204, &[], "")), None);
}

proptest! {
    #[test]
    fn arbitrary_answers_never_panic(
        status in 100_u16..600,
        content_type in "[ -~]{0,40}|application/json|text/plain",
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut response = response(status, &[("content-type", &content_type)], "");
        *response.body_mut() = body.into();
        let _ = (connect(&response, &[]), user(&response), acknowledged(&response));
    }
}

/// The fuzzing corpus: two bytes of status, a line with the content type, the body.
#[test]
fn the_answers_of_the_fuzzing_corpus_mean_what_their_names_say() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/event_handler_answer");
    let read = |name: &str| {
        let bytes = std::fs::read(format!("{corpus}/{name}")).unwrap();
        let line = 2 + bytes[2..].iter().position(|byte| *byte == b'\n').unwrap();
        let (content_type, body) = (&bytes[2..line], &bytes[line + 1..]);
        let text = |part: &[u8]| String::from_utf8(part.to_vec()).unwrap();
        let status = u16::from_be_bytes([bytes[0], bytes[1]]);
        response(status, &[("content-type", &text(content_type))], &text(body))
    };
    let offered = ["chat.v1".to_owned()];
    let ConnectOutcome::Accepted(grant) = connect(&read("grant"), &offered) else {
        panic!("the grant is one")
    };
    assert_eq!(grant.groups.as_deref(), Some(&["g".to_owned()][..]));
    assert!(matches!(user(&read("reply")), UserOutcome::Handled(Some(_))));
    assert!(matches!(connect(&read("refusal"), &offered), ConnectOutcome::Refused(_)));
}
