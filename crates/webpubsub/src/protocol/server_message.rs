//! What the service says in any subprotocol with an envelope, as a client reads it.

use crate::message::Message;

/// A message from the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerMessage {
    /// The first message of a connection.
    Connected {
        /// The connection's id.
        connection_id: String,
        /// Who the client is; none for an anonymous one.
        user: Option<String>,
        /// What brings the client back to this connection (reliable subprotocols).
        reconnection_token: Option<String>,
    },
    /// The last message before the service closes.
    Disconnected {
        /// Why.
        reason: String,
    },
    /// Something for the application.
    Data {
        /// What arrived.
        message: Message,
        /// Its number (reliable subprotocols).
        sequence_id: Option<u64>,
    },
    /// The answer to a message that had an ack id.
    Ack {
        /// That id.
        ack_id: u64,
        /// Whether it was done.
        outcome: Result<(), AckError>,
    },
    /// The answer to a ping.
    Pong,
}

/// Why something was not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AckError {
    /// A name such as `Forbidden` or `Duplicate`.
    pub name: String,
    /// A sentence.
    pub message: String,
}
