//! Whether a target is worth an attempt now.
//!
//! After some failures in a row the target is left alone for as long as the last failure asks for.
//! Then one parcel probes it: a success lifts the probation, a failure renews it. Kept in memory
//! only: after a restart a few more attempts fail before it is known again. Pure.

use kernel::Timestamp;
use std::time::Duration;

/// The standing of one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probation {
    /// Failures in a row that speak against the target.
    failures: u32,
    /// When it began or was last renewed, and until when; lifted by a success.
    held: Option<(Timestamp, Timestamp)>,
}

/// What a verdict changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Left alone until this moment.
    Suspended(Timestamp),
    /// No longer on probation.
    Recovered,
}

impl Probation {
    /// Attempts allowed at a time, of `concurrency`.
    pub(crate) fn allows(&self, concurrency: usize, now: Timestamp) -> usize {
        match (self.held, self.held_until(now)) {
            (None, _) => concurrency,
            (Some(_), None) => 1,
            (Some(_), Some(_)) => 0,
        }
    }

    /// When attempts are allowed again, if they are not. A clock that was set back ends the wait.
    pub(crate) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.held.filter(|(since, until)| *since <= now && now < *until).map(|(_, until)| until)
    }

    /// Whether the target is on probation, held or probed.
    pub(crate) fn is_on(&self) -> bool {
        self.held.is_some()
    }

    /// Whether there is nothing to remember.
    pub(crate) fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    /// The target took something, or refused the item with good reason: it works.
    pub(crate) fn answered(&mut self) -> Option<Change> {
        let was_on = self.is_on();
        *self = Self::default();
        was_on.then_some(Change::Recovered)
    }

    /// A failure that speaks against the target.
    pub(crate) fn failed(
        &mut self,
        now: Timestamp,
        probation: Duration,
        limit: u32,
    ) -> Option<Change> {
        // Attempts that were under way when the probation began say nothing new.
        if self.held_until(now).is_some() {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        if !self.is_on() && self.failures < limit.max(1) {
            return None;
        }
        let until = now + probation;
        self.held = Some((now, until));
        Some(Change::Suspended(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn suspended() -> Probation {
        let mut probation = Probation::default();
        assert_eq!(probation.failed(at(0), MINUTE, 2), None);
        assert_eq!(probation.failed(at(0), MINUTE, 2), Some(Change::Suspended(at(60))));
        probation
    }

    #[test]
    fn it_begins_after_failures_in_a_row_only() {
        let mut probation = Probation::default();
        for _ in 0..10 {
            assert_eq!(probation.failed(at(0), MINUTE, 2), None);
            assert_eq!(probation.answered(), None);
        }
        assert_eq!(probation.allows(7, at(0)), 7);
    }

    #[test]
    fn nothing_is_allowed_until_it_ends_and_then_one_probe() {
        let probation = suspended();
        assert_eq!(probation.allows(7, at(59)), 0);
        assert_eq!(probation.held_until(at(59)), Some(at(60)));
        assert_eq!(probation.allows(7, at(60)), 1);
    }

    #[test]
    fn a_failed_probe_renews_it_and_a_success_lifts_it() {
        let mut probation = suspended();
        assert_eq!(probation.failed(at(60), MINUTE, 2), Some(Change::Suspended(at(120))));
        assert_eq!(probation.answered(), Some(Change::Recovered));
        assert!(probation.is_clean());
        assert_eq!(probation.failed(at(60), MINUTE, 2), None);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_prolong_it() {
        assert_eq!(suspended().allows(7, at(-5000)), 1);
    }

    #[test]
    fn stragglers_do_not_prolong_it() {
        let mut probation = suspended();
        assert_eq!(probation.failed(at(30), MINUTE, 2), None);
        assert_eq!(probation.held_until(at(30)), Some(at(60)));
    }
}
