//! The way from services to the writer: bounded, and nobody waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::schema::{Record, TableRow};

/// Rows that may wait for the store.
const CAPACITY: usize = 65_536;

/// Appends rows to the log tables. Cheap to clone; clones share one queue.
#[derive(Clone)]
pub struct LogTables(Arc<Queue>);

struct Queue {
    waiting: Mutex<Waiting>,
    capacity: usize,
    arrived: Notify,
    /// How many rows, of all that were ever appended, are settled: on disk or dropped.
    settled: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    rows: VecDeque<Record>,
    appended: u64,
    dropped: u64,
}

impl Default for LogTables {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl LogTables {
    /// A queue that holds so many rows.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Arc::new(Queue {
            waiting: Mutex::default(),
            capacity: capacity.max(1),
            arrived: Notify::new(),
            settled: watch::Sender::new(0),
        }))
    }

    /// Appends a row. Never waits: a full queue drops its oldest row, which the writer tells.
    pub fn append<T: TableRow>(&self, row: T) {
        let (time, resource, cells) = row.into_cells();
        let record = Record { table: T::SCHEMA, time, resource, cells };
        let mut waiting = self.lock();
        waiting.appended += 1;
        if waiting.rows.len() >= self.0.capacity {
            waiting.rows.pop_front();
            waiting.dropped += 1;
        }
        waiting.rows.push_back(record);
        drop(waiting);
        self.0.arrived.notify_one();
    }

    /// Waits until all that was appended so far is settled: on disk or dropped. Does not end while
    /// the store fails, so callers set a limit.
    pub async fn settled(&self) {
        let wanted = self.lock().appended;
        let mut settled = self.0.settled.subscribe();
        // The sender lives in the queue that we hold.
        let _ = settled.wait_for(|settled| *settled >= wanted).await;
    }

    /// Waits for a row to be there.
    pub(crate) async fn arrival(&self) {
        self.0.arrived.notified().await;
    }

    /// The oldest rows, how many rows have ever been appended up to the last of them, and how many
    /// were dropped since the last call.
    pub(crate) fn take(&self, most: usize) -> (Vec<Record>, u64, u64) {
        let mut waiting = self.lock();
        let count = waiting.rows.len().min(most);
        let rows = waiting.rows.drain(..count).collect();
        let upto = waiting.appended - waiting.rows.len() as u64;
        (rows, upto, std::mem::take(&mut waiting.dropped))
    }

    /// Tells that so many of all rows ever appended are settled.
    pub(crate) fn settle(&self, upto: u64) {
        self.0.settled.send_replace(upto);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is whole before anything could panic.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
