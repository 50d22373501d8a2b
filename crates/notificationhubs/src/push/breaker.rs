//! Whether a handle that a push service calls dead may be removed.
//!
//! A sandbox handle sent to the production service is answered exactly like a handle that never
//! existed. Believing it would wipe a hub within minutes of a wrong setting. So "malformed or never
//! valid" is believed only while the credential is known to reach devices: after a first success, and
//! until [`Breaker::LIMIT`] such answers came in a row. A success closes the breaker again.
//!
//! "Was valid once" needs no such doubt, since only the right environment can know it; but it is
//! dated, and a device that registered again after that date stays.
//!
//! One breaker stands for one credential as it is configured; a changed credential gets a new one.

use kernel::Timestamp;

use super::outcome::{Outcome, OutcomeName};

/// The memory of one credential: how many handles in a row were called bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Nothing before the first success.
    bad_since_success: Option<u32>,
}

/// What to do with the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing speaks against it.
    Keep,
    /// Remove it.
    Remove,
    /// It is called dead, but is not removed; the reason is for the operator.
    Hold(Doubt),
}

/// Why a handle that is called dead stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No handle was ever reached with this credential.
    Unproven,
    /// Too many bad handles in a row.
    BreakerOpen,
    /// It was registered after the time at which it is said to have died.
    RegisteredSince,
}

impl Doubt {
    /// The reason, for the operator.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Unproven => {
                "the push service does not know this handle, but has not taken a single message with \
                 this credential yet, so the credential may be for another environment or another \
                 app; the handle is kept. Check the endpoint (sandbox or production) and the app"
            }
            Self::BreakerOpen => {
                "the push service does not know the last handles, one after another: the credential \
                 is probably for another environment or another app. No handle is removed until a \
                 message is taken. Check the endpoint (sandbox or production) and the app"
            }
            Self::RegisteredSince => {
                "the push service knows the handle as dead since a time before it was registered \
                 here again; it is kept"
            }
        }
    }
}

impl Breaker {
    /// So many bad handles in a row, without one success, are not believed any more.
    pub const LIMIT: u32 = 20;

    /// Takes note of an outcome and rules about the handle, which was registered or refreshed at
    /// `registered`.
    pub fn judge(&mut self, outcome: &Outcome, registered: Timestamp) -> Ruling {
        match outcome.name {
            OutcomeName::Success | OutcomeName::RefreshToken => {
                self.bad_since_success = Some(0);
                Ruling::Keep
            }
            OutcomeName::BadChannel => match &mut self.bad_since_success {
                None => Ruling::Hold(Doubt::Unproven),
                Some(run) if *run >= Self::LIMIT => Ruling::Hold(Doubt::BreakerOpen),
                Some(run) => {
                    *run += 1;
                    Ruling::Remove
                }
            },
            OutcomeName::ExpiredChannel if outcome.dead_since.is_some_and(|at| at < registered) => {
                Ruling::Hold(Doubt::RegisteredSince)
            }
            OutcomeName::ExpiredChannel => Ruling::Remove,
            _ => Ruling::Keep,
        }
    }

    /// Whether bad handles are kept at the moment.
    pub fn is_open(&self) -> bool {
        self.bad_since_success.is_none_or(|run| run >= Self::LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REGISTERED: Timestamp = Timestamp::from_secs(1000);

    fn outcome(name: OutcomeName) -> Outcome {
        Outcome::of(name, "")
    }

    fn names() -> impl Strategy<Value = OutcomeName> {
        use OutcomeName::*;
        // Mostly bad handles: that is the case that matters.
        prop_oneof![
            8 => Just(BadChannel),
            1 => Just(Success),
            1 => prop::sample::select(vec![ExpiredChannel, WrongToken, Throttled, PnsServerError]),
        ]
    }

    proptest! {
        #[test]
        fn without_a_success_no_bad_handle_is_ever_removed(
            names in prop::collection::vec(names(), 0..300),
        ) {
            let mut breaker = Breaker::default();
            for name in names.into_iter().filter(|name| *name != OutcomeName::Success) {
                let ruling = breaker.judge(&outcome(name), REGISTERED);
                prop_assert!(name != OutcomeName::BadChannel || ruling != Ruling::Remove);
            }
        }

        #[test]
        fn between_two_successes_no_more_than_the_limit_is_removed(
            names in prop::collection::vec(names(), 0..500),
        ) {
            let mut breaker = Breaker::default();
            let mut removed = 0;
            for name in names {
                let ruling = breaker.judge(&outcome(name), REGISTERED);
                match name {
                    OutcomeName::Success => removed = 0,
                    OutcomeName::BadChannel if ruling == Ruling::Remove => removed += 1,
                    _ => {}
                }
                prop_assert!(removed <= Breaker::LIMIT);
                prop_assert_eq!(breaker.is_open() && removed > 0, removed == Breaker::LIMIT);
            }
        }
    }

    #[test]
    fn a_success_makes_bad_handles_believable() {
        let mut breaker = Breaker::default();
        let bad = outcome(OutcomeName::BadChannel);
        assert_eq!(breaker.judge(&bad, REGISTERED), Ruling::Hold(Doubt::Unproven));
        assert_eq!(breaker.judge(&outcome(OutcomeName::Success), REGISTERED), Ruling::Keep);
        for _ in 0..Breaker::LIMIT {
            assert_eq!(breaker.judge(&bad, REGISTERED), Ruling::Remove);
        }
        assert_eq!(breaker.judge(&bad, REGISTERED), Ruling::Hold(Doubt::BreakerOpen));
    }

    #[test]
    fn an_expired_handle_goes_unless_it_registered_since() {
        let mut expired = outcome(OutcomeName::ExpiredChannel);
        for (dead_since, ruling) in [
            (None, Ruling::Remove),
            (Some(1000), Ruling::Remove),
            (Some(1001), Ruling::Remove),
            (Some(999), Ruling::Hold(Doubt::RegisteredSince)),
        ] {
            expired.dead_since = dead_since.map(Timestamp::from_secs);
            assert_eq!(Breaker::default().judge(&expired, REGISTERED), ruling, "{dead_since:?}");
        }
    }

    #[test]
    fn a_handle_of_another_topic_or_project_stays() {
        for name in [OutcomeName::WrongToken, OutcomeName::InvalidCredentials] {
            let mut breaker = Breaker { bad_since_success: Some(0) };
            assert_eq!(breaker.judge(&outcome(name), REGISTERED), Ruling::Keep);
        }
    }
}
