//! What the driver's tasks do, each of them once: claim, attempt, settle, sweep, report.
//!
//! They decide nothing; what came of them goes back to the engine.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Timestamp};

use crate::courier::Lease;
use crate::store::{Held, KeyCursor, Owner, Store, Waiting};
use crate::{Courier, DeliveryId, Parcel, Verdict};

/// Targets looked at in one sweep of a queue.
const SWEPT_TARGETS: usize = 2000;
/// Order keys looked at in one sweep of a queue.
const SWEPT_KEYS: usize = 500;
/// Dead letters in one transaction of a sweep.
const FORGOTTEN: usize = 1000;
/// Dead letters read at once to be reported.
const REPORTED: usize = 32;
/// A courier that takes longer to hear of a dead letter is asked again later.
const REPORT_TIMEOUT: Duration = Duration::from_secs(60);

/// What every task may use.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) store: Store,
    pub(super) owner: Owner,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lease: Duration,
    pub(super) keep_dead_letters: Duration,
}

/// Where the last sweep of a queue ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursors {
    target: String,
    keys: KeyCursor,
}

/// What a sweep has found, by the position of the queue.
#[derive(Debug, Default)]
pub(super) struct Swept {
    pub(super) waiting: Vec<(usize, Waiting)>,
    /// Queue and target whose leases have run out.
    pub(super) released: Vec<(String, String)>,
}

impl Tools {
    /// Makes one attempt.
    pub(super) async fn attempt(
        &self,
        courier: &dyn Courier,
        mut parcel: Parcel,
        timeout: Duration,
    ) -> Verdict {
        let (store, owner) = (self.store.clone(), self.owner.clone());
        let (clock, lease) = (Arc::clone(&self.clock), self.lease);
        parcel.lease = Lease { held: Some(Held { store, owner, clock, lease }) };
        let attempt = courier.attempt(parcel);
        tokio::time::timeout(timeout, attempt).await.unwrap_or_else(|_| Verdict::Retry {
            outcome: Verdict::TIMED_OUT.into(),
            answer: format!("no answer within {} seconds", timeout.as_secs_f32()),
            not_before: None,
            probation: None,
        })
    }

    /// Keeps the leases on `held` alive, ends those that ran out, and looks for what nobody is awake
    /// for. Where the store fails, the next sweep does it.
    pub(super) async fn sweep(
        &self,
        queues: &[&'static str],
        cursors: &mut [Cursors],
        held: &[DeliveryId],
    ) -> Swept {
        let mut swept = Swept::default();
        match self.store.renew_and_release(&self.owner, held, (self.now(), self.lease)).await {
            Ok(released) => swept.released = released,
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
        for (index, (queue, cursors)) in queues.iter().zip(cursors).enumerate() {
            match self.sweep_queue(queue, cursors).await {
                Ok(waiting) => swept.waiting.extend(waiting.into_iter().map(|it| (index, it))),
                Err(error) => tracing::warn!(queue, %error, "a queue could not be swept"),
            }
        }
        swept
    }

    async fn sweep_queue(
        &self,
        queue: &str,
        cursors: &mut Cursors,
    ) -> storage::Result<Vec<Waiting>> {
        let (mended, keys) = self.store.mend_keys(queue, &cursors.keys, SWEPT_KEYS).await?;
        cursors.keys = keys;
        let mut waiting = self.store.targets(queue, &cursors.target, SWEPT_TARGETS).await?;
        let last = waiting.last().filter(|_| waiting.len() >= SWEPT_TARGETS);
        cursors.target = last.map(|it| it.target.clone()).unwrap_or_default();
        let now = self.now();
        waiting.extend(mended.into_iter().map(|target| Waiting { target, due_at: Some(now) }));
        self.store.forget_old(queue, (now, self.keep_dead_letters), FORGOTTEN).await?;
        Ok(waiting)
    }

    /// Tells the courier of its dead letters, one after another.
    pub(super) async fn report(&self, queue: &str, courier: &dyn Courier) -> storage::Result<()> {
        loop {
            let letters = self.store.unreported(queue, self.now(), REPORTED).await?;
            for letter in &letters {
                let told = tokio::time::timeout(REPORT_TIMEOUT, courier.buried(letter)).await;
                let again = match told.unwrap_or_else(|_| Err("it took too long".to_owned())) {
                    Ok(()) => None,
                    Err(error) => {
                        let delivery = letter.id;
                        tracing::warn!(queue, %delivery, error, "a dead letter was not taken");
                        Some(self.now() + REPORT_AGAIN)
                    }
                };
                self.store.reported(letter.id, again).await?;
            }
            if letters.len() < REPORTED {
                return Ok(());
            }
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Until a courier is told again of a dead letter that it could not take.
const REPORT_AGAIN: Duration = Duration::from_secs(60);
