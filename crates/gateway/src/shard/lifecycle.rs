//! How connections begin, stay and end.

use std::time::Duration;

use bytes::Bytes;
use mio::Token;

use super::{Ready, Shard};
use crate::audience::Roll;
use crate::backlog::Backlog;
use crate::batch::{Place, Stamped};
use crate::connection::{Connection, Phase};
use crate::frame;
use crate::id::{ConnectionId, HubId};
use crate::inbox::Opening;
use crate::live_trace::Happening;
use crate::membership::Key;
use crate::publication::Variant;
use crate::reader::Reader;
use crate::replay::Replay;
use crate::session::{Close, Effect, Input};
use crate::transport::{Socket, Transport};

/// How long a reliable connection without a socket is kept (client specification).
const RECOVERY_WINDOW: Duration = Duration::from_secs(30);
/// How long a peer may take to answer our close frame or to read its own echo.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a slow receiver may take to read on to its close frame, which is all that waits for it.
const SLOW_PATIENCE: Duration = Duration::from_secs(30);
/// The codes of an end that no close code of ours explains (RFC 6455 section 7.4.1).
const NO_STATUS: u16 = 1005;
const LOST: u16 = 1006;
/// So many pings in a row without a sign of life end a connection: one lost second of a busy client
/// does not, a dead peer is gone within three intervals.
const UNANSWERED_PINGS: u8 = 2;
const PING: Bytes = Bytes::from_static(b"\x89\x00");

/// A deadline of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarm {
    key: Key,
    generation: u32,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Ping a quiet peer.
    KeepAlive,
    /// A closing handshake has taken too long.
    GiveUp,
    /// A detached connection's window has passed.
    Expire,
}

impl Shard {
    /// Registers a connection, before the client is told that its handshake succeeded: whatever is
    /// published from that moment on reaches it.
    /// Returns the generation that the socket must be for.
    pub(super) fn open(&mut self, opening: Opening) -> u32 {
        let Opening { id, hub, user, groups, variant, keep_alive_secs, reliable, session } =
            opening;
        let generation = self.next_generation();
        let connection = Connection {
            id,
            hub,
            user: user.clone(),
            variant,
            phase: Phase::Reserved,
            place: Place::EMPTY,
            unanswered_pings: 0,
            deaf: false,
            paused: false,
            watched: self.watchers.watch(hub, id, user.as_deref()),
            generation,
            keep_alive_secs,
            end: None,
            transport: None,
            read_ahead: Bytes::new(),
            reader: Reader::default(),
            backlog: Backlog::default(),
            replay: reliable.map(|numbering| Box::new(Replay::new(numbering))),
            session,
        };
        let key = Key::try_from(self.connections.insert(connection))
            .expect("descriptors run out long before 2^32 connections");
        self.ids.insert(id, key);
        self.memberships.add(key, hub, Roll::Everyone);
        if let Some(user) = &user {
            self.memberships.add(key, hub, Roll::User(user));
        }
        for group in &groups {
            self.memberships.add(key, hub, Roll::Group(group));
        }
        self.metrics.opened.inc();
        self.metrics.connections.inc();
        let keep_alive = Duration::from_secs(keep_alive_secs.into());
        self.set_alarm(key, keep_alive, Purpose::KeepAlive);

        self.tell(key, || Happening::Opened);
        let connection = &mut self.connections[key as usize];
        connection.session.step(self.now, Input::Opened, &mut self.effects);
        self.apply_effects(key);
        if let Some(close) = self.draining.clone() {
            self.close(key, &close);
        }
        generation
    }

    /// Gives a registered connection its socket, unless a newer recovery has overtaken it.
    pub(super) fn attach(&mut self, id: ConnectionId, generation: u32, socket: Socket) {
        let Some(&key) = self.ids.get(&id) else { return };
        if self.connections[key as usize].generation != generation {
            return;
        }
        let mut transport = Transport::new(socket.tcp, socket.tls);
        if let Err(error) = transport.register(self.poll.registry(), Token(key as usize)) {
            tracing::error!(connection = %id, %error, "cannot watch the socket of a connection");
            return self.remove(key, "its socket could not be watched");
        }
        let connection = &mut self.connections[key as usize];
        connection.transport = Some(transport);
        connection.read_ahead = socket.read_ahead.into();
        match connection.phase {
            Phase::Reserved => {
                connection.phase = Phase::Open;
                self.tell(key, || Happening::Connected);
            }
            Phase::Detached => self.reattach(key),
            Phase::Open | Phase::Closing | Phase::Ending => {}
        }
        // What was queued while there was no socket leaves with this turn's flush, or now.
        self.on_writable(key);
        // Read with the others, not here: what the client says may have to wait for commands that stand
        // behind this one. TLS may hold decrypted bytes that no event will announce.
        self.ready.push(Ready { key, hung_up: false });
    }

