//! The client subprotocols: bytes to values and back, nothing else.

mod client_message;
mod envelope;
pub mod json;
pub mod protobuf;
#[cfg(test)]
mod samples;
mod server_message;

pub use client_message::{ClientMessage, DecodeError};
pub use envelope::Envelope;
pub use server_message::{AckError, ServerMessage};

use bytes::Bytes;
use gateway::frame::{self, OpCode};
use gateway::{Numbering, Variant};

use crate::message::{Data, Message};

/// The longest that a message may be kept for a reliable receiver (REST description and client
/// specification).
pub const MAX_TTL_SECONDS: u16 = 300;

/// What a client speaks over its WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subprotocol {
    /// No envelope: each frame is the data alone.
    Simple,
    /// `json.webpubsub.azure.v1`.
    Json,
    /// `json.reliable.webpubsub.azure.v1`.
    JsonReliable,
    /// `protobuf.webpubsub.azure.v1`.
    Protobuf,
    /// `protobuf.reliable.webpubsub.azure.v1`.
    ProtobufReliable,
}

impl Subprotocol {
    /// All, each at the place of its wire form's number.
    const ALL: [Self; 5] =
        [Self::Simple, Self::Json, Self::JsonReliable, Self::Protobuf, Self::ProtobufReliable];

    /// The name in the WebSocket handshake; the simple one has none of its own.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Simple => None,
            Self::Json => Some(json::NAME),
            Self::JsonReliable => Some(json::RELIABLE_NAME),
            Self::Protobuf => Some(protobuf::NAME),
            Self::ProtobufReliable => Some(protobuf::RELIABLE_NAME),
        }
    }

    /// The subprotocol with a name, ignoring case.
    pub fn by_name(name: &str) -> Option<Self> {
        let named = |it: &Self| it.name().is_some_and(|own| own.eq_ignore_ascii_case(name));
        Self::ALL.into_iter().find(named)
    }

    /// The subprotocol for a handshake without an event handler's word: the first offered that we
    /// speak, or the simple one when none is. The name, to be echoed, is the one that the client
    /// wrote.
    pub fn negotiate<'a>(offered: impl IntoIterator<Item = &'a str>) -> (Self, Option<&'a str>) {
        offered
            .into_iter()
            .find_map(|name| Some((Self::by_name(name)?, Some(name))))
            .unwrap_or((Self::Simple, None))
    }

    /// How its messages are wrapped; the simple one does not wrap.
    pub fn envelope(self) -> Option<Envelope> {
        match self {
            Self::Simple => None,
            Self::Json | Self::JsonReliable => Some(Envelope::Json),
            Self::Protobuf | Self::ProtobufReliable => Some(Envelope::Protobuf),
        }
    }

    /// How its messages are numbered, for a reliable one.
    pub fn numbering(self) -> Option<Numbering> {
        match self {
            Self::JsonReliable => {
                Some(|body, id| frame::encode(OpCode::Text, &json::number(body, id)))
            }
            Self::ProtobufReliable => {
                Some(|body, id| frame::encode(OpCode::Binary, &protobuf::number(body, id)))
            }
            Self::Simple | Self::Json | Self::Protobuf => None,
        }
    }

    /// The wire form of publications to such a client.
    pub fn variant(self) -> Variant {
        Variant::new(self as u8)
    }

    /// The subprotocol with this wire form.
    pub(crate) fn of(variant: Variant) -> Self {
        Self::ALL.get(usize::from(variant.number())).copied().unwrap_or(Self::Simple)
    }

    /// A message for clients of this subprotocol: the whole frame, or for a reliable one the body
    /// that its numbering completes.
    pub(crate) fn encode(self, message: &Message) -> Bytes {
        match self {
            Self::Simple => simple(&message.data),
            Self::Json => frame::encode(OpCode::Text, &json::message(message)),
            Self::JsonReliable => json::numbered_body(message).into(),
            Self::Protobuf => frame::encode(OpCode::Binary, &protobuf::message(message)),
            Self::ProtobufReliable => protobuf::numbered_body(message).into(),
        }
    }
}

/// A simple client gets text and JSON as a text frame, everything else as a binary one.
fn simple(data: &Data) -> Bytes {
    match data {
        Data::Text(text) | Data::Json(text) => frame::encode(OpCode::Text, text.as_bytes()),
        Data::Binary(bytes) | Data::Protobuf(bytes) => frame::encode(OpCode::Binary, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiation_takes_the_first_we_speak_as_the_client_wrote_it() {
        let offered = ["x", "JSON.webpubsub.azure.v1", "protobuf.webpubsub.azure.v1"];
        let chosen = (Subprotocol::Json, Some("JSON.webpubsub.azure.v1"));
        assert_eq!(Subprotocol::negotiate(offered), chosen);
        assert_eq!(Subprotocol::negotiate(["x"]), (Subprotocol::Simple, None));
        assert_eq!(Subprotocol::negotiate([]), (Subprotocol::Simple, None));
    }

    #[test]
    fn wire_forms_names_and_subprotocols_are_one_to_one() {
        for it in Subprotocol::ALL {
            assert_eq!(Subprotocol::of(it.variant()), it);
            assert_eq!(it.name().map(Subprotocol::by_name), it.name().map(|_| Some(it)));
        }
    }

    #[test]
    fn a_simple_client_sees_the_data_alone() {
        assert_eq!(&simple(&Data::Text("hi".into()))[..], b"\x81\x02hi");
        assert_eq!(&simple(&Data::Json("{}".into()))[..], b"\x81\x02{}");
        assert_eq!(&simple(&Data::Binary(Bytes::from_static(b"\0")))[..], b"\x82\x01\0");
    }
}
