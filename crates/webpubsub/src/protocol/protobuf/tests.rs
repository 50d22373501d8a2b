//! Golden cases in both directions, and what must hold for any input.

use proptest::prelude::*;
use testkit::golden;

use super::client::{data_of, encode, pairs_of};
use super::schema::{DataMessage, Downstream};
use super::*;
use crate::protocol::samples::{any_client_message, any_message};

fn golden_path(name: &str) -> String {
    format!("{}/src/protocol/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn messages_from_clients_read_as_recorded() {
    golden::check(golden_path("protobuf-from-client"), |input| match decode(&from_hex(input)) {
        Ok(message) => format!("{message:?}"),
        Err(error) => format!("close 1007 {}", error.reason()),
    });
}

#[test]
fn messages_to_clients_are_written_as_recorded() {
    golden::check(golden_path("protobuf-to-client"), |input| {
        written(input).iter().map(|byte| format!("{byte:02x}")).collect()
    });
}

fn from_hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// What one line of the golden file stands for.
fn written(line: &str) -> Vec<u8> {
    let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut words = rest.splitn(3, ' ');
    match what {
        "connected" => connected(words.next().unwrap(), words.next(), words.next()),
        "disconnected" => disconnected(rest),
        "pong" => pong(),
        "ack" => {
            let id = words.next().unwrap().parse().unwrap();
            ack(id, words.next().map_or(Ok(()), |name| Err((name, words.next().unwrap()))))
        }
        other => match other.parse() {
            Ok(sequence_id) => number(&numbered_body(&message_of(rest)), sequence_id),
            Err(_) => message(&message_of(line)),
        },
    }
}

fn message_of(line: &str) -> Message {
    let words: Vec<&str> = line.splitn(3, ' ').collect();
    let [source, kind, text] = words[..] else { panic!("no message: {line}") };
    let mut metadata = Metadata::default();
    if source == "group-with-metadata" {
        metadata.insert("trace-id", "7").unwrap();
    }
    Message {
        source: match source {
            "server" => Source::Server,
            "group" | "group-with-metadata" => Source::Group { group: "g".into(), user: None },
            "group-of-user" => Source::Group { group: "g".into(), user: Some("u1".into()) },
            other => panic!("unknown source {other}"),
        },
        data: match kind {
            "text" => Data::Text(text.into()),
            "json" => Data::Json(text.into()),
            "binary" => Data::Binary(from_hex(text).into()),
            "protobuf" => Data::Protobuf(from_hex(text).into()),
            other => panic!("unknown kind {other}"),
        },
        metadata,
    }
}

/// What a client reads from a data message.
fn read(payload: &[u8]) -> DataMessage {
    match Downstream::decode(payload).unwrap().kind {
        Some(DownstreamKind::Data(message)) => message,
        other => panic!("no data message: {other:?}"),
    }
}

#[test]
fn what_is_accepted_of_the_fuzzing_corpus_leaves_as_json_too() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/protobuf_message");
    let mut published = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        match decode(&std::fs::read(&path).unwrap()) {
            Ok(ClientMessage::SendToGroup { group, data, metadata, .. }) => {
                let source = Source::Group { group: group.into(), user: None };
                let out = crate::protocol::json::message(&Message { source, data, metadata });
                serde_json::from_slice::<serde_json::Value>(&out).unwrap();
                published += 1;
            }
            Ok(_) => {}
            Err(error) => assert!(error.reason().len() <= 123, "{path:?}: {}", error.reason()),
        }
    }
    assert!(published > 0, "the corpus holds messages to groups");
}

proptest! {
    #[test]
    fn what_a_client_writes_is_what_is_read(message in any_client_message()) {
        let bytes = encode(&message);
        prop_assert_eq!(decode(&bytes), Ok(message));
    }

    #[test]
    fn a_message_says_the_same_and_is_what_the_schema_writes(sent in any_message()) {
        let payload = message(&sent);
        let received = read(&payload);
        prop_assert_eq!(downstream(DownstreamKind::Data(received.clone())), payload);

        let (from, group) = match &sent.source {
            Source::Server => ("server", None),
            Source::Group { group, .. } => ("group", Some(&**group)),
        };
        let expected = match sent.data {
            Data::Json(text) => Data::Text(text),
            other => other,
        };
        prop_assert_eq!((&*received.from, received.group.as_deref()), (from, group));
        prop_assert_eq!(received.data, Some(data_of(&expected)));
        prop_assert_eq!(received.metadata, pairs_of(&sent.metadata));
        prop_assert_eq!(received.sequence_id, None);
    }

    #[test]
    fn a_numbered_message_differs_by_its_sequence_id_alone(sent in any_message(), id: u64) {
        let expected = DataMessage { sequence_id: Some(id), ..read(&message(&sent)) };
        prop_assert_eq!(read(&number(&numbered_body(&sent), id)), expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic_and_a_refusal_fits_into_a_close_frame(
        message in any_client_message(), at: prop::sample::Index, with: u8, cut: bool,
    ) {
        let mut bytes = encode(&message);
        let at = at.index(bytes.len());
        bytes[at] = with;
        if cut {
            bytes.truncate(at);
        }
        if let Err(error) = decode(&bytes) {
            prop_assert!(error.reason().len() <= 123, "{}", error.reason());
        }
    }
}

#[test]
fn bytes_that_are_no_any_leave_as_binary() {
    let sent = |bytes: &'static [u8]| {
        let data = Data::Protobuf(Bytes::from_static(bytes));
        let sent = Message { source: Source::Server, data, metadata: Metadata::default() };
        read(&message(&sent)).data.unwrap().kind.unwrap()
    };
    assert_eq!(sent(b"\x0a\x01t"), DataKind::Protobuf(Bytes::from_static(b"\x0a\x01t")));
    assert_eq!(sent(b"\x0a\x02t"), DataKind::Binary(Bytes::from_static(b"\x0a\x02t")));
}
