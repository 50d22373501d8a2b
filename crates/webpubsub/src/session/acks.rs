//! Which messages of a connection have been carried out already.

use std::collections::{HashSet, VecDeque};

/// How many ids are remembered; the oldest is forgotten first (emulator and client specification).
const REMEMBERED: usize = 1000;

/// The `ackId`s of a connection's successful messages. A failed one is not noted, so the client may
/// try it again under the same id.
#[derive(Debug, Default)]
pub(crate) struct AckHistory {
    order: VecDeque<u64>,
    known: HashSet<u64>,
}

impl AckHistory {
    pub(crate) fn contains(&self, ack_id: u64) -> bool {
        self.known.contains(&ack_id)
    }

    pub(crate) fn insert(&mut self, ack_id: u64) {
        if !self.known.insert(ack_id) {
            return;
        }
        self.order.push_back(ack_id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_thousand_are_remembered() {
        let mut history = AckHistory::default();
        (1..=1000).for_each(|id| history.insert(id));
        assert!(history.contains(1));
        history.insert(1000);
        assert!(history.contains(1), "a repeated id pushes nothing out");
        history.insert(1001);
        assert!(!history.contains(1) && history.contains(2) && history.contains(1001));
    }
}
