//! Golden requests and the rules behind them.

use proptest::prelude::*;
use testkit::golden;

use super::*;
use crate::upstream::template::UrlTemplate;

/// A request as one line: method and URL, the headers by name, the body.
fn show(request: &Request<Bytes>) -> String {
    let mut headers: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = request.body().escape_ascii();
    format!("{} {} | {} | {body}", request.method(), request.uri(), headers.join(" | "))
}

/// The text of a member, if it is there.
fn text<'a>(case: &'a Value, name: &str) -> Option<&'a str> {
    case.get(name).and_then(Value::as_str)
}

fn payload(case: &Value) -> Payload {
    let data = text(case, "data").unwrap_or_default();
    match text(case, "kind") {
        None => match text(case, "event").unwrap() {
            "connected" => Payload::connected(),
            "disconnected" => Payload::disconnected(data),
            _ => Payload::connect(&connect_event()),
        },
        Some("text") => Payload::user(Data::Text(data.into())),
        Some("json") => Payload::user(Data::Json(data.into())),
        Some("binary") => Payload::user(Data::Binary(Bytes::from(vec![0, 1, 255]))),
        Some(_) => Payload::user(Data::Protobuf(Bytes::from(vec![10, 1, 97]))),
    }
}

fn connect_event() -> ConnectEvent {
    let Value::Object(claims) = serde_json::json!({
        "sub": "alice", "role": ["webpubsub.sendToGroup"], "exp": 1_700_003_600, "flag": true
    }) else {
        unreachable!("an object was written")
    };
    let query = [("access_token", "hidden"), ("id", "1"), ("id", "2")];
    let headers = [
        ("host", "localhost:8080"),
        ("authorization", "Bearer hidden"),
        ("upgrade", "websocket"),
        ("sec-websocket-key", "hidden"),
        ("x-own", "1"),
        ("x-own", "2"),
    ];
    ConnectEvent {
        claims,
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        headers: headers
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect(),
        subprotocols: vec!["json.webpubsub.azure.v1".to_owned()],
    }
}

#[test]
fn events_become_requests() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/upstream/golden/requests.txt");
    golden::check(path, |input| {
        let case: Value = serde_json::from_str(input).unwrap();
        let name = match text(&case, "event").unwrap() {
            "connect" => EventName::Connect,
            "connected" => EventName::Connected,
            "disconnected" => EventName::Disconnected,
            user => EventName::User(user),
        };
        let state = text(&case, "state").map(|it| HeaderValue::from_str(it).unwrap());
        let mut metadata = Metadata::default();
        if let Some(pairs) = case.get("metadata").and_then(Value::as_object) {
            for (key, value) in pairs {
                metadata.insert(key, value.as_str().unwrap()).unwrap();
            }
        }
        let subject = Subject {
            hub: "chat",
            connection_id: "abc",
            user_id: text(&case, "user"),
            subprotocol: text(&case, "subprotocol"),
            state: state.as_ref(),
            cookies: text(&case, "cookies").map(|it| HeaderValue::from_str(it).unwrap()),
            origin: &HeaderValue::from_static("local.example"),
            signature: "sha256=1,sha256=2",
        };
        let event = Event {
            name,
            id: case.get("id").and_then(Value::as_u64).unwrap_or(1),
            time: Timestamp::from_micros(1_700_000_000_999_999),
            metadata: &metadata,
            payload: &payload(&case),
        };
        let auth = text(&case, "bearer").map(|it| HandlerAuth::bearer(&kernel::Secret::new(it)));
        let url = UrlTemplate::parse("https://h/{hub}/{event}?code=1").unwrap();
        let url = url.fill(subject.hub, name.as_str());
        show(&build(url, &auth.unwrap_or(Ok(HandlerAuth::None)).unwrap(), &subject, &event))
    });
}

#[test]
fn a_token_never_leaves_with_the_event() {
    let payload = Payload::connect(&connect_event());
    assert!(!payload.body.windows(6).any(|bytes| bytes == b"hidden"));
}

#[test]
fn texts_that_headers_cannot_carry_are_encoded() {
    for (text, value) in [
        ("alice", "alice"),
        ("50% \"off\"", "50% \"off\""),
        ("é 50%", "%C3%A9 50%25"),
        ("a\r\nx: y", "a%0D%0Ax: y"),
        ("", ""),
    ] {
        assert_eq!(header_text(text), value);
    }
}

proptest! {
    #[test]
    fn any_text_becomes_one_header(text in "\\PC*|.*") {
        prop_assert!(header_text(&text).to_str().is_ok());
    }
}
