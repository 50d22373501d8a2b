//! The two ways of wrapping: one interface over both codecs, in whole frames.

use bytes::Bytes;
use gateway::Close;
use gateway::frame::{self, OpCode};

use super::{ClientMessage, json, protobuf};

/// How a subprotocol wraps what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// A JSON object in a text frame.
    Json,
    /// A protobuf message in a binary frame.
    Protobuf,
}

impl Envelope {
    /// Reads a text frame.
    ///
    /// # Errors
    /// How the connection is to be closed: text is not this subprotocol's, or makes no sense.
    pub fn text(self, text: &str) -> Result<ClientMessage<'_>, Close> {
        match self {
            Self::Json => json::decode(text).map_err(|error| Close::new(1007, error.reason())),
            Self::Protobuf => {
                Err(Close::new(1003, "The protobuf subprotocol requires binary messages."))
            }
        }
    }

    /// Reads a binary frame.
    ///
    /// # Errors
    /// As [`Envelope::text`].
    pub fn binary(self, bytes: &[u8]) -> Result<ClientMessage<'_>, Close> {
        match self {
            Self::Json => Err(Close::new(1003, "The JSON subprotocol requires text messages.")),
            Self::Protobuf => {
                protobuf::decode(bytes).map_err(|error| Close::new(1007, error.reason()))
            }
        }
    }

    /// The first message of a connection; with a token on a reliable one.
    pub fn connected(self, id: &str, user: Option<&str>, token: Option<&str>) -> Bytes {
        match self {
            Self::Json => self.frame(&json::connected(id, user, token)),
            Self::Protobuf => self.frame(&protobuf::connected(id, user, token)),
        }
    }

    /// The last message before the service closes.
    pub fn disconnected(self, reason: &str) -> Bytes {
        match self {
            Self::Json => self.frame(&json::disconnected(reason)),
            Self::Protobuf => self.frame(&protobuf::disconnected(reason)),
        }
    }

    /// The answer to a `ping`.
    pub fn pong(self) -> Bytes {
        match self {
            Self::Json => self.frame(json::pong()),
            Self::Protobuf => self.frame(&protobuf::pong()),
        }
    }

    /// The answer to a message with an ack id: success, or an error's name and message.
    pub fn ack(self, ack_id: u64, outcome: Result<(), (&str, &str)>) -> Bytes {
        match self {
            Self::Json => self.frame(&json::ack(ack_id, outcome)),
            Self::Protobuf => self.frame(&protobuf::ack(ack_id, outcome)),
        }
    }

    fn frame(self, payload: &[u8]) -> Bytes {
        match self {
            Self::Json => frame::encode(OpCode::Text, payload),
            Self::Protobuf => frame::encode(OpCode::Binary, payload),
        }
    }
}
