//! Ids of registrations, and the order that they are kept in.
//!
//! A [`Key`] is a place in the store: a number that grows with time, so that walking through devices
//! in the order of keys meets no device twice and can go on anywhere. The id that clients know is
//! `<key>-<random>-<part>`; the random part keeps strangers from guessing it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use kernel::{Error, ErrorKind, Result, Timestamp};

use crate::refusal::{bad_request, shown};

/// A client may choose an id; a longer one is a mistake.
const MAX_BYTES: usize = 128;

/// 2020-01-01T00:00:00Z in milliseconds: keys count from here, which lasts until 2089.
const EPOCH_MILLIS: i64 = 1_577_836_800_000;
/// Bits below the milliseconds.
const LOW_BITS: u32 = 22;
/// Before the first release no id was issued: 2026-01-01T00:00:00Z.
const FIRST_ISSUED: Timestamp = Timestamp::from_secs(1_767_225_600);
/// An id that was issued must be used within this time.
const UNUSED_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where a registration stands among all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub i64);

impl Key {
    /// When the key was made, to the millisecond.
    pub fn made_at(self) -> Timestamp {
        let millis = (self.0 >> LOW_BITS).saturating_add(EPOCH_MILLIS);
        Timestamp::from_micros(millis.saturating_mul(1000))
    }
}

/// Makes keys: each larger than the last of this process, and different from those of others with
/// near certainty.
#[derive(Debug, Default)]
pub struct KeySource {
    last: AtomicI64,
}

impl KeySource {
    /// The next key.
    pub fn next(&self, now: Timestamp) -> Key {
        let mut random = [0_u8; 4];
        aws_lc_rs::rand::fill(&mut random).expect("the system's random source answers");
        let low = i64::from(u32::from_le_bytes(random) >> (32 - LOW_BITS));
        let millis = (now.as_micros() / 1000).saturating_sub(EPOCH_MILLIS).max(0);
        let fresh = (millis << LOW_BITS) | low;
        let step = |last: i64| Some(fresh.max(last + 1));
        let before = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        Key(fresh.max(before.expect("every step succeeds") + 1))
    }
}

/// The id of a registration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistrationId(Box<str>);

impl RegistrationId {
    /// Reads an id that a client sends; it may be one of its own choice.
    ///
    /// # Errors
    /// `Invalid` when it can be none.
    pub fn parse(text: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !text.is_empty() && text.len() <= MAX_BYTES && text.chars().all(allowed) {
            return Ok(Self(text.into()));
        }
        Err(bad_request(format!(
            "The registration id '{}' is invalid. Use one that POST /registrationids has issued, such \
             as 5267365982808935704-4914086341193203009-1.",
            shown(text)
        )))
    }

    /// A new id. `part` tells the registrations of one installation apart, from 1.
    pub fn issue(key: Key, part: usize) -> Self {
        let mut random = [0_u8; 8];
        aws_lc_rs::rand::fill(&mut random).expect("the system's random source answers");
        Self(format!("{}-{}-{part}", key.0, u64::from_le_bytes(random) >> 1).into())
    }

    pub(crate) fn stored(text: String) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key within an id that this service has issued, as far as its form tells.
    pub fn key(&self, now: Timestamp) -> Option<Key> {
        let mut parts = self.0.split('-').map(str::parse::<i64>);
        let (Some(Ok(key)), Some(Ok(_)), Some(Ok(_)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let made_at = Key(key).made_at();
        (FIRST_ISSUED <= made_at && made_at <= now + Duration::from_secs(300)).then_some(Key(key))
    }

    /// Refuses an id that was issued long ago and that no registration has any more: devices then ask
    /// for a new one and register again.
    ///
    /// # Errors
    /// `Gone`.
    pub fn check_usable(&self, now: Timestamp) -> Result<()> {
        let stale = |key: Key| key.made_at() + UNUSED_LIFETIME < now;
        if !self.key(now).is_some_and(stale) {
            return Ok(());
        }
        let message = "The registration id was issued long ago and its registration has expired or was \
                       removed. Ask POST /registrationids for a new one and register again.";
        Err(Error::new(ErrorKind::Gone, "41000", message))
    }
}

impl fmt::Display for RegistrationId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
