//! Recording: the way from whoever does something to the monitor that keeps it.
//!
//! A [`Journey`] is one notification on its way. The request that begins it puts it into the
//! surroundings ([`Journey::scope`]) of all that it causes, so a service says in one line what it did,
//! and no call between carries a parameter for it. Work that outlives its cause takes
//! [`Journey::context`] along and goes on with [`Milestones::resume`].
//!
//! Recording never waits and is bounded twice. So many journeys a second are recorded, decided at the
//! first step that is worth a note; the others still have ids, which are passed on. And the queue to
//! the monitor has a length: what does not fit is dropped and counted.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::milestone::{Ends, Milestone, Note};
use crate::time::{Clock, Timestamp};
use crate::trace::{SpanId, TraceContext, TraceId};

thread_local! {
    static CURRENT: RefCell<Option<Journey>> = const { RefCell::new(None) };
}

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Milestones that may wait for the monitor.
    pub waiting: usize,
    /// Journeys of one second, and as many of callers that say that they record theirs.
    pub journeys_per_second: u32,
}

impl Default for Bounds {
    /// A few megabytes of memory, and what one core writes to a disk beside its other work.
    fn default() -> Self {
        Self { waiting: 16_384, journeys_per_second: 200 }
    }
}

/// Where milestones go. Cheap to clone; clones share one queue. Without one, nothing is recorded.
#[derive(Clone, Default)]
pub struct Milestones(Option<Arc<Queue>>);

struct Queue {
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    waiting: Mutex<Vec<Milestone>>,
    budgets: Mutex<[Budget; 2]>,
    seed: u64,
    spans: AtomicU64,
    dropped: AtomicU64,
    unrecorded: AtomicU64,
}

/// The journeys that may still begin in this second.
#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    second: i64,
    spent: u32,
}

/// What was not recorded so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Milestones that found the queue full.
    pub milestones: u64,
    /// Journeys beyond what is recorded of one second.
    pub journeys: u64,
}

impl Milestones {
    /// A queue that nobody reads yet.
    pub fn new(clock: Arc<dyn Clock>, bounds: Bounds) -> Self {
        let seed = RandomState::new().build_hasher().finish();
        Self(Some(Arc::new(Queue {
            clock,
            bounds,
            waiting: Mutex::default(),
            budgets: Mutex::default(),
            seed,
            spans: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
        })))
    }

    /// Begins a part of a journey: of the caller's, if it told one, else of a new one with this id.
    pub fn begin(&self, caller: Option<TraceContext>, own: TraceId) -> Journey {
        let trace = caller.map_or(own, |it| it.trace);
        let context = TraceContext { trace, span: self.next_span(own), sampled: false };
        let asked = caller.is_some_and(|it| it.sampled);
        let state = if asked { ASKED } else { UNDECIDED };
        self.journey(context, caller.map(|it| it.span), Some(own), state)
    }

    /// Goes on with a journey whose context was kept, in the part that kept it.
    pub fn resume(&self, context: TraceContext) -> Journey {
        self.journey(context, None, None, if context.sampled { RECORDED } else { NOT_RECORDED })
    }

    fn journey(
        &self,
        context: TraceContext,
        parent: Option<SpanId>,
        own: Option<TraceId>,
        state: u8,
    ) -> Journey {
        let (state, notes) = (AtomicU8::new(state), AtomicU64::new(0));
        let milestones = self.clone();
        Journey(Arc::new(Inner { context, parent, own, milestones, state, notes }))
    }

    /// Takes what has been recorded since the last call.
    pub fn take(&self) -> Vec<Milestone> {
        self.0.as_ref().map(|queue| std::mem::take(&mut *lock(&queue.waiting))).unwrap_or_default()
    }

    /// What was not recorded so far.
    pub fn missed(&self) -> Missed {
        self.0.as_ref().map_or_else(Missed::default, |queue| Missed {
            milestones: queue.dropped.load(Ordering::Relaxed),
            journeys: queue.unrecorded.load(Ordering::Relaxed),
        })
    }

    /// A span id that no other part has, for all practical purposes.
    fn next_span(&self, own: TraceId) -> SpanId {
        let (seed, count) = self
            .0
            .as_ref()
            .map_or((0, 0), |queue| (queue.seed, queue.spans.fetch_add(1, Ordering::Relaxed)));
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&own.as_bytes()[8..]);
        let id = scattered(seed ^ u64::from_be_bytes(bytes) ^ count.wrapping_mul(ODD));
        SpanId::from_bytes(id.to_be_bytes())
            .unwrap_or_else(|| SpanId::from_bytes(1_u64.to_be_bytes()).expect("one is not zero"))
    }
}

const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finalizer of SplitMix64: neighbours come far apart.
fn scattered(mut it: u64) -> u64 {
    it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    it ^ (it >> 31)
}

