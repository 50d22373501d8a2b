//! Live trace: all that happens to some connections, told to somebody who watches now.
//!
//! A connection knows only whether anybody watches it, so the others pay for one look at a flag. No
//! payload is told, only its kind and length.
//!
//! Invariant: watching never holds a shard up. The queue to a watcher is bounded; what does not fit is
//! counted and dropped.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use kernel::{Journey, Timestamp};
use tokio::sync::mpsc;

use crate::connection::Connection;
use crate::directory::ShardSet;
use crate::frame::OpCode;
use crate::gateway::Links;
use crate::id::{ConnectionId, HubId};
use crate::inbox::Command;
use crate::session::{Close, Effect};

/// Live traces at a time.
pub(crate) const MAX_LIVE_TRACES: usize = 16;
/// Observations that may wait for a watcher.
const WAITING: usize = 4096;

/// Which connections of a hub are watched: those that are there, and those that come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// All of them.
    Hub,
    /// Those of a user.
    User(Arc<str>),
    /// One.
    Connection(ConnectionId),
}

/// Something that happened to a watched connection.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When, to the turn of its shard.
    pub at: Timestamp,
    /// Which connection.
    pub connection: ConnectionId,
    /// Whose it is, if its token said.
    pub user: Option<Arc<str>>,
    /// What happened.
    pub happening: Happening,
}

/// What can happen to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It counts from now on; its handshake is being answered.
    Opened,
    /// It has its socket.
    Connected,
    /// It has another socket, in place of one that was lost.
    Recovered,
    /// Its client sent this. Of a message in fragments, the whole.
    Read {
        /// The kind of frame.
        kind: OpCode,
        /// Bytes of payload.
        bytes: usize,
    },
    /// It is in this group now.
    Joined(Arc<str>),
    /// It is in this group no more.
    Left(Arc<str>),
    /// Its client published to an audience.
    Published(String),
    /// Its client has everything up to this sequence id.
    Acknowledged(u64),
    /// Its session handed something to its service, such as an event for the application.
    Raised,
    /// A frame for it alone waits to be written, such as an answer.
    Queued {
        /// The kind of frame.
        kind: OpCode,
        /// Bytes, the header included.
        bytes: usize,
    },
    /// A message for an audience that it is in waits to be written.
    Received {
        /// Bytes of the encoded message.
        bytes: usize,
        /// The message's number on this connection, where its client acknowledges.
        sequence_id: Option<u64>,
        /// It has no socket for now; the message waits for it.
        detached: bool,
        /// Where the way of the message is recorded, if it is.
        journey: Option<Journey>,
    },
    /// So much of what waited was given to the socket.
    Written {
        /// Bytes that the socket took.
        bytes: usize,
        /// Bytes that it did not take, which wait for it.
        left: usize,
    },
    /// Its socket is gone. A reliable one may come back.
    Lost(Box<str>),
    /// The service closes it.
    Closing(Close),
    /// It is gone for good.
    Ended(Close),
}

impl Happening {
    /// What kind of happening it is, as it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Connected => "connected",
            Self::Recovered => "recovered",
            Self::Read { .. } => "read",
            Self::Joined(_) => "joined",
            Self::Left(_) => "left",
            Self::Published(_) => "published",
            Self::Acknowledged(_) => "acknowledged",
            Self::Raised => "raised",
            Self::Queued { .. } => "queued",
            Self::Received { .. } => "received",
            Self::Written { .. } => "written",
            Self::Lost(_) => "lost",
            Self::Closing(_) => "closing",
            Self::Ended(_) => "ended",
        }
    }

    /// What an effect of a session tells, where carrying it out does not tell it.
    pub(crate) fn of(effect: &Effect) -> Option<Self> {
        match effect {
            Effect::Publish { audience, .. } => Some(Self::Published(audience.to_string())),
            Effect::Acknowledge(sequence_id) => Some(Self::Acknowledged(*sequence_id)),
            Effect::Raise(_) => Some(Self::Raised),
            Effect::Send(_)
            | Effect::Join(_)
            | Effect::Leave(_)
            | Effect::Pause
            | Effect::Resume
            | Effect::Close(_) => None,
        }
    }
}

