//! One target: what is leased for it and not begun, how many attempts are under way, its standing.

use std::collections::VecDeque;

use kernel::Timestamp;

use crate::decide::is_expired;
use crate::probation::Probation;
use crate::{Item, Plan};

/// Leased ahead of the attempts, at least: a claim costs a transaction, so it fetches some.
const AHEAD: usize = 32;
/// Leased ahead at most, in items and, as far as it can be foreseen, in bytes.
const AHEAD_MAX: usize = 512;
const AHEAD_BYTES: usize = 8 << 20;

/// One target.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// Leased, not begun.
    pub(super) buffer: VecDeque<Item>,
    /// Parcels under way.
    pub(super) in_flight: usize,
    /// A claim is under way, for this many items.
    pub(super) claiming: Option<usize>,
    /// There was a signal during the claim, whose answer may not know of it.
    pub(super) woken_again: bool,
    /// When the store has something ready, as far as is known.
    pub(super) due: Option<Timestamp>,
    pub(super) probation: Probation,
    /// The entry in the list of timers.
    pub(super) timer: Option<Timestamp>,
    /// Payload bytes of an item, roughly.
    average: usize,
}

impl Target {
    /// Whether nothing would be forgotten with it.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
            && self.in_flight == 0
            && self.claiming.is_none()
            && self.due.is_none()
            && self.probation.is_clean()
    }

    /// Notes that something is ready in the store from `moment` on.
    pub(super) fn has_due(&mut self, moment: Timestamp) {
        self.due = Some(self.due.map_or(moment, |due| due.min(moment)));
    }

    /// Takes in what a claim has brought.
    pub(super) fn fill(&mut self, items: Vec<Item>) {
        for item in items {
            self.average = (self.average * 7 + item.payload.len()).div_ceil(8);
            self.buffer.push_back(item);
        }
    }

    /// How many items to claim now, if any, when `allowed` attempts may run at a time.
    pub(super) fn wanted(&self, plan: &Plan, allowed: usize) -> Option<usize> {
        let batch = plan.batch_items.max(1);
        let affordable = AHEAD_BYTES / self.average.max(1);
        let room = if self.probation.is_on() {
            batch
        } else {
            allowed.saturating_mul(batch).saturating_mul(2).max(AHEAD)
        };
        let room = room.min(affordable).clamp(1, AHEAD_MAX);
        (self.buffer.len() <= room / 2).then(|| room - self.buffer.len())
    }

    /// The items of the next parcel; `expired` receives those that come too late for one.
    pub(super) fn parcel(
        &mut self,
        plan: &Plan,
        now: Timestamp,
        expired: &mut Vec<Item>,
    ) -> Vec<Item> {
        let (mut items, mut bytes) = (Vec::new(), 0);
        while let Some(next) = self.buffer.front() {
            let too_late = is_expired(next, now);
            let full = items.len() >= plan.batch_items.max(1)
                || bytes + next.payload.len() > plan.batch_bytes;
            if !too_late && full && !items.is_empty() {
                break;
            }
            let Some(next) = self.buffer.pop_front() else { break };
            if too_late {
                expired.push(next);
            } else {
                bytes += next.payload.len();
                items.push(next);
            }
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::Ids;

    fn target(sizes: &[usize]) -> Target {
        let (ids, accepted_at) = (Ids::default(), Timestamp::from_secs(10));
        let item = |size: &usize| Item {
            id: ids.next(accepted_at, 0),
            order_key: None,
            payload: vec![0; *size],
            accepted_at,
            expires_at: accepted_at + Duration::from_secs(60),
            attempts: 0,
            max_attempts: 3,
            last_outcome: None,
            progress: None,
            trace: None,
        };
        let mut target = Target::default();
        target.fill(sizes.iter().map(item).collect());
        target
    }

    fn sizes(target: &mut Target, plan: &Plan) -> Vec<usize> {
        let items = target.parcel(plan, Timestamp::from_secs(20), &mut Vec::new());
        items.iter().map(|item| item.payload.len()).collect()
    }

    #[test]
    fn a_parcel_keeps_to_its_count_and_its_bytes() {
        let plan = Plan { batch_items: 3, batch_bytes: 10, ..Plan::default() };
        let mut target = target(&[4, 4, 4, 1, 1, 1, 1]);
        assert_eq!(sizes(&mut target, &plan), [4, 4]);
        assert_eq!(sizes(&mut target, &plan), [4, 1, 1]);
        assert_eq!(sizes(&mut target, &plan), [1, 1]);
        assert_eq!(sizes(&mut target, &plan), [0; 0]);
    }

    #[test]
    fn an_item_above_the_bytes_travels_alone() {
        let plan = Plan { batch_items: 3, batch_bytes: 10, ..Plan::default() };
        let mut target = target(&[1, 99, 1]);
        assert_eq!(sizes(&mut target, &plan), [1]);
        assert_eq!(sizes(&mut target, &plan), [99]);
        assert_eq!(sizes(&mut target, &plan), [1]);
    }

    #[test]
    fn what_comes_too_late_is_set_aside() {
        let mut expired = Vec::new();
        let items =
            target(&[1, 1]).parcel(&Plan::default(), Timestamp::from_secs(70), &mut expired);
        assert!(items.is_empty());
        assert_eq!(expired.len(), 2);
    }

    #[test]
    fn large_items_are_not_leased_far_ahead() {
        let plan = Plan::default();
        assert_eq!(Target::default().wanted(&plan, 100), Some(200));
        let mut big = target(&[AHEAD_BYTES; 1]);
        big.buffer.clear();
        assert!(big.wanted(&plan, 100).unwrap() <= 8);
    }
}
