//! What a reliable connection has been sent and has not acknowledged.
//!
//! Bodies are shared with every other receiver; only the number that stands around one is private,
//! and it is put there anew when a message is sent again. Limits are those of the client
//! specification.

use std::collections::VecDeque;

use bytes::Bytes;
use kernel::Timestamp;

use crate::acknowledgements::Share;

/// Unacknowledged messages that a connection may have.
pub(crate) const MAX_MESSAGES: usize = 1000;
/// Bytes of unacknowledged messages that a connection may have.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// Makes the whole frame of a message from the body that all receivers share and the sequence id
/// that only one has.
pub type Numbering = fn(body: &Bytes, sequence_id: u64) -> Bytes;

/// The buffer is full; the connection cannot be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The replay buffer of one connection.
#[derive(Debug)]
pub(crate) struct Replay {
    numbering: Numbering,
    next_sequence_id: u64,
    /// Oldest first; sequence ids grow.
    stored: VecDeque<Stored>,
    bytes: usize,
}

#[derive(Debug)]
struct Stored {
    sequence_id: u64,
    body: Bytes,
    expires: Option<Timestamp>,
    /// Where the acknowledgement is told, if the message's journey is recorded.
    share: Option<Share>,
}

impl Replay {
    pub(crate) fn new(numbering: Numbering) -> Self {
        Self { numbering, next_sequence_id: 1, stored: VecDeque::new(), bytes: 0 }
    }

    /// Takes a message and returns its sequence id. What has outlived its time makes room first.
    pub(crate) fn push(
        &mut self,
        now: Timestamp,
        body: &Bytes,
        expires: Option<Timestamp>,
        share: impl FnOnce() -> Option<Share>,
    ) -> Result<u64, Full> {
        if !self.has_room(body.len()) {
            self.stored.retain(|it| it.lives(now));
            self.bytes = self.stored.iter().map(|it| it.body.len()).sum();
            if !self.has_room(body.len()) {
                return Err(Full);
            }
        }
        let sequence_id = self.next_sequence_id;
        self.next_sequence_id += 1;
        self.bytes += body.len();
        self.stored.push_back(Stored { sequence_id, body: body.clone(), expires, share: share() });
        Ok(sequence_id)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.stored.len() < MAX_MESSAGES && self.bytes + bytes <= MAX_BYTES
    }

    /// The frame of a message under its number.
    pub(crate) fn frame(&self, body: &Bytes, sequence_id: u64) -> Bytes {
        (self.numbering)(body, sequence_id)
    }

    /// Forgets everything up to a sequence id.
    pub(crate) fn acknowledge(&mut self, sequence_id: u64) {
        while let Some(oldest) = self.stored.front().filter(|it| it.sequence_id <= sequence_id) {
            self.bytes -= oldest.body.len();
            if let Some(share) = self.stored.pop_front().and_then(|it| it.share) {
                share.acknowledge();
            }
        }
        if self.stored.is_empty() {
            // A connection that has everything owns no buffer.
            self.stored = VecDeque::new();
        }
    }

    /// The frames to send again, in order, without what has outlived its time.
    pub(crate) fn unacknowledged(&self, now: Timestamp) -> impl Iterator<Item = Bytes> {
        self.stored
            .iter()
            .filter(move |it| it.lives(now))
            .map(|it| self.frame(&it.body, it.sequence_id))
    }
}

impl Stored {
    fn lives(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(5);

    fn numbered(body: &Bytes, sequence_id: u64) -> Bytes {
        format!("{}#{sequence_id}", String::from_utf8_lossy(body)).into()
    }

    fn frames(replay: &Replay, now: i64) -> Vec<Bytes> {
        replay.unacknowledged(Timestamp::from_secs(now)).collect()
    }

    #[test]
    fn keeps_what_is_unacknowledged_under_its_number() {
        let mut replay = Replay::new(numbered);
        for body in ["a", "b", "c"] {
            replay.push(NOW, &Bytes::from_static(body.as_bytes()), None, || None).unwrap();
        }
        replay.acknowledge(2);
        assert_eq!(frames(&replay, 0), ["c#3"]);
        replay.acknowledge(1);
        assert_eq!(frames(&replay, 0), ["c#3"], "an older acknowledgement changes nothing");
        replay.acknowledge(99);
        assert_eq!(frames(&replay, 0), [""; 0]);
        assert_eq!(replay.push(NOW, &Bytes::from_static(b"d"), None, || None), Ok(4));
        assert_eq!(replay.bytes, 1);
    }

    #[test]
    fn what_has_outlived_its_time_is_not_sent_again() {
        let mut replay = Replay::new(numbered);
        let body = Bytes::from_static(b"x");
        replay.push(NOW, &body, Some(Timestamp::from_secs(10)), || None).unwrap();
        replay.push(NOW, &body, None, || None).unwrap();
        assert_eq!(frames(&replay, 9), ["x#1", "x#2"]);
        assert_eq!(frames(&replay, 10), ["x#2"]);
    }

    #[test]
    fn both_limits_hold_and_an_acknowledgement_makes_room() {
        let mut replay = Replay::new(numbered);
        let small = Bytes::from_static(b"x");
        assert!((0..MAX_MESSAGES).all(|_| replay.push(NOW, &small, None, || None).is_ok()));
        assert_eq!(replay.push(NOW, &small, None, || None), Err(Full));
        replay.acknowledge(1);
        assert!(replay.push(NOW, &small, None, || None).is_ok());

        let mut replay = Replay::new(numbered);
        let past = Some(Timestamp::from_secs(4));
        assert!((0..MAX_MESSAGES).all(|_| replay.push(NOW, &small, past, || None).is_ok()));
        assert_eq!(replay.push(NOW, &small, None, || None), Ok(1001), "the expired make room");
        assert_eq!(frames(&replay, 5).len(), 1);

        let mut replay = Replay::new(numbered);
        let half = Bytes::from(vec![0; MAX_BYTES / 2]);
        assert!(
            replay.push(NOW, &half, None, || None).is_ok()
                && replay.push(NOW, &half, None, || None).is_ok()
        );
        assert_eq!(replay.push(NOW, &small, None, || None), Err(Full));
    }
}
