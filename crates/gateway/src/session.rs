//! The seam between the engine and a protocol.
//!
//! A session is a pure state machine behind one connection: messages in, effects out. It knows no
//! socket, no clock and no other connection, so it is tested without any of them.

use std::any::Any;
use std::fmt;

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
    /// A reliable connection has a socket again. What the session sends now goes out before
    /// everything that is sent again.
    Recovered,
    /// The connection is gone for good, for this reason: with the code that the service has closed it
    /// with, 1005 where the client did, 1006 where it was lost. Only [`Effect::Raise`] has a meaning
    /// now.
    Ended(&'a Close),
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
    /// The client has everything up to this sequence id (reliable protocols).
    Acknowledge(u64),
    /// Read no more from the client until [`Effect::Resume`]; what has been read already still comes.
    Pause,
    /// Read again.
    Resume,
    /// Hand something to the world outside the engine.
    Raise(Box<dyn Raised>),
    /// Close this connection.
    Close(Close),
}

/// Something that a session hands to its service, such as an event for the application.
pub trait Raised: fmt::Debug + Send {
    /// Takes it out of the engine. Runs on the shard's thread, so it must neither block nor take
    /// long.
    fn raise(self: Box<Self>);
}

/// Why a connection is closed, or was.
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

    /// Takes an instruction of its own service (see [`crate::Gateway::instruct`]) and answers yes or
    /// no; what either means is between the two.
    fn instruct(
        &mut self,
        now: Timestamp,
        instruction: Box<dyn Any + Send>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let _ = (now, instruction, effects);
        false
    }
}
