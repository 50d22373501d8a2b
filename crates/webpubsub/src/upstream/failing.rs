//! Event handlers that fail: for people who look for the reason. One that works again is forgotten.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kernel::Timestamp;

/// Handlers that are remembered; more are not.
const MAX: usize = 1_024;

/// A handler whose last event failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The hub.
    pub hub: String,
    /// Where its events go, as configured.
    pub url: String,
    /// The last event that failed.
    pub event: String,
    /// What went wrong.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// How many failed since it worked last.
    pub count: u64,
}

/// All of a node.
#[derive(Debug, Default)]
pub(super) struct FailingHandlers(Mutex<HashMap<(String, String), Failing>>);

impl FailingHandlers {
    /// An event has failed.
    pub(super) fn failed(
        &self,
        hub: &str,
        url: &str,
        (event, reason): (&str, &str),
        at: Timestamp,
    ) {
        let mut all = self.lock();
        let key = (hub.to_owned(), url.to_owned());
        if all.len() >= MAX && !all.contains_key(&key) {
            return;
        }
        let (hub, url) = key.clone();
        let none = Failing { hub, url, event: String::new(), reason: String::new(), at, count: 0 };
        let failing = all.entry(key).or_insert(none);
        failing.count += 1;
        (failing.at, failing.event, failing.reason) = (at, event.to_owned(), reason.to_owned());
    }

    /// A handler works again.
    pub(super) fn works(&self, hub: &str, url: &str) {
        self.lock().remove(&(hub.to_owned(), url.to_owned()));
    }

    /// Those that fail now.
    pub(super) fn list(&self) -> Vec<Failing> {
        let mut list: Vec<Failing> = self.lock().values().cloned().collect();
        list.sort_by(|a, b| (&a.hub, &a.url).cmp(&(&b.hub, &b.url)));
        list
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Failing>> {
        // Every change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_is_told_of_until_it_works_again() {
        let handlers = FailingHandlers::default();
        let at = Timestamp::from_secs(1);
        handlers.failed("chat", "http://h/", ("connect", "500"), at);
        handlers.failed("chat", "http://h/", ("connected", "502"), at);
        let list = handlers.list();
        assert_eq!((list.len(), list[0].count, list[0].reason.as_str()), (1, 2, "502"));
        handlers.works("news", "http://h/");
        assert_eq!(handlers.list().len(), 1);
        handlers.works("chat", "http://h/");
        assert_eq!(handlers.list(), []);
    }
}
