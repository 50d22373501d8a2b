//! What a client says in any subprotocol with an envelope.

use std::borrow::Cow;

use crate::message::Data;
use crate::metadata::Metadata;

/// A message from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// Join a group.
    JoinGroup {
        /// The group.
        group: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
    },
    /// Leave a group.
    LeaveGroup {
        /// The group.
        group: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
    },
    /// Publish to a group.
    SendToGroup {
        /// The group.
        group: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
        /// Whether the sending connection gets no copy.
        no_echo: bool,
        /// What to publish.
        data: Data,
        /// How many seconds a reliable receiver's copy may wait; 0 or none: without limit.
        ttl_seconds: Option<u16>,
        /// What travels along.
        metadata: Metadata,
    },
    /// Tell the application's event handler.
    Event {
        /// The event's name.
        event: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
        /// What to tell.
        data: Data,
        /// What travels along.
        metadata: Metadata,
    },
    /// Everything up to this sequence id has arrived (reliable subprotocols).
    SequenceAck {
        /// The largest sequence id received.
        sequence_id: u64,
    },
    /// Ask for a `pong`.
    Ping,
}

/// Why bytes are no message of a subprotocol.
#[derive(Debug, PartialEq, Eq)]
pub struct DecodeError {
    format: &'static str,
    problem: Cow<'static, str>,
}

impl DecodeError {
    pub(crate) fn json(problem: impl Into<Cow<'static, str>>) -> Self {
        Self { format: "JSON", problem: problem.into() }
    }

    pub(crate) fn protobuf(problem: impl Into<Cow<'static, str>>) -> Self {
        Self { format: "protobuf", problem: problem.into() }
    }

    /// What is wrong, alone: for a client, which closes nothing because of it.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The sentence for the close frame, at most 123 bytes. The first half is what the emulated
    /// service says; the second says what was wrong.
    pub fn reason(&self) -> String {
        format!(
            "The client message is not a valid {} protocol message. {}",
            self.format, self.problem
        )
    }
}
