//! Arbitrary messages, for the property tests of every codec.

use std::borrow::Cow;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;

use super::protobuf::schema;
use super::{ClientMessage, MAX_TTL_SECONDS};
use crate::message::{Data, Message, Source};
use crate::metadata::Metadata;

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

pub(crate) fn any_client_message() -> impl Strategy<Value = ClientMessage<'static>> {
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

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
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
