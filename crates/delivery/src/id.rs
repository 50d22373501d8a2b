//! The name of one delivery, from its acceptance to its end, and in every trace of it.
//!
//! A UUID of version 7, so ids sort by the time of acceptance. Within one process they also sort by
//! the order in which they were made, even when the clock stands still or is set back: the order of
//! deliveries with one order key rests on that.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use kernel::Timestamp;
use storage::{FromVal, Val};
use uuid::Uuid;

/// The id of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(Uuid);

impl DeliveryId {
    /// The id as 16 bytes, in the order in which ids sort.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// An id from its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The first 60 bits that are neither version nor variant: milliseconds, then a counter.
    fn tick(self) -> u64 {
        let bits = self.0.as_u128();
        let millis = (bits >> 80) as u64;
        let counter = (bits >> 64) as u64 & COUNTER_MASK;
        millis << COUNTER_BITS | counter
    }

    /// `random` fills what the tick leaves.
    fn from_tick(tick: u64, random: u64) -> Self {
        let millis = u128::from(tick >> COUNTER_BITS);
        let counter = u128::from(tick & COUNTER_MASK);
        let (version, variant) = (7_u128 << 76, 2_u128 << 62);
        let random = u128::from(random >> 2);
        Self(Uuid::from_u128(millis << 80 | version | counter << 64 | variant | random))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for DeliveryId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::from_str(text).map(Self)
    }
}

impl From<DeliveryId> for Val {
    fn from(id: DeliveryId) -> Self {
        Self::Blob(id.as_bytes().to_vec())
    }
}

impl FromVal for DeliveryId {
    const EXPECTED: &'static str = "a blob of 16 bytes";

    fn from_val(val: &Val) -> Option<Self> {
        match val {
            Val::Blob(bytes) => Uuid::from_slice(bytes).ok().map(Self),
            _ => None,
        }
    }
}

/// Counts the ids of one millisecond; 4,096 of them, then the next millisecond is begun early.
const COUNTER_BITS: u32 = 12;
const COUNTER_MASK: u64 = (1 << COUNTER_BITS) - 1;

/// Makes ids that only grow.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// The tick of the last id.
    last: AtomicU64,
}

impl Ids {
    /// The next id, not below `now` and above all before it. `random` makes it differ from those of
    /// other processes.
    pub(crate) fn next(&self, now: Timestamp, random: u64) -> DeliveryId {
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        let floor = (millis & (u64::MAX >> 16)) << COUNTER_BITS;
        let after = |last: u64| Some(floor.max(last + 1));
        let last = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after)
            .unwrap_or_else(|last| last);
        DeliveryId::from_tick(floor.max(last + 1), random)
    }

    /// Later ids are above `id` as well.
    pub(crate) fn stay_above(&self, id: DeliveryId) {
        self.last.fetch_max(id.tick(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_with_the_time() {
        let now = Timestamp::from_secs(1_700_000_000);
        let id = Ids::default().next(now, u64::MAX);
        let uuid = Uuid::from_str(&id.to_string()).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_timestamp().unwrap().to_unix().0, 1_700_000_000);
        assert_eq!(DeliveryId::from_str(&id.to_string()), Ok(id));
    }

    #[test]
    fn ids_stay_above_those_of_a_former_life() {
        let former = Ids::default().next(Timestamp::from_secs(2000), 7);
        let ids = Ids::default();
        ids.stay_above(former);
        assert!(ids.next(Timestamp::from_secs(1000), 0) > former);
    }

    proptest! {
        #[test]
        fn ids_only_grow_whatever_the_clock_does(
            moments in proptest::collection::vec((-1_i64..5_000_000, any::<u64>()), 2..200),
        ) {
            let ids = Ids::default();
            let made: Vec<_> = moments
                .into_iter()
                .map(|(micros, random)| ids.next(Timestamp::from_micros(micros), random))
                .collect();
            prop_assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn a_tick_is_found_again(tick in 0_u64..1 << 60, random: u64) {
            prop_assert_eq!(DeliveryId::from_tick(tick, random).tick(), tick);
        }
    }
}
