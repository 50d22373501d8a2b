//! The engine's handle: starts the shards and routes to them.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use kernel::Clock;
use kernel::milestone::{Note, Outcome, Stage};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, oneshot};

use crate::audience::{Audience, Target};
use crate::backlog::QueueLimits;
use crate::directory::{Directory, MAX_SHARDS, ShardSet};
use crate::id::{ConnectionId, HubId};
use crate::inbox::{Command, Delivery, GroupChange, Inbox, Listed, Opening, Page};
use crate::live_trace::{self, LiveTrace, Watched};
use crate::metrics::Metrics;
use crate::publication::{Publication, Variant};
use crate::session::Close;
use crate::shard::{Shard, WAKER};
use crate::transport::Socket;

/// By which journeys name the engine.
pub(crate) const SERVICE: &str = "gateway";

/// How the engine is built.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Threads, each with its own connections; at most 64.
    pub shards: usize,
    /// The largest message from a client, in bytes.
    pub max_message_bytes: usize,
    /// What may wait for one slow receiver.
    pub queue: QueueLimits,
}

/// What shards and handle share.
pub(crate) struct Links {
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) room: Notify,
    pub(crate) live_traces: live_trace::Open,
    pub(crate) metrics: Metrics,
}

impl Links {
    /// The shards that may have receivers of `target`.
    pub(crate) fn shards_of(&self, target: &Target) -> ShardSet {
        self.shards_with(target.hub, &target.audience)
    }

    fn shards_with(&self, hub: HubId, audience: &Audience) -> ShardSet {
        match audience.roll() {
            Ok(roll) => self.directory.shards(hub, roll),
            Err(id) if usize::from(id.shard()) < self.inboxes.len() => 1 << id.shard(),
            Err(_) => 0,
        }
    }

    /// Gives one command to each shard of a set.
    pub(crate) fn push_to(&self, shards: ShardSet, mut command: impl FnMut() -> Command) {
        for (number, inbox) in self.inboxes.iter().enumerate() {
            if shards & (1 << number) != 0 {
                inbox.push(command());
            }
        }
    }

    fn is_crowded(&self) -> bool {
        self.inboxes.iter().any(Inbox::is_crowded)
    }

    /// Whether some shard has so much waiting that nobody should add to it.
    pub(crate) fn is_full(&self) -> bool {
        self.inboxes.iter().any(Inbox::is_full)
    }
}

