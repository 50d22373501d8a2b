//! What a service brings: how its targets are treated, and how one attempt is made.
//!
//! A courier never retries by itself, sleeps, or remembers failures: it makes one attempt and says
//! what came of it. It may be called for the same item twice, by two nodes even, so what it does
//! should carry the item's id.

use std::borrow::Cow;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use storage::Statement;

use crate::store::Held;
use crate::{DeadLetter, DeliveryId, Item};

/// Something a courier does that takes time.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries out the work of one queue.
pub trait Courier: Send + Sync + 'static {
    /// How `target` is treated. Asked often, so answered from memory; for a target that is unknown by
    /// now, any plan will do, and the attempt is refused.
    fn plan(&self, target: &str) -> Plan;

    /// Makes one attempt for all items of the parcel together. A panic counts as a failed attempt.
    /// When the program stops and its grace is over, the future is dropped; the items are attempted
    /// again after the next start.
    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict>;

    /// Called after a delivery became a dead letter, until it succeeds; more than once if the process
    /// ends at a bad moment. An error is logged, and the call repeated a minute later.
    fn buried<'a>(&'a self, letter: &'a DeadLetter) -> Doing<'a, Result<(), String>> {
        let _ = letter;
        Box::pin(future::ready(Ok(())))
    }
}

/// How a target is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Attempts at a time. At least 1.
    pub concurrency: usize,
    /// Items in a parcel at most. At least 1. A parcel never waits to become full.
    pub batch_items: usize,
    /// Payload bytes in a parcel at most; an item that alone is larger travels alone.
    pub batch_bytes: usize,
    /// An attempt that takes longer is dropped and has failed with the outcome
    /// [`Verdict::TIMED_OUT`]. Not multiplied by the time scale.
    pub timeout: Duration,
    /// Failures in a row, of those whose verdict names a probation, before it begins. At least 1.
    pub failures_before_probation: u32,
}

impl Default for Plan {
    /// One item at a time in ten parallel attempts, for a minute at most; probation after ten
    /// failures.
    fn default() -> Self {
        Self {
            concurrency: 10,
            batch_items: 1,
            batch_bytes: 64 * 1024,
            timeout: Duration::from_secs(60),
            failures_before_probation: 10,
        }
    }
}

/// Items of one target that are attempted together.
#[derive(Debug)]
pub struct Parcel {
    /// The queue.
    pub queue: Arc<str>,
    /// The target.
    pub target: Arc<str>,
    /// One item at least.
    pub items: Vec<Item>,
    /// The right to attempt them; it is kept alive for as long as the attempt takes.
    pub lease: Lease,
}

impl Parcel {
    /// A parcel that belongs to no store, for the tests of a courier.
    pub fn detached(queue: &str, target: &str, items: Vec<Item>) -> Self {
        let lease = Lease { held: None };
        Self { queue: queue.into(), target: target.into(), items, lease }
    }
}

/// The right to attempt the items of a parcel.
#[derive(Clone, Debug)]
pub struct Lease {
    pub(crate) held: Option<Held>,
}

/// Another node attempts the item by now, or it was cancelled; whoever learns this should stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease on the delivery is lost, or its progress could not be stored")]
pub struct LeaseLost;

impl Lease {
    /// Stores how far a long attempt at `id` has come. If the process ends before the attempt does,
    /// the next attempt finds these bytes in [`Item::progress`].
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub async fn checkpoint(&self, id: DeliveryId, progress: Vec<u8>) -> Result<(), LeaseLost> {
        self.checkpoint_with(id, progress, Vec::new()).await
    }

    /// As [`Lease::checkpoint`], in one transaction with what the service writes about the same
    /// progress. Those statements hold even when the lease is lost: what they tell has happened.
    ///
    /// # Errors
    /// [`LeaseLost`].
    pub async fn checkpoint_with(
        &self,
        id: DeliveryId,
        progress: Vec<u8>,
        with: Vec<Statement>,
    ) -> Result<(), LeaseLost> {
        match &self.held {
            Some(held) => held.checkpoint(id, progress, with).await,
            None => Ok(()),
        }
    }
}

/// What came of an attempt, for all items of its parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The target has them.
    Delivered,
    /// It failed in a way that may pass.
    Retry {
        /// What happened, in one word of the queue's own, such as `Busy`.
        outcome: Cow<'static, str>,
        /// What the target said; cut to [`Verdict::MAX_ANSWER`] bytes. No secrets: people see it.
        answer: String,
        /// The next attempt is made no earlier than this after now, whatever the schedule says.
        /// Multiplied by the time scale.
        not_before: Option<Duration>,
        /// The failure speaks against the target and not the item: after some in a row the target
        /// is left alone for this long. Multiplied by the time scale.
        probation: Option<Duration>,
    },
    /// No attempt can succeed: it becomes a dead letter at once.
    Refused {
        /// What happened, in one word of the queue's own, such as `BadRequest`.
        outcome: Cow<'static, str>,
        /// What the target said; cut to [`Verdict::MAX_ANSWER`] bytes.
        answer: String,
    },
}

impl Verdict {
    /// The outcome of an attempt that took longer than [`Plan::timeout`].
    pub const TIMED_OUT: &'static str = "TimedOut";
    /// The outcome of an attempt that panicked.
    pub const PANICKED: &'static str = "Aborted";
    /// What is kept of an answer, in bytes.
    pub const MAX_ANSWER: usize = 1024;
}
