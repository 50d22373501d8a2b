//! Publications to their receivers, and the one write a turn.

use std::sync::Arc;

use bytes::Bytes;

use super::traced::{Traced, Turn};
use super::{Shard, admits};
use crate::acknowledgements::Acknowledgements;
use crate::batch::{Place, Stamped};
use crate::connection::{Connection, Phase, Written};
use crate::frame::OpCode;
use crate::inbox::{Command, Delivery};
use crate::live_trace::Happening;
use crate::membership::Key;
use crate::publication::{Publication, Variant};
use crate::replay::Full;
use crate::session::Close;

/// A turn that would join more than this is written early.
const HEAVY_TURN_BYTES: usize = 16 << 20;

/// Capacity that is kept between publications.
const ORDINARY_CROWD: usize = 32 * 1024;
/// Frames of one publication that are remembered at once.
const FRAMES_KEPT: usize = 16;

/// What one publication has led to so far.
#[derive(Default)]
struct Round {
    /// The frames made, newest last: one for each wire form, and for a reliable form one for each
    /// sequence id, since receivers that joined together share their numbers.
    stamps: Vec<(Variant, u64, Stamped)>,
    deliveries: u64,
    /// Those without a socket for now.
    detached: u64,
    encodings: u64,
    overflowed: Vec<Key>,
    /// Where clients' acknowledgements are told, once one of them is to acknowledge.
    acknowledgements: Option<Arc<Acknowledgements>>,
}

impl Round {
    fn acknowledgements(
        &mut self,
        publication: &Publication,
        shard: u8,
    ) -> Option<&Arc<Acknowledgements>> {
        let journey = publication.journey()?;
        let new = || Acknowledgements::new(journey, shard);
        Some(self.acknowledgements.get_or_insert_with(new))
    }

    fn stamp(
        &mut self,
        variant: Variant,
        sequence_id: u64,
        frame: impl FnOnce() -> Bytes,
    ) -> &mut Stamped {
        let same = |it: &(Variant, u64, Stamped)| it.0 == variant && it.1 == sequence_id;
        let index = self.stamps.iter().position(same).unwrap_or_else(|| {
            if self.stamps.len() == FRAMES_KEPT {
                self.stamps.remove(0);
            }
            self.stamps.push((variant, sequence_id, Stamped::new(frame())));
            self.stamps.len() - 1
        });
        &mut self.stamps[index].2
    }
}

impl Shard {
    /// Publishes on behalf of one of this shard's connections: here at once, to other shards that
    /// have members through their inboxes.
    pub(super) fn publish(&mut self, delivery: Delivery, skip: Option<Key>) {
        let others = self.links.shards_of(&delivery.target) & !(1 << self.number);
        if others == 0 {
            return self.deliver(&delivery, skip);
        }
        let delivery = Arc::new(delivery);
        self.links.push_to(others, || Command::Publish(Arc::clone(&delivery)));
        self.deliver(&delivery, skip);
    }

    /// Hands a publication to the receivers on this shard. The loop in here is the product's speed:
    /// no lock, no allocation and no reference count per receiver.
    pub(super) fn deliver(&mut self, delivery: &Delivery, skip: Option<Key>) {
        let target = &delivery.target;
        let excluded: Vec<Key> =
            target.excluded.iter().filter_map(|id| self.ids.get(id).copied()).collect();
        // Copied, so that a heavy turn can be written in between, which may end connections.
        let mut keys = std::mem::take(&mut self.keys);
        match target.audience.roll() {
            Ok(roll) => {
                let members = self.memberships.members(target.hub, roll);
                keys.extend(members.iter().map(|member| member.key));
            }
            Err(id) => keys.extend(self.live_key(target.hub, id)),
        }
        let mut round = Round::default();
        for key in keys.drain(..) {
            if Some(key) != skip && !excluded.contains(&key) {
                self.hand_over(key, delivery, &mut round);
                self.flush_if_heavy();
            }
        }
        keys.shrink_to(ORDINARY_CROWD);
        self.keys = keys;
        self.metrics.publications.inc();
        self.metrics.encodings.inc_by(round.encodings);
        self.metrics.deliveries.inc_by(round.deliveries);
        if let Some(journey) = delivery.publication.journey() {
            self.traced.push(Traced {
                journey: journey.clone(),
                receivers: round.deliveries,
                detached: round.detached,
                overflowed: round.overflowed.len(),
            });
        }
        for key in round.overflowed {
            self.metrics.slow_closes.inc();
            self.close(key, &Close::new(1008, "The reliable message buffer is full."));
        }
    }