    /// Makes a reliable connection ready for another socket. One that it still has is dropped: the
    /// client would not ask if that one worked.
    /// Returns the generation that the new socket must be for.
    pub(super) fn recover(
        &mut self,
        hub: HubId,
        id: ConnectionId,
        variant: Variant,
    ) -> Option<u32> {
        let key = self
            .live_key(hub, id)
            .filter(|key| self.connections[*key as usize].variant == variant)?;
        self.detach(key);
        let generation = self.next_generation();
        let connection = &mut self.connections[key as usize];
        if connection.phase != Phase::Detached {
            return None;
        }
        connection.generation = generation;
        self.set_alarm(key, RECOVERY_WINDOW, Purpose::Expire);
        Some(generation)
    }

    /// Takes the socket from a reliable connection and gives it time to come back with another.
    fn detach(&mut self, key: Key) {
        let generation = self.next_generation();
        let connection = &mut self.connections[key as usize];
        if connection.phase != Phase::Open || connection.replay.is_none() {
            return;
        }
        connection.phase = Phase::Detached;
        connection.generation = generation;
        connection.place = Place::EMPTY;
        connection.transport = None;
        connection.read_ahead = Bytes::new();
        connection.reader = Reader::default();
        connection.backlog = Backlog::default();
        connection.unanswered_pings = 0;
        self.set_alarm(key, RECOVERY_WINDOW, Purpose::Expire);
    }

    /// Goes on with a recovered connection: everything unacknowledged first, in order, then what was
    /// said to it meanwhile, such as the ack of an event whose answer is among the former.
    fn reattach(&mut self, key: Key) {
        let generation = self.next_generation();
        let connection = &mut self.connections[key as usize];
        connection.phase = Phase::Open;
        connection.generation = generation;
        let keep_alive = Duration::from_secs(connection.keep_alive_secs.into());
        let held = std::mem::take(&mut connection.backlog);
        connection.session.step(self.now, Input::Recovered, &mut self.effects);
        self.tell(key, || Happening::Recovered);
        let connection = &mut self.connections[key as usize];
        let now = self.now;
        let again: Vec<Bytes> =
            connection.replay.iter().flat_map(|replay| replay.unacknowledged(now)).collect();
        self.set_alarm(key, keep_alive, Purpose::KeepAlive);
        self.apply_effects(key);
        again.into_iter().chain(held.into_chunks()).for_each(|frame| self.send(key, frame));
    }

    /// Ends a connection whose socket is gone, unless it is reliable and may come back.
    pub(super) fn lose(&mut self, key: Key, why: &str) {
        if self.connections.contains(key as usize) {
            self.tell(key, || Happening::Lost(why.into()));
            self.detach(key);
            if self.connections[key as usize].phase != Phase::Detached {
                self.remove(key, why);
            }
        }
    }

    /// Forgets a registered connection whose socket never came.
    pub(super) fn abandon(&mut self, id: ConnectionId) {
        if let Some(&key) = self.ids.get(&id)
            && self.connections[key as usize].phase == Phase::Reserved
        {
            self.remove(key, "its handshake was not completed");
        }
    }

