//! The messages as they stand on the wire: `UpstreamMessage`, `DownstreamMessage` and their parts.
//!
//! Fields and numbers follow the published client schema; names do not travel. What we refuse
//! (streams, invocations, group state) is declared as far as it takes to recognize it.
//! `google.protobuf.Any` is bytes here, so that it passes through as its sender wrote it.

use bytes::Bytes;
use prost::{Message, Oneof};

/// What a client sends.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Upstream {
    #[prost(oneof = "UpstreamKind", tags = "1, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17")]
    pub(super) kind: Option<UpstreamKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum UpstreamKind {
    #[prost(message, tag = "1")]
    SendToGroup(SendToGroup),
    #[prost(message, tag = "5")]
    Event(Event),
    #[prost(message, tag = "6")]
    JoinGroup(Membership),
    #[prost(message, tag = "7")]
    LeaveGroup(Membership),
    #[prost(message, tag = "8")]
    SequenceAck(SequenceAck),
    #[prost(message, tag = "9")]
    Ping(Empty),
    #[prost(message, tag = "10")]
    InvokeEvent(Empty),
    #[prost(message, tag = "11")]
    CancelInvocation(Empty),
    #[prost(message, tag = "13")]
    StreamData(Empty),
    #[prost(message, tag = "14")]
    StreamEnd(Empty),
    #[prost(message, tag = "15")]
    SetGroupState(Empty),
    #[prost(message, tag = "16")]
    SubscribeGroupState(Empty),
    #[prost(message, tag = "17")]
    UnsubscribeGroupState(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SendToGroup {
    #[prost(string, tag = "1")]
    pub(super) group: String,
    #[prost(uint64, optional, tag = "2")]
    pub(super) ack_id: Option<u64>,
    #[prost(message, optional, tag = "3")]
    pub(super) data: Option<MessageData>,
    #[prost(bool, optional, tag = "4")]
    pub(super) no_echo: Option<bool>,
    #[prost(uint32, optional, tag = "5")]
    pub(super) ttl_seconds: Option<u32>,
    #[prost(message, repeated, tag = "6")]
    pub(super) metadata: Vec<Pair>,
    #[prost(message, optional, tag = "7")]
    pub(super) stream: Option<Empty>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    #[prost(string, tag = "1")]
    pub(super) event: String,
    #[prost(message, optional, tag = "2")]
    pub(super) data: Option<MessageData>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) ack_id: Option<u64>,
    #[prost(message, repeated, tag = "4")]
    pub(super) metadata: Vec<Pair>,
    #[prost(message, optional, tag = "5")]
    pub(super) stream: Option<Empty>,
}

/// The body of both `JoinGroupMessage` and `LeaveGroupMessage`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Membership {
    #[prost(string, tag = "1")]
    pub(super) group: String,
    #[prost(uint64, optional, tag = "2")]
    pub(super) ack_id: Option<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SequenceAck {
    #[prost(uint64, tag = "1")]
    pub(super) sequence_id: u64,
}

/// A message without fields, or one of which only the presence matters.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Empty {}

/// One entry of a `map<string, string>`: repeated entries are the same bytes as a map, but show
/// when a key stands twice.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Pair {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MessageData {
    #[prost(oneof = "DataKind", tags = "1, 2, 3, 4")]
    pub(super) kind: Option<DataKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum DataKind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bytes = "bytes", tag = "2")]
    Binary(Bytes),
    /// A serialized [`Any`].
    #[prost(bytes = "bytes", tag = "3")]
    Protobuf(Bytes),
    /// Known to newer schemas only, hence read but never written.
    #[prost(string, tag = "4")]
    Json(String),
}

/// `google.protobuf.Any`, to tell whether bytes are one.
#[derive(Clone, PartialEq, Message)]
pub(in crate::protocol) struct Any {
    #[prost(string, tag = "1")]
    pub(in crate::protocol) type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(in crate::protocol) value: Bytes,
}

/// What a client receives.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Downstream {
    #[prost(oneof = "DownstreamKind", tags = "1, 2, 3, 4")]
    pub(super) kind: Option<DownstreamKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum DownstreamKind {
    #[prost(message, tag = "1")]
    Ack(Ack),
    #[prost(message, tag = "2")]
    Data(DataMessage),
    #[prost(message, tag = "3")]
    System(System),
    #[prost(message, tag = "4")]
    Pong(Empty),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Ack {
    #[prost(uint64, tag = "1")]
    pub(super) ack_id: u64,
    #[prost(bool, tag = "2")]
    pub(super) success: bool,
    #[prost(message, optional, tag = "3")]
    pub(super) error: Option<AckError>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AckError {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DataMessage {
    /// `group` or `server`.
    #[prost(string, tag = "1")]
    pub(super) from: String,
    #[prost(string, optional, tag = "2")]
    pub(super) group: Option<String>,
    #[prost(message, optional, tag = "3")]
    pub(super) data: Option<MessageData>,
    #[prost(uint64, optional, tag = "4")]
    pub(super) sequence_id: Option<u64>,
    #[prost(message, repeated, tag = "5")]
    pub(super) metadata: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct System {
    #[prost(oneof = "SystemKind", tags = "1, 2")]
    pub(super) kind: Option<SystemKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum SystemKind {
    #[prost(message, tag = "1")]
    Connected(Connected),
    #[prost(message, tag = "2")]
    Disconnected(Disconnected),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Connected {
    #[prost(string, tag = "1")]
    pub(super) connection_id: String,
    /// Empty for an anonymous client.
    #[prost(string, tag = "2")]
    pub(super) user_id: String,
    #[prost(string, optional, tag = "3")]
    pub(super) reconnection_token: Option<String>,
}

/// Number 2 is right: the published schema has no number 1 here.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Disconnected {
    #[prost(string, tag = "2")]
    pub(super) reason: String,
}
