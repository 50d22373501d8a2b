//! `protobuf.webpubsub.azure.v1` and its reliable form: one protobuf message in each binary frame.
//!
//! Functions give the payload of a frame, never its header. A message for reliable receivers is
//! encoded once as a body without its sequence id, which [`number`] adds for each of them. JSON
//! leaves as text, since only newer schemas of clients know a field for it.
//!
//! Source: the protobuf subprotocol reference and the schema of the newest client.

pub mod client;
pub(in crate::protocol) mod schema;

use std::borrow::Cow;

use bytes::Bytes;
use prost::Message as _;
use prost::encoding::{self, WireType};
use serde::de::IgnoredAny;

use crate::message::{Data, Message, Source};
use crate::metadata::Metadata;
use crate::name;
use crate::protocol::{ClientMessage, DecodeError, MAX_TTL_SECONDS};

use schema::{DataKind, DownstreamKind, SystemKind, UpstreamKind};

/// The name in the WebSocket handshake.
pub const NAME: &str = "protobuf.webpubsub.azure.v1";

/// The name of the form that recovers.
pub const RELIABLE_NAME: &str = "protobuf.reliable.webpubsub.azure.v1";

/// The numbers of `DownstreamMessage.data_message` and `DataMessage.sequence_id`.
const DATA_MESSAGE: u32 = 2;
const SEQUENCE_ID: u32 = 4;

/// Reads a message from a client.
///
/// # Errors
/// [`DecodeError`] when the bytes are no protobuf, not a message of this subprotocol, or ask for
/// streams, invocations or group state, which are not supported.
pub fn decode(bytes: &[u8]) -> Result<ClientMessage<'_>, DecodeError> {
    let upstream = schema::Upstream::decode(Bytes::copy_from_slice(bytes))
        // The cause is longer than a close frame.
        .map_err(|_| DecodeError::protobuf("The bytes are damaged."))?;
    let kind = upstream.kind.ok_or(DecodeError::protobuf("Unknown message."))?;
    match kind {
        UpstreamKind::SendToGroup(message) => send_to_group(message),
        UpstreamKind::Event(message) => event(message),
        UpstreamKind::JoinGroup(message) => {
            Ok(ClientMessage::JoinGroup { group: group(message.group)?, ack_id: message.ack_id })
        }
        UpstreamKind::LeaveGroup(message) => {
            Ok(ClientMessage::LeaveGroup { group: group(message.group)?, ack_id: message.ack_id })
        }
        UpstreamKind::SequenceAck(message) => {
            Ok(ClientMessage::SequenceAck { sequence_id: message.sequence_id })
        }
        UpstreamKind::Ping(_) => Ok(ClientMessage::Ping),
        UpstreamKind::InvokeEvent(_) | UpstreamKind::CancelInvocation(_) => {
            Err(DecodeError::protobuf("Invocations are not supported."))
        }
        UpstreamKind::StreamData(_) | UpstreamKind::StreamEnd(_) => Err(no_streams()),
        UpstreamKind::SetGroupState(_)
        | UpstreamKind::SubscribeGroupState(_)
        | UpstreamKind::UnsubscribeGroupState(_) => {
            Err(DecodeError::protobuf("Group state is not supported."))
        }
    }
}

fn send_to_group(message: schema::SendToGroup) -> Result<ClientMessage<'static>, DecodeError> {
    if message.stream.is_some() {
        return Err(no_streams());
    }
    let ttl_seconds = match message.ttl_seconds.map(u16::try_from) {
        None => None,
        Some(Ok(ttl)) if ttl <= MAX_TTL_SECONDS => Some(ttl),
        Some(_) => return Err(DecodeError::protobuf("'ttl_seconds' must be 0 to 300.")),
    };
    let metadata = metadata(&message.metadata)?;
    Ok(ClientMessage::SendToGroup {
        group: group(message.group)?,
        ack_id: message.ack_id,
        no_echo: message.no_echo.unwrap_or(false),
        data: data(message.data, &metadata)?,
        ttl_seconds,
        metadata,
    })
}

fn event(message: schema::Event) -> Result<ClientMessage<'static>, DecodeError> {
    if message.stream.is_some() {
        return Err(no_streams());
    }
    if !name::is_event(&message.event) {
        return Err(DecodeError::protobuf("'event' is no event name."));
    }
    let metadata = metadata(&message.metadata)?;
    Ok(ClientMessage::Event {
        event: message.event.into(),
        ack_id: message.ack_id,
        data: data(message.data, &metadata)?,
        metadata,
    })
}

fn no_streams() -> DecodeError {
    DecodeError::protobuf("Streams are not supported.")
}

fn group(group: String) -> Result<Cow<'static, str>, DecodeError> {
    name::check_group(&group).map_err(|_| DecodeError::protobuf("'group' is no group name."))?;
    Ok(group.into())
}

