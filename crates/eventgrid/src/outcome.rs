//! What a webhook's answer means: delivered, tried again, or given up; and when.
//!
//! All of it is [`Rules`], which a person can change, since the public descriptions contradict one
//! another between their versions. The defaults are those of the newest. Times are those of the
//! real service; whoever counts them may scale them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// What came of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The receiver answered with this HTTP status.
    Status(u16),
    /// It did not answer in time.
    TimedOut,
    /// Its name could not be resolved.
    Unresolved,
    /// No connection, a broken one, TLS that failed, or an answer that was no HTTP.
    Broken,
    /// Its address must not be called from here.
    Blocked,
}

/// The names that attempts end with, as `lastDeliveryOutcome` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It got there.
    Delivered,
    /// 404.
    NotFound,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 400.
    BadRequest,
    /// 413.
    PayloadTooLarge,
    /// 429 or 503.
    Busy,
    /// No answer in time, or 408.
    TimedOut,
    /// The connection failed.
    SocketError,
    /// The name has no address.
    ResolutionError,
    /// The destination must not be called.
    Disabled,
    /// Given up without an attempt, since the destination is on probation.
    Probation,
    /// The subscription was deleted or has expired.
    Canceled,
    /// The server stopped in the middle of an attempt.
    Aborted,
    /// Everything else.
    GenericError,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Delivered,
        Self::NotFound,
        Self::Unauthorized,
        Self::Forbidden,
        Self::BadRequest,
        Self::PayloadTooLarge,
        Self::Busy,
        Self::TimedOut,
        Self::SocketError,
        Self::ResolutionError,
        Self::Disabled,
        Self::Probation,
        Self::Canceled,
        Self::Aborted,
        Self::GenericError,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "Delivered",
            Self::NotFound => "NotFound",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::BadRequest => "BadRequest",
            Self::PayloadTooLarge => "PayloadTooLarge",
            Self::Busy => "Busy",
            Self::TimedOut => "TimedOut",
            Self::SocketError => "SocketError",
            Self::ResolutionError => "ResolutionError",
            Self::Disabled => "Disabled",
            Self::Probation => "Probation",
            Self::Canceled => "Canceled",
            Self::Aborted => "Aborted",
            Self::GenericError => "GenericError",
        }
    }

    /// Finds the outcome with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Its name.
    pub outcome: Outcome,
    /// What to do.
    pub next: Next,
}

/// What to do after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it was delivered.
    Done,
    /// Try again by the schedule, but not before this has passed.
    Retry {
        /// The least pause.
        floor: Duration,
        /// How long the destination is left alone once it has failed repeatedly; `None` when the
        /// failure says nothing about the next event.
        probation: Option<Duration>,
    },
    /// No attempt can succeed.
    GiveUp,
}

/// How answers are judged, and when attempts are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The statuses that mean delivered.
    pub success: BTreeSet<u16>,
    /// The statuses after which no attempt can succeed. Older descriptions retry 401, 403 and 404
    /// after five minutes.
    pub give_up: BTreeSet<u16>,
    /// The least pause after a status.
    pub floors: BTreeMap<u16, Duration>,
    /// The least pause after every other failure.
    pub floor: Duration,
    /// The pauses before the second attempt, the third, and so on; the last one repeats.
    pub schedule: Vec<Duration>,
    /// To each pause a random part of this is added.
    pub jitter: Duration,
    /// How long a destination that failed repeatedly is left alone, by its last outcome.
    pub probation: BTreeMap<Outcome, Duration>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            success: [200, 201, 202, 203, 204].into(),
            give_up: [400, 401, 403, 413].into(),
            floors: [
                // 401 and 403 have theirs for whoever takes them out of the list above.
                (401, secs(5 * MINUTE)),
                (403, secs(5 * MINUTE)),
                (404, secs(5 * MINUTE)),
                (408, secs(2 * MINUTE)),
                (503, secs(30)),
            ]
            .into(),
            floor: secs(10),
            schedule: [
                10,
                30,
                MINUTE,
                5 * MINUTE,
                10 * MINUTE,
                30 * MINUTE,
                HOUR,
                3 * HOUR,
                6 * HOUR,
                12 * HOUR,
            ]
            .map(secs)
            .into(),
            jitter: secs(3),
            probation: [
                (Outcome::Busy, secs(10)),
                (Outcome::TimedOut, secs(10)),
                (Outcome::SocketError, secs(30)),
                (Outcome::NotFound, secs(5 * MINUTE)),
                (Outcome::ResolutionError, secs(5 * MINUTE)),
                (Outcome::Unauthorized, secs(5 * MINUTE)),
                (Outcome::Forbidden, secs(5 * MINUTE)),
                (Outcome::Disabled, secs(5 * MINUTE)),
            ]
            .into(),
        }
    }
}

