//! How often something may be asked: the limits that Azure publishes, or a multiple of them.
//!
//! A limit counts requests of one caller, of everybody in one thread, or of a caller in a thread, in
//! windows that begin with the first request. Off by default in development, where a limit that nobody
//! asked for only surprises; a server for others has ten times Azure's figures unless told otherwise,
//! since it has no neighbours to be protected from one another.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Error, ErrorKind, Result, Timestamp};

/// Counters that are kept at most. A server that has more in use counts the others not at all rather
/// than refusing them.
const MAX_COUNTERS: usize = 200_000;

/// So many requests in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limit {
    pub(crate) scope: Scope,
    pub(crate) requests: u32,
    pub(crate) window: Duration,
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Those of one caller: a user, or a resource.
    Caller,
    /// Those of everybody in one thread.
    Thread,
    /// Those of one user in one thread.
    CallerInThread,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    /// What it asks for, by a name of its own.
    pub(crate) operation: &'static str,
    /// Who asks.
    pub(crate) caller: &'a str,
    /// In which thread; none for those who are not in it, who must not use up what others have.
    pub(crate) thread: Option<&'a str>,
}

/// The counters of one server.
#[derive(Debug)]
pub struct Throttle {
    /// Each limit times this; nothing is limited by 0.
    multiple: u32,
    counters: Mutex<HashMap<Key, Counter>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    operation: &'static str,
    limit: Limit,
    whose: String,
}

#[derive(Debug)]
struct Counter {
    begun: Timestamp,
    requests: u32,
}

impl Throttle {
    /// Each published limit times `multiple`; 0 limits nothing.
    pub fn new(multiple: u32) -> Self {
        Self { multiple, counters: Mutex::default() }
    }

    /// Whether anything is limited.
    pub(crate) fn is_on(&self) -> bool {
        self.multiple > 0
    }

    /// Counts a request, or refuses it: then it is not counted.
    ///
    /// # Errors
    /// `Throttled`, with the time after which it may be repeated.
    pub(crate) fn admit(
        &self,
        asking: &Asking<'_>,
        limits: &[Limit],
        now: Timestamp,
    ) -> Result<()> {
        if !self.is_on() {
            return Ok(());
        }
        let mut counters = self.lock();
        let keys: Vec<Key> = limits.iter().filter_map(|limit| Key::of(asking, *limit)).collect();
        for key in &keys {
            let Some(counter) = counters.get_mut(key) else { continue };
            let left = key.limit.window.saturating_sub(now.since(counter.begun));
            if left.is_zero() {
                *counter = Counter { begun: now, requests: 0 };
            } else if counter.requests >= self.most(key.limit) {
                return Err(too_many(key.limit, self.most(key.limit), left));
            }
        }
        if counters.len() >= MAX_COUNTERS {
            counters.retain(|key, it| now.since(it.begun) < key.limit.window);
        }
        for key in keys {
            if counters.len() < MAX_COUNTERS || counters.contains_key(&key) {
                let counter = Counter { begun: now, requests: 0 };
                counters.entry(key).or_insert(counter).requests += 1;
            }
        }
        Ok(())
    }

    fn most(&self, limit: Limit) -> u32 {
        limit.requests.saturating_mul(self.multiple)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Counter>> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn of(asking: &Asking<'_>, limit: Limit) -> Option<Self> {
        let Asking { operation, caller, thread } = *asking;
        let whose = match limit.scope {
            Scope::Caller => caller.to_owned(),
            Scope::Thread => thread?.to_owned(),
            Scope::CallerInThread => format!("{caller} {}", thread?),
        };
        Some(Self { operation, limit, whose })
    }
}

fn too_many(limit: Limit, most: u32, left: Duration) -> Error {
    let whose = match limit.scope {
        Scope::Caller => "from one caller",
        Scope::Thread => "in one thread",
        Scope::CallerInThread => "from one user in one thread",
    };
    let message = format!(
        "There may be {most} requests of this kind {whose} in {} seconds (communication.rate_limits). \
         Repeat it after the time in Retry-After.",
        limit.window.as_secs()
    );
    // In whole seconds, the next one begins after them all.
    let pause = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
    Error::new(ErrorKind::Throttled, "TooManyRequests", message).retry_after(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);
    const LIMITS: [Limit; 2] = [
        Limit { scope: Scope::Thread, requests: 3, window: Duration::from_secs(10) },
        Limit { scope: Scope::CallerInThread, requests: 4, window: Duration::from_secs(60) },
    ];

    fn ask(throttle: &Throttle, caller: &str, second: u64) -> Result<()> {
        let asking = Asking { operation: "send", caller, thread: Some("t") };
        throttle.admit(&asking, &LIMITS, NOW + Duration::from_secs(second))
    }

    #[test]
    fn a_window_that_is_full_says_when_the_next_begins() {
        let throttle = Throttle::new(1);
        for caller in ["alice", "bob", "alice"] {
            ask(&throttle, caller, 1).unwrap();
        }
        let refused = ask(&throttle, "bob", 4).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Throttled);
        assert_eq!(refused.retry_delay(), Some(Duration::from_secs(7)));
        ask(&throttle, "alice", 11).unwrap();
        ask(&throttle, "alice", 11).unwrap();
        let refused = ask(&throttle, "alice", 12).unwrap_err();
        assert_eq!(refused.retry_delay(), Some(Duration::from_secs(49)), "of the minute");
        ask(&throttle, "bob", 12).unwrap();
    }

    #[test]
    fn operations_and_threads_are_counted_apart_and_a_multiple_allows_more() {
        let throttle = Throttle::new(2);
        (0..6).for_each(|_| ask(&throttle, "alice", 0).unwrap());
        ask(&throttle, "alice", 0).unwrap_err();
        for (operation, thread) in [("send", Some("u")), ("edit", Some("t")), ("send", None)] {
            let asking = Asking { operation, caller: "alice", thread };
            throttle.admit(&asking, &LIMITS, NOW).unwrap();
        }
    }

    #[test]
    fn nothing_is_limited_or_counted_by_zero() {
        let throttle = Throttle::new(0);
        (0..1_000).for_each(|_| ask(&throttle, "alice", 0).unwrap());
        assert!(throttle.lock().is_empty());
    }

    #[test]
    fn counters_whose_window_is_over_make_room() {
        let throttle = Throttle::new(1);
        let limit = LIMITS[0];
        for number in 0..MAX_COUNTERS {
            let key = Key { operation: "send", limit, whose: number.to_string() };
            throttle.lock().insert(key, Counter { begun: NOW, requests: 1 });
        }
        ask(&throttle, "alice", 11).unwrap();
        assert_eq!(throttle.lock().len(), 2);
    }
}
