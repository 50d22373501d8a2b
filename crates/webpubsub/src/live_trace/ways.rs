//! What live trace adds to the journeys of messages: to which watched connection one was written, and
//! which client said that it has it. Pure: observations in, notes out.

use std::collections::{HashMap, VecDeque};

use gateway::{ConnectionId, Happening, Observation};
use kernel::Journey;
use kernel::milestone::{Note, Stage};

/// Messages of one connection that are remembered until their client acknowledges them, which is what
/// the engine keeps at most, too.
const REMEMBERED: usize = 1_000;

/// The watched connections with the messages that are on their way to them.
#[derive(Debug, Default)]
pub(super) struct Ways(HashMap<ConnectionId, Way>);

#[derive(Debug, Default)]
struct Way {
    /// Not given to the socket yet.
    unwritten: Vec<Journey>,
    /// By sequence id, oldest first.
    unacknowledged: VecDeque<(u64, Journey)>,
}

impl Ways {
    /// Takes note of what happened; returns what that adds to journeys.
    pub(super) fn see(&mut self, it: &Observation) -> Vec<(Journey, Note)> {
        let way = self.0.entry(it.connection).or_default();
        let who = match &it.user {
            Some(user) => format!("connection {} of '{user}'", it.connection),
            None => format!("connection {}", it.connection),
        };
        let note = |stage, text: String| {
            Note::new(stage, text).subject("connection", it.connection.as_str())
        };
        let each = |journeys: Vec<Journey>, note: Note| {
            journeys.into_iter().map(|journey| (journey, note.clone())).collect()
        };
        match &it.happening {
            Happening::Received { journey: Some(journey), sequence_id, detached, .. } => {
                way.receive(journey, *sequence_id);
                if !detached {
                    way.unwritten.push(journey.clone());
                    return Vec::new();
                }
                let text = format!("{who} has no socket for now; it waits for it");
                vec![(journey.clone(), note(Stage::Announced, text))]
            }
            Happening::Recovered => {
                way.unwritten = way.unacknowledged.iter().map(|it| it.1.clone()).collect();
                Vec::new()
            }
            Happening::Written { left, .. } => {
                let text = match left {
                    0 => format!("to {who}"),
                    left => format!("to {who}, whose socket is full: {left} bytes wait for it"),
                };
                each(std::mem::take(&mut way.unwritten), note(Stage::Written, text))
            }
            Happening::Acknowledged(sequence_id) => {
                let text = format!("by the client of {who}");
                each(way.acknowledge(*sequence_id), note(Stage::Acknowledged, text))
            }
            Happening::Ended(close) => {
                let way = self.0.remove(&it.connection).unwrap_or_default();
                let text = format!("{who} ended before it was written: {}", close.reason);
                each(way.unwritten, note(Stage::Written, text).failed())
            }
            _ => Vec::new(),
        }
    }
}

impl Way {
    fn receive(&mut self, journey: &Journey, sequence_id: Option<u64>) {
        let Some(sequence_id) = sequence_id else { return };
        if self.unacknowledged.len() == REMEMBERED {
            self.unacknowledged.pop_front();
        }
        self.unacknowledged.push_back((sequence_id, journey.clone()));
    }

    fn acknowledge(&mut self, up_to: u64) -> Vec<Journey> {
        let count = self.unacknowledged.iter().take_while(|it| it.0 <= up_to).count();
        self.unacknowledged.drain(..count).map(|it| it.1).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway::Close;
    use kernel::{Milestones, Timestamp, TraceId};
    use testkit::ManualClock;

    use super::*;

    struct Fixture {
        ways: Ways,
        milestones: Milestones,
        connection: ConnectionId,
    }

    impl Fixture {
        fn new() -> Self {
            let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1)));
            let milestones = Milestones::new(clock, Default::default());
            let connection = ConnectionId::parse("AAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
            Self { ways: Ways::default(), milestones, connection }
        }

        fn message(&self, number: u8, sequence_id: Option<u64>, detached: bool) -> Happening {
            let journey = self.milestones.begin(None, TraceId::from_bytes([number; 16]).unwrap());
            Happening::Received { bytes: 5, sequence_id, detached, journey: Some(journey) }
        }

        /// What a happening adds, as the first byte of the journey, stage and detail.
        fn see(&mut self, happening: Happening) -> Vec<(u8, String)> {
            let user = Some("ann".into());
            let at = Timestamp::from_secs(1);
            let noted =
                self.ways.see(&Observation { at, connection: self.connection, user, happening });
            noted.into_iter().for_each(|(journey, note)| journey.note(SERVICE, note));
            let told = self.milestones.take().into_iter();
            told.map(|it| (it.trace.as_bytes()[0], format!("{}: {}", it.stage, it.detail)))
                .collect()
        }
    }

    const SERVICE: &str = super::super::SERVICE;
    const WHO: &str = "connection AAAAAAAAAAAAAAAAAAAAAAAA of 'ann'";

    #[test]
    fn a_message_is_told_to_be_written_when_it_is_and_acknowledged_when_it_is() {
        let mut it = Fixture::new();
        assert_eq!(it.see(it.message(1, Some(1), false)), []);
        assert_eq!(it.see(it.message(2, Some(2), false)), []);
        let written = format!("written: to {WHO}");
        let told = it.see(Happening::Written { bytes: 10, left: 0 });
        assert_eq!(told, [(1, written.clone()), (2, written)]);
        assert_eq!(it.see(Happening::Written { bytes: 10, left: 0 }), [], "once");
        let acknowledged = format!("acknowledged: by the client of {WHO}");
        assert_eq!(it.see(Happening::Acknowledged(1)), [(1, acknowledged.clone())]);
        assert_eq!(it.see(Happening::Acknowledged(9)), [(2, acknowledged)]);
    }

    #[test]
    fn what_waits_for_a_socket_is_written_to_the_next_one() {
        let mut it = Fixture::new();
        let told = it.see(it.message(1, Some(1), true));
        assert_eq!(told, [(1, format!("announced: {WHO} has no socket for now; it waits for it"))]);
        assert_eq!(it.see(Happening::Recovered), []);
        let told = it.see(Happening::Written { bytes: 5, left: 7 });
        assert_eq!(told.len(), 1);
        assert!(told[0].1.ends_with("whose socket is full: 7 bytes wait for it"), "{told:?}");
    }

    #[test]
    fn what_was_not_written_before_the_end_has_failed() {
        let mut it = Fixture::new();
        assert_eq!(it.see(it.message(1, None, false)), []);
        let told = it.see(Happening::Ended(Close::new(1008, "too slow")));
        assert_eq!(told, [(1, format!("written: {WHO} ended before it was written: too slow"))]);
        assert!(it.ways.0.is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut it = Fixture::new();
        for number in 0..2 * REMEMBERED as u64 {
            it.see(it.message(1, Some(number), true));
        }
        assert_eq!(it.ways.0[&it.connection].unacknowledged.len(), REMEMBERED);
    }
}
