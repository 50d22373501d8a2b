//! The seam between the engine and a protocol.
//!
//! A session is a pure state machine behind one connection: messages in, effects out. It knows no
//! socket, no clock and no other connection, so it is tested without any of them.

use bytes::Bytes;
use kernel::Timestamp;

use crate::audience::Audience;
use crate::publication::Publication;

/// What happens to a connection.
#[derive(Debug)]
pub enum Input<'a> {
    /// The connection is registered; what the session sends now is the first thing the client reads.
    Opened,
    /// A whole text message.
    Text(&'a str),
    /// A whole binary message.
    Binary(&'a [u8]),
    /// The service is about to close the connection. What the session sends now still goes out.
    Closing(&'a Close),
}

/// What must happen next. Effects are carried out in the order they were pushed.
#[derive(Debug)]
pub enum Effect {
    /// Write a finished frame (see [`crate::frame`]).
    Send(Bytes),
    /// Put this connection into a group.
    Join(Box<str>),
    /// Take this connection out of a group.
    Leave(Box<str>),
    /// Publish to an audience of this connection's hub.
    Publish {
        /// Who receives it.
        audience: Audience,
        /// What they receive.
        publication: Publication,
        /// Whether this connection gets its own copy when it is in the audience.
        echo: bool,
    },
    /// Close this connection.
    Close(Close),
}

/// Why a connection is closed by the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The close code of RFC 6455.
    pub code: u16,
    /// The sentence that the client sees.
    pub reason: Box<str>,
}

impl Close {
    /// A close with `code` and `reason`.
    pub fn new(code: u16, reason: impl Into<Box<str>>) -> Self {
        Self { code, reason: reason.into() }
    }
}

/// The protocol state of one connection.
pub trait Session: Send {
    /// Applies one input and appends what must now happen. Total: a violation of the protocol is an
    /// [`Effect::Close`], not an error.
    fn step(&mut self, now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>);
}
