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

impl Content for Message {
    fn encode(&self, variant: Variant) -> Bytes {
        Subprotocol::of(variant).encode(self)
    }
}
