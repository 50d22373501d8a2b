//! When a failed attempt is repeated.
//!
//! Pure: the moment and the random number are arguments.

use std::time::Duration;

/// The pauses between attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    delays: Vec<Duration>,
    jitter: Duration,
}

impl Schedule {
    /// The pause after the first failed attempt, after the second, and so on; the last one repeats.
    /// To each a random part of `jitter` is added, so that many items that failed together do not
    /// come back together. An empty list repeats at once.
    pub fn new(delays: impl Into<Vec<Duration>>, jitter: Duration) -> Self {
        Self { delays: delays.into(), jitter }
    }

    /// How long to wait after `failures` failed attempts (1 at least), but not less than `floor`.
    /// Everything is multiplied by `time_scale`.
    pub fn pause(
        &self,
        failures: u32,
        floor: Option<Duration>,
        random: u64,
        time_scale: f64,
    ) -> Duration {
        let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = self.delays.len().saturating_sub(1);
        let delay = self.delays.get(index.min(last)).copied().unwrap_or_default();
        let delay = delay.max(floor.unwrap_or_default());
        // The upper 53 bits make a fraction in [0, 1) without rounding up to 1.
        let fraction = (random >> 11) as f64 / (1_u64 << 53) as f64;
        scaled(delay.saturating_add(self.jitter.mul_f64(fraction)), time_scale)
    }
}

/// `span` in a world where time passes `1 / time_scale` times as fast; saturates, and never becomes
/// so short that it is nothing at all.
pub(crate) fn scaled(span: Duration, time_scale: f64) -> Duration {
    if span.is_zero() || time_scale == 1.0 {
        return span;
    }
    let secs = span.as_secs_f64() * time_scale;
    Duration::try_from_secs_f64(secs).unwrap_or(LONGEST).clamp(Duration::from_micros(1), LONGEST)
}

/// A thousand years: longer than any deadline, and no timestamp overflows by it.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn event_grid() -> Schedule {
        let delays = [10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200];
        Schedule::new(delays.map(secs), secs(3))
    }

    #[test]
    fn the_last_pause_repeats() {
        let pauses: Vec<_> = (1..=12).map(|it| event_grid().pause(it, None, 0, 1.0)).collect();
        let expected = [10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 43_200, 43_200];
        assert_eq!(pauses, expected.map(secs));
    }

    #[test]
    fn a_floor_lengthens_a_pause_and_never_shortens_it() {
        assert_eq!(event_grid().pause(1, Some(secs(120)), 0, 1.0), secs(120));
        assert_eq!(event_grid().pause(4, Some(secs(120)), 0, 1.0), secs(300));
    }

    #[test]
    fn a_time_scale_shortens_a_day_to_86_seconds() {
        assert_eq!(scaled(secs(86_400), 0.001), Duration::from_millis(86_400));
        assert_eq!(event_grid().pause(2, None, 0, 0.001), Duration::from_millis(30));
    }

    #[test]
    fn an_empty_schedule_repeats_at_once() {
        assert_eq!(Schedule::new([], Duration::ZERO).pause(1, None, 7, 1.0), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_bound(failures: u32, random: u64, scale in 0.0001_f64..10.0) {
            let without = event_grid().pause(failures, None, 0, scale);
            let with = event_grid().pause(failures, None, random, scale);
            prop_assert!(with >= without);
            prop_assert!(with <= without + secs(3).mul_f64(scale) + Duration::from_micros(1));
        }

        #[test]
        fn no_span_overflows(secs: u64, scale in 0.0_f64..1e30) {
            prop_assert!(scaled(Duration::from_secs(secs), scale) <= LONGEST);
        }
    }
}