impl fmt::Display for Happening {
    /// More than its name tells, for people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => out.write_str("the handshake is answered; messages count from here on"),
            Self::Connected => out.write_str("it has its socket"),
            Self::Recovered => {
                out.write_str("it has another socket; what is unacknowledged follows")
            }
            Self::Read { kind, bytes } => write!(out, "{kind} frame of {bytes} bytes"),
            Self::Joined(group) | Self::Left(group) => write!(out, "the group '{group}'"),
            Self::Published(audience) => write!(out, "to {audience}"),
            Self::Acknowledged(sequence_id) => write!(out, "all up to sequence id {sequence_id}"),
            Self::Raised => out.write_str("an event for the service"),
            Self::Queued { kind, bytes } => {
                write!(out, "{kind} frame of {bytes} bytes, for it alone")
            }
            Self::Received { bytes, sequence_id, detached, .. } => {
                write!(out, "message of {bytes} bytes")?;
                if let Some(number) = sequence_id {
                    write!(out, ", sequence id {number}")?;
                }
                out.write_str(if *detached { "; waits, there is no socket for now" } else { "" })
            }
            Self::Written { bytes, left: 0 } => write!(out, "{bytes} bytes"),
            Self::Written { bytes, left } => {
                write!(out, "{bytes} bytes; {left} wait, for the socket is full")
            }
            Self::Lost(why) => out.write_str(why),
            Self::Closing(close) | Self::Ended(close) => {
                write!(out, "{} {}", close.code, close.reason)
            }
        }
    }
}

/// A live trace that is read. Dropped, it ends.
pub struct LiveTrace {
    links: Arc<Links>,
    number: u64,
    observations: mpsc::Receiver<Observation>,
    missed: Arc<AtomicU64>,
}

impl LiveTrace {
    /// Begins one; `None` when there are as many as there may be.
    pub(crate) fn begin(links: &Arc<Links>, hub: HubId, watched: Watched) -> Option<Self> {
        let (sender, observations) = mpsc::channel(WAITING);
        let missed = Arc::<AtomicU64>::default();
        let number = links.live_traces.begin()?;
        let watcher = Watcher { number, hub, watched, sender, missed };
        let missed = Arc::clone(&watcher.missed);
        let watcher = Arc::new(watcher);
        links.push_to(ShardSet::MAX, || Command::Watch(Arc::clone(&watcher)));
        Some(Self { links: Arc::clone(links), number, observations, missed })
    }

    /// What happened next; `None` when the engine has stopped.
    pub async fn next(&mut self) -> Option<Observation> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`LiveTrace::next`], for who polls.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Observation>> {
        self.observations.poll_recv(context)
    }

    /// How many observations found the queue full since the last call.
    pub fn missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }
}

impl Drop for LiveTrace {
    fn drop(&mut self) {
        self.links.live_traces.end();
        self.links.push_to(ShardSet::MAX, || Command::Unwatch(self.number));
    }
}

/// Counts and numbers the live traces of an engine.
#[derive(Debug, Default)]
pub(crate) struct Open {
    count: AtomicUsize,
    last: AtomicU64,
}

impl Open {
    fn begin(&self) -> Option<u64> {
        let more = |count| (count < MAX_LIVE_TRACES).then_some(count + 1);
        self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(self.last.fetch_add(1, Ordering::Relaxed))
    }

    fn end(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The far end of a live trace, in a shard.
pub(crate) struct Watcher {
    number: u64,
    hub: HubId,
    watched: Watched,
    sender: mpsc::Sender<Observation>,
    missed: Arc<AtomicU64>,
}

impl Watcher {
    fn watches(&self, hub: HubId, id: ConnectionId, user: Option<&str>) -> bool {
        self.hub == hub
            && match &self.watched {
                Watched::Hub => true,
                Watched::User(name) => user == Some(&**name),
                Watched::Connection(wanted) => *wanted == id,
            }
    }
}

/// Who watches connections of one shard.
#[derive(Default)]
pub(crate) struct Watchers(Vec<Arc<Watcher>>);

impl Watchers {
    pub(crate) fn add(&mut self, watcher: Arc<Watcher>) {
        self.0.push(watcher);
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.0.retain(|it| it.number != number);
    }

    /// Whether anybody watches such a connection.
    pub(crate) fn watch(&self, hub: HubId, id: ConnectionId, user: Option<&str>) -> bool {
        self.0.iter().any(|it| it.watches(hub, id, user))
    }

    /// Tells those who watch a connection what happened to it.
    #[cold]
    pub(crate) fn tell(&self, at: Timestamp, connection: &Connection, happening: &Happening) {
        let Connection { id, hub, user, .. } = connection;
        for watcher in self.0.iter().filter(|it| it.watches(*hub, *id, user.as_deref())) {
            let (user, happening) = (user.clone(), happening.clone());
            let observation = Observation { at, connection: *id, user, happening };
            if watcher.sender.try_send(observation).is_err() {
                watcher.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
