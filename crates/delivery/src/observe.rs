//! What happens to deliveries, for metrics, logs and traces.

use std::time::Duration;

use kernel::Timestamp;

use crate::probation::Change;
use crate::store::{Settled, Settlement};
use crate::{DeliveryId, Reason};

/// Is told of every step. Called in the course of the work, so it must be quick.
pub trait Observer: Send + Sync + 'static {
    /// One step.
    fn observe(&self, event: &Event<'_>);
}

/// Ignores everything.
impl Observer for () {
    fn observe(&self, _: &Event<'_>) {}
}

/// One step of a delivery or of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Its transaction is committed.
    Accepted {
        /// Its queue.
        queue: &'a str,
        /// Its target.
        target: &'a str,
        /// Which one.
        id: DeliveryId,
    },
    /// An attempt begins.
    Attempted {
        /// Its queue.
        queue: &'a str,
        /// Its target.
        target: &'a str,
        /// Which one.
        id: DeliveryId,
        /// Attempts before this one.
        attempts: u32,
    },
    /// An attempt succeeded, and the store knows.
    Delivered {
        /// Its queue.
        queue: &'a str,
        /// Its target.
        target: &'a str,
        /// Which one.
        id: DeliveryId,
        /// Since its acceptance.
        age: Duration,
    },
    /// An attempt failed, and another will follow.
    Retried {
        /// Its queue.
        queue: &'a str,
        /// Its target.
        target: &'a str,
        /// Which one.
        id: DeliveryId,
        /// What happened.
        outcome: &'a str,
        /// When the next attempt is due.
        due_at: Timestamp,
    },
    /// It became a dead letter.
    Died {
        /// Its queue.
        queue: &'a str,
        /// Its target.
        target: &'a str,
        /// Which one.
        id: DeliveryId,
        /// Why.
        reason: Reason,
        /// What the last attempt ended with, if there was one.
        outcome: Option<&'a str>,
    },
    /// A target is left alone for a while.
    Suspended {
        /// Its queue.
        queue: &'a str,
        /// The target.
        target: &'a str,
        /// When it is tried again.
        until: Timestamp,
    },
    /// A target that was on probation works again.
    Recovered {
        /// Its queue.
        queue: &'a str,
        /// The target.
        target: &'a str,
    },
}

/// Tells what became of an attempt.
pub(crate) fn report_settled(observer: &dyn Observer, it: &Settled, now: Timestamp) {
    let (queue, target, id) = (&*it.queue, &*it.target, it.id);
    match &it.settlement {
        Settlement::Done => {
            let age = now.since(it.accepted_at);
            observer.observe(&Event::Delivered { queue, target, id, age });
        }
        Settlement::Again { due_at, attempted } => {
            let (outcome, due_at) = (attempted.outcome.as_str(), *due_at);
            observer.observe(&Event::Retried { queue, target, id, outcome, due_at });
        }
        Settlement::Bury { reason, attempted, .. } => {
            let outcome = attempted.as_ref().map(|it| it.outcome.as_str());
            observer.observe(&Event::Died { queue, target, id, reason: *reason, outcome });
        }
        Settlement::GiveBack => {}
    }
}

/// Tells of a target's new standing.
pub(crate) fn report_change(observer: &dyn Observer, queue: &str, target: &str, change: Change) {
    observer.observe(&match change {
        Change::Suspended(until) => Event::Suspended { queue, target, until },
        Change::Recovered => Event::Recovered { queue, target },
    });
}
