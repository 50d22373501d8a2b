//! The last refusal of its kind, kept for people who wonder why nothing arrives.

use std::sync::{Mutex, MutexGuard, PoisonError};

use kernel::{Error, Timestamp};

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) at: Timestamp,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What the caller was told; no key or handle is in it.
    pub(crate) message: String,
}

/// The last one.
#[derive(Debug, Default)]
pub(crate) struct LastRefused(Mutex<Option<Refused>>);

impl LastRefused {
    /// Takes note of a refusal.
    pub(crate) fn note(&self, error: &Error, at: Timestamp) {
        let status = edge::respond::status(error.kind()).as_u16();
        *self.last() = Some(Refused { at, status, message: error.message().to_owned() });
    }

    /// The last one, if there was any.
    pub(crate) fn get(&self) -> Option<Refused> {
        self.last().clone()
    }

    fn last(&self) -> MutexGuard<'_, Option<Refused>> {
        // Each holder replaces it as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
