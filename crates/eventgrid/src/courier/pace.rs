//! Keeping to the rate that a webhook has allowed (`WebHook-Allowed-Rate`, requests a minute).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A webhook that allows more than this is not slowed down at all: an interval would be shorter than
/// what a timer can keep.
const FASTEST: u32 = 60_000;

/// When each paced webhook may be called again. Entries exist for paced ones only.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<Box<str>, Instant>>);

/// The time between two requests; `None` for as fast as it goes.
pub(super) fn interval(rate: Option<u32>) -> Option<Duration> {
    let rate = rate.filter(|rate| (1..FASTEST).contains(rate))?;
    Some(Duration::from_secs(60) / rate)
}

impl Pace {
    /// Waits for the next turn of a webhook.
    pub(super) async fn turn(&self, key: &str, rate: Option<u32>) {
        if let Some(interval) = interval(rate) {
            tokio::time::sleep_until(self.reserve(key, interval)).await;
        }
    }

    fn reserve(&self, key: &str, interval: Duration) -> Instant {
        let now = Instant::now();
        let mut turns = self.lock();
        let turn = turns.get(key).copied().filter(|turn| *turn > now).unwrap_or(now);
        turns.insert(key.into(), turn + interval);
        turn
    }

    /// Forgets all but these.
    pub(crate) fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        self.lock().retain(|key, _| is_kept(key));
    }

    #[cfg(test)]
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.lock().contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Instant>> {
        // Every change is a single step, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_keep_their_distance_and_an_idle_webhook_is_called_at_once() {
        let (pace, start) = (Pace::default(), Instant::now());
        for _ in 0..3 {
            pace.turn("a", Some(120)).await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(1));
        pace.turn("b", Some(120)).await;
        pace.turn("c", None).await;
        assert_eq!(start.elapsed(), Duration::from_secs(1), "others are not held up");
    }

    #[test]
    fn rates_that_cannot_be_kept_are_no_rates() {
        assert_eq!(interval(Some(0)), None);
        assert_eq!(interval(Some(u32::MAX)), None);
        assert_eq!(interval(Some(60)), Some(Duration::from_secs(1)));
    }
}
