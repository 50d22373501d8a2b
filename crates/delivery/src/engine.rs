//! Who is attempted when: the state machine behind the driver.
//!
//! Knows no store, no clock and no socket. What has happened is told by calls, with the moment; what
//! must now be done is appended as [`Effect`]s, whose outcome is told by later calls. Nothing is
//! settled, leased or attempted but by effects, so a simulation may stop the world between any two.
//!
//! Invariants: an item is in one parcel at most; every item that was claimed is settled, and is held
//! until the store has confirmed that; a target on probation has no attempts and no leases, or one
//! probe; each target with work has an attempt, a claim, or a timer, or
//! is found by the next sweep.

mod target;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kernel::Timestamp;

use crate::decide::{Circumstances, Next, decide};
use crate::driver::Queue;
use crate::probation::{Change, Probation};
use crate::schedule::scaled;
use crate::store::{Attempted, Claimed, Settled, Settlement};
use crate::{DeliveryId, Item, Plan, Reason, Verdict};
use target::Target;

/// A target among all queues of the node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    /// The position of the queue in the node's list.
    pub(crate) queue: usize,
    pub(crate) target: Arc<str>,
}

/// What must be done.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Lease items and tell [`Engine::claimed`].
    Claim { address: Address, limit: usize },
    /// Have them attempted and tell [`Engine::attempted`].
    Attempt { number: u64, address: Address, items: Vec<Item>, timeout: Duration },
    /// Write it down and tell [`Engine::settled`].
    Settle(Vec<Settled>),
    /// Let it be known.
    Changed { address: Address, change: Change },
}

/// Items settled in one transaction at most.
const SETTLED_TOGETHER: usize = 512;

/// The state of all targets of this node.
#[derive(Default)]
pub(crate) struct Engine {
    queues: Vec<Queue>,
    names: Vec<Arc<str>>,
    time_scale: f64,
    max_in_flight: usize,
    targets: HashMap<Address, Target>,
    /// Targets with an attempt under way.
    active: usize,
    timers: BTreeSet<(Timestamp, Address)>,
    parcels: HashMap<u64, UnderWay>,
    last_parcel: u64,
    /// Everything leased that the store does not yet know as settled.
    held: HashSet<DeliveryId>,
    to_settle: Vec<Settled>,
    settling: bool,
    /// The last settlement failed; the next sweep repeats it.
    settle_later: bool,
    stopping: bool,
}

/// A parcel that is being attempted; the payloads are with the courier.
struct UnderWay {
    address: Address,
    items: Vec<Item>,
}

impl Engine {
    /// Nothing to do yet.
    pub(crate) fn new(queues: Vec<Queue>, time_scale: f64, max_in_flight: usize) -> Self {
        let names = queues.iter().map(|queue| queue.name.into()).collect();
        Self { queues, names, time_scale, max_in_flight, ..Self::default() }
    }