impl Rules {
    /// Judges the answer to a delivery. Redirects are not followed, so they are failures.
    pub fn judge(&self, answer: Answer) -> Judgement {
        let outcome = match answer {
            Answer::Status(status) if self.success.contains(&status) => Outcome::Delivered,
            Answer::Status(status) => of_status(status),
            Answer::TimedOut => Outcome::TimedOut,
            Answer::Unresolved => Outcome::ResolutionError,
            Answer::Broken => Outcome::SocketError,
            Answer::Blocked => Outcome::Disabled,
        };
        let status = match answer {
            Answer::Status(status) => Some(status),
            Answer::TimedOut | Answer::Unresolved | Answer::Broken | Answer::Blocked => None,
        };
        let next = if outcome == Outcome::Delivered {
            Next::Done
        } else if status.is_some_and(|status| self.give_up.contains(&status)) {
            Next::GiveUp
        } else {
            let floor = status.and_then(|status| self.floors.get(&status)).copied();
            let probation = self.probation.get(&outcome).copied();
            Next::Retry { floor: floor.unwrap_or(self.floor), probation }
        };
        Judgement { outcome, next }
    }

    /// The pause after `failures` failed attempts (1 at least), without jitter.
    pub fn pause(&self, failures: u32, floor: Duration) -> Duration {
        let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = self.schedule.get(index).or(self.schedule.last()).copied();
        pause.unwrap_or_default().max(floor)
    }
}

fn of_status(status: u16) -> Outcome {
    match status {
        400 => Outcome::BadRequest,
        401 => Outcome::Unauthorized,
        403 => Outcome::Forbidden,
        404 => Outcome::NotFound,
        408 => Outcome::TimedOut,
        413 => Outcome::PayloadTooLarge,
        429 | 503 => Outcome::Busy,
        _ => Outcome::GenericError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(floor: u64, probation: Option<u64>) -> Next {
        Next::Retry { floor: secs(floor), probation: probation.map(secs) }
    }

    #[test]
    fn every_answer_has_its_documented_consequence() {
        use Outcome as O;
        let status = Answer::Status;
        let rows = [
            (status(200), O::Delivered, Next::Done),
            (status(201), O::Delivered, Next::Done),
            (status(202), O::Delivered, Next::Done),
            (status(203), O::Delivered, Next::Done),
            (status(204), O::Delivered, Next::Done),
            (status(205), O::GenericError, retry(10, None)),
            (status(206), O::GenericError, retry(10, None)),
            (status(301), O::GenericError, retry(10, None)),
            (status(307), O::GenericError, retry(10, None)),
            (status(400), O::BadRequest, Next::GiveUp),
            (status(401), O::Unauthorized, Next::GiveUp),
            (status(403), O::Forbidden, Next::GiveUp),
            (status(404), O::NotFound, retry(300, Some(300))),
            (status(405), O::GenericError, retry(10, None)),
            (status(408), O::TimedOut, retry(120, Some(10))),
            (status(410), O::GenericError, retry(10, None)),
            (status(413), O::PayloadTooLarge, Next::GiveUp),
            (status(429), O::Busy, retry(10, Some(10))),
            (status(500), O::GenericError, retry(10, None)),
            (status(503), O::Busy, retry(30, Some(10))),
            (Answer::TimedOut, O::TimedOut, retry(10, Some(10))),
            (Answer::Unresolved, O::ResolutionError, retry(10, Some(300))),
            (Answer::Broken, O::SocketError, retry(10, Some(30))),
            (Answer::Blocked, O::Disabled, retry(10, Some(300))),
        ];
        let rules = Rules::default();
        for (answer, outcome, next) in rows {
            assert_eq!(rules.judge(answer), Judgement { outcome, next }, "{answer:?}");
        }
    }

    /// Seconds after the first attempt at which each of `count` attempts is made.
    fn attempts(rules: &Rules, count: usize) -> Vec<u64> {
        let pauses = (1..).map(|failures| rules.pause(failures, rules.floor).as_secs());
        let sum = |at: &mut u64, pause| {
            let now = *at;
            *at += pause;
            Some(now)
        };
        pauses.scan(0, sum).take(count).collect()
    }

    #[test]
    fn attempts_are_made_when_the_documentation_says() {
        let expected = [0, 10, 40, 100, 400, 1_000, 2_800, 6_400, 17_200, 38_800, 82_000, 125_200];
        assert_eq!(attempts(&Rules::default(), 12), expected);
    }

    #[test]
    fn half_an_hour_allows_six_attempts_and_a_day_eleven() {
        let within =
            |limit| attempts(&Rules::default(), 30).iter().filter(|at| **at <= limit).count();
        assert_eq!(within(30 * MINUTE), 6);
        assert_eq!(within(24 * HOUR), 11);
    }

    #[test]
    fn a_floor_lengthens_only_pauses_that_are_shorter() {
        let rules = Rules::default();
        assert_eq!(rules.pause(1, secs(300)), secs(300));
        assert_eq!(rules.pause(5, secs(300)), secs(600));
        assert_eq!(rules.pause(u32::MAX, secs(300)), secs(12 * HOUR));
        assert_eq!(Rules { schedule: Vec::new(), ..rules }.pause(1, secs(7)), secs(7));
    }

    #[test]
    fn every_rule_can_be_changed() {
        let mut rules = Rules::default();
        rules.give_up.remove(&403);
        rules.success.insert(302);
        assert_eq!(rules.judge(Answer::Status(403)).next, retry(300, Some(300)));
        assert_eq!(rules.judge(Answer::Status(302)).next, Next::Done);
    }

    #[test]
    fn outcomes_have_distinct_names() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::named(outcome.name()), Some(outcome));
        }
        assert_eq!(Outcome::named("Full"), None);
    }
}