    fn hand_over(&mut self, key: Key, delivery: &Delivery, round: &mut Round) {
        let Self { connections, batches, dirty, memberships, now, watchers, number, .. } = self;
        let Some(connection) = connections.get_mut(key as usize) else { return };
        if let Some(filter) = delivery.target.filter.as_deref()
            && !admits(filter, key, connection, memberships)
        {
            return;
        }
        round.deliveries += 1;
        let (body, encoded_now) = delivery.publication.frame(connection.variant);
        round.encodings += u64::from(encoded_now);
        let mut sequence_id = 0;
        if let Some(replay) = &mut connection.replay {
            let share = || {
                round.acknowledgements(&delivery.publication, *number).map(Acknowledgements::share)
            };
            match replay.push(*now, body, delivery.publication.expires(), share) {
                Ok(next) => sequence_id = next,
                Err(Full) => return round.overflowed.push(key),
            }
        }
        if connection.watched {
            let happening = received(&delivery.publication, body.len(), sequence_id, connection);
            watchers.tell(*now, connection, &happening);
        }
        if connection.phase == Phase::Detached {
            round.detached += 1;
            return;
        }
        let stamped = round.stamp(connection.variant, sequence_id, || match &connection.replay {
            Some(replay) => replay.frame(body, sequence_id),
            None => body.clone(),
        });
        if connection.place == Place::EMPTY {
            dirty.push(key);
        }
        connection.place = batches.append(connection.place, stamped);
    }

    /// Queues one frame for one connection.
    pub(super) fn send(&mut self, key: Key, frame: Bytes) {
        self.send_stamped(key, &mut Stamped::new(frame));
    }

    pub(super) fn send_stamped(&mut self, key: Key, stamped: &mut Stamped) {
        let Self { connections, batches, dirty, now, watchers, .. } = self;
        let Some(connection) = connections.get_mut(key as usize) else { return };
        if connection.place == Place::EMPTY {
            dirty.push(key);
        }
        connection.place = batches.append(connection.place, stamped);
        if connection.watched
            && let Some(kind) = OpCode::of(stamped.frame())
        {
            let happening = Happening::Queued { kind, bytes: stamped.frame().len() };
            watchers.tell(*now, connection, &happening);
        }
    }

    /// Ends a turn early when joining it would take too much memory.
    pub(super) fn flush_if_heavy(&mut self) {
        if self.batches.bytes() > HEAVY_TURN_BYTES {
            self.flush();
        }
    }

    /// Writes every touched connection once.
    pub(super) fn flush(&mut self) {
        let (mut writes, mut bytes_out) = (0, 0);
        let mut turn = Turn::default();
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            let Some(connection) = self.connections.get_mut(key as usize) else { continue };
            let place = std::mem::replace(&mut connection.place, Place::EMPTY);
            if place == Place::EMPTY {
                continue;
            }
            let (joined, frames) = self.batches.joined(place);
            writes += 1;
            match connection.write(joined, frames, connection.limits(self.settings.queue)) {
                Written::Bytes(count) => {
                    turn.waiting += u64::from(count < joined.len());
                    bytes_out += count;
                    // Before there is a socket, nothing is written.
                    if connection.watched && connection.transport.is_some() {
                        let left = connection.backlog.bytes();
                        let happening = Happening::Written { bytes: count, left };
                        self.watchers.tell(self.now, connection, &happening);
                    }
                }
                Written::Overflow => {
                    turn.slow += 1;
                    self.close_slow(key);
                }
                Written::Failed => {
                    turn.broken += 1;
                    self.lose(key, "the TCP connection broke");
                    continue;
                }
            }
            self.remove_if_ended(key);
        }
        self.batches.clear();
        // `dirty` grew to the largest turn; what a burst took is given back.
        dirty.shrink_to(4096);
        self.dirty = dirty;
        self.metrics.writes.inc_by(writes);
        self.metrics.bytes_out.inc_by(bytes_out as u64);
        self.note_written(turn);
    }

    pub(super) fn on_writable(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        if connection.is_flushed() {
            return self.remove_if_ended(key);
        }
        match connection.write_backlog() {
            Written::Bytes(count) => {
                self.metrics.writes.inc();
                self.metrics.bytes_out.inc_by(count as u64);
                let left = connection.backlog.bytes();
                self.tell(key, || Happening::Written { bytes: count, left });
                self.remove_if_ended(key);
            }
            Written::Overflow | Written::Failed => self.lose(key, "the TCP connection broke"),
        }
    }

    fn remove_if_ended(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key as usize)
            && connection.phase == Phase::Ending
            && connection.place == Place::EMPTY
            && connection.is_flushed()
        {
            self.remove(key, "closed");
        }
    }
}

/// What is told of a publication that a watched connection receives.
fn received(
    publication: &Publication,
    bytes: usize,
    sequence_id: u64,
    connection: &Connection,
) -> Happening {
    Happening::Received {
        bytes,
        sequence_id: connection.replay.as_ref().map(|_| sequence_id),
        detached: connection.phase == Phase::Detached,
        journey: publication.journey().cloned(),
    }
}