/// The connection engine of one node. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    links: Arc<Links>,
    hubs: RwLock<HashMap<Box<str>, HubId>>,
    next_shard: AtomicUsize,
    node: u16,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Gateway {
    /// Starts the shards.
    ///
    /// # Errors
    /// When the system gives no event queue or thread.
    pub fn start(
        settings: Settings,
        clock: &Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> io::Result<Self> {
        let count = settings.shards.clamp(1, MAX_SHARDS);
        let mut polls = Vec::with_capacity(count);
        let mut inboxes = Vec::with_capacity(count);
        for _ in 0..count {
            let poll = mio::Poll::new()?;
            inboxes.push(Inbox::new(mio::Waker::new(poll.registry(), WAKER)?));
            polls.push(poll);
        }
        let links = Arc::new(Links {
            inboxes,
            directory: Arc::default(),
            room: Notify::new(),
            live_traces: Default::default(),
            metrics: Metrics::register(registry),
        });
        let mut threads = Vec::with_capacity(count);
        for (number, poll) in polls.into_iter().enumerate() {
            let number = u8::try_from(number).expect("there are at most 64 shards");
            let shard = Shard::new(number, poll, Arc::clone(&links), settings, Arc::clone(clock));
            let builder = std::thread::Builder::new().name(format!("gateway-{number}"));
            threads.push(builder.spawn(move || shard.run())?);
        }
        Ok(Self(Arc::new(Inner {
            links,
            hubs: RwLock::default(),
            next_shard: AtomicUsize::new(0),
            node: 0,
            threads: Mutex::new(threads),
        })))
    }

    /// The engine's number for a hub, given on first use. `name` must be unique over all resources
    /// and services, so it should carry both.
    pub fn hub(&self, name: &str) -> HubId {
        let hubs = self.0.hubs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = hubs.get(name) {
            return *hub;
        }
        drop(hubs);
        let mut hubs = self.0.hubs.write().unwrap_or_else(PoisonError::into_inner);
        let next = HubId(u32::try_from(hubs.len()).expect("memory ends before 2^32 hubs"));
        *hubs.entry(name.into()).or_insert(next)
    }

    /// A name for a connection about to open; it also decides the shard.
    pub fn allocate(&self) -> ConnectionId {
        let turn = self.0.next_shard.fetch_add(1, Ordering::Relaxed);
        let shard = u8::try_from(turn % self.0.links.inboxes.len()).expect("at most 64 shards");
        ConnectionId::random(self.0.node, shard)
    }

    /// Registers a connection and returns once nothing published can be missed any more. The socket
    /// follows through the [`Reservation`], after the client has its handshake answer.
    ///
    /// # Errors
    /// [`ShuttingDown`] when the engine has stopped.
    pub async fn open(&self, opening: Opening) -> Result<Reservation, ShuttingDown> {
        let id = opening.id;
        let (reply, opened) = oneshot::channel();
        let inbox = &self.0.links.inboxes[usize::from(id.shard())];
        inbox.push(Command::Open(Box::new(opening), reply));
        let generation = opened.await.map_err(|_| ShuttingDown)?;
        Ok(Reservation { links: Arc::clone(&self.0.links), id, generation, open: true })
    }

    /// Publishes to every receiver of `target`. Returns when the shards have it, whatever the
    /// receivers do; waits only while a shard has more to do than it can.
    pub async fn publish(&self, target: Target, publication: Publication) {
        let links = &self.0.links;
        let shards = links.shards_of(&target);
        if let Some(journey) = publication.journey() {
            journey.note(SERVICE, matched(&target, shards, links.inboxes.len()));
        }
        if shards == 0 {
            return;
        }
        self.room().await;
        let delivery = Arc::new(Delivery { target, publication });
        links.push_to(shards, || Command::Publish(Arc::clone(&delivery)));
    }

    /// Makes a reliable connection ready for another socket, which follows through the
    /// [`Reservation`]. `None` when there is no such connection, or none that can be recovered in
    /// this wire form. The newest recovery wins: a socket that the connection still has is dropped,
    /// and one of an earlier recovery that comes late is too.
    pub async fn recover(
        &self,
        hub: HubId,
        id: ConnectionId,
        variant: Variant,
    ) -> Option<Reservation> {
        let inbox = self.0.links.inboxes.get(usize::from(id.shard()))?;
        let (reply, recovered) = oneshot::channel();
        inbox.push(Command::Recover { hub, id, variant, reply });
        let generation = recovered.await.ok()??;
        Some(Reservation { links: Arc::clone(&self.0.links), id, generation, open: true })
    }

    /// Whether every shard runs.
    pub fn is_running(&self) -> bool {
        !self.0.links.inboxes.iter().any(Inbox::is_closed)
    }

    /// Changes the groups of the connections of `target`; returns how many there were.
    pub async fn regroup(&self, target: Target, change: GroupChange) -> usize {
        let shards = self.0.links.shards_of(&target);
        self.ask(shards, |reply| Command::Regroup {
            target: target.clone(),
            change: change.clone(),
            reply,
        })
        .await
        .into_iter()
        .sum()
    }

    /// Closes the connections of `target`; returns how many there were.
    pub async fn close(&self, target: Target, close: Close) -> usize {
        let shards = self.0.links.shards_of(&target);
        self.ask(shards, |reply| Command::Close {
            target: target.clone(),
            close: close.clone(),
            reply,
        })
        .await
        .into_iter()
        .sum()
    }

    /// How many connections an audience has.
    pub async fn count(&self, hub: HubId, audience: Audience) -> usize {
        let shards = self.0.links.shards_with(hub, &audience);
        let audience = &audience;
        let count = |reply| Command::Count { hub, audience: audience.clone(), reply };
        self.ask(shards, count).await.into_iter().sum()
    }

    /// One page of an audience's connections, in the order of their names.
    pub async fn list(&self, hub: HubId, audience: Audience, page: Page) -> Vec<Listed> {
        let shards = self.0.links.shards_with(hub, &audience);
        let list = |reply| Command::List { hub, audience: audience.clone(), page, reply };
        let mut found = self.ask(shards, list).await.concat();
        found.sort_unstable_by_key(|listed| listed.id);
        found.truncate(page.limit);
        found
    }

    /// Gives an instruction to the session of a connection; `None` when there is no such connection,
    /// else what [`crate::Session::instruct`] answered.
    pub async fn instruct(
        &self,
        hub: HubId,
        id: ConnectionId,
        instruction: Box<dyn Any + Send>,
    ) -> Option<bool> {
        let inbox = self.0.links.inboxes.get(usize::from(id.shard()))?;
        let (reply, answer) = oneshot::channel();
        inbox.push(Command::Instruct { hub, id, instruction, reply });
        answer.await.ok().flatten()
    }

    /// As [`Gateway::instruct`] without an answer; returns at once, on any thread.
    pub fn tell(&self, hub: HubId, id: ConnectionId, instruction: Box<dyn Any + Send>) {
        if let Some(inbox) = self.0.links.inboxes.get(usize::from(id.shard())) {
            let (reply, _) = oneshot::channel();
            inbox.push(Command::Instruct { hub, id, instruction, reply });
        }
    }

    /// Watches connections from now on; see [`LiveTrace`]. `None` when there are as many live traces as
    /// there may be.
    pub fn live_trace(&self, hub: HubId, watched: Watched) -> Option<LiveTrace> {
        LiveTrace::begin(&self.0.links, hub, watched)
    }

    /// Closes every connection with `close` and waits until all are gone.
    pub async fn drain(&self, close: Close) {
        self.0.links.push_to(ShardSet::MAX, || Command::Drain(close.clone()));
        let gateway = self.clone();
        // The threads end when their last connection does.
        let joined = tokio::task::spawn_blocking(move || gateway.join()).await;
        if joined.is_err() {
            tracing::error!("a shard ended with a panic");
        }
    }

    /// Ends at once; connections see their TCP connection end.
    pub fn stop(&self) {
        self.0.links.push_to(ShardSet::MAX, || Command::Stop);
        self.join();
    }

    fn join(&self) {
        let threads =
            std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a shard ended with a panic");
            }
        }
    }

    async fn room(&self) {
        let links = &self.0.links;
        while links.is_crowded() {
            let notified = links.room.notified();
            // Looked at again after the registration, so that no wake-up falls in between.
            if !links.is_crowded() {
                return;
            }
            notified.await;
        }
    }

    /// Asks several shards the same and collects their answers. A shard that has ended, and so has
    /// no connections left, gives none.
    async fn ask<T>(
        &self,
        shards: ShardSet,
        mut command: impl FnMut(oneshot::Sender<T>) -> Command,
    ) -> Vec<T> {
        if shards == 0 {
            return Vec::new();
        }
        self.room().await;
        let mut answers = Vec::new();
        self.0.links.push_to(shards, || {
            let (reply, answer) = oneshot::channel();
            answers.push(answer);
            command(reply)
        });
        let mut collected = Vec::with_capacity(answers.len());
        for answer in answers {
            collected.extend(answer.await.ok());
        }
        collected
    }
}

/// What is told of a search for receivers.
fn matched(target: &Target, shards: ShardSet, of: usize) -> Note {
    let text = match shards.count_ones() {
        0 => format!("nobody: {} has no connection here", target.audience),
        count => format!("{} has connections on {count} of {of} shards", target.audience),
    };
    let outcome = if shards == 0 { Outcome::Failed } else { Outcome::Done };
    Note::new(Stage::Matched, text).outcome(outcome)
}

/// The engine has stopped and takes no more connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShuttingDown;

/// A registered connection that waits for its socket. Dropped without one, it is forgotten.
pub struct Reservation {
    links: Arc<Links>,
    id: ConnectionId,
    /// Which recovery, or the opening, this socket is for.
    generation: u32,
    open: bool,
}

impl Reservation {
    /// Hands the socket over to the connection's shard.
    pub fn attach(mut self, socket: Socket) {
        self.open = false;
        self.inbox().push(Command::Attach(self.id, self.generation, Box::new(socket)));
    }

    fn inbox(&self) -> &Inbox {
        &self.links.inboxes[usize::from(self.id.shard())]
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.open {
            self.inbox().push(Command::Abandon(self.id));
        }
    }
}
