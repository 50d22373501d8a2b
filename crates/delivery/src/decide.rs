//! What becomes of an item after an attempt, and whether one is still made. Pure.

use kernel::Timestamp;

use crate::schedule::scaled;
use crate::{Item, Reason, Schedule, Verdict};

/// The fate of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is done.
    Done,
    /// Another attempt, no earlier than this.
    Again(Timestamp),
    /// It is given up.
    Bury(Reason),
}

/// What is known when a verdict is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) schedule: &'a Schedule,
    pub(crate) time_scale: f64,
    pub(crate) now: Timestamp,
    pub(crate) random: u64,
}

/// Whether a due item may still be attempted. Its time to live is looked at only here, so an item
/// that expires while it waits is noticed when its attempt is due.
pub(crate) fn is_expired(item: &Item, now: Timestamp) -> bool {
    item.expires_at <= now
}

/// What becomes of `item` after an attempt that ended with `verdict`.
pub(crate) fn decide(item: &Item, verdict: &Verdict, known: Circumstances<'_>) -> Next {
    match verdict {
        Verdict::Delivered => Next::Done,
        Verdict::Refused { .. } => Next::Bury(Reason::Refused),
        Verdict::Retry { not_before, .. } => {
            let failures = item.attempts.saturating_add(1);
            if failures >= item.max_attempts {
                return Next::Bury(Reason::AttemptsExhausted);
            }
            let (random, scale) = (known.random, known.time_scale);
            Next::Again(known.now + known.schedule.pause(failures, *not_before, random, scale))
        }
    }
}

/// When an item that is accepted now, or due at `not_before`, expires.
pub(crate) fn expiry(
    start: Timestamp,
    time_to_live: std::time::Duration,
    time_scale: f64,
) -> Timestamp {
    start + scaled(time_to_live, time_scale)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::Ids;

    const HOUR: Duration = Duration::from_secs(3600);

    fn item(attempts: u32, max_attempts: u32) -> Item {
        let accepted_at = Timestamp::from_secs(1000);
        Item {
            id: Ids::default().next(accepted_at, 0),
            order_key: None,
            payload: Vec::new(),
            accepted_at,
            expires_at: accepted_at + HOUR,
            attempts,
            max_attempts,
            last_outcome: None,
            progress: None,
            trace: None,
        }
    }

    fn after(item: &Item, verdict: &Verdict) -> Next {
        let schedule = Schedule::new([Duration::from_secs(10)], Duration::ZERO);
        let now = Timestamp::from_secs(2000);
        decide(
            item,
            verdict,
            Circumstances { schedule: &schedule, time_scale: 1.0, now, random: 0 },
        )
    }

    fn busy(not_before: Option<Duration>) -> Verdict {
        let outcome = "Busy".into();
        Verdict::Retry { outcome, answer: String::new(), not_before, probation: None }
    }

    #[test]
    fn a_success_is_the_end() {
        assert_eq!(after(&item(0, 1), &Verdict::Delivered), Next::Done);
    }

    #[test]
    fn a_refusal_buries_whatever_attempts_are_left() {
        let verdict = Verdict::Refused { outcome: "BadRequest".into(), answer: String::new() };
        assert_eq!(after(&item(0, 30), &verdict), Next::Bury(Reason::Refused));
    }

    #[test]
    fn the_last_permitted_attempt_buries() {
        assert_eq!(after(&item(1, 3), &busy(None)), Next::Again(Timestamp::from_secs(2010)));
        assert_eq!(after(&item(2, 3), &busy(None)), Next::Bury(Reason::AttemptsExhausted));
        assert_eq!(after(&item(0, 0), &busy(None)), Next::Bury(Reason::AttemptsExhausted));
    }

    #[test]
    fn a_floor_of_the_verdict_is_kept() {
        let next = after(&item(0, 3), &busy(Some(HOUR)));
        assert_eq!(next, Next::Again(Timestamp::from_secs(5600)));
    }

    #[test]
    fn an_item_expires_at_its_moment_and_not_before() {
        let item = item(0, 1);
        assert!(!is_expired(&item, item.expires_at - Duration::from_micros(1)));
        assert!(is_expired(&item, item.expires_at));
    }
}
