//! What is recorded of publications whose journey is: one note a publication and shard, however many
//! receivers there are, written when the turn that carried it is.

use kernel::Journey;
use kernel::milestone::{Note, Stage};

use super::Shard;
use crate::gateway::SERVICE;

/// A publication that this turn hands out.
pub(super) struct Traced {
    pub(super) journey: Journey,
    pub(super) receivers: u64,
    /// Receivers without a socket for now, for whom it waits.
    pub(super) detached: u64,
    /// Receivers whose replay buffer was full.
    pub(super) overflowed: usize,
}

/// What came of a turn's writes, those of all its publications together.
#[derive(Clone, Copy, Default)]
pub(super) struct Turn {
    /// Connections whose socket took a part only.
    pub(super) waiting: u64,
    /// Connections that were closed because too much waits for them.
    pub(super) slow: u64,
    /// Connections that turned out to be gone.
    pub(super) broken: u64,
}

impl Shard {
    /// Tells of the publications of a turn that is written.
    pub(super) fn note_written(&mut self, turn: Turn) {
        for traced in self.traced.drain(..) {
            traced.journey.note(SERVICE, note(&traced, turn, self.number));
        }
    }
}

fn note(traced: &Traced, turn: Turn, shard: u8) -> Note {
    let Traced { receivers, detached, overflowed, .. } = *traced;
    let written = receivers.saturating_sub(detached + overflowed as u64);
    let mut text = match written {
        1 => format!("to 1 connection on shard {shard}"),
        count => format!("to {count} connections on shard {shard}"),
    };
    let parts = [
        (detached, "without a socket for now; it waits for them"),
        (overflowed as u64, "closed: the buffer of unacknowledged messages was full"),
        (turn.waiting, "with a full socket; the rest waits in their queue"),
        (turn.slow, "closed as too slow"),
        (turn.broken, "found broken"),
    ];
    for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&format!("; {count} {what}"));
    }
    let note = Note::new(Stage::Written, text);
    let lost = overflowed as u64 + turn.slow + turn.broken;
    if (receivers == 0) || (lost > 0 && lost >= written) { note.failed() } else { note }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kernel::milestone::Outcome;
    use kernel::{Clock, Milestone, Milestones, Timestamp, TraceId};

    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(1)
        }
    }

    fn told(receivers: u64, detached: u64, overflowed: usize, turn: Turn) -> Milestone {
        let milestones = Milestones::new(Arc::new(Still), Default::default());
        let journey = milestones.begin(None, TraceId::from_bytes([1; 16]).unwrap());
        let traced = Traced { journey, receivers, detached, overflowed };
        traced.journey.note(SERVICE, note(&traced, turn, 3));
        milestones.take().remove(0)
    }

    #[test]
    fn receivers_are_counted_and_not_named() {
        let it = told(1, 0, 0, Turn::default());
        assert_eq!((&*it.detail, it.outcome), ("to 1 connection on shard 3", Outcome::Done));
        let turn = Turn { waiting: 4, slow: 1, broken: 0 };
        let it = told(1_000, 10, 0, turn);
        assert_eq!(
            it.detail,
            "to 990 connections on shard 3; 10 without a socket for now; it waits for them; \
             4 with a full socket; the rest waits in their queue; 1 closed as too slow"
        );
        assert_eq!(it.outcome, Outcome::Done);
    }

    #[test]
    fn a_message_that_reaches_nobody_has_failed() {
        assert_eq!(told(0, 0, 0, Turn::default()).outcome, Outcome::Failed);
        assert_eq!(told(1, 0, 1, Turn::default()).outcome, Outcome::Failed);
        let slow = Turn { slow: 1, ..Turn::default() };
        assert_eq!(told(1, 0, 0, slow).outcome, Outcome::Failed);
        assert_eq!(told(1, 1, 0, Turn::default()).outcome, Outcome::Done);
    }
}
