//! Publications to their receivers, and the one write a turn.

use std::sync::Arc;

use bytes::Bytes;

use super::{Shard, admits};
use crate::batch::{Place, Stamped};
use crate::connection::{Phase, Written};
use crate::inbox::{Command, Delivery};
use crate::membership::Key;
use crate::publication::Variant;
use crate::replay::Full;
use crate::session::Close;

/// A turn that would join more than this is written early.
const HEAVY_TURN_BYTES: usize = 16 << 20;

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
        let named = target.audience.roll().err().and_then(|id| self.live_key(target.hub, id));
        let excluded: Vec<Key> =
            target.excluded.iter().filter_map(|id| self.ids.get(id).copied()).collect();
        let wanted = |key: &Key| Some(*key) != skip && !excluded.contains(key);

        // The frame of each wire form, begun when its first receiver turns up. For a reliable form
        // it is that of one sequence id: receivers that joined together share their numbers.
        let mut stamps: [Option<(u64, Stamped)>; Variant::LIMIT as usize] = Default::default();
        let (mut deliveries, mut encodings) = (0, 0);
        let mut overflowed = Vec::new();
        let publication = &delivery.publication;
        let Self { connections, batches, dirty, memberships, .. } = self;
        let hand_over = |key: Key| {
            let connection = &mut connections[key as usize];
            if let Some(filter) = target.filter.as_deref()
                && !admits(filter, key, connection, memberships)
            {
                return;
            }
            deliveries += 1;
            let mut body = || {
                let (frame, encoded_now) = publication.frame(connection.variant);
                encodings += u64::from(encoded_now);
                frame
            };
            let mut sequence_id = 0;
            if let Some(replay) = &mut connection.replay {
                match replay.push(body(), publication.expires()) {
                    Ok(next) => sequence_id = next,
                    Err(Full) => return overflowed.push(key),
                }
                if connection.phase == Phase::Detached {
                    return;
                }
            }
            let stamp = &mut stamps[connection.variant.index()];
            if stamp.as_ref().is_none_or(|(numbered, _)| *numbered != sequence_id) {
                let frame = match &connection.replay {
                    Some(replay) => replay.frame(body(), sequence_id),
                    None => body().clone(),
                };
                *stamp = Some((sequence_id, batches.stamp(frame)));
            }
            if let Some((_, stamped)) = stamp {
                if connection.place == Place::EMPTY {
                    dirty.push(key);
                }
                connection.place = batches.append(connection.place, stamped);
            }
        };
        match target.audience.roll() {
            Ok(roll) => {
                let members = memberships.members(target.hub, roll);
                members.iter().map(|member| member.key).filter(wanted).for_each(hand_over);
            }
            Err(_) => named.into_iter().filter(wanted).for_each(hand_over),
        }
        self.metrics.publications.inc();
        self.metrics.encodings.inc_by(encodings);
        self.metrics.deliveries.inc_by(deliveries);
        for key in overflowed {
            self.metrics.slow_closes.inc();
            self.close(key, &Close::new(1008, "The reliable message buffer is full."));
        }
    }

    /// Queues one frame for one connection.
    pub(super) fn send(&mut self, key: Key, frame: Bytes) {
        let stamped = self.batches.stamp(frame);
        self.send_stamped(key, &stamped);
    }

    pub(super) fn send_stamped(&mut self, key: Key, stamped: &Stamped) {
        let Some(connection) = self.connections.get_mut(key as usize) else { return };
        if connection.place == Place::EMPTY {
            self.dirty.push(key);
        }
        connection.place = self.batches.append(connection.place, stamped);
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
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            let Some(connection) = self.connections.get_mut(key as usize) else { continue };
            let place = std::mem::replace(&mut connection.place, Place::EMPTY);
            if place == Place::EMPTY {
                continue;
            }
            let (joined, frames) = self.batches.joined(place);
            writes += 1;
            match connection.write(joined, frames, self.settings.queue) {
                Written::Bytes(count) => bytes_out += count,
                Written::Overflow => self.close_slow(key),
                Written::Failed => {
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
