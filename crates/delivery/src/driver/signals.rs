//! What handles tell the driver: which targets may have work, and which are gone.
//!
//! A signal for a target that is signalled already costs a look-up, so there are never more of them
//! than targets, and none is lost.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Signals that the driver has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pending: Mutex<Signalled>,
    notify: Notify,
}

/// Targets by queue.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Signalled {
    pub(crate) woken: HashMap<String, HashSet<String>>,
    pub(crate) cancelled: HashMap<String, HashSet<String>>,
}

impl Signals {
    pub(crate) fn wake(&self, queue: &str, target: &str) {
        self.add(|pending| &mut pending.woken, queue, target);
    }

    pub(crate) fn cancelled(&self, queue: &str, target: &str) {
        self.add(|pending| &mut pending.cancelled, queue, target);
    }

    /// Waits until there are some. When dropped meanwhile, nothing is lost.
    pub(crate) async fn arrived(&self) {
        self.notify.notified().await;
    }

    /// Takes all that there are.
    pub(crate) fn take(&self) -> Signalled {
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(
        &self,
        part: impl Fn(&mut Signalled) -> &mut HashMap<String, HashSet<String>>,
        queue: &str,
        target: &str,
    ) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let targets = part(&mut pending);
        if !targets.contains_key(queue) {
            targets.insert(queue.to_owned(), HashSet::new());
        }
        let Some(targets) = targets.get_mut(queue) else { return };
        if !targets.contains(target) {
            targets.insert(target.to_owned());
            self.notify.notify_one();
        }
    }
}
