//! The loop that carries out the work of some queues on this node.
//!
//! It has the engine decide, turns the engine's effects into tasks, and their outcome into calls of
//! the engine. It holds no state that a restart would miss: what is in the store is all there is.

mod errands;
mod foreign;
mod settings;
pub(crate) mod signals;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::courier::Lease;
use crate::deliveries::random;
use crate::engine::{Address, Effect, Engine};
use crate::observe::{report_change, report_settled};
use crate::store::{Claimed, Owner, Settled, Settlement, Store};
use crate::{Courier, Event, Observer, Parcel, Verdict, journeys};
use errands::{Cursors, Swept, Tools};
use foreign::{Ended, Foreign};
pub use settings::{Queue, Settings};
use signals::Signals;

/// How long the store may take for the last words of a node that stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Carries out the work of some queues, once it runs.
pub struct Driver {
    tools: Tools,
    observer: Arc<dyn Observer>,
    settings: Settings,
    signals: Arc<Signals>,
    engine: Engine,
    effects: Vec<Effect>,
    attempts: Foreign<u64, Verdict>,
    /// By the position of the queue.
    reports: Foreign<usize, storage::Result<()>>,
    errands: JoinSet<Errand>,
    cursors: Vec<Cursors>,
    sweeping: bool,
    /// When attempts that still run are dropped; set when the node stops.
    deadline: Option<Instant>,
    /// Whether that has happened.
    dropped: bool,
}

/// What came of a task of the driver's own.
enum Errand {
    Claimed(Address, Option<Claimed>),
    Settled(Vec<Settled>, bool),
    Swept(Swept, Vec<Cursors>),
}

impl Driver {
    pub(crate) fn new(
        store: Store,
        (clock, observer): (Arc<dyn Clock>, Arc<dyn Observer>),
        settings: Settings,
        queues: Vec<Queue>,
        signals: Arc<Signals>,
    ) -> Self {
        let owner = Owner::new(&settings.node, Uuid::new_v4());
        let (lease, keep_dead_letters) = (settings.lease, settings.keep_dead_letters);
        let tools = Tools { store, owner, clock, lease, keep_dead_letters };
        let cursors = vec![Cursors::default(); queues.len()];
        Self {
            engine: Engine::new(queues, settings.time_scale, settings.attempts_at_a_time),
            tools,
            observer,
            settings,
            signals,
            effects: Vec::new(),
            attempts: Foreign::new(),
            reports: Foreign::new(),
            errands: JoinSet::new(),
            cursors,
            sweeping: false,
            deadline: None,
            dropped: false,
        }
    }

