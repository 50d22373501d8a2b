//! Deadlines by the second: a ring of lists, one a second.
//!
//! Nothing is ever taken out early. An entry that is no longer wanted comes up in its second and is
//! recognised as stale by whoever asked for it.

/// Deadlines further away than this come up early and are set again by their owner.
const SECONDS: usize = 128;

/// Entries that come up at their second.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Vec<Vec<T>>,
    /// The newest second that has been taken.
    now: i64,
}

impl<T> Wheel<T> {
    pub(crate) fn new(now_secs: i64) -> Self {
        Self { slots: std::iter::repeat_with(Vec::new).take(SECONDS).collect(), now: now_secs }
    }

    /// Sets a deadline; one in the past comes up with the next second.
    pub(crate) fn set(&mut self, at_secs: i64, entry: T) {
        let latest = self.now + SECONDS as i64 - 1;
        self.slots[slot(at_secs.clamp(self.now + 1, latest))].push(entry);
    }

    /// Takes everything that is due. A clock that jumped far ahead empties the whole ring once; one
    /// that jumped back waits for no more than the ring's length.
    pub(crate) fn due(&mut self, now_secs: i64, out: &mut Vec<T>) {
        if now_secs < self.now - SECONDS as i64 {
            self.now = now_secs - 1;
        }
        let first = (self.now + 1).max(now_secs - SECONDS as i64 + 1);
        for second in first..=now_secs {
            out.append(&mut self.slots[slot(second)]);
        }
        self.now = self.now.max(now_secs);
    }
}

fn slot(second: i64) -> usize {
    second.rem_euclid(SECONDS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel<i64>, now: i64) -> Vec<i64> {
        let mut out = Vec::new();
        wheel.due(now, &mut out);
        out.sort_unstable();
        out
    }

    #[test]
    fn entries_come_up_at_their_second_and_once() {
        let mut wheel = Wheel::new(1000);
        for at in [1003, 1001, 1003, 1127] {
            wheel.set(at, at);
        }
        assert!(due(&mut wheel, 1000).is_empty());
        assert_eq!(due(&mut wheel, 1002), [1001]);
        assert_eq!(due(&mut wheel, 1003), [1003, 1003]);
        assert!(due(&mut wheel, 1126).is_empty());
        assert_eq!(due(&mut wheel, 1127), [1127]);
    }

    #[test]
    fn the_past_comes_up_at_once_and_the_far_future_early() {
        let mut wheel = Wheel::new(1000);
        wheel.set(5, 5);
        wheel.set(9_999, 9_999);
        assert_eq!(due(&mut wheel, 1001), [5]);
        assert_eq!(due(&mut wheel, 1200), [9_999]);
    }

    #[test]
    fn jumps_of_the_clock_lose_nothing() {
        let mut wheel = Wheel::new(1000);
        wheel.set(1010, 1010);
        assert_eq!(due(&mut wheel, 1_000_000), [1010]);
        wheel.set(1_000_001, 1);
        assert!(due(&mut wheel, 10).is_empty());
        wheel.set(20, 20);
        let late: Vec<i64> = (11..200).flat_map(|now| due(&mut wheel, now)).collect();
        assert!(late.contains(&20) && late.contains(&1), "{late:?}");
    }
}
