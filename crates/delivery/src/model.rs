//! The nouns: what is to be delivered, what is being attempted, what was given up.

use std::fmt;
use std::time::Duration;

use kernel::{Timestamp, TraceContext};

use crate::DeliveryId;

/// Work to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// From [`crate::Deliveries::next_id`].
    pub id: DeliveryId,
    /// The queue whose courier carries it out.
    pub queue: &'static str,
    /// Who is to receive it, in the queue's own words, such as the id of an event subscription.
    /// Targets succeed, fail, wait and are cancelled independently of one another.
    pub target: String,
    /// Deliveries of one target with the same key are attempted one at a time, in the order of their
    /// ids; without a key there is no order.
    pub order_key: Option<String>,
    /// What the courier needs to know; this crate does not look inside.
    pub payload: Vec<u8>,
    /// The first attempt is made no earlier than this; at once without it.
    pub not_before: Option<Timestamp>,
    /// How long after its acceptance (or `not_before`) a next attempt may still be made. Multiplied
    /// by the time scale.
    pub time_to_live: Duration,
    /// Attempts before it is given up; at least one is made.
    pub max_attempts: u32,
}

/// One accepted delivery, as the courier sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: DeliveryId,
    /// Its order key.
    pub order_key: Option<String>,
    /// What was handed in.
    pub payload: Vec<u8>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// From then on no attempt is made.
    pub expires_at: Timestamp,
    /// Attempts before this one whose verdict is known.
    pub attempts: u32,
    /// Attempts before it is given up.
    pub max_attempts: u32,
    /// What the last attempt ended with.
    pub last_outcome: Option<String>,
    /// The last checkpoint of an attempt that did not end, see [`crate::Lease::checkpoint`].
    pub progress: Option<Vec<u8>>,
    /// The journey of what caused it.
    pub trace: Option<TraceContext>,
}

/// Why a delivery was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The last of the permitted attempts failed.
    AttemptsExhausted,
    /// Its time to live had passed when the next attempt was due.
    Expired,
    /// The courier said that no attempt can succeed.
    Refused,
}

impl Reason {
    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AttemptsExhausted => "attempts-exhausted",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }

    /// From [`Reason::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::AttemptsExhausted, Self::Expired, Self::Refused]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: DeliveryId,
    /// Its queue.
    pub queue: String,
    /// Its target.
    pub target: String,
    /// Its order key.
    pub order_key: Option<String>,
    /// What was to be delivered.
    pub payload: Vec<u8>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Attempts made.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: Reason,
    /// What the last attempt ended with; [`DeadLetter::HELD`] when the target's probation outlived
    /// it, and nothing when there was no attempt at all.
    pub last_outcome: Option<String>,
    /// The beginning of the last answer.
    pub last_answer: Option<String>,
    /// When the last attempt ended.
    pub last_attempt_at: Option<Timestamp>,
    /// When it was given up.
    pub died_at: Timestamp,
}

impl DeadLetter {
    /// The outcome of a delivery that expired without an attempt while its target was on probation.
    pub const HELD: &'static str = "Probation";
}

/// A delivery that waits, for people to look at; without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: DeliveryId,
    /// Its order key.
    pub order_key: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// When the next attempt is due.
    pub due_at: Timestamp,
    /// From then on no attempt is made.
    pub expires_at: Timestamp,
    /// Attempts made so far.
    pub attempts: u32,
    /// Whether a node is at it now.
    pub leased: bool,
    /// What the last attempt ended with.
    pub last_outcome: Option<String>,
    /// The beginning of the last answer.
    pub last_answer: Option<String>,
}

/// How much there is for one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The queue.
    pub queue: String,
    /// The target.
    pub target: String,
    /// Waiting for an attempt, whether due or not.
    pub queued: u64,
    /// Those of `queued` whose attempt could be made now.
    pub due: u64,
    /// With a node.
    pub leased: u64,
    /// Given up.
    pub dead: u64,
}
