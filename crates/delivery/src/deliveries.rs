//! The handle through which services use the queue.
//!
//! It writes nothing on its own but what people ask for (redrive, discard): work is accepted and
//! cancelled in the transactions of its callers, and carried out by a [`Driver`]. A program without a
//! driver, such as a command line beside a running server, may use it as well.

use std::fmt;
use std::sync::Arc;

use kernel::{Clock, Timestamp};
use storage::{Db, Result, Statement};
use uuid::Uuid;

use crate::driver::signals::Signals;
use crate::id::Ids;
use crate::store::{Cursor, DeadLetters, Page, Store};
use crate::{
    Counts, DeadLetter, DeliveryId, Driver, Event, NewDelivery, Observer, Pending, Queue, Settings,
    journeys,
};

/// The durable queue. Clones share everything.
#[derive(Clone)]
pub struct Deliveries(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    settings: Settings,
    ids: Ids,
    signals: Arc<Signals>,
}

impl Deliveries {
    /// The queue in `db`, whose tables are made where they are missing. Nothing is attempted until a
    /// [`Driver`] runs.
    ///
    /// # Errors
    /// When the tables cannot be made or read.
    pub async fn open(
        db: Db,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        settings: Settings,
    ) -> Result<Self> {
        let store = Store::open(db).await?;
        let ids = Ids::default();
        store.continue_ids(&ids).await?;
        let signals = Arc::default();
        Ok(Self(Arc::new(Inner { store, clock, observer, settings, ids, signals })))
    }

    /// The id of the next delivery: it sorts after all that this handle has given out.
    pub fn next_id(&self) -> DeliveryId {
        self.0.ids.next(self.0.clock.now(), random())
    }

    /// The statements that accept the deliveries, for the transaction of what causes them, in whose
    /// journey they go on. After its
    /// commit, [`Deliveries::accepted`] makes them begin at once; if that call is missed, the next
    /// sweep finds them.
    pub fn enqueue(&self, new: &[NewDelivery]) -> Vec<Statement> {
        let (now, scale) = (self.0.clock.now(), self.0.settings.time_scale);
        new.iter().map(|it| Store::enqueue(it, now, scale)).collect()
    }

    /// Says that the transaction with these deliveries is committed.
    pub fn accepted(&self, new: &[NewDelivery]) {
        journeys::queued(new);
        for NewDelivery { id, queue, target, .. } in new {
            self.0.observer.observe(&Event::Accepted { queue, target, id: *id });
            self.wake(queue, target);
        }
    }

    /// Says that there may be work for the target, whoever has written it. Costs nearly nothing.
    pub fn wake(&self, queue: &str, target: &str) {
        self.0.signals.wake(queue, target);
    }

    /// The statements that take all deliveries of a target out of the queue, for the transaction that
    /// deletes it. Attempts under way end as they would, and what becomes of them is forgotten. Dead
    /// letters stay. After the commit, [`Deliveries::cancelled`] stops what has not begun.
    pub fn cancel(&self, queue: &str, target: &str) -> Vec<Statement> {
        vec![Store::cancel(queue, target)]
    }

    /// Says that the transaction which cancelled the target is committed.
    pub fn cancelled(&self, queue: &str, target: &str) {
        self.0.signals.cancelled(queue, target);
    }

    /// What carries out the work of `queues` on this node; see [`Driver::run`]. One at a time: a
    /// second driver of the same handle would wait for signals that the first has taken.
    pub fn driver(&self, queues: Vec<Queue>) -> Driver {
        let inner = &self.0;
        Driver::new(
            inner.store.clone(),
            (Arc::clone(&inner.clock), Arc::clone(&inner.observer)),
            inner.settings.clone(),
            queues,
            Arc::clone(&inner.signals),
        )
    }

    /// How much there is for each target of the queue. Reads an index whole: for people.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn counts(&self, queue: &str) -> Result<Vec<Counts>> {
        self.0.store.counts(queue, self.0.clock.now()).await
    }

    /// What waits for a target: first the ready by the moment of their next attempt, then the leased,
    /// then those behind others of their order key.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pending(
        &self,
        queue: &str,
        target: &str,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Pending>> {
        self.0.store.pending((queue, target), after, limit).await
    }

    /// Dead letters, newest first, from where an earlier page ended.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn dead_letters(
        &self,
        which: &DeadLetters,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<DeadLetter>> {
        self.0.store.dead_letters(which, after, limit).await
    }

    /// Puts dead letters back into their queue, the oldest first: attempts begin at 0, due at once,
    /// with the time to live that they began with. Ids stay. Returns how many.
    ///
    /// # Errors
    /// Those of the store; what was put back before one stays so.
    pub async fn redrive(&self, which: &DeadLetters) -> Result<usize> {
        let mut total = 0;
        // What dies again meanwhile is not put back twice by one call.
        let until = self.now();
        loop {
            let chosen = self.0.store.redrive(which, until, self.now(), CHUNK).await?;
            for (_, target) in &chosen {
                self.wake(&which.queue, target);
            }
            total += chosen.len();
            if chosen.len() < CHUNK {
                return Ok(total);
            }
        }
    }

    /// Deletes dead letters for good. Returns how many.
    ///
    /// # Errors
    /// Those of the store; what was deleted before one stays so.
    pub async fn discard(&self, which: &DeadLetters) -> Result<usize> {
        let mut total = 0;
        let until = self.now();
        loop {
            let count = self.0.store.discard(which, until, CHUNK).await?;
            total += count;
            if count < CHUNK {
                return Ok(total);
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Deliveries").field("store", &self.0.store).finish_non_exhaustive()
    }
}

/// Dead letters in one transaction, so that a big redrive leaves room for others between.
const CHUNK: usize = 256;

/// 64 random bits from the system.
pub(crate) fn random() -> u64 {
    // Two fixed bits are in the upper half.
    Uuid::new_v4().as_u64_pair().1 << 2 | Uuid::new_v4().as_u64_pair().0 >> 62
}
