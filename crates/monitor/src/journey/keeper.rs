//! From the queue of what is recorded into the store.

use std::sync::Arc;
use std::time::Duration;

use kernel::journey::Missed;
use kernel::{Clock, Milestones, Result, Timestamp};
use storage::Db;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::model::{Found, Query, Summary};
use super::otlp::Exporter;
use super::store::Store;

/// How often recorded milestones are brought to the store. The queue holds what comes meanwhile.
const TICK: Duration = Duration::from_millis(250);
/// How often old journeys are looked for.
const TIDY_INTERVAL: Duration = Duration::from_mins(5);
/// Milestones in one transaction.
const BATCH: usize = 500;

/// How long journeys are kept; whichever limit is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The greatest age.
    pub age: Duration,
    /// Milestones of all journeys together.
    pub milestones: u64,
}

impl Default for Retention {
    /// A week; about 300 megabytes.
    fn default() -> Self {
        Self { age: Duration::from_hours(7 * 24), milestones: 1_000_000 }
    }
}

/// The journeys of an installation. Cheap to clone.
#[derive(Clone)]
pub struct Journeys(Arc<Inner>);

struct Inner {
    milestones: Milestones,
    store: Store,
    retention: Retention,
    clock: Arc<dyn Clock>,
    exporter: Option<Exporter>,
    /// Held while milestones are on their way, so that a look waits for them.
    bringing: Mutex<()>,
}

impl Journeys {
    /// The journeys in `db`, to which what is recorded in `milestones` comes. `exporter` is given the
    /// same.
    ///
    /// # Errors
    /// When the schema cannot be brought up to date.
    pub async fn open(
        db: Db,
        milestones: Milestones,
        retention: Retention,
        clock: Arc<dyn Clock>,
        exporter: Option<Exporter>,
    ) -> Result<Self> {
        let (store, bringing) = (Store::open(db).await?, Mutex::default());
        Ok(Self(Arc::new(Inner { milestones, store, retention, clock, exporter, bringing })))
    }

    /// Keeps what is recorded until `stop`, then what is left.
    pub async fn run(&self, stop: CancellationToken) {
        let (mut tick, mut tidy) = (interval(TICK), interval(TIDY_INTERVAL));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => self.bring().await,
                _ = tidy.tick() => self.tidy().await,
            }
        }
        self.bring().await;
    }

    /// Journeys, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, query: &Query) -> Result<Vec<Summary>> {
        self.bring().await;
        self.0.store.list(query).await
    }

    /// The newest journey with this id, or with this subject.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn find(&self, subject: &str) -> Result<Option<Found>> {
        self.bring().await;
        self.0.store.find(subject).await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What was not recorded since the process began.
    pub fn missed(&self) -> Missed {
        self.0.milestones.missed()
    }

    /// Brings all that was recorded so far to the store.
    async fn bring(&self) {
        let _one_at_a_time = self.0.bringing.lock().await;
        let recorded = self.0.milestones.take();
        for batch in recorded.chunks(BATCH) {
            if let Err(error) = self.0.store.append(batch).await {
                let (context, lost) = (error.operator_context(), batch.len());
                tracing::warn!(%error, context, lost, "milestones are lost");
            }
        }
        if let Some(exporter) = &self.0.exporter {
            exporter.offer(recorded);
        }
    }

    async fn tidy(&self) {
        let Retention { age, milestones } = self.0.retention;
        if let Err(error) = self.0.store.forget(self.0.clock.now() - age, milestones).await {
            let context = error.operator_context();
            tracing::warn!(%error, context, "old journeys cannot be forgotten");
        }
    }
}
