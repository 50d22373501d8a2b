//! One client connection as its shard holds it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::backlog::{Backlog, QueueLimits};
use crate::batch::Place;
use crate::id::{ConnectionId, HubId};
use crate::publication::Variant;
use crate::reader::Reader;
use crate::replay::{self, Replay};
use crate::session::{Close, Session};
use crate::transport::Transport;

/// Where a connection stands in its life. It only moves forward, but for a reliable one, which goes
/// between `Open` and `Detached`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Registered, so that nothing published from now on is missed; its socket has yet to arrive.
    Reserved,
    /// Talking.
    Open,
    /// Reliable and without a socket: it may be recovered within the window, and what is published
    /// meanwhile waits in its replay buffer.
    Detached,
    /// We have sent a close frame and wait for the peer's.
    Closing,
    /// Both close frames are exchanged; it goes when the last byte is written.
    Ending,
}

impl Phase {
    /// Whether the connection counts: receives publications, exists, can be closed.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Reserved | Self::Open | Self::Detached)
    }
}

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// This many bytes left; the rest, if any, waits.
    Bytes(usize),
    /// The receiver is too slow: more waits than may.
    Overflow,
    /// The socket is dead.
    Failed,
}

pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) hub: HubId,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) variant: Variant,
    pub(crate) phase: Phase,
    /// What this turn will write.
    pub(crate) place: Place,
    /// Pings in a row that nothing answered.
    pub(crate) unanswered_pings: u8,
    /// Set when the peer broke the framing: what it sends from then on means nothing.
    pub(crate) deaf: bool,
    /// Set while the session wants nothing to be read.
    pub(crate) paused: bool,
    /// Set while somebody watches it; see [`crate::live_trace`].
    pub(crate) watched: bool,
    /// Tells this connection, or this socket of it, from an earlier one with the same key.
    pub(crate) generation: u32,
    pub(crate) keep_alive_secs: u32,
    /// Why it is being closed, once it is.
    pub(crate) end: Option<Close>,
    pub(crate) transport: Option<Transport>,
    /// What was read from its socket before the socket was handed over; it comes before all else.
    pub(crate) read_ahead: Bytes,
    pub(crate) reader: Reader,
    pub(crate) backlog: Backlog,
    pub(crate) replay: Option<Box<Replay>>,
    pub(crate) session: Box<dyn Session>,
}

impl Connection {
    /// What may wait for this receiver. A reliable one is bounded by its replay buffer already, and
    /// all of that may have to go out again at once.
    pub(crate) fn limits(&self, queue: QueueLimits) -> QueueLimits {
        match &self.replay {
            None => queue,
            Some(_) => QueueLimits {
                bytes: queue.bytes + 2 * replay::MAX_BYTES,
                frames: queue.frames + replay::MAX_MESSAGES,
            },
        }
    }

    /// Writes `bytes` (whole frames) behind whatever still waits.
    pub(crate) fn write(&mut self, bytes: &Bytes, frames: u32, limits: QueueLimits) -> Written {
        let mut sent = 0;
        if let (Some(transport), true) = (&mut self.transport, self.backlog.is_empty()) {
            match transport.write(bytes) {
                Ok(count) if count == bytes.len() => return Written::Bytes(count),
                Ok(count) => sent = count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Written::Failed,
            }
        }
        self.backlog.push(bytes.slice(sent..), frames);
        match self.write_backlog() {
            Written::Bytes(_) if self.backlog.exceeds(limits) => Written::Overflow,
            Written::Bytes(more) => Written::Bytes(sent + more),
            failure => failure,
        }
    }

    /// Writes what waits, as far as the socket takes it.
    pub(crate) fn write_backlog(&mut self) -> Written {
        let Some(transport) = &mut self.transport else { return Written::Bytes(0) };
        match transport.drain() {
            Ok(true) => {}
            Ok(false) => return Written::Bytes(0),
            Err(_) => return Written::Failed,
        }
        match self.backlog.write(|bytes| transport.write(bytes)) {
            Ok(count) => Written::Bytes(count),
            Err(_) => Written::Failed,
        }
    }

    /// Whether everything given to [`Connection::write`] has left the process.
    pub(crate) fn is_flushed(&mut self) -> bool {
        self.backlog.is_empty()
            && self.transport.as_mut().is_none_or(|transport| transport.drain().unwrap_or(true))
    }
}