    /// Begins the closing handshake; what the session has to say before goes out first.
    pub(super) fn close(&mut self, key: Key, close: &Close) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        if connection.phase == Phase::Detached {
            connection.end = Some(close.clone());
            return self.remove(key, "closed while it was away");
        }
        if !connection.phase.is_live() {
            return;
        }
        let mut effects = Vec::new();
        connection.session.step(self.now, Input::Closing(close), &mut effects);
        for effect in effects {
            if let Effect::Send(frame) = effect {
                self.send(key, frame);
            }
        }
        self.tell(key, || Happening::Closing(close.clone()));
        self.connections[key as usize].end = Some(close.clone());
        self.send_close(key, close, Phase::Closing);
    }

    /// Closes a receiver that does not keep up. Its queue is dropped but for the frame that has been
    /// begun, so that the close frame is readable when it reads again.
    pub(super) fn close_slow(&mut self, key: Key) {
        const REASON: &str = "The outbound message queue is full.";
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        if !connection.phase.is_live() {
            return self.remove(key, "it did not read its close frame");
        }
        tracing::info!(connection = %connection.id, "closing a slow receiver: its queue is full");
        connection.backlog.keep_only_what_is_begun();
        connection.backlog.push(frame::encode_close(1008, REASON), 1);
        connection.phase = Phase::Closing;
        connection.end = Some(Close::new(1008, REASON));
        self.tell(key, || Happening::Closing(Close::new(1008, REASON)));
        self.metrics.slow_closes.inc();
        self.memberships.remove_connection(key);
        self.set_alarm(key, SLOW_PATIENCE, Purpose::GiveUp);
    }

    /// Closes a connection after a defect of ours, without asking its session again.
    pub(super) fn fail(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        tracing::error!(connection = %connection.id, "a session panicked; its connection is closed");
        connection.deaf = true;
        if connection.phase.is_live() {
            self.send_close(key, &Close::new(1011, "Internal server error."), Phase::Closing);
        }
    }

    /// The peer sent a close frame.
    pub(super) fn on_peer_close(&mut self, key: Key, code: Option<u16>) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        match connection.phase {
            Phase::Reserved | Phase::Open => {
                // The client's own wish, which needs no words.
                connection.end = Some(Close::new(NO_STATUS, ""));
                // RFC 6455 section 5.5.1: the answer carries the peer's code.
                self.send_close(key, &Close::new(code.unwrap_or(1000), ""), Phase::Ending);
            }
            Phase::Closing => {
                connection.phase = Phase::Ending;
                self.on_writable(key);
            }
            // Without a socket nobody can have sent it; after the first one it means nothing.
            Phase::Detached | Phase::Ending => {}
        }
    }

    fn send_close(&mut self, key: Key, close: &Close, next: Phase) {
        self.send(key, frame::encode_close(close.code, &close.reason));
        self.connections[key as usize].phase = next;
        self.memberships.remove_connection(key);
        self.set_alarm(key, CLOSE_PATIENCE, Purpose::GiveUp);
    }

    /// Ends a connection for good.
    pub(super) fn remove(&mut self, key: Key, why: &str) {
        let Some(mut connection) = self.connections.try_remove(key as usize) else { return };
        if let (Some(transport), Phase::Ending) = (&mut connection.transport, connection.phase) {
            transport.finish();
        }
        self.memberships.remove_connection(key);
        self.ids.remove(&connection.id);
        let end = connection.end.take().unwrap_or_else(|| Close::new(LOST, why));
        if connection.watched {
            self.watchers.tell(self.now, &connection, &Happening::Ended(end.clone()));
        }
        let mut effects = Vec::new();
        connection.session.step(self.now, Input::Ended(&end), &mut effects);
        for effect in effects {
            if let Effect::Raise(raised) = effect {
                raised.raise();
            }
        }
        self.metrics.connections.dec();
        let (code, why) = (end.code, &*end.reason);
        tracing::debug!(connection = %connection.id, code, why, "connection ended");
    }

    pub(super) fn drain(&mut self, close: Close) {
        let keys: Vec<Key> = self.connections.iter().map(|(key, _)| key as Key).collect();
        keys.into_iter().for_each(|key| self.close(key, &close));
        self.draining = Some(close);
    }

    pub(super) fn sound_alarms(&mut self) {
        let mut due = Vec::new();
        self.alarms.due(self.now.as_secs(), &mut due);
        // One ping is one place in the turn's tree, shared by everyone it goes to.
        let mut ping = Stamped::new(PING);
        for alarm in due {
            let Some(connection) = self.connections.get_mut(alarm.key as usize) else { continue };
            if connection.generation != alarm.generation {
                continue;
            }
            match alarm.purpose {
                Purpose::GiveUp => {
                    self.remove(alarm.key, "the peer did not finish the closing handshake")
                }
                Purpose::Expire => self.remove(alarm.key, "it did not come back in time"),
                Purpose::KeepAlive if !connection.phase.is_live() => {}
                Purpose::KeepAlive if connection.unanswered_pings >= UNANSWERED_PINGS => {
                    self.metrics.silent_closes.inc();
                    self.lose(alarm.key, "it answered no ping");
                }
                Purpose::KeepAlive => {
                    let interval = Duration::from_secs(connection.keep_alive_secs.into());
                    if connection.phase == Phase::Open {
                        // Nothing is read from a paused connection, so its pongs are not seen.
                        connection.unanswered_pings += u8::from(!connection.paused);
                        self.send_stamped(alarm.key, &mut ping);
                    }
                    self.set_alarm(alarm.key, interval, Purpose::KeepAlive);
                }
            }
        }
    }

    fn next_generation(&mut self) -> u32 {
        self.generations = self.generations.wrapping_add(1);
        self.generations
    }

    fn set_alarm(&mut self, key: Key, after: Duration, purpose: Purpose) {
        let generation = self.connections[key as usize].generation;
        let at = self.now + after;
        self.alarms.set(at.as_secs(), Alarm { key, generation, purpose });
    }
}
