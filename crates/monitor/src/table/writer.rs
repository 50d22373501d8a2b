//! The task that brings rows into the store and forgets old ones.

use std::sync::Arc;
use std::time::Duration;

use kernel::Clock;
use tokio_util::sync::CancellationToken;

use super::queue::LogTables;
use super::schema::Record;
use super::store::Store;

/// Rows that are written in one transaction.
const BATCH: usize = 500;
/// How long rows wait for others, so that a quiet server does not write for each: a second is not
/// much for a log, and whoever asks for rows does not wait for it.
const GATHERING: Duration = Duration::from_secs(1);
/// How long a failing store is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often old rows are looked for.
const TIDY_INTERVAL: Duration = Duration::from_mins(5);
/// How often a last write is tried when the program ends.
const LAST_TRIES: usize = 3;

/// How long rows are kept; whichever limit is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The greatest age.
    pub age: Duration,
    /// Bytes of all rows together, about.
    pub bytes: u64,
}

impl Default for Retention {
    /// Thirty days, as the service keeps tables unless it is told otherwise; one gigabyte.
    fn default() -> Self {
        Self { age: Duration::from_hours(30 * 24), bytes: 1_000_000_000 }
    }
}

/// Writes what is appended.
pub struct Writer {
    tables: LogTables,
    store: Store,
    retention: Retention,
    clock: Arc<dyn Clock>,
}

impl Writer {
    /// A writer; there should be one for a queue.
    pub fn new(
        tables: LogTables,
        store: Store,
        retention: Retention,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { tables, store, retention, clock }
    }

    /// Writes until `stop`, then what is left.
    pub async fn run(self, stop: CancellationToken) {
        let mut tidy = tokio::time::interval(TIDY_INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.tables.arrival() => {
                    self.gather(&stop).await;
                    self.drain(&stop).await;
                }
                _ = tidy.tick() => self.tidy().await,
            }
        }
        self.drain(&stop).await;
    }

    async fn gather(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.tables.hurry() => {}
            () = tokio::time::sleep(GATHERING) => {}
        }
    }

    /// Writes all that waits.
    async fn drain(&self, stop: &CancellationToken) {
        loop {
            let (rows, upto, dropped) = self.tables.take(BATCH);
            if dropped > 0 {
                tracing::warn!(dropped, "log rows dropped: the store is slower than they come");
            }
            if rows.is_empty() {
                return;
            }
            self.write(&rows, stop).await;
            self.tables.settle(upto);
        }
    }

    /// Writes a batch, however long the store fails; while it does, the queue drops what is oldest.
    async fn write(&self, rows: &[Record], stop: &CancellationToken) {
        let mut tries_after_stop = 0;
        while let Err(error) = self.store.append(rows).await {
            let context = error.operator_context();
            tracing::warn!(%error, context, rows = rows.len(), "cannot write log rows yet");
            if stop.is_cancelled() {
                tries_after_stop += 1;
                if tries_after_stop == LAST_TRIES {
                    tracing::warn!(dropped = rows.len(), "log rows dropped at the end");
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn tidy(&self) {
        let oldest = self.clock.now() - self.retention.age;
        if let Err(error) = self.store.forget(oldest, self.retention.bytes).await {
            let context = error.operator_context();
            tracing::warn!(%error, context, "cannot forget old log rows");
        }
    }
}