    /// The node's queues.
    pub(crate) fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// The position of a queue of this node.
    pub(crate) fn queue(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|it| **it == *name)
    }

    /// The queue and target in words.
    pub(crate) fn names(&self, address: &Address) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.names[address.queue]), Arc::clone(&address.target))
    }

    /// Whatever is leased.
    pub(crate) fn held(&self) -> Vec<DeliveryId> {
        self.held.iter().copied().collect()
    }

    /// When [`Engine::tick`] has something to do, if nothing else happens.
    pub(crate) fn wake_at(&self) -> Option<Timestamp> {
        self.timers.first().map(|(moment, _)| *moment)
    }

    /// Whether nothing is under way and everything is settled.
    pub(crate) fn is_idle(&self) -> bool {
        self.parcels.is_empty()
            && self.to_settle.is_empty()
            && !self.settling
            && self.targets.values().all(|target| target.claiming.is_none())
    }

    /// The target has something ready in the store from `due_at` on.
    pub(crate) fn found(
        &mut self,
        address: &Address,
        due_at: Timestamp,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if self.stopping {
            return;
        }
        let target = self.targets.entry(address.clone()).or_default();
        target.has_due(due_at);
        target.woken_again |= target.claiming.is_some() && due_at <= now;
        self.advance(address, now, effects);
    }

    /// The target was cancelled: what has not begun never will, and what it failed before says
    /// nothing about one that takes its name later.
    pub(crate) fn cancelled(
        &mut self,
        address: &Address,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.give_back(address);
        if let Some(target) = self.targets.get_mut(address) {
            target.probation = Probation::default();
        }
        self.settle(effects);
        self.advance(address, now, effects);
    }

    /// What an [`Effect::Claim`] brought; `None` when the store has failed.
    pub(crate) fn claimed(
        &mut self,
        address: &Address,
        claimed: Option<Claimed>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(target) = self.targets.get_mut(address) else { return };
        let limit = target.claiming.take().unwrap_or_default();
        let woken_again = std::mem::take(&mut target.woken_again);
        // When the store has failed, the next sweep finds the target again.
        if let Some(Claimed { mut items, next_due }) = claimed {
            match next_due {
                _ if woken_again || items.len() >= limit => target.has_due(now),
                // What is due and was not leased stands behind its order key: whatever ends that
                // one wakes the target, or the next sweep does.
                Some(due_at) if due_at > now => target.has_due(due_at),
                _ => {}
            }
            // A lease that was lost and won again: the attempt under way stands for both.
            items.retain(|item| self.held.insert(item.id));
            target.fill(items);
        }
        if self.stopping || target.probation.held_until(now).is_some() {
            self.give_back(address);
            self.settle(effects);
        }
        self.advance(address, now, effects);
    }

    /// What came of an [`Effect::Attempt`]. `random` decides the jitter.
    pub(crate) fn attempted(
        &mut self,
        number: u64,
        verdict: &Verdict,
        (now, random): (Timestamp, u64),
        effects: &mut Vec<Effect>,
    ) {
        let Some(UnderWay { address, items }) = self.parcels.remove(&number) else { return };
        self.landed(&address);
        let schedule = &self.queues[address.queue].schedule;
        for (index, item) in (0_u64..).zip(items) {
            let random = random.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let known = Circumstances { schedule, time_scale: self.time_scale, now, random };
            let next = decide(&item, verdict, known);
            let settlement = settlement(next, verdict, now);
            self.to_settle.push(settled(&self.names, &address, item, settlement));
        }
        self.judge(&address, verdict, now, effects);
        self.settle(effects);
        self.advance(&address, now, effects);
    }

    /// An attempt that was dropped without a verdict, as when the node stops.
    pub(crate) fn abandoned(&mut self, number: u64, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(UnderWay { address, items }) = self.parcels.remove(&number) else { return };
        self.landed(&address);
        let give_back = |item| settled(&self.names, &address, item, Settlement::GiveBack);
        self.to_settle.extend(items.into_iter().map(give_back));
        self.settle(effects);
        self.advance(&address, now, effects);
    }

    /// What came of an [`Effect::Settle`].
    pub(crate) fn settled(
        &mut self,
        batch: Vec<Settled>,
        stored: bool,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        self.settling = false;
        if !stored {
            self.to_settle.splice(0..0, batch);
            self.settle_later = true;
            return;
        }
        let mut touched = Vec::new();
        for it in batch {
            self.held.remove(&it.id);
            let due_at = match (&it.settlement, &it.order_key) {
                (Settlement::Again { due_at, .. }, _) => Some(*due_at),
                (Settlement::GiveBack, _) | (_, Some(_)) => Some(now),
                (_, None) => None,
            };
            if let (Some(due_at), Some(queue)) = (due_at, self.queue(&it.queue)) {
                touched.push((Address { queue, target: it.target }, due_at));
            }
        }
        self.settle(effects);
        for (address, due_at) in touched {
            self.found(&address, due_at, now, effects);
        }
    }

    /// Repeats what the store has failed to do. To be called now and then, by no clock that can be set.
    pub(crate) fn retry(&mut self, effects: &mut Vec<Effect>) {
        self.settle_later = false;
        self.settle(effects);
    }

    /// Does what is due by the clock.
    pub(crate) fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some((moment, address)) = self.timers.first().cloned() {
            if moment > now {
                break;
            }
            self.timers.pop_first();
            if let Some(target) = self.targets.get_mut(&address) {
                target.timer = None;
            }
            self.advance(&address, now, effects);
        }
    }

    /// Begins nothing more and gives back what has not begun.
    pub(crate) fn stop(&mut self, effects: &mut Vec<Effect>) {
        self.stopping = true;
        let addresses: Vec<_> = self.targets.keys().cloned().collect();
        for address in addresses {
            self.give_back(&address);
        }
        self.timers.clear();
        self.settle(effects);
    }

    /// Begins what may begin for one target, and sees to it that it is looked at again.
    fn advance(&mut self, address: &Address, now: Timestamp, effects: &mut Vec<Effect>) {
        let plan = self.queues[address.queue].courier.plan(&address.target);
        let share = (self.max_in_flight / self.active.max(1)).max(1);
        let Some(target) = self.targets.get_mut(address) else { return };
        let allowed = target.probation.allows(plan.concurrency.clamp(1, share), now);
        let allowed = if self.stopping { 0 } else { allowed };
        self.begin(address, (&plan, allowed), now, effects);
        let Some(target) = self.targets.get_mut(address) else { return };
        let is_due = target.due.is_some_and(|due| due <= now);
        if let (true, Some(limit)) =
            (allowed > 0 && is_due && target.claiming.is_none(), target.wanted(&plan, allowed))
        {
            target.due = None;
            target.claiming = Some(limit);
            effects.push(Effect::Claim { address: address.clone(), limit });
        }
        self.set_timer(address, now);
    }

    /// Makes parcels of what is leased, as many as may be under way.
    fn begin(
        &mut self,
        address: &Address,
        (plan, allowed): (&Plan, usize),
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(target) = self.targets.get_mut(address) else { return };
        let mut expired = Vec::new();
        while target.in_flight < allowed {
            let items = target.parcel(plan, now, &mut expired);
            if items.is_empty() {
                break;
            }
            self.active += usize::from(target.in_flight == 0);
            target.in_flight += 1;
            self.last_parcel += 1;
            let known = items.iter().map(without_payload).collect();
            let under_way = UnderWay { address: address.clone(), items: known };
            self.parcels.insert(self.last_parcel, under_way);
            let (number, timeout) = (self.last_parcel, plan.timeout);
            effects.push(Effect::Attempt { number, address: address.clone(), items, timeout });
        }
        if expired.is_empty() {
            return;
        }
        let on_probation = target.probation.is_on();
        for item in expired {
            let held = on_probation && item.attempts == 0;
            let reason = Reason::Expired;
            let settlement = Settlement::Bury { reason, attempted: None, held, at: now };
            self.to_settle.push(settled(&self.names, address, item, settlement));
        }
        self.settle(effects);
    }

    /// Puts the target on the list of timers if only time can bring it forward; forgets it if nothing
    /// can.
    fn set_timer(&mut self, address: &Address, now: Timestamp) {
        let Some(target) = self.targets.get_mut(address) else { return };
        if let Some(moment) = target.timer.take() {
            self.timers.remove(&(moment, address.clone()));
        }
        if target.is_empty() {
            self.targets.remove(address);
            return;
        }
        let held = target.probation.held_until(now);
        let wake = match (target.due, held) {
            // Everything that is leased or under way calls back by itself.
            (Some(due), None) if due <= now => None,
            (Some(due), held) => Some(held.map_or(due, |held| held.max(due))),
            (None, _) => None,
        };
        if let (Some(wake), false) = (wake, self.stopping) {
            target.timer = Some(wake);
            self.timers.insert((wake, address.clone()));
        }
    }

    /// Lets the verdict count for or against the target.
    fn judge(
        &mut self,
        address: &Address,
        verdict: &Verdict,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let plan = self.queues[address.queue].courier.plan(&address.target);
        let Some(target) = self.targets.get_mut(address) else { return };
        let change = match verdict {
            Verdict::Delivered | Verdict::Refused { .. } => target.probation.answered(),
            Verdict::Retry { probation: Some(span), .. } => {
                let span = scaled(*span, self.time_scale);
                target.probation.failed(now, span, plan.failures_before_probation)
            }
            Verdict::Retry { probation: None, .. } => None,
        };
        if let Some(Change::Suspended(_)) = change {
            self.give_back(address);
        }
        if let Some(change) = change {
            effects.push(Effect::Changed { address: address.clone(), change });
        }
    }

    /// One parcel of the target less.
    fn landed(&mut self, address: &Address) {
        if let Some(target) = self.targets.get_mut(address) {
            target.in_flight -= 1;
            self.active -= usize::from(target.in_flight == 0);
        }
    }

    /// Returns the leases of what has not begun.
    fn give_back(&mut self, address: &Address) {
        let Some(target) = self.targets.get_mut(address) else { return };
        let items = std::mem::take(&mut target.buffer);
        let give_back = |item| settled(&self.names, address, item, Settlement::GiveBack);
        self.to_settle.extend(items.into_iter().map(give_back));
    }

    /// Writes down what there is, one transaction at a time: what comes meanwhile shares the next.
    fn settle(&mut self, effects: &mut Vec<Effect>) {
        if self.settling || self.settle_later || self.to_settle.is_empty() {
            return;
        }
        let count = self.to_settle.len().min(SETTLED_TOGETHER);
        self.settling = true;
        effects.push(Effect::Settle(self.to_settle.drain(..count).collect()));
    }
}

