//! The client's side of the protobuf subprotocols: writing what a client says, reading what it hears.

use bytes::Bytes;
use prost::Message as _;

use super::schema::{
    self, DataKind, Downstream, DownstreamKind, Empty, Pair, SystemKind, Upstream, UpstreamKind,
};
use crate::message::{Data, Message, Source};
use crate::metadata::Metadata;
use crate::protocol::{AckError, ClientMessage, DecodeError, ServerMessage};

/// Writes a message from a client.
pub fn encode(message: &ClientMessage<'_>) -> Vec<u8> {
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

pub(super) fn data_of(data: &Data) -> schema::MessageData {
    let kind = match data.clone() {
        Data::Text(text) => DataKind::Text(text.into()),
        Data::Json(json) => DataKind::Json(json.into()),
        Data::Binary(bytes) => DataKind::Binary(bytes),
        Data::Protobuf(bytes) => DataKind::Protobuf(bytes),
    };
    schema::MessageData { kind: Some(kind) }
}

pub(super) fn pairs_of(metadata: &Metadata) -> Vec<Pair> {
    metadata.iter().map(|(key, value)| Pair { key: key.into(), value: value.into() }).collect()
}

/// Reads a message from the service.
///
/// # Errors
/// [`DecodeError`] when the bytes are no protobuf, or nothing that this client knows.
pub fn decode(bytes: &[u8]) -> Result<ServerMessage, DecodeError> {
    let downstream = Downstream::decode(Bytes::copy_from_slice(bytes))
        .map_err(|_| DecodeError::protobuf("The bytes are damaged."))?;
    let unknown = || DecodeError::protobuf("Unknown message.");
    match downstream.kind.ok_or_else(unknown)? {
        DownstreamKind::Ack(ack) => {
            let failure = ack.error.map(|it| AckError { name: it.name, message: it.message });
            let outcome = if ack.success { Ok(()) } else { Err(failure.unwrap_or_default()) };
            Ok(ServerMessage::Ack { ack_id: ack.ack_id, outcome })
        }
        DownstreamKind::Data(message) => data(message),
        DownstreamKind::System(system) => match system.kind.ok_or_else(unknown)? {
            SystemKind::Connected(it) => Ok(ServerMessage::Connected {
                connection_id: it.connection_id,
                user: Some(it.user_id).filter(|user| !user.is_empty()),
                reconnection_token: it.reconnection_token,
            }),
            SystemKind::Disconnected(it) => Ok(ServerMessage::Disconnected { reason: it.reason }),
        },
        DownstreamKind::Pong(_) => Ok(ServerMessage::Pong),
    }
}

fn data(received: schema::DataMessage) -> Result<ServerMessage, DecodeError> {
    let source = match (&*received.from, received.group) {
        ("server", _) => Source::Server,
        ("group", Some(group)) => Source::Group { group: group.into(), user: None },
        _ => return Err(DecodeError::protobuf("'from' is neither 'group' nor 'server'.")),
    };
    let metadata = super::metadata(&received.metadata)?;
    let data = super::data(received.data, &metadata)?;
    let message = Message { source, data, metadata };
    Ok(ServerMessage::Data { message, sequence_id: received.sequence_id })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super as service;
    use super::*;
    use crate::protocol::samples::any_message;

    #[test]
    fn control_messages_read_as_they_were_written() {
        let connected = |user: Option<&str>, token: Option<&str>| ServerMessage::Connected {
            connection_id: "c".to_owned(),
            user: user.map(str::to_owned),
            reconnection_token: token.map(str::to_owned),
        };
        let error = AckError { name: "Forbidden".to_owned(), message: "No.".to_owned() };
        let failed = ServerMessage::Ack { ack_id: 8, outcome: Err(error) };
        for (written, read) in [
            (service::connected("c", None, None), connected(None, None)),
            (service::connected("c", Some("u"), Some("t")), connected(Some("u"), Some("t"))),
            (
                service::disconnected("bye"),
                ServerMessage::Disconnected { reason: "bye".to_owned() },
            ),
            (service::pong(), ServerMessage::Pong),
            (service::ack(7, Ok(())), ServerMessage::Ack { ack_id: 7, outcome: Ok(()) }),
            (service::ack(8, Err(("Forbidden", "No."))), failed),
        ] {
            assert_eq!(decode(&written), Ok(read));
        }
        assert_eq!(decode(b"").unwrap_err().problem(), "Unknown message.");
    }

    proptest! {
        /// But for what this subprotocol cannot say: who sent it, and that a text is JSON.
        #[test]
        fn what_the_service_writes_is_what_a_client_reads(mut message in any_message(), id: u64) {
            let written = service::number(&service::numbered_body(&message), id);
            if let Source::Group { user, .. } = &mut message.source {
                *user = None;
            }
            if let Data::Json(json) = &message.data {
                message.data = Data::Text(json.clone());
            }
            let expected = ServerMessage::Data { message, sequence_id: Some(id) };
            prop_assert_eq!(decode(&written), Ok(expected));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn damaged_messages_never_panic(
            message in any_message(), at: prop::sample::Index, with: u8, cut: bool,
        ) {
            let mut bytes = service::message(&message);
            let at = at.index(bytes.len());
            bytes[at] = with;
            if cut {
                bytes.truncate(at);
            }
            let _ = decode(&bytes);
        }
    }
}
