//! The client subprotocols: bytes to values and back, nothing else.

mod client_message;
pub mod json;
pub mod protobuf;

pub use client_message::{ClientMessage, DecodeError};

use bytes::Bytes;
use gateway::Variant;
use gateway::frame::{self, OpCode};

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
}

impl Subprotocol {
    const ALL: [Self; 2] = [Self::Simple, Self::Json];

    /// The wire form of publications to such a client.
    pub fn variant(self) -> Variant {
        Variant::new(match self {
            Self::Simple => 0,
            Self::Json => 1,
        })
    }

    /// The subprotocol with this wire form.
    pub(crate) fn of(variant: Variant) -> Self {
        Self::ALL.into_iter().find(|it| it.variant() == variant).unwrap_or(Self::Simple)
    }

    /// The subprotocol for a handshake: the first offered that we speak, or the simple one when
    /// none is. The name, to be echoed, is the one that the client wrote.
    pub fn negotiate<'a>(offered: impl IntoIterator<Item = &'a str>) -> (Self, Option<&'a str>) {
        offered
            .into_iter()
            .find(|name| name.eq_ignore_ascii_case(json::NAME))
            .map_or((Self::Simple, None), |name| (Self::Json, Some(name)))
    }

    /// The whole frame of a message for clients of this subprotocol.
    pub(crate) fn encode(self, message: &Message) -> Bytes {
        match self {
            Self::Simple => simple(&message.data),
            Self::Json => frame::encode(OpCode::Text, &json::message(message)),
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
    fn negotiation_echoes_what_the_client_wrote() {
        let offered = ["x", "JSON.webpubsub.azure.v1", "y"];
        let chosen = (Subprotocol::Json, Some("JSON.webpubsub.azure.v1"));
        assert_eq!(Subprotocol::negotiate(offered), chosen);
        assert_eq!(Subprotocol::negotiate(["x"]), (Subprotocol::Simple, None));
        assert_eq!(Subprotocol::negotiate([]), (Subprotocol::Simple, None));
    }

    #[test]
    fn wire_forms_and_subprotocols_are_one_to_one() {
        for it in Subprotocol::ALL {
            assert_eq!(Subprotocol::of(it.variant()), it);
        }
    }

    #[test]
    fn a_simple_client_sees_the_data_alone() {
        assert_eq!(&simple(&Data::Text("hi".into()))[..], b"\x81\x02hi");
        assert_eq!(&simple(&Data::Json("{}".into()))[..], b"\x81\x02{}");
        assert_eq!(&simple(&Data::Binary(Bytes::from_static(b"\0")))[..], b"\x82\x01\0");
    }
}
