//! What other threads ask of a shard.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::audience::{Audience, Target};
use crate::id::{ConnectionId, HubId};
use crate::live_trace::Watcher;
use crate::publication::{Publication, Variant};
use crate::replay::Numbering;
use crate::session::{Close, Session};
use crate::transport::Socket;

/// Above this depth REST calls wait for room.
const CROWDED: usize = 1024;
/// Above this depth shards leave their sockets unread too, which the clients' own TCP windows then
/// feel. It is higher, so that REST calls alone can never keep clients from being read.
const FULL: usize = 4 * CROWDED;

/// A connection about to open.
pub struct Opening {
    /// The name that [`crate::Gateway::allocate`] gave.
    pub id: ConnectionId,
    /// The hub it connects to.
    pub hub: HubId,
    /// Who it belongs to, if its token says.
    pub user: Option<Arc<str>>,
    /// Groups that it is in from the start.
    pub groups: Vec<Box<str>>,
    /// The wire form in which it receives publications.
    pub variant: Variant,
    /// Seconds between keep-alive pings.
    pub keep_alive_secs: u32,
    /// For a reliable protocol, how it numbers messages. Such a connection outlives its socket for
    /// a while, and what the client has not acknowledged is sent again on the next one.
    pub reliable: Option<Numbering>,
    /// Its protocol.
    pub session: Box<dyn Session>,
}

/// A publication and its receivers.
pub(crate) struct Delivery {
    pub(crate) target: Target,
    pub(crate) publication: Publication,
}

/// A change of the groups of every connection in an audience.
#[derive(Clone, Debug)]
pub enum GroupChange {
    /// They join this group.
    Join(Arc<str>),
    /// They leave this group.
    Leave(Arc<str>),
    /// They leave all groups.
    LeaveAll,
}

/// A part of a listing, in the order of connection names.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Names up to this one have been listed.
    pub after: Option<ConnectionId>,
    /// The most connections wanted.
    pub limit: usize,
}

/// A connection in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub id: ConnectionId,
    /// Whom it belongs to.
    pub user: Option<Arc<str>>,
    /// The groups that it is in, in no order.
    pub groups: Vec<Box<str>>,
}

/// One request to a shard. Replies carry the number of connections concerned.
pub(crate) enum Command {
    /// Answered with the generation that the socket must be for.
    Open(Box<Opening>, oneshot::Sender<u32>),
    Attach(ConnectionId, u32, Box<Socket>),
    Abandon(ConnectionId),
    Publish(Arc<Delivery>),
    /// Makes a reliable connection ready for another socket; answers with the generation that it
    /// must be for, if there can be one.
    Recover {
        hub: HubId,
        id: ConnectionId,
        variant: Variant,
        reply: oneshot::Sender<Option<u32>>,
    },
    Regroup {
        target: Target,
        change: GroupChange,
        reply: oneshot::Sender<usize>,
    },
    Close {
        target: Target,
        close: Close,
        reply: oneshot::Sender<usize>,
    },
    Count {
        hub: HubId,
        audience: Audience,
        reply: oneshot::Sender<usize>,
    },
    List {
        hub: HubId,
        audience: Audience,
        page: Page,
        reply: oneshot::Sender<Vec<Listed>>,
    },
    Instruct {
        hub: HubId,
        id: ConnectionId,
        instruction: Box<dyn Any + Send>,
        reply: oneshot::Sender<Option<bool>>,
    },
    /// Tell this one what happens to connections that it watches.
    Watch(Arc<Watcher>),
    Unwatch(u64),
    /// Close everything with this reason, take no more, and end when the last connection is gone.
    Drain(Close),
    /// End now.
    Stop,
}

/// The queue of one shard.
pub(crate) struct Inbox {
    queue: Mutex<Vec<Command>>,
    depth: AtomicUsize,
    /// The shard has ended: whatever is pushed is dropped, and with it its reply.
    closed: AtomicBool,
    waker: mio::Waker,
}

impl Inbox {
    pub(crate) fn new(waker: mio::Waker) -> Self {
        let (depth, closed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { queue: Mutex::default(), depth, closed, waker }
    }

    /// Adds a command and wakes the shard if it may be asleep.
    pub(crate) fn push(&self, command: Command) {
        let was_empty = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_closed() {
                return;
            }
            queue.push(command);
            self.depth.store(queue.len(), Ordering::Release);
            queue.len() == 1
        };
        if was_empty && let Err(error) = self.waker.wake() {
            // The shard still looks here every second.
            tracing::error!(%error, "cannot wake a shard");
        }
    }

    /// Takes everything; `commands` must be empty, and its capacity is swapped in for reuse.
    pub(crate) fn take(&self, commands: &mut Vec<Command>) {
        debug_assert!(commands.is_empty(), "commands of the last turn were not carried out");
        if self.depth.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *queue, commands);
        self.depth.store(0, Ordering::Relaxed);
    }

    /// Whether anything waits.
    pub(crate) fn has_commands(&self) -> bool {
        self.depth.load(Ordering::Acquire) > 0
    }

    /// Ends the queue with its shard. Those who wait for a reply learn it by losing it.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Set under the lock, so that no command slips in behind.
        self.closed.store(true, Ordering::Relaxed);
        self.depth.store(0, Ordering::Relaxed);
        queue.clear();
    }

    /// Whether the shard has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether REST calls should wait.
    pub(crate) fn is_crowded(&self) -> bool {
        self.depth.load(Ordering::Relaxed) >= CROWDED
    }

    /// Whether shards should wait too.
    pub(crate) fn is_full(&self) -> bool {
        self.depth.load(Ordering::Relaxed) >= FULL
    }
}
