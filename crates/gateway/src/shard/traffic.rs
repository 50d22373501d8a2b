//! Bytes in, session effects out.

use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Ready, Shard};
use crate::audience::Target;
use crate::connection::Phase;
use crate::frame::{self, OpCode, Violation};
use crate::inbox::Delivery;
use crate::live_trace::Happening;
use crate::membership::Key;
use crate::reader::Event;
use crate::session::{Close, Effect, Input};

/// A connection that has more to say than this waits for the next turn, behind the others.
const READS_PER_TURN: usize = 4;

/// How the reading of one piece of input ended.
enum Heard {
    /// It may go on.
    Messages,
    /// The peer began or answered the closing handshake.
    PeerClosed(Option<u16>),
    Broken(Violation),
    /// A defect of ours, caught so that it costs one connection only.
    Panicked,
}

impl Shard {
    pub(super) fn read(&mut self, ready: Ready) {
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.connections.get_mut(ready.key as usize) else { return };
            if connection.paused {
                // Resuming reads on; nothing is lost, since the bytes stay with the kernel.
                return;
            }
            let Some(transport) = &mut connection.transport else { return };
            if !connection.read_ahead.is_empty() {
                let count = connection.read_ahead.len().min(self.scratch.len());
                self.scratch[..count].copy_from_slice(&connection.read_ahead.split_to(count));
                self.take_in(ready.key, count);
                continue;
            }
            match transport.read(&mut self.scratch) {
                Ok(0) => return self.lose(ready.key, "the peer ended the TCP connection"),
                Ok(count) => {
                    let drained = count < self.scratch.len()
                        && transport.short_read_means_empty()
                        && !ready.hung_up;
                    self.metrics.bytes_in.inc_by(count as u64);
                    self.take_in(ready.key, count);
                    if drained {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.lose(ready.key, "the TCP connection broke"),
            }
        }
        self.ready.push(ready);
    }

    /// Handles the first `count` bytes of the scratch buffer as input of a connection.
    fn take_in(&mut self, key: Key, count: usize) {
        let heard = self.hear(key, count);
        if !self.effects.is_empty() {
            let effects = std::mem::take(&mut self.effects);
            self.catch_up();
            self.effects = effects;
        }
        match heard {
            Heard::Messages => self.apply_effects(key),
            Heard::PeerClosed(code) => {
                self.apply_effects(key);
                self.on_peer_close(key, code);
            }
            Heard::Broken(violation) => {
                self.apply_effects(key);
                self.close(key, &Close::new(violation.close_code(), violation.reason()));
                if let Some(connection) = self.connections.get_mut(key as usize) {
                    connection.deaf = true;
                }
            }
            Heard::Panicked => {
                self.effects.clear();
                self.fail(key);
            }
        }
    }

    fn hear(&mut self, key: Key, count: usize) -> Heard {
        let Self { connections, scratch, effects, settings, now, watchers, .. } = self;
        let Some(connection) = connections.get_mut(key as usize) else { return Heard::Messages };
        connection.unanswered_pings = 0;
        if connection.deaf {
            return Heard::Messages;
        }
        // Told afterwards, since the reader borrows the connection.
        let (watched, mut reads) = (connection.watched, Vec::new());
        let (reader, session) = (&mut connection.reader, &mut connection.session);
        let mut open = connection.phase == Phase::Open;
        let mut peer_closed = None;
        let mut sink = |event: Event<'_>| {
            if watched {
                reads.push(read(&event));
            }
            match event {
                Event::Text(text) if open => session.step(*now, Input::Text(text), effects),
                Event::Binary(bytes) if open => session.step(*now, Input::Binary(bytes), effects),
                Event::Ping(payload) if open => {
                    effects.push(Effect::Send(frame::encode(OpCode::Pong, payload)));
                }
                Event::Close(close) => {
                    peer_closed = Some(close.map(|(code, _)| code));
                    return ControlFlow::Break(());
                }
                // After our own close frame only the peer's matters.
                Event::Text(_) | Event::Binary(_) | Event::Ping(_) | Event::Pong => {}
            }
            // The rest is still read, for the peer's answer to the close frame may be in it.
            open &= !matches!(effects.last(), Some(Effect::Close(_)));
            ControlFlow::Continue(())
        };
        let max = settings.max_message_bytes;
        let input = &mut scratch[..count];
        let heard = catch_unwind(AssertUnwindSafe(|| reader.feed(input, max, &mut sink)));
        reads.iter().for_each(|it| watchers.tell(*now, connection, it));
        match heard {
            Ok(Ok(())) => peer_closed.map_or(Heard::Messages, Heard::PeerClosed),
            Ok(Err(violation)) => Heard::Broken(violation),
            Err(_) => Heard::Panicked,
        }
    }

    /// Carries out what a session asked for, in order.
    pub(super) fn apply_effects(&mut self, key: Key) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            let Some(connection) = self.connections.get(key as usize) else { break };
            if !connection.phase.is_live() {
                break;
            }
            let hub = connection.hub;
            if connection.watched
                && let Some(happening) = Happening::of(&effect)
            {
                self.watchers.tell(self.now, connection, &happening);
            }
            match effect {
                Effect::Send(frame) => self.send(key, frame),
                Effect::Join(group) => self.join(key, hub, &group),
                Effect::Leave(group) => self.leave(key, hub, &group),
                Effect::Publish { audience, publication, echo } => {
                    let target = Target::all(hub, audience);
                    let delivery = Delivery { target, publication };
                    self.publish(delivery, (!echo).then_some(key));
                    self.flush_if_heavy();
                }
                Effect::Acknowledge(sequence_id) => {
                    if let Some(replay) = &mut self.connections[key as usize].replay {
                        replay.acknowledge(sequence_id);
                    }
                }
                Effect::Pause => self.connections[key as usize].paused = true,
                Effect::Resume => {
                    self.connections[key as usize].paused = false;
                    self.ready.push(Ready { key, hung_up: true });
                }
                Effect::Raise(raised) => raised.raise(),
                Effect::Close(close) => self.close(key, &close),
            }
        }
        self.effects = effects;
    }
}

/// What is told of what a client has sent.
fn read(event: &Event<'_>) -> Happening {
    let (kind, bytes) = match event {
        Event::Text(text) => (OpCode::Text, text.len()),
        Event::Binary(bytes) => (OpCode::Binary, bytes.len()),
        Event::Ping(payload) => (OpCode::Ping, payload.len()),
        // What it carries means nothing, so the reader does not keep it.
        Event::Pong => (OpCode::Pong, 0),
        Event::Close(close) => (OpCode::Close, close.map_or(0, |(_, reason)| 2 + reason.len())),
    };
    Happening::Read { kind, bytes }
}
