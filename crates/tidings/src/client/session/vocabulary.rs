//! What can happen to the terminal client, and what can come of it.

use webpubsub::message::Message;
use webpubsub::protocol::{AckError, ClientMessage, ServerMessage};

use crate::client::lines::Line;

/// What does not change while the client runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether a lost connection can be recovered.
    pub reliable: bool,
    /// Whether the protocol has groups and acks.
    pub envelope: bool,
    /// Groups to be in from the start; the first is where texts go.
    pub groups: Vec<String>,
    /// Whether a person types: every ack is shown, and a refusal is no failure of the command.
    pub interactive: bool,
}

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// A dial succeeded.
    Opened,
    /// A dial failed.
    NotOpened(String),
    /// Bytes arrived, of whatever kind.
    Heard,
    /// A message arrived.
    Received(ServerMessage),
    /// A message arrived that makes no sense, for this reason.
    Unreadable(String),
    /// The connection ended: by a close frame, or without one.
    Ended(Option<(u16, String)>),
    /// A person typed a line.
    Line(Line),
    /// There will be no more lines.
    InputEnded,
    /// A person wants to stop.
    Interrupted,
    /// About a second has passed.
    Tick,
}

/// What is to be done, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Connect; exactly one `Opened` or `NotOpened` follows.
    Dial(Dial),
    /// Send a message.
    Send(ClientMessage<'static>),
    /// Ask whether the server is there.
    Ping,
    /// Begin the closing handshake.
    Close,
    /// Forget the connection at once.
    Hang,
    /// Show a message to the person.
    Deliver(Message),
    /// Tell the person something.
    Tell(Note),
    /// Stop. With an error the command has failed.
    Finish(Result<(), String>),
}

/// How to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dial {
    /// As a new connection that starts in these groups.
    Anew(Vec<String>),
    /// As the connection that was lost.
    Recover {
        /// Its id.
        connection_id: String,
        /// The proof.
        token: String,
    },
}

/// Something that a person wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The connection has its identity.
    Connected {
        /// Its id.
        connection_id: String,
        /// Its user.
        user: Option<String>,
    },
    /// The connection is open, and will not have an identity.
    Opened,
    /// The connection is lost and will be dialed again.
    Lost(String),
    /// The connection is back, and nothing was lost.
    Recovered,
    /// A new connection replaces the lost one; messages in between are gone, and so many of our
    /// own may have been.
    Replaced(usize),
    /// Where texts go from now on.
    Target(Option<String>),
    /// Something was done.
    Done(String),
    /// Something was not done.
    Refused {
        /// What was not.
        what: String,
        /// Why.
        error: AckError,
    },
    /// The service is about to close, or has closed.
    Closed(String),
    /// The commands.
    Help,
    /// Something that went wrong on this side.
    Problem(String),
}
