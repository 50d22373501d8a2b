//! One thread, one event loop, and all state of its connections.
//!
//! A connection never moves to another shard and no lock guards it. Each turn of the loop reads the
//! sockets that have something, takes the commands that have arrived, and then writes each touched
//! connection once. Publications that arrive while a turn is being written wait for the next one and
//! are joined there, which is what makes the engine faster the more there is to do.
//!
//! - `mod.rs`: the loop and the commands
//! - `traffic`: bytes in, session effects
//! - `fanout`: publications to members, and the flush
//! - `lifecycle`: opening, closing, keep-alive, removal
//! - `traced`: what is recorded of publications, once a turn
//! - `watched`: what is told of connections under live trace, as it happens

mod fanout;
mod lifecycle;
mod traced;
mod traffic;
mod watched;

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Timestamp};
use mio::{Events, Poll, Token};
use slab::Slab;

use crate::audience::{Audience, Candidate, Filter, Groups, Roll, Target};
use crate::batch::{Batches, Place};
use crate::connection::Connection;
use crate::gateway::{Links, Settings};
use crate::id::{ConnectionId, HubId};
use crate::inbox::{Command, GroupChange, Listed, Page};
use crate::live_trace::{Happening, Watchers};
use crate::membership::{Key, Memberships};
use crate::metrics::ShardMetrics;
use crate::session::{Close, Effect};
use crate::shard::lifecycle::Alarm;
use crate::shard::traced::Traced;
use crate::wheel::Wheel;

/// The token of the waker; connection keys stay far below it.
pub(crate) const WAKER: Token = Token(usize::MAX);
const EVENTS_PER_TURN: usize = 1024;
/// One read takes at most this much; the buffer belongs to the shard, not to a connection.
const SCRATCH_BYTES: usize = 128 * 1024;
/// The groups that one connection may be in. The emulated service names no limit; this one bounds
/// what a single client can make a shard remember and search.
const MAX_GROUPS: usize = 2000;
/// The longest sleep: the resolution of every deadline.
const TICK: Duration = Duration::from_secs(1);

/// A socket that has something to read.
#[derive(Clone, Copy)]
struct Ready {
    key: Key,
    /// The peer has finished sending: read on until the end shows.
    hung_up: bool,
}

pub(crate) struct Shard {
    number: u8,
    poll: Poll,
    links: Arc<Links>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    /// The time of this turn.
    now: Timestamp,
    connections: Slab<Connection>,
    ids: HashMap<ConnectionId, Key>,
    memberships: Memberships,
    batches: Batches,
    /// Connections with something to write in this turn.
    dirty: Vec<Key>,
    /// Publications of this turn whose way is recorded.
    traced: Vec<Traced>,
    ready: Vec<Ready>,
    /// The receivers of the publication at hand; kept for its capacity.
    keys: Vec<Key>,
    alarms: Wheel<Alarm>,
    generations: u32,
    scratch: Vec<u8>,
    effects: Vec<Effect>,
    watchers: Watchers,
    metrics: ShardMetrics,
    draining: Option<Close>,
    stopped: bool,
}

impl Shard {
    pub(crate) fn new(
        number: u8,
        poll: Poll,
        links: Arc<Links>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let now = clock.now();
        Self {
            number,
            poll,
            settings,
            now,
            connections: Slab::new(),
            ids: HashMap::new(),
            memberships: Memberships::new(number, Arc::clone(&links.directory)),
            batches: Batches::new(),
            dirty: Vec::new(),
            traced: Vec::new(),
            ready: Vec::new(),
            keys: Vec::new(),
            alarms: Wheel::new(now.as_secs()),
            generations: 0,
            scratch: vec![0; SCRATCH_BYTES],
            effects: Vec::new(),
            watchers: Watchers::default(),
            metrics: links.metrics.shard(number),
            draining: None,
            stopped: false,
            clock,
            links,
        }
    }

