//! Event subscriptions and event handlers.

use kernel::Timestamp;

/// An event subscription and how it fares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// The topic or resource whose events it wants.
    pub topic: String,
    /// Where they go, without secrets.
    pub destination: String,
    /// The state of its validation: `Succeeded`, `AwaitingManualAction`, …
    pub state: String,
    /// Why it is in that state.
    pub reason: Option<String>,
    /// Whether its own time is over.
    pub is_expired: bool,
    /// Deliveries that wait.
    pub queued: u64,
    /// Deliveries under way.
    pub in_flight: u64,
    /// Deliveries that succeeded since the server was started.
    pub delivered: u64,
    /// What the last attempt ended with; `Delivered` when it went well.
    pub last_outcome: Option<String>,
    /// When that was.
    pub last_attempt: Option<Timestamp>,
    /// Until when the destination is left alone.
    pub probation_until: Option<Timestamp>,
    /// Events since the server was started that its filter has passed over.
    pub filtered: u64,
    /// The last of them, in words, and when.
    pub last_filtered: Option<(String, Timestamp)>,
    /// Events given up, in all.
    pub dead: u64,
    /// Why the last of them were.
    pub dead_letters: Vec<Dead>,
    /// What its webhook answered to a validation just now; `None` where it was not asked.
    pub repeated: Option<Repeated>,
}

/// A validation that was repeated, without any change of state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeated {
    /// Whether the webhook consented.
    pub consents: bool,
    /// What it answered.
    pub said: String,
    /// How long it took.
    pub millis: u64,
}

/// Work that was given up, several times for the same reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dead {
    /// `attempts-exhausted`, `expired`, `refused`.
    pub reason: String,
    /// What the last attempt ended with.
    pub outcome: String,
    /// The beginning of the last answer.
    pub answer: String,
    /// How many.
    pub count: u64,
    /// When the last was given up.
    pub last: Timestamp,
}

/// An event handler of a hub whose last event failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handler {
    /// The hub.
    pub hub: String,
    /// Where its events go, without query.
    pub url: String,
    /// The event.
    pub event: String,
    /// What went wrong.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Events that failed since it worked last.
    pub count: u64,
}
