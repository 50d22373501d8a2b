//! Golden cases in both directions, and what must hold for any input.

use proptest::prelude::*;
use testkit::golden;

use super::schema::{DataMessage, Downstream, Empty, Pair, Upstream};
use super::*;

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

/// What a client writes for a message.
fn encode(message: &ClientMessage<'_>) -> Vec<u8> {
    let membership =
        |group: &str, ack_id: Option<u64>| schema::Membership { group: group.into(), ack_id };
    let kind = match message {
        ClientMessage::JoinGroup { group, ack_id } => {
            UpstreamKind::JoinGroup(membership(group, *ack_id))
        }
        ClientMessage::LeaveGroup { group, ack_id } => {
            UpstreamKind::LeaveGroup(membership(group, *ack_id))
        }
        ClientMessage::SendToGroup { group, ack_id, no_echo, data, ttl_seconds, metadata } => {
            UpstreamKind::SendToGroup(schema::SendToGroup {
                group: group.to_string(),
                ack_id: *ack_id,
                data: Some(data_of(data)),
                no_echo: Some(*no_echo),
                ttl_seconds: ttl_seconds.map(u32::from),
                metadata: pairs_of(metadata),
                stream: None,
            })
        }
        ClientMessage::Event { event, ack_id, data, metadata } => {
            UpstreamKind::Event(schema::Event {
                event: event.to_string(),
                data: Some(data_of(data)),
                ack_id: *ack_id,
                metadata: pairs_of(metadata),
                stream: None,
            })
        }
        ClientMessage::SequenceAck { sequence_id } => {
            UpstreamKind::SequenceAck(schema::SequenceAck { sequence_id: *sequence_id })
        }
        ClientMessage::Ping => UpstreamKind::Ping(Empty {}),
    };
    Upstream { kind: Some(kind) }.encode_to_vec()
}

fn data_of(data: &Data) -> schema::MessageData {
    let kind = match data.clone() {
        Data::Text(text) => DataKind::Text(text.into()),
        Data::Json(json) => DataKind::Json(json.into()),
        Data::Binary(bytes) => DataKind::Binary(bytes),
        Data::Protobuf(bytes) => DataKind::Protobuf(bytes),
    };
    schema::MessageData { kind: Some(kind) }
}

fn pairs_of(metadata: &Metadata) -> Vec<Pair> {
    metadata.iter().map(|(key, value)| Pair { key: key.into(), value: value.into() }).collect()
}

fn any_data() -> impl Strategy<Value = Data> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from);
    let json = |it: (i64, String)| serde_json::to_string(&it).unwrap().into();
    prop_oneof![
        any::<String>().prop_map(|text| Data::Text(text.into())),
        any::<(i64, String)>().prop_map(move |it| Data::Json(json(it))),
        bytes().prop_map(Data::Binary),
        (any::<String>(), bytes()).prop_map(|(type_url, value)| {
            Data::Protobuf(schema::Any { type_url, value }.encode_to_vec().into())
        }),
    ]
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    prop::collection::btree_map("[a-z0-9_-]{1,8}", ".{0,8}", 0..4).prop_map(|pairs| {
        let mut metadata = Metadata::default();
        pairs.iter().for_each(|(key, value)| metadata.insert(key, value).unwrap());
        metadata
    })
}

fn any_client_message() -> impl Strategy<Value = ClientMessage<'static>> {
    type Of = ClientMessage<'static>;
    let group = || "\\PC{0,12}[a-z]".prop_map(Cow::from);
    let event = "[a-z][a-z0-9_.-]{0,20}".prop_map(Cow::from);
    let ack_id = any::<Option<u64>>;
    let ttl = prop::option::of(0..=MAX_TTL_SECONDS);
    let send = (group(), ack_id(), any::<bool>(), any_data(), ttl, any_metadata()).prop_map(
        |(group, ack_id, no_echo, data, ttl_seconds, metadata)| Of::SendToGroup {
            group,
            ack_id,
            no_echo,
            data,
            ttl_seconds,
            metadata,
        },
    );
    prop_oneof![
        (group(), ack_id()).prop_map(|(group, ack_id)| Of::JoinGroup { group, ack_id }),
        (group(), ack_id()).prop_map(|(group, ack_id)| Of::LeaveGroup { group, ack_id }),
        send,
        (event, ack_id(), any_data(), any_metadata()).prop_map(
            |(event, ack_id, data, metadata)| Of::Event { event, ack_id, data, metadata }
        ),
        any::<u64>().prop_map(|sequence_id| Of::SequenceAck { sequence_id }),
        Just(()).prop_map(|()| Of::Ping),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let source = prop_oneof![
        Just(Source::Server),
        (".{1,20}", prop::option::of(".{0,20}")).prop_map(|(group, user)| Source::Group {
            group: group.into(),
            user: user.map(Into::into),
        }),
    ];
    (source, any_data(), any_metadata()).prop_map(|(source, data, metadata)| Message {
        source,
        data,
        metadata,
    })
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
