//! What is outside of the nodes: targets with their moods, and the books that the checks rest on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::{Clock, Timestamp};

use super::{Dice, LEASE, SetClock};
use crate::store::{Settled, Settlement};
use crate::{
    Courier, DeadLetter, DeliveryId, Doing, Item, NewDelivery, Parcel, Plan, Reason, Verdict,
};

pub(super) const QUEUE: &str = "simulated";

/// How a target takes what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// At once.
    Healthy,
    /// Late, but it does.
    Slow,
    /// Not always, and sometimes its answer is lost.
    Flaky,
    /// Not before this moment.
    Down(Timestamp),
    /// Never.
    Dead,
    /// It finds fault with half of them.
    Refusing,
}

/// What is known of an accepted item.
#[derive(Clone, Debug)]
struct Truth {
    target: String,
    order_key: Option<String>,
    due_at: Timestamp,
    expires_at: Timestamp,
    max_attempts: u32,
    /// Attempts that the target took.
    taken: u32,
    taken_at: Option<Timestamp>,
    /// The store knows its end.
    ended: bool,
    cancelled: bool,
    redriven: bool,
    reported: bool,
}

pub(super) struct World {
    dice: Dice,
    targets: Vec<(String, Mood)>,
    truths: BTreeMap<DeliveryId, Truth>,
    under_way: HashMap<DeliveryId, u32>,
    /// Targets where a live node may have lost a lease, or an old item came back: there the order
    /// of keys is not promised.
    disordered: BTreeSet<String>,
    trace: String,
    /// Since when there are no more faults.
    pub(super) quiet_since: Option<Timestamp>,
    /// The latest that the clock has shown before it was set. A lease that was taken then, by a node
    /// that is gone, ends only when the clock is there again.
    pub(super) latest: Timestamp,
}

impl World {
    pub(super) fn new(dice: &mut Dice, now: Timestamp) -> Self {
        let mut mood = || match dice.below(6) {
            0 => Mood::Slow,
            1 => Mood::Flaky,
            2 => Mood::Down(now + Duration::from_secs(dice.below(400))),
            3 => Mood::Dead,
            4 => Mood::Refusing,
            _ => Mood::Healthy,
        };
        let mut targets = vec![("t0".to_owned(), Mood::Healthy)];
        targets.extend((1..4).map(|index| (format!("t{index}"), mood())));
        Self {
            dice: Dice(dice.roll()),
            targets,
            truths: BTreeMap::new(),
            under_way: HashMap::new(),
            disordered: BTreeSet::new(),
            trace: String::new(),
            quiet_since: None,
            latest: now,
        }
    }

    pub(super) fn any_target(&self, dice: &mut Dice) -> String {
        self.targets[dice.below(self.targets.len() as u64) as usize].0.clone()
    }

    pub(super) fn trace(&self) -> String {
        self.trace.clone()
    }

    pub(super) fn accepted(&mut self, new: &NewDelivery, now: Timestamp) {
        let start = new.not_before.map_or(now, |moment| moment.max(now));
        let truth = Truth {
            target: new.target.clone(),
            order_key: new.order_key.clone(),
            due_at: start,
            expires_at: start + new.time_to_live,
            max_attempts: new.max_attempts,
            taken: 0,
            taken_at: None,
            ended: false,
            cancelled: false,
            redriven: false,
            reported: false,
        };
        self.truths.insert(new.id, truth);
    }

    pub(super) fn cancelled(&mut self, target: &str) {
        for truth in self.truths.values_mut().filter(|it| it.target == target && !it.ended) {
            (truth.cancelled, truth.ended) = (true, true);
        }
    }

    pub(super) fn redriven(&mut self, redriven: &[(DeliveryId, String)]) {
        for (id, target) in redriven {
            self.disordered.insert(target.clone());
            if let Some(truth) = self.truths.get_mut(id) {
                (truth.redriven, truth.ended, truth.reported) = (true, false, false);
            }
        }
    }

    pub(super) fn lease_ended(&mut self, target: &str) {
        self.disordered.insert(target.to_owned());
    }

    /// `left` is what is in the queue now: a settlement without a lease has changed nothing.
    pub(super) fn settled(&mut self, batch: &[Settled], left: &[DeliveryId]) {
        for it in batch {
            let ends = matches!(it.settlement, Settlement::Done | Settlement::Bury { .. });
            let ends = ends && !left.contains(&it.id);
            if let (true, Some(truth)) = (ends, self.truths.get_mut(&it.id)) {
                truth.ended = true;
            }
        }
    }

    /// How long an attempt takes.
    pub(super) fn duration(&self, target: &str, dice: &mut Dice) -> Duration {
        match self.mood(target) {
            Mood::Slow => Duration::from_secs(5 + dice.below(40)),
            _ => Duration::from_millis(dice.below(200)),
        }
    }

    pub(super) fn attempt_ended(&mut self, ids: impl Iterator<Item = DeliveryId>) {
        for id in ids {
            if let Some(count) = self.under_way.get_mut(&id) {
                *count -= 1;
            }
        }
    }

    /// Checks an attempt that a node wants to make.
    pub(super) fn attempt_begins(
        &mut self,
        target: &str,
        items: &[Item],
        plan: &Plan,
        now: Timestamp,
    ) -> Result<(), String> {
        let bytes: usize = items.iter().map(|item| item.payload.len()).sum();
        let fits = items.len() <= plan.batch_items;
        if items.is_empty() || !fits || (items.len() > 1 && bytes > plan.batch_bytes) {
            return Err(format!("a parcel of {} items and {bytes} bytes", items.len()));
        }
        for item in items {
            if item.expires_at <= now {
                return Err(format!("{} is attempted after it has expired", item.id));
            }
            *self.under_way.entry(item.id).or_default() += 1;
            if let (Some(key), false) = (&item.order_key, self.disordered.contains(target)) {
                self.check_order(target, key, item.id)?;
            }
        }
        let _ = writeln!(self.trace, "{now:?} {target} {:?}", items.iter().map(|it| it.id));
        Ok(())
    }