    /// Runs until drained or stopped.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        let mut commands = Vec::new();
        while !self.is_finished() {
            if let Err(error) = self.wait(&mut events) {
                tracing::error!(shard = self.number, %error, "cannot wait for events");
                return;
            }
            self.now = self.clock.now();
            self.guarded(|shard| shard.note_events(&events));
            self.guarded(Self::read_ready);
            // Before the commands: what is due is over for whoever asks now.
            self.guarded(Self::sound_alarms);
            self.carry_out_all(&mut commands);
            self.links.room.notify_waiters();
            self.guarded(Self::flush);
        }
    }

    /// Does a part of the turn. A defect of ours in it must not end the shard and with it every
    /// connection: what it was about to do for the others is taken up again.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_ok() {
            return;
        }
        tracing::error!(shard = self.number, "a part of a turn panicked; the shard goes on");
        self.effects.clear();
        let touched = |(_, connection): &(usize, &Connection)| connection.place != Place::EMPTY;
        self.dirty = self.connections.iter().filter(touched).map(|(key, _)| key as Key).collect();
        let unread = |(key, _)| Ready { key: key as Key, hung_up: true };
        self.ready = self.connections.iter().map(unread).collect();
    }

    fn is_finished(&self) -> bool {
        self.stopped || (self.draining.is_some() && self.connections.is_empty())
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        // Sockets left unread because another shard is crowded are tried again shortly.
        let patience = if self.ready.is_empty() { TICK } else { Duration::ZERO };
        let patience = if self.links.is_full() { Duration::from_millis(1) } else { patience };
        match self.poll.poll(events, Some(patience)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn note_events(&mut self, events: &Events) {
        for event in events {
            if event.token() == WAKER {
                continue;
            }
            let Ok(key) = Key::try_from(event.token().0) else { continue };
            if event.is_writable() {
                self.on_writable(key);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                let hung_up = event.is_read_closed() || event.is_error();
                self.ready.push(Ready { key, hung_up });
            }
        }
    }

    fn read_ready(&mut self) {
        if self.links.is_full() {
            return;
        }
        let mut ready = std::mem::take(&mut self.ready);
        for ready in ready.drain(..) {
            self.read(ready);
            self.flush_if_heavy();
        }
        // Reading may have put some back for the next turn.
        ready.append(&mut self.ready);
        self.ready = ready;
    }

    /// Carries out whatever has been asked for by now; `commands` lends its capacity.
    fn carry_out_all(&mut self, commands: &mut Vec<Command>) {
        self.links.inboxes[usize::from(self.number)].take(commands);
        for command in commands.drain(..) {
            self.guarded(|shard| shard.carry_out(command));
            self.guarded(Self::flush_if_heavy);
        }
    }

    /// Carries out what was asked for before a client said what is about to be done: a call that
    /// was answered before the client spoke must not be overtaken by it. Happens while sockets are
    /// read, never within a command, so commands do not overtake one another either.
    fn catch_up(&mut self) {
        if self.links.inboxes[usize::from(self.number)].has_commands() {
            self.carry_out_all(&mut Vec::new());
        }
    }

    fn carry_out(&mut self, command: Command) {
        // A caller that no longer waits for its reply has lost interest, nothing else.
        match command {
            Command::Open(opening, reply) => {
                let _ = reply.send(self.open(*opening));
            }
            Command::Attach(id, generation, socket) => self.attach(id, generation, *socket),
            Command::Abandon(id) => self.abandon(id),
            Command::Publish(delivery) => self.deliver(&delivery, None),
            Command::Recover { hub, id, variant, reply } => {
                let _ = reply.send(self.recover(hub, id, variant));
            }
            Command::Regroup { target, change, reply } => {
                let keys = self.wanted_keys(&target);
                keys.iter().for_each(|key| self.regroup(*key, target.hub, &change));
                let _ = reply.send(keys.len());
            }
            Command::Close { target, close, reply } => {
                let keys = self.wanted_keys(&target);
                keys.iter().for_each(|key| self.close(*key, &close));
                let _ = reply.send(keys.len());
            }
            Command::List { hub, audience, page, reply } => {
                let _ = reply.send(self.list(hub, &audience, page));
            }
            Command::Instruct { hub, id, instruction, reply } => {
                let _ = reply.send(self.instruct(hub, id, instruction));
            }
            Command::Count { hub, audience, reply } => {
                let _ = reply.send(self.live_keys(hub, &audience).len());
            }
            Command::Watch(watcher) => self.watch(|watchers| watchers.add(watcher)),
            Command::Unwatch(number) => self.watch(|watchers| watchers.remove(number)),
            Command::Drain(close) => self.drain(close),
            Command::Stop => self.stopped = true,
        }
    }

    /// The live connections of an audience.
    fn live_keys(&self, hub: HubId, audience: &Audience) -> Vec<Key> {
        match audience.roll() {
            Ok(roll) => {
                self.memberships.members(hub, roll).iter().map(|member| member.key).collect()
            }
            Err(id) => self.live_key(hub, id).into_iter().collect(),
        }
    }

    /// The live connections of a target.
    fn wanted_keys(&self, target: &Target) -> Vec<Key> {
        let mut keys = self.live_keys(target.hub, &target.audience);
        keys.retain(|key| {
            let connection = &self.connections[*key as usize];
            !target.excluded.contains(&connection.id)
                && (target.filter.as_deref())
                    .is_none_or(|it| admits(it, *key, connection, &self.memberships))
        });
        keys
    }

    fn list(&self, hub: HubId, audience: &Audience, page: Page) -> Vec<Listed> {
        let mut found: Vec<_> = self
            .live_keys(hub, audience)
            .into_iter()
            .map(|key| (self.connections[key as usize].id, key))
            .filter(|(id, _)| page.after.is_none_or(|after| *id > after))
            .collect();
        found.sort_unstable();
        found.truncate(page.limit);
        let listed = |(id, key): (_, Key)| Listed {
            id,
            user: self.connections[key as usize].user.clone(),
            groups: self.memberships.groups_of(key).map(Into::into).collect(),
        };
        found.into_iter().map(listed).collect()
    }

    fn instruct(
        &mut self,
        hub: HubId,
        id: ConnectionId,
        instruction: Box<dyn Any + Send>,
    ) -> Option<bool> {
        let key = self.live_key(hub, id)?;
        let session = &mut self.connections[key as usize].session;
        let answer = session.instruct(self.now, instruction, &mut self.effects);
        self.apply_effects(key);
        Some(answer)
    }

    fn live_key(&self, hub: HubId, id: ConnectionId) -> Option<Key> {
        let key = *self.ids.get(&id)?;
        let connection = &self.connections[key as usize];
        (connection.hub == hub && connection.phase.is_live()).then_some(key)
    }

    /// Joins a group, unless the connection is in as many as it may; then it is closed, since
    /// whoever added it would believe that it is in.
    fn join(&mut self, key: Key, hub: HubId, group: &str) {
        if self.memberships.groups_of(key).count() >= MAX_GROUPS {
            let reason = format!("The connection is in {MAX_GROUPS} groups, which is the limit.");
            return self.close(key, &Close::new(1008, reason));
        }
        self.memberships.add(key, hub, Roll::Group(group));
        self.tell(key, || Happening::Joined(group.into()));
    }

    fn leave(&mut self, key: Key, hub: HubId, group: &str) {
        self.memberships.remove(key, hub, Roll::Group(group));
        self.tell(key, || Happening::Left(group.into()));
    }

    fn regroup(&mut self, key: Key, hub: HubId, change: &GroupChange) {
        match change {
            GroupChange::Join(group) => self.join(key, hub, group),
            GroupChange::Leave(group) => self.leave(key, hub, group),
            GroupChange::LeaveAll => {
                self.tell_left_groups(key);
                self.memberships.remove_from_groups(key);
            }
        }
    }
}

impl Drop for Shard {
    /// Also when a panic ends the thread: nobody may wait for a shard that is gone.
    fn drop(&mut self) {
        self.links.inboxes[usize::from(self.number)].close();
    }
}

/// Whether a filter lets a connection pass.
fn admits(
    filter: &dyn Filter,
    key: Key,
    connection: &Connection,
    memberships: &Memberships,
) -> bool {
    filter.admits(&Candidate {
        id: connection.id,
        user: connection.user.as_deref(),
        variant: connection.variant,
        groups: Groups { memberships, key },
    })
}