fn without_payload(item: &Item) -> Item {
    Item {
        id: item.id,
        order_key: item.order_key.clone(),
        payload: Vec::new(),
        accepted_at: item.accepted_at,
        expires_at: item.expires_at,
        attempts: item.attempts,
        max_attempts: item.max_attempts,
        last_outcome: None,
        progress: None,
        trace: item.trace,
    }
}

fn settled(names: &[Arc<str>], at: &Address, item: Item, settlement: Settlement) -> Settled {
    Settled {
        id: item.id,
        queue: Arc::clone(&names[at.queue]),
        target: Arc::clone(&at.target),
        order_key: item.order_key,
        accepted_at: item.accepted_at,
        trace: item.trace,
        settlement,
    }
}

/// What is written down for an item whose attempt ended with `verdict`.
fn settlement(next: Next, verdict: &Verdict, now: Timestamp) -> Settlement {
    let attempted = match verdict {
        Verdict::Delivered => return Settlement::Done,
        Verdict::Retry { outcome, answer, .. } | Verdict::Refused { outcome, answer } => {
            let outcome = beginning(outcome, Verdict::MAX_ANSWER);
            Attempted { at: now, outcome, answer: beginning(answer, Verdict::MAX_ANSWER) }
        }
    };
    match next {
        Next::Done => Settlement::Done,
        Next::Again(due_at) => Settlement::Again { due_at, attempted },
        Next::Bury(reason) => {
            Settlement::Bury { reason, attempted: Some(attempted), held: false, at: now }
        }
    }
}

/// The first `limit` bytes, or a few less where a character would be cut. NUL characters, which not
/// every engine stores, are dropped.
fn beginning(text: &str, limit: usize) -> String {
    text[..text.floor_char_boundary(limit)].replace('\0', "")
}

#[cfg(test)]
mod tests;