impl Queue {
    /// Whether one more journey may be recorded now.
    fn admits(&self, asked: bool) -> bool {
        let second = self.clock.now().as_secs();
        let budget = &mut lock(&self.budgets)[usize::from(asked)];
        if budget.second != second {
            *budget = Budget { second, spent: 0 };
        }
        if budget.spent >= self.bounds.journeys_per_second {
            self.unrecorded.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        budget.spent += 1;
        true
    }

    fn push(&self, milestone: Milestone) {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= self.bounds.waiting {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.push(milestone);
    }
}

impl fmt::Debug for Milestones {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "Milestones" } else { "Milestones(none)" })
    }
}

/// One queue is itself, whatever waits in it.
impl PartialEq for Milestones {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

const UNDECIDED: u8 = 0;
/// Undecided, and the caller says that it records.
const ASKED: u8 = 1;
const RECORDED: u8 = 2;
const NOT_RECORDED: u8 = 3;

/// One notification on its way, in one of its parts. Cheap to clone.
#[derive(Clone)]
pub struct Journey(Arc<Inner>);

struct Inner {
    context: TraceContext,
    parent: Option<SpanId>,
    own: Option<TraceId>,
    milestones: Milestones,
    state: AtomicU8,
    notes: AtomicU64,
}

impl Journey {
    /// The journey in whose course this code runs.
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// The journey in whose course this code runs, if it is recorded.
    pub fn recorded() -> Option<Self> {
        Self::current().filter(Self::is_recorded)
    }

    /// Runs `work` in the course of this journey.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self.clone()));
        let _restored = Restored(before);
        work()
    }

    /// Runs a task in the course of this journey. Tasks that it starts are on their own.
    pub async fn scope<T>(self, task: impl Future<Output = T>) -> T {
        let mut task = pin!(task);
        poll_fn(move |context| self.within(|| task.as_mut().poll(context))).await
    }

    /// What work that outlives its cause takes along, and what other programs are told.
    pub fn context(&self) -> TraceContext {
        TraceContext { sampled: self.is_recorded(), ..self.0.context }
    }

    /// The id of the request that this part is, which no other request has, whatever journey its
    /// caller told; none of work that was resumed.
    pub fn request(&self) -> Option<TraceId> {
        self.0.own
    }

    /// Another journey, recorded at the same place.
    pub fn other(&self, context: TraceContext) -> Self {
        if context.trace == self.0.context.trace {
            return self.clone();
        }
        self.0.milestones.resume(context)
    }

    /// Whether its steps are recorded; decided when it is first asked.
    pub fn is_recorded(&self) -> bool {
        let Some(queue) = &self.0.milestones.0 else { return false };
        match self.0.state.load(Ordering::Relaxed) {
            RECORDED => true,
            NOT_RECORDED => false,
            undecided => {
                let state = if queue.admits(undecided == ASKED) { RECORDED } else { NOT_RECORDED };
                // Two threads may decide at once; the first stands.
                let order = Ordering::Relaxed;
                let decided = self.0.state.compare_exchange(undecided, state, order, order);
                decided.map_or_else(|first| first, |_| state) == RECORDED
            }
        }
    }

    /// Whether a step has been noted in this part of the journey.
    pub fn has_notes(&self) -> bool {
        self.0.notes.load(Ordering::Relaxed) > 0
    }

    /// Records a step.
    pub fn note(&self, service: &'static str, note: Note) {
        self.record(service, note, None);
    }

    /// Records the step that ends this part of the journey.
    pub fn end(&self, service: &'static str, note: Note) {
        self.record(service, note, Some(Ends { parent: self.0.parent }));
    }

    fn record(&self, service: &'static str, note: Note, ends: Option<Ends>) {
        let Some(queue) = self.0.milestones.0.as_ref().filter(|_| self.is_recorded()) else {
            return;
        };
        self.0.notes.fetch_add(1, Ordering::Relaxed);
        let Note { stage, outcome, detail, subjects, took, pending } = note;
        let TraceContext { trace, span, .. } = self.0.context;
        let at = queue.clock.now();
        queue.push(Milestone {
            trace,
            span,
            ends,
            at,
            took,
            service,
            stage,
            outcome,
            detail,
            pending,
            subjects,
        });
    }

    /// The moment by the recorder's clock; the epoch where nothing is recorded.
    pub fn now(&self) -> Timestamp {
        self.0.milestones.0.as_ref().map_or_else(Timestamp::default, |queue| queue.clock.now())
    }

    /// How long ago `begun` was, by the recorder's clock.
    pub fn since(&self, begun: Timestamp) -> Duration {
        self.now().since(begun)
    }
}

/// Records a step of the journey in whose course this code runs, if there is one that is recorded;
/// else `note` is not made.
pub fn note(service: &'static str, note: impl FnOnce() -> Note) {
    if let Some(journey) = Journey::recorded() {
        journey.note(service, note());
    }
}

impl PartialEq for Journey {
    fn eq(&self, other: &Self) -> bool {
        self.0.context == other.0.context
    }
}

impl Eq for Journey {}

impl fmt::Debug for Journey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Journey({})", self.0.context.trace)
    }
}

/// Puts back what was there, also when the work panics.
struct Restored(Option<Journey>);

impl Drop for Restored {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is whole before anything could panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "journey/tests.rs"]
mod tests;
