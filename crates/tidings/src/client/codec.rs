//! What the client says and hears, in whole messages of the WebSocket.

use bytes::Bytes;
use clap::ValueEnum;
use gateway::frame::OpCode;
use webpubsub::message::{Data, Message, Source};
use webpubsub::metadata::Metadata;
use webpubsub::protocol::{ClientMessage, ServerMessage, Subprotocol, json, protobuf};

/// The subprotocols by their names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// JSON, recovers without loss
    JsonReliable,
    /// JSON
    Json,
    /// Protobuf, recovers without loss
    ProtobufReliable,
    /// Protobuf
    Protobuf,
    /// No envelope: a line is a frame
    Simple,
}

/// What a connection hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Binary(Bytes),
}

impl Protocol {
    /// The subprotocol.
    pub fn subprotocol(self) -> Subprotocol {
        match self {
            Self::JsonReliable => Subprotocol::JsonReliable,
            Self::Json => Subprotocol::Json,
            Self::ProtobufReliable => Subprotocol::ProtobufReliable,
            Self::Protobuf => Subprotocol::Protobuf,
            Self::Simple => Subprotocol::Simple,
        }
    }

    /// Whether a lost connection can be recovered.
    pub fn is_reliable(self) -> bool {
        self.subprotocol().numbering().is_some()
    }

    /// Whether messages have an envelope, and with it groups and acks.
    pub fn has_envelope(self) -> bool {
        self.subprotocol().envelope().is_some()
    }

    /// Writes a message. Without an envelope only its data travels, so control messages are nothing.
    pub fn encode(self, message: &ClientMessage<'_>) -> Option<(OpCode, Vec<u8>)> {
        match self {
            Self::JsonReliable | Self::Json => Some((OpCode::Text, json::client::encode(message))),
            Self::ProtobufReliable | Self::Protobuf => {
                Some((OpCode::Binary, protobuf::client::encode(message)))
            }
            Self::Simple => match message {
                ClientMessage::SendToGroup { data, .. } | ClientMessage::Event { data, .. } => {
                    Some(match data {
                        Data::Text(text) | Data::Json(text) => {
                            (OpCode::Text, text.as_bytes().into())
                        }
                        Data::Binary(bytes) | Data::Protobuf(bytes) => {
                            (OpCode::Binary, bytes.to_vec())
                        }
                    })
                }
                ClientMessage::JoinGroup { .. }
                | ClientMessage::LeaveGroup { .. }
                | ClientMessage::SequenceAck { .. }
                | ClientMessage::Ping => None,
            },
        }
    }

    /// Reads what was heard. Without an envelope nobody says where a message comes from; it counts
    /// as the server's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(self, heard: Heard) -> Result<ServerMessage, String> {
        let decoded = match (self, heard) {
            (Self::JsonReliable | Self::Json, Heard::Text(text)) => json::client::decode(&text),
            (Self::ProtobufReliable | Self::Protobuf, Heard::Binary(bytes)) => {
                protobuf::client::decode(&bytes)
            }
            (Self::Simple, heard) => {
                let data = match heard {
                    Heard::Text(text) => Data::Text(text.into()),
                    Heard::Binary(bytes) => Data::Binary(bytes),
                };
                let metadata = Metadata::default();
                let message = Message { source: Source::Server, data, metadata };
                return Ok(ServerMessage::Data { message, sequence_id: None });
            }
            (_, Heard::Text(_)) => return Err("It is text, not binary.".to_owned()),
            (_, Heard::Binary(_)) => return Err("It is binary, not text.".to_owned()),
        };
        decoded.map_err(|error| error.problem().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Protocol; 5] = [
        Protocol::JsonReliable,
        Protocol::Json,
        Protocol::ProtobufReliable,
        Protocol::Protobuf,
        Protocol::Simple,
    ];

    #[test]
    fn every_protocol_carries_a_text() {
        for protocol in ALL {
            let message = ClientMessage::SendToGroup {
                group: "g".into(),
                ack_id: Some(1),
                no_echo: true,
                data: Data::Text("hello".into()),
                ttl_seconds: None,
                metadata: Metadata::default(),
            };
            let (opcode, bytes) = protocol.encode(&message).unwrap();
            let is_text = !matches!(protocol, Protocol::ProtobufReliable | Protocol::Protobuf);
            assert_eq!(opcode == OpCode::Text, is_text, "{protocol:?}");
            let at = bytes.windows(5).position(|it| it == b"hello").unwrap();
            assert_eq!(at == 0, protocol == Protocol::Simple, "{protocol:?}");
        }
        assert_eq!(Protocol::Simple.encode(&ClientMessage::Ping), None);
    }

    #[test]
    fn a_frame_of_the_wrong_kind_is_told() {
        let text = || Heard::Text("x".to_owned());
        let binary = || Heard::Binary(Bytes::from_static(b"x"));
        assert!(Protocol::Json.decode(binary()).unwrap_err().contains("not text"));
        assert!(Protocol::Protobuf.decode(text()).unwrap_err().contains("not binary"));
        assert!(
            Protocol::Simple.decode(text()).is_ok() && Protocol::Simple.decode(binary()).is_ok()
        );
    }
}
