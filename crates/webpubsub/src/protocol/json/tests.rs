//! Golden cases in both directions, and what must hold for any input.

use proptest::prelude::*;
use serde_json::Value;
use testkit::golden;

use super::*;

fn golden_path(name: &str) -> String {
    format!("{}/src/protocol/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn messages_from_clients_read_as_recorded() {
    golden::check(golden_path("json-from-client"), |input| match decode(input) {
        Ok(message) => format!("{message:?}"),
        Err(error) => format!("close 1007 {}", error.reason()),
    });
}

#[test]
fn messages_to_clients_are_written_as_recorded() {
    golden::check(golden_path("json-to-client"), |input| {
        String::from_utf8(written(input)).unwrap()
    });
}

/// What one line of the golden file stands for.
fn written(line: &str) -> Vec<u8> {
    let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
    match what {
        "connected" => connected(first, Some(second).filter(|user| !user.is_empty()), None),
        "connected-reliable" => connected(first, None, Some(second)),
        "numbered" => number(
            &numbered_body(&Message {
                source: Source::Server,
                data: Data::Text(second.into()),
                metadata: Metadata::default(),
            }),
            first.parse().unwrap(),
        ),
        "disconnected" => disconnected(rest),
        "pong" => pong().to_vec(),
        "ack" => {
            let failure = second.split_once(' ');
            ack(first.parse().unwrap(), failure.map_or(Ok(()), Err))
        }
        source => message(&Message {
            source: source_of(source),
            data: data_of(first, second),
            metadata: Metadata::default(),
        }),
    }
}

fn source_of(name: &str) -> Source {
    match name {
        "server" => Source::Server,
        "group" => Source::Group { group: "g".into(), user: None },
        "group-of-user" => Source::Group { group: "g".into(), user: Some("u1".into()) },
        other => panic!("unknown source {other}"),
    }
}

fn data_of(kind: &str, text: &str) -> Data {
    let bytes = || {
        let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<u8>>().into()
    };
    match kind {
        "text" => Data::Text(text.into()),
        "json" => Data::Json(text.into()),
        "binary" => Data::Binary(bytes()),
        "protobuf" => Data::Protobuf(bytes()),
        other => panic!("unknown kind {other}"),
    }
}

fn any_data() -> impl Strategy<Value = Data> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from);
    prop_oneof![
        any::<String>().prop_map(|text| Data::Text(text.into())),
        any::<(i64, String)>()
            .prop_map(|it| Data::Json(serde_json::to_string(&it).unwrap().into())),
        bytes().prop_map(Data::Binary),
        bytes().prop_map(Data::Protobuf),
    ]
}

/// What a client does with the `data` and `dataType` of a message.
fn understood(message: &Value) -> Data {
    let text = || message["data"].as_str().unwrap();
    match message["dataType"].as_str().unwrap() {
        "text" => Data::Text(text().into()),
        "json" => Data::Json(message["data"].to_string().into()),
        "binary" => Data::Binary(STANDARD.decode(text()).unwrap().into()),
        "protobuf" => Data::Protobuf(STANDARD.decode(text()).unwrap().into()),
        other => panic!("unknown dataType {other}"),
    }
}

#[test]
fn what_is_accepted_of_the_fuzzing_corpus_leaves_as_json() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/json_message");
    let mut published = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        match decode(&text) {
            Ok(ClientMessage::SendToGroup { group, data, metadata, .. }) => {
                let source = Source::Group { group: group.into(), user: None };
                let out = message(&Message { source, data, metadata });
                serde_json::from_slice::<&RawValue>(&out).unwrap();
                published += 1;
            }
            Ok(_) => {}
            Err(error) => assert!(error.reason().len() <= 123, "{text}: {}", error.reason()),
        }
    }
    assert!(published > 0, "the corpus holds messages to groups");
}

proptest! {
    #[test]
    fn what_is_written_is_json_that_says_the_same(
        data in any_data(), group in ".{1,20}", user in prop::option::of(".{0,20}"),
    ) {
        let source = Source::Group {
            group: group.clone().into(),
            user: user.clone().map(Into::into),
        };
        let written = message(&Message { source, data: data.clone(), metadata: Metadata::default() });
        let value: Value = serde_json::from_slice(&written).unwrap();
        prop_assert_eq!(value["group"].as_str(), Some(&*group));
        prop_assert_eq!(value.get("fromUserId").and_then(Value::as_str), user.as_deref());
        prop_assert_eq!(understood(&value), data);
    }

    #[test]
    fn what_a_client_sends_is_what_another_receives(data in any_data()) {
        let (data_type, payload) = match &data {
            Data::Text(text) => ("text", Value::from(&**text)),
            Data::Json(json) => ("json", serde_json::from_str(json).unwrap()),
            Data::Binary(bytes) => ("binary", STANDARD.encode(bytes).into()),
            Data::Protobuf(bytes) => ("protobuf", STANDARD.encode(bytes).into()),
        };
        let sent = serde_json::json!({
            "type": "sendToGroup", "group": "g", "dataType": data_type, "data": payload,
        });
        match decode(&sent.to_string()) {
            Ok(ClientMessage::SendToGroup { data: received, .. }) => prop_assert_eq!(received, data),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = decode(&text);
    }

    #[test]
    fn damaged_messages_never_panic(at in 0usize..80, with in any::<char>()) {
        let mut text: Vec<char> =
            r#"{"type":"sendToGroup","group":"g","ackId":2,"dataType":"binary","data":"AQID"}"#
                .chars().collect();
        let at = at % text.len();
        text[at] = with;
        let _ = decode(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_refusal_fits_into_a_close_frame(text in any::<String>()) {
        if let Err(error) = decode(&text) {
            prop_assert!(error.reason().len() <= 123, "{}", error.reason());
        }
    }
}

#[test]
fn the_servers_messages_of_the_fuzzing_corpus_read() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/server_message");
    for name in ["connected", "ack"] {
        let text = std::fs::read_to_string(format!("{corpus}/{name}")).unwrap();
        assert!(client::decode(&text).is_ok(), "{name}");
    }
}
