//! The way from services to the writer: bounded, and nobody waits.
//!
//! Two limits hold: a table takes so many rows a second, so that a flood in one hides nothing in the
//! others and does not fill the disk; and so many rows may wait for the store. What they keep out is
//! counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kernel::Timestamp;
use tokio::sync::{Notify, watch};

use super::rows::TABLES;
use super::schema::{Record, TableRow};

/// Rows that may wait for the store.
const CAPACITY: usize = 65_536;

/// Appends rows to the log tables. Cheap to clone; clones share one queue.
#[derive(Clone)]
pub struct LogTables(Arc<Queue>);

/// How many rows are taken.
#[derive(Clone, Copy, Debug)]
pub struct Intake {
    /// Rows that may wait for the store; when there are more, the oldest is dropped.
    pub capacity: usize,
    /// Rows that each table takes in a second; further ones are dropped. With 0 nothing is taken.
    pub rows_per_second: u32,
}

impl Default for Intake {
    fn default() -> Self {
        Self { capacity: CAPACITY, rows_per_second: 1_000 }
    }
}

/// What has happened to the rows of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Taken into the queue.
    pub taken: u64,
    /// Dropped, since the table had its rows of that second.
    pub too_many: u64,
    /// Dropped, since the store was slower than rows came.
    pub too_slow: u64,
}

struct Queue {
    waiting: Mutex<Waiting>,
    intake: Intake,
    /// One a table, in the order of [`TABLES`]: the second in the upper half, rows of it in the lower.
    seconds: Box<[AtomicU64]>,
    arrived: Notify,
    /// Somebody waits for rows to be on disk.
    hurry: Notify,
    /// How many rows, of all that were ever appended, are settled: on disk or dropped.
    settled: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    rows: VecDeque<Record>,
    appended: u64,
    dropped: u64,
    /// One a table, in the order of [`TABLES`].
    tallies: Box<[Tally]>,
}

impl Default for LogTables {
    fn default() -> Self {
        Self::new(Intake::default())
    }
}

impl LogTables {
    /// A queue with these limits.
    pub fn new(intake: Intake) -> Self {
        let tallies = TABLES.iter().map(|_| Tally::default()).collect();
        Self(Arc::new(Queue {
            waiting: Mutex::new(Waiting { tallies, ..Waiting::default() }),
            intake: Intake { capacity: intake.capacity.max(1), ..intake },
            seconds: TABLES.iter().map(|_| AtomicU64::new(0)).collect(),
            arrived: Notify::new(),
            hurry: Notify::new(),
            settled: watch::Sender::new(0),
        }))
    }

    /// Whether a row of this moment would be taken. For those to whom making one costs something.
    pub fn has_room<T: TableRow>(&self, now: Timestamp) -> bool {
        let used = self.0.seconds[place::<T>()].load(Ordering::Relaxed);
        self.next(used, now).is_some()
    }

    /// Appends a row, unless its table has had its rows of this second. Never waits: a full queue
    /// drops its oldest row.
    pub fn append<T: TableRow>(&self, row: T) {
        let (time, resource, cells) = row.into_cells();
        let table = place::<T>();
        let count = |used| self.next(used, time);
        let taken =
            self.0.seconds[table].fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok();
        let mut waiting = self.lock();
        if !taken {
            waiting.tallies[table].too_many += u64::from(self.0.intake.rows_per_second > 0);
            return;
        }
        let record = Record { table: T::SCHEMA, time, resource, cells };
        waiting.tallies[table].taken += 1;
        waiting.appended += 1;
        if waiting.rows.len() >= self.0.intake.capacity
            && let Some(oldest) = waiting.rows.pop_front()
        {
            waiting.dropped += 1;
            let table = TABLES.iter().position(|it| it.name == oldest.table.name);
            waiting.tallies[table.unwrap_or_default()].too_slow += 1;
        }
        waiting.rows.push_back(record);
        drop(waiting);
        self.0.arrived.notify_one();
    }

    /// What has happened to rows so far, by table.
    pub fn tallies(&self) -> Vec<(&'static str, Tally)> {
        let tallies = self.lock().tallies.clone();
        TABLES.iter().map(|table| table.name).zip(tallies).collect()
    }

    /// The count of a table's second with a row of `now` in it; `None` when it is full. A row from
    /// before that second counts into it.
    fn next(&self, used: u64, now: Timestamp) -> Option<u64> {
        let rate = u64::from(self.0.intake.rows_per_second);
        let now = u64::try_from(now.as_secs()).unwrap_or(0) & u64::from(u32::MAX);
        let (second, count) = (used >> 32, used & u64::from(u32::MAX));
        match now > second {
            true => (rate > 0).then_some(now << 32 | 1),
            false => (count < rate).then_some(used + 1),
        }
    }

    /// Waits until all that was appended so far is settled: on disk or dropped. Does not end while
    /// the store fails, so callers set a limit.
    pub async fn settled(&self) {
        let wanted = self.lock().appended;
        let mut settled = self.0.settled.subscribe();
        self.0.hurry.notify_one();
        // The sender lives in the queue that we hold.
        let _ = settled.wait_for(|settled| *settled >= wanted).await;
    }

    /// Waits for a row to be there.
    pub(crate) async fn arrival(&self) {
        self.0.arrived.notified().await;
    }

    /// Waits for somebody who waits for rows.
    pub(crate) async fn hurry(&self) {
        self.0.hurry.notified().await;
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

/// Where the table stands among all.
fn place<T: TableRow>() -> usize {
    let place = TABLES.iter().position(|it| it.name == T::SCHEMA.name);
    place.expect("rows are of tables")
}