fn data(data: Option<schema::MessageData>, metadata: &Metadata) -> Result<Data, DecodeError> {
    match data.and_then(|data| data.kind) {
        Some(DataKind::Text(text)) => Ok(Data::Text(text.into())),
        Some(DataKind::Binary(bytes)) => Ok(Data::Binary(bytes)),
        Some(DataKind::Protobuf(bytes)) if is_any(&bytes) => Ok(Data::Protobuf(bytes)),
        Some(DataKind::Protobuf(_)) => Err(DecodeError::protobuf("'protobuf_data' is no Any.")),
        Some(DataKind::Json(json)) => match serde_json::from_str::<IgnoredAny>(&json) {
            Ok(_) => Ok(Data::Json(json.into())),
            Err(_) => Err(DecodeError::protobuf("'json_data' is not JSON.")),
        },
        // Metadata may travel alone, with an empty text.
        None if !metadata.is_empty() => Ok(Data::Text("".into())),
        None => Err(DecodeError::protobuf("'data' is missing.")),
    }
}

fn metadata(pairs: &[schema::Pair]) -> Result<Metadata, DecodeError> {
    let mut metadata = Metadata::default();
    for schema::Pair { key, value } in pairs {
        if metadata.contains(key) {
            return Err(DecodeError::protobuf("A metadata key stands twice."));
        }
        metadata.insert(key, value).map_err(|_| {
            DecodeError::protobuf("'metadata' has a bad key or value, or is too large.")
        })?;
    }
    Ok(metadata)
}

/// Whether bytes are a serialized `google.protobuf.Any`.
fn is_any(bytes: &Bytes) -> bool {
    schema::Any::decode(bytes.clone()).is_ok()
}

/// The `connected` message, the first that a client reads; with a token on the reliable form.
pub fn connected(
    connection_id: &str,
    user: Option<&str>,
    reconnection_token: Option<&str>,
) -> Vec<u8> {
    system(SystemKind::Connected(schema::Connected {
        connection_id: connection_id.into(),
        user_id: user.unwrap_or_default().into(),
        reconnection_token: reconnection_token.map(Into::into),
    }))
}

/// The `disconnected` message, the last before the service closes.
pub fn disconnected(reason: &str) -> Vec<u8> {
    system(SystemKind::Disconnected(schema::Disconnected { reason: reason.into() }))
}

fn system(kind: SystemKind) -> Vec<u8> {
    downstream(DownstreamKind::System(schema::System { kind: Some(kind) }))
}

/// The answer to a `ping`.
pub fn pong() -> Vec<u8> {
    downstream(DownstreamKind::Pong(schema::Empty {}))
}

/// The answer to a message that carried an `ack_id`: success, or an error's name and message.
pub fn ack(ack_id: u64, outcome: Result<(), (&str, &str)>) -> Vec<u8> {
    let error = |(name, message): (&str, &str)| schema::AckError {
        name: name.into(),
        message: message.into(),
    };
    downstream(DownstreamKind::Ack(schema::Ack {
        ack_id,
        success: outcome.is_ok(),
        error: outcome.err().map(error),
    }))
}

fn downstream(kind: DownstreamKind) -> Vec<u8> {
    schema::Downstream { kind: Some(kind) }.encode_to_vec()
}

/// A data message for a receiver without recovery.
pub fn message(message: &Message) -> Vec<u8> {
    enclose(&numbered_body(message), None)
}

/// A data message as all reliable receivers share it, to be completed by [`number`].
pub fn numbered_body(message: &Message) -> Vec<u8> {
    let (from, group) = match &message.source {
        Source::Server => ("server", None),
        Source::Group { group, .. } => ("group", Some(group.as_ref().into())),
    };
    let kind = match &message.data {
        Data::Text(text) | Data::Json(text) => DataKind::Text(text.as_ref().into()),
        // What is no Any comes from a client of another subprotocol; as one it would cost each
        // receiver its connection.
        Data::Protobuf(bytes) if is_any(bytes) => DataKind::Protobuf(bytes.clone()),
        Data::Protobuf(bytes) | Data::Binary(bytes) => DataKind::Binary(bytes.clone()),
    };
    let pairs = message.metadata.iter();
    schema::DataMessage {
        from: from.into(),
        group,
        data: Some(schema::MessageData { kind: Some(kind) }),
        sequence_id: None,
        metadata: pairs
            .map(|(key, value)| schema::Pair { key: key.into(), value: value.into() })
            .collect(),
    }
    .encode_to_vec()
}

/// A data message for one reliable receiver: what [`numbered_body`] gave, and its sequence id.
pub fn number(body: &[u8], sequence_id: u64) -> Vec<u8> {
    enclose(body, Some(sequence_id))
}

/// The `DownstreamMessage` of a body. Fields may stand in any order, so the sequence id follows.
fn enclose(body: &[u8], sequence_id: Option<u64>) -> Vec<u8> {
    let tail = sequence_id.map_or(0, |id| encoding::uint64::encoded_len(SEQUENCE_ID, &id));
    let len = body.len() + tail;
    let head = encoding::key_len(DATA_MESSAGE) + encoding::encoded_len_varint(len as u64);
    let mut out = Vec::with_capacity(head + len);
    encoding::encode_key(DATA_MESSAGE, WireType::LengthDelimited, &mut out);
    encoding::encode_varint(len as u64, &mut out);
    out.extend_from_slice(body);
    if let Some(id) = sequence_id {
        encoding::uint64::encode(SEQUENCE_ID, &id, &mut out);
    }
    out
}

#[cfg(test)]
mod tests;
