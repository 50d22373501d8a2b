//! A message between its sender and its receivers, independent of any wire form.

use bytes::Bytes;
use gateway::{Content, Variant};

use crate::metadata::Metadata;
use crate::protocol::Subprotocol;

/// What a message carries. Every kind is kept as its sender wrote it; each receiver's protocol
/// decides how it looks on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// UTF-8 text.
    Text(Box<str>),
    /// One JSON value, as text that has been checked.
    Json(Box<str>),
    /// Bytes.
    Binary(Bytes),
    /// A serialized `google.protobuf.Any`.
    Protobuf(Bytes),
}

/// Where a message came from, as its receivers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The application's backend.
    Server,
    /// A group, published by a client or by the backend.
    Group {
        /// The group's name.
        group: Box<str>,
        /// The publishing client's user, if a client published and has one.
        user: Option<Box<str>>,
    },
}

/// A message to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it came from.
    pub source: Source,
    /// What it carries.
    pub data: Data,
    /// What travels along.
    pub metadata: Metadata,
}

/// A message that a client has sent, for those who want to know of it: never what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whether it is for a group; otherwise it is an event for the application.
    pub to_group: bool,
    /// The group, or the name of the event.
    pub name: Box<str>,
    /// How many bytes it carries.
    pub bytes: usize,
    /// Why it is not passed on.
    pub refused: Option<String>,
}

impl Data {
    /// How many bytes it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Json(text) => text.len(),
            Self::Binary(bytes) | Self::Protobuf(bytes) => bytes.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Content for Message {
    fn encode(&self, variant: Variant) -> Bytes {
        Subprotocol::of(variant).encode(self)
    }
}
