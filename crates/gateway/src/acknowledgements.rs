//! Who has acknowledged a publication whose journey is recorded: one note a publication and shard, told
//! when nobody is left who could acknowledge it.
//!
//! Replay buffers hold a share of it for as long as they hold the message; the last one that lets go
//! tells, so nothing has to be looked up and nobody has to be waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kernel::milestone::{Note, Stage};
use kernel::{Journey, Timestamp};

use crate::gateway::SERVICE;

/// The acknowledgements of one publication on one shard.
#[derive(Debug)]
pub(crate) struct Acknowledgements {
    journey: Journey,
    shard: u8,
    begun: Timestamp,
    expected: AtomicU32,
    seen: AtomicU32,
}

/// The share of one connection.
#[derive(Debug)]
pub(crate) struct Share(Arc<Acknowledgements>);

impl Acknowledgements {
    pub(crate) fn new(journey: &Journey, shard: u8) -> Arc<Self> {
        let begun = journey.now();
        let (expected, seen) = Default::default();
        Arc::new(Self { journey: journey.clone(), shard, begun, expected, seen })
    }

    /// One more connection that is to acknowledge.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        self.expected.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(self))
    }

    fn note(&self) -> Option<Note> {
        let (expected, seen) =
            (self.expected.load(Ordering::Relaxed), self.seen.load(Ordering::Relaxed));
        let shard = self.shard;
        let text = match (seen, expected) {
            (_, 0) => return None,
            (1, 1) => format!("by the client on shard {shard}"),
            (seen, expected) if seen == expected => {
                format!("by all {seen} clients on shard {shard}")
            }
            (seen, expected) => format!(
                "by {seen} of {expected} clients on shard {shard}; the others have gone, or the \
                 message has expired"
            ),
        };
        let note = Note::new(Stage::Acknowledged, text).took(self.journey.since(self.begun));
        Some(if seen == 0 { note.failed() } else { note })
    }
}

impl Share {
    /// The client has the message.
    pub(crate) fn acknowledge(self) {
        self.0.seen.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Acknowledgements {
    fn drop(&mut self) {
        if let Some(note) = self.note() {
            self.journey.note(SERVICE, note);
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::milestone::Outcome;
    use kernel::{Milestones, TraceId};
    use testkit::ManualClock;

    use super::*;

    /// What is told when so many of so many clients acknowledge.
    fn told(expected: usize, acknowledged: usize) -> Vec<(String, Outcome)> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1)));
        let milestones = Milestones::new(clock, Default::default());
        let journey = milestones.begin(None, TraceId::from_bytes([1; 16]).unwrap());
        let acknowledgements = Acknowledgements::new(&journey, 2);
        let mut shares: Vec<_> = (0..expected).map(|_| acknowledgements.share()).collect();
        drop(acknowledgements);
        shares.drain(..acknowledged).for_each(Share::acknowledge);
        assert!(shares.is_empty() || milestones.take().is_empty(), "somebody may still");
        drop(shares);
        let noted = milestones.take().into_iter();
        noted.map(|it| (it.detail.into_owned(), it.outcome)).collect()
    }

    #[test]
    fn one_note_tells_of_all_of_them() {
        assert_eq!(told(1, 1), [("by the client on shard 2".to_owned(), Outcome::Done)]);
        assert_eq!(told(3, 3), [("by all 3 clients on shard 2".to_owned(), Outcome::Done)]);
        let (text, outcome) = told(3, 2).remove(0);
        assert!(text.starts_with("by 2 of 3 clients on shard 2; the others"), "{text}");
        assert_eq!(outcome, Outcome::Done);
    }

    #[test]
    fn what_nobody_acknowledges_has_failed_and_without_clients_nothing_is_told() {
        assert_eq!(told(2, 0)[0].1, Outcome::Failed);
        assert_eq!(told(0, 0), []);
    }
}