    fn check_order(&self, target: &str, key: &str, id: DeliveryId) -> Result<(), String> {
        let same = |it: &Truth| it.target == target && it.order_key.as_deref() == Some(key);
        let earlier = self.truths.range(..id).find(|(_, it)| same(it) && !it.ended);
        match earlier {
            Some((earlier, _)) => Err(format!("{id} overtakes {earlier} of the same key")),
            None => Ok(()),
        }
    }

    fn mood(&self, target: &str) -> Mood {
        let found = self.targets.iter().find(|(name, _)| name == target);
        found.map_or(Mood::Dead, |(_, mood)| *mood)
    }

    /// What the target makes of a parcel.
    fn receive(&mut self, parcel: &Parcel, now: Timestamp) -> Verdict {
        let mood = self.mood(&parcel.target);
        let chance = self.dice.below(100);
        let takes = match mood {
            Mood::Healthy | Mood::Slow => true,
            Mood::Flaky | Mood::Refusing => chance < 50,
            Mood::Down(until) => now >= until,
            Mood::Dead => false,
        };
        if takes {
            for item in &parcel.items {
                if let Some(truth) = self.truths.get_mut(&item.id) {
                    truth.taken += 1;
                    truth.taken_at.get_or_insert(now);
                }
            }
        }
        let answer_lost = mood == Mood::Flaky && chance < 10;
        let (outcome, answer) = ("Busy".into(), "not now".to_owned());
        match mood {
            _ if takes && !answer_lost => Verdict::Delivered,
            Mood::Refusing => Verdict::Refused { outcome: "BadRequest".into(), answer },
            _ => Verdict::Retry {
                outcome,
                answer,
                not_before: chance.is_multiple_of(2).then(|| Duration::from_secs(chance % 30)),
                probation: (chance > 33).then(|| Duration::from_secs(chance % 40)),
            },
        }
    }

    /// Compares the books with what is left: nothing but dead letters.
    pub(super) fn check(&self, dead: &[DeadLetter]) -> Result<(), String> {
        let letters: BTreeMap<_, _> = dead.iter().map(|letter| (letter.id, letter)).collect();
        if letters.keys().any(|id| !self.truths.contains_key(id)) {
            return Err("a dead letter that was never accepted".to_owned());
        }
        for (id, truth) in &self.truths {
            let problem = match letters.get(id) {
                Some(letter) => truth.wrong_death(letter, self.mood(&truth.target)),
                None if truth.cancelled || truth.taken > 0 => self.too_late(truth),
                None => Some("is neither delivered nor dead".to_owned()),
            };
            if let Some(problem) = problem {
                return Err(format!("{id} {problem}: {truth:?}"));
            }
        }
        Ok(())
    }

    /// A target that takes everything at once is not kept waiting by the others, not longer than it
    /// takes to notice that a node is gone.
    fn too_late(&self, truth: &Truth) -> Option<String> {
        let (since, at) = (self.quiet_since?, truth.taken_at?);
        // The clock may have been set back since it was accepted.
        let waited = at.since(since.max(truth.due_at));
        let starved = self.mood(&truth.target) == Mood::Healthy
            && truth.order_key.is_none()
            && waited > LEASE * 3 + self.latest.since(since);
        starved.then(|| format!("waited for {waited:?} though its target is healthy"))
    }
}

impl Truth {
    fn wrong_death(&self, letter: &DeadLetter, mood: Mood) -> Option<String> {
        let wrong = match letter.reason {
            Reason::Refused => mood != Mood::Refusing,
            Reason::AttemptsExhausted => letter.attempts < self.max_attempts,
            Reason::Expired => !self.redriven && letter.died_at < self.expires_at,
        };
        if wrong {
            return Some(format!("died wrongly as {letter:?}"));
        }
        if !self.reported {
            return Some("died without the courier hearing of it".to_owned());
        }
        None
    }
}

/// The courier of all simulated nodes.
pub(super) struct Sink {
    world: Arc<Mutex<World>>,
    clock: Arc<SetClock>,
}

impl Sink {
    pub(super) fn new(world: Arc<Mutex<World>>, clock: Arc<SetClock>) -> Self {
        Self { world, clock }
    }
}

impl Courier for Sink {
    fn plan(&self, target: &str) -> Plan {
        let batch_items = if target.ends_with('1') { 3 } else { 1 };
        let concurrency = if target.ends_with('2') { 4 } else { 2 };
        let failures_before_probation = 3;
        Plan {
            concurrency,
            batch_items,
            batch_bytes: 50,
            failures_before_probation,
            ..Plan::default()
        }
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        let verdict = self.world.lock().unwrap().receive(&parcel, self.clock.now());
        Box::pin(std::future::ready(verdict))
    }

    fn buried<'a>(&'a self, letter: &'a DeadLetter) -> Doing<'a, Result<(), String>> {
        let mut world = self.world.lock().unwrap();
        let fails = world.quiet_since.is_none() && world.dice.percent(20);
        if let (false, Some(truth)) = (fails, world.truths.get_mut(&letter.id)) {
            truth.reported = true;
        }
        let outcome = if fails { Err("the folder is full".to_owned()) } else { Ok(()) };
        Box::pin(std::future::ready(outcome))
    }
}