    /// Works until `stop` is cancelled; then begins nothing more, lets attempts go on within the
    /// grace, writes down what came of them, gives back the other leases, and returns.
    pub async fn run(mut self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.take_back()).await.is_none() {
            return;
        }
        let mut sweeps = interval(self.settings.sweep_every);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let signals = Arc::clone(&self.signals);
        loop {
            self.perform();
            if self.deadline.is_some() && self.engine.is_idle() {
                break;
            }
            let (deadline, patience) = (self.deadline, self.patience());
            tokio::select! {
                () = stop.cancelled(), if deadline.is_none() => self.stop(),
                Some((number, ended)) = self.attempts.next() => self.attempted(number, ended),
                Some(errand) = self.errands.join_next() => self.done(errand),
                Some((queue, ended)) = self.reports.next() => self.reported(queue, &ended),
                () = signals.arrived() => self.signalled(),
                _ = sweeps.tick() => self.sweep(),
                () = sleep(patience) => {}
                () = until(deadline), if !self.dropped => self.drop_attempts(),
                () = until(deadline.map(|it| it + LAST_WORDS)) => break,
            }
            self.engine.tick(self.tools.now(), &mut self.effects);
        }
        self.attempts.drop_all();
        let last_words = self.tools.store.give_all_back(&self.tools.owner);
        match timeout(LAST_WORDS, last_words).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "leases were not given back"),
            Err(_) => tracing::warn!("leases were not given back in time"),
        }
    }

    /// Ends the leases of the node's former lives, however often the store must be asked.
    async fn take_back(&self) {
        while let Err(error) = self.tools.store.take_back(&self.tools.owner).await {
            tracing::warn!(%error, "the leases of the last run could not be taken back yet");
            sleep(self.settings.sweep_every).await;
        }
    }

    /// Turns effects into tasks.
    fn perform(&mut self) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Claim { address, limit } => self.claim(address, limit),
                Effect::Attempt { number, address, items, timeout } => {
                    let (queue, target) = self.engine.names(&address);
                    let lease = Lease { held: None };
                    self.attempt(number, &address, Parcel { queue, target, items, lease }, timeout);
                }
                Effect::Settle(batch) => self.settle(batch),
                Effect::Changed { address, change } => {
                    let (queue, target) = self.engine.names(&address);
                    report_change(&*self.observer, &queue, &target, change);
                }
            }
        }
    }

    fn claim(&mut self, address: Address, limit: usize) {
        let (tools, (queue, target)) = (self.tools.clone(), self.engine.names(&address));
        self.errands.spawn(async move {
            let moment = (tools.now(), tools.lease);
            let claimed = tools.store.claim(&tools.owner, (&queue, &target), limit, moment).await;
            let explain = |error: &_| {
                tracing::warn!(%queue, %target, %error, "deliveries could not be leased");
            };
            Errand::Claimed(address, claimed.inspect_err(explain).ok())
        });
    }

    fn attempt(&mut self, number: u64, address: &Address, parcel: Parcel, timeout: Duration) {
        for item in &parcel.items {
            let (id, attempts) = (item.id, item.attempts);
            let (queue, target) = (&*parcel.queue, &*parcel.target);
            self.observer.observe(&Event::Attempted { queue, target, id, attempts });
        }
        let courier: Arc<dyn Courier> = Arc::clone(&self.engine.queues()[address.queue].courier);
        let tools = self.tools.clone();
        let journey = journeys::of_attempt(&self.settings.milestones, &parcel.items);
        let attempt = async move {
            let attempt = tools.attempt(&*courier, parcel, timeout);
            match journey {
                Some(journey) => journey.scope(attempt).await,
                None => attempt.await,
            }
        };
        self.attempts.spawn(number, attempt);
    }

    fn settle(&mut self, batch: Vec<Settled>) {
        let tools = self.tools.clone();
        self.errands.spawn(async move {
            let stored = tools.store.settle(&tools.owner, &batch).await;
            if let Err(error) = &stored {
                tracing::warn!(%error, "what came of attempts could not be written down yet");
            }
            Errand::Settled(batch, stored.is_ok())
        });
    }

    fn sweep(&mut self) {
        self.engine.retry(&mut self.effects);
        for queue in 0..self.engine.queues().len() {
            self.report(queue);
        }
        if self.sweeping {
            return;
        }
        self.sweeping = true;
        let (tools, held) = (self.tools.clone(), self.engine.held());
        let names: Vec<_> = self.engine.queues().iter().map(|queue| queue.name).collect();
        let mut cursors = self.cursors.clone();
        self.errands.spawn(async move {
            let swept = tools.sweep(&names, &mut cursors, &held).await;
            Errand::Swept(swept, cursors)
        });
    }

    /// Has the courier of a queue hear of its dead letters.
    fn report(&mut self, queue: usize) {
        if self.reports.has(queue) || self.deadline.is_some() {
            return;
        }
        let (tools, name) = (self.tools.clone(), self.engine.queues()[queue].name);
        let courier = Arc::clone(&self.engine.queues()[queue].courier);
        self.reports.spawn(queue, async move { tools.report(name, &*courier).await });
    }

    fn reported(&self, queue: usize, ended: &Ended<storage::Result<()>>) {
        let queue = self.engine.queues()[queue].name;
        match ended {
            Ended::Returned(Ok(())) | Ended::Dropped => {}
            Ended::Returned(Err(error)) => {
                tracing::warn!(queue, %error, "dead letters could not be reported yet");
            }
            Ended::Panicked => tracing::error!(queue, "a courier panicked over a dead letter"),
        }
    }

    fn attempted(&mut self, number: u64, ended: Ended<Verdict>) {
        let now = self.tools.now();
        let verdict = match ended {
            Ended::Returned(verdict) => verdict,
            Ended::Dropped => return self.engine.abandoned(number, now, &mut self.effects),
            Ended::Panicked => {
                tracing::error!("a courier panicked; its deliveries are attempted again");
                Verdict::Retry {
                    outcome: Verdict::PANICKED.into(),
                    answer: "the attempt ended in a defect of this program".to_owned(),
                    not_before: None,
                    probation: None,
                }
            }
        };
        self.engine.attempted(number, &verdict, (now, random()), &mut self.effects);
    }

    fn done(&mut self, errand: Result<Errand, tokio::task::JoinError>) {
        let now = self.tools.now();
        let errand = match errand {
            Ok(errand) => errand,
            // A defect here must not look like a queue that is merely quiet.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match errand {
            Errand::Claimed(address, claimed) => {
                self.engine.claimed(&address, claimed, now, &mut self.effects);
            }
            Errand::Settled(batch, stored) => {
                if stored {
                    self.observe_settled(&batch, now);
                }
                self.engine.settled(batch, stored, now, &mut self.effects);
            }
            Errand::Swept(swept, cursors) => {
                (self.cursors, self.sweeping) = (cursors, false);
                self.swept(swept, now);
            }
        }
    }

    fn observe_settled(&mut self, batch: &[Settled], now: Timestamp) {
        let mut buried = HashSet::new();
        for it in batch {
            report_settled(&*self.observer, it, now);
            journeys::settled(&self.settings.milestones, it, now);
            if matches!(it.settlement, Settlement::Bury { .. }) {
                buried.extend(self.engine.queue(&it.queue));
            }
        }
        buried.into_iter().for_each(|queue| self.report(queue));
    }

    fn swept(&mut self, swept: Swept, now: Timestamp) {
        for (queue, waiting) in swept.waiting {
            if let Some(due_at) = waiting.due_at {
                let address = Address { queue, target: waiting.target.into() };
                self.engine.found(&address, due_at, now, &mut self.effects);
            }
        }
        let mut released: HashMap<String, HashSet<String>> = HashMap::new();
        for (queue, target) in swept.released {
            released.entry(queue).or_default().insert(target);
        }
        for address in self.addresses(released) {
            self.engine.found(&address, now, now, &mut self.effects);
        }
    }

    fn signalled(&mut self) {
        let (now, signalled) = (self.tools.now(), self.signals.take());
        for address in self.addresses(signalled.cancelled) {
            self.engine.cancelled(&address, now, &mut self.effects);
        }
        for address in self.addresses(signalled.woken) {
            self.engine.found(&address, now, now, &mut self.effects);
        }
    }

    /// Those that are on this node's list.
    fn addresses(&self, targets: HashMap<String, HashSet<String>>) -> Vec<Address> {
        let known = targets
            .into_iter()
            .filter_map(|(queue, targets)| Some((self.engine.queue(&queue)?, targets)));
        let each = |(queue, targets): (usize, HashSet<String>)| {
            targets.into_iter().map(move |target| Address { queue, target: target.into() })
        };
        known.flat_map(each).collect()
    }

    fn stop(&mut self) {
        self.deadline = Some(Instant::now() + self.settings.grace);
        self.engine.stop(&mut self.effects);
    }

    fn drop_attempts(&mut self) {
        self.dropped = true;
        self.attempts.drop_all();
    }

    /// How long nothing need be done if nothing happens. Bounded, because the clock may be set.
    fn patience(&self) -> Duration {
        let wake_at = self.engine.wake_at();
        let patience = wake_at.map(|moment| moment.since(self.tools.now()));
        patience.unwrap_or(self.settings.sweep_every).min(self.settings.sweep_every)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Driver").field("queues", &self.engine.queues()).finish_non_exhaustive()
    }
}

/// Waits until the moment; for ever without one.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests;
