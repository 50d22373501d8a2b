//! What the dispatcher counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, unless it says how many there are now.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts one more until the guard is dropped.
    pub(super) fn hold(&self) -> Held<'_> {
        self.add(1);
        Held(self)
    }
}

/// One that is there now.
pub(super) struct Held<'a>(&'a Counter);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events that a handler took.
    pub delivered: Counter,
    /// Events that a handler refused with 400, 401 or 403.
    pub refused: Counter,
    /// Events that no handler took although one was to.
    pub failed: Counter,
    /// Attempts after the first.
    pub retries: Counter,
    /// User events that were not even queued, since too many waited.
    pub overloaded: Counter,
    /// Handshakes that failed.
    pub failed_handshakes: Counter,
    /// Requests under way now.
    pub in_flight: Counter,
}
