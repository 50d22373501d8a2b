//! One node: the engine as the driver runs it, but one step at a time, in any order.

use std::sync::{Arc, Mutex};

use kernel::{Clock, Timestamp};

use super::world::{QUEUE, World};
use super::{Dice, LEASE};
use crate::courier::Lease;
use crate::driver::errands::{Cursors, Tools};
use crate::driver::settings::Queue;
use crate::engine::{Address, Effect, Engine};
use crate::store::{Claimed, Owner, Settled, Store};
use crate::{Courier, DeliveryId, Parcel, Verdict};

pub(super) struct Node {
    dice: Dice,
    tools: Tools,
    courier: Arc<dyn Courier>,
    engine: Engine,
    effects: Vec<Effect>,
    work: Vec<Work>,
    cursors: Vec<Cursors>,
}

/// Something under way: between its two steps a node may crash.
enum Work {
    /// Not done yet, and not before this moment.
    ToDo(Timestamp, Effect),
    /// Done, but the engine does not know.
    Claimed(Address, Option<Claimed>),
    Settled(Vec<Settled>, bool),
    Attempted(u64, Vec<DeliveryId>, Verdict),
}

impl Node {
    pub(super) async fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        (name, life): (String, u32),
        queues: Vec<Queue>,
        seed: u64,
    ) -> Self {
        let owner = Owner::new(&name, life);
        store.take_back(&owner).await.unwrap();
        let keep_dead_letters = std::time::Duration::from_secs(1_000_000);
        Self {
            dice: Dice(seed),
            tools: Tools { store, owner, clock, lease: LEASE, keep_dead_letters },
            courier: Arc::clone(&queues[0].courier),
            engine: Engine::new(queues, 1.0, 6),
            effects: Vec::new(),
            work: Vec::new(),
            cursors: vec![Cursors::default()],
        }
    }

    pub(super) fn wake(&mut self, target: &str, world: &Mutex<World>) -> Result<(), String> {
        let now = self.tools.now();
        self.engine.found(&address(target), now, now, &mut self.effects);
        self.take_effects(world)
    }

    pub(super) fn cancelled(&mut self, target: &str, world: &Mutex<World>) -> Result<(), String> {
        self.engine.cancelled(&address(target), self.tools.now(), &mut self.effects);
        self.take_effects(world)
    }

    pub(super) fn tick(&mut self, world: &Mutex<World>) -> Result<(), String> {
        self.engine.tick(self.tools.now(), &mut self.effects);
        self.take_effects(world)
    }

    pub(super) async fn sweep(&mut self, world: &Mutex<World>) -> Result<(), String> {
        self.engine.retry(&mut self.effects);
        let held = self.engine.held();
        let swept = self.tools.sweep(&[QUEUE], &mut self.cursors, &held).await;
        let now = self.tools.now();
        for (_, target) in swept.released {
            world.lock().unwrap().lease_ended(&target);
            self.engine.found(&address(&target), now, now, &mut self.effects);
        }
        for (_, waiting) in swept.waiting {
            if let Some(due_at) = waiting.due_at {
                self.engine.found(&address(&waiting.target), due_at, now, &mut self.effects);
            }
        }
        self.take_effects(world)
    }

    pub(super) async fn report(&mut self) {
        self.tools.report(QUEUE, &*self.courier).await.unwrap();
    }

    /// Stops as the driver does: attempts are dropped, the rest is written down.
    pub(super) async fn stop(&mut self, world: &Mutex<World>) -> Result<(), String> {
        self.engine.stop(&mut self.effects);
        self.take_effects(world)?;
        while let Some(position) = self.attempt_under_way() {
            if let Work::ToDo(_, Effect::Attempt { number, items, .. }) = self.work.remove(position)
            {
                world.lock().unwrap().attempt_ended(items.iter().map(|it| it.id));
                self.engine.abandoned(number, self.tools.now(), &mut self.effects);
                self.take_effects(world)?;
            }
        }
        while !self.engine.is_idle() {
            while self.has_work() {
                self.work(world, false).await?;
            }
            self.engine.retry(&mut self.effects);
            self.take_effects(world)?;
        }
        if !self.engine.held().is_empty() {
            return Err("a node that has stopped holds leases".to_owned());
        }
        self.tools.store.give_all_back(&self.tools.owner).await.map_err(|error| error.to_string())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.work.is_empty() && self.engine.is_idle() && self.engine.held().is_empty()
    }

    pub(super) fn has_work(&self) -> bool {
        !self.ready().is_empty()
    }

    /// When something can happen next.
    pub(super) fn next_event(&self) -> Option<Timestamp> {
        let begins = self.work.iter().map(|work| match work {
            Work::ToDo(moment, _) => *moment,
            _ => self.tools.now(),
        });
        begins.chain(self.engine.wake_at()).min()
    }

    /// One step of something that is under way, if anything is. With `faults` the store may fail,
    /// before or after it has done what was asked.
    pub(super) async fn work(&mut self, world: &Mutex<World>, faults: bool) -> Result<(), String> {
        let ready = self.ready();
        if ready.is_empty() {
            return Ok(());
        }
        let chosen = ready[self.dice.below(ready.len() as u64) as usize];
        let now = self.tools.now();
        match self.work.swap_remove(chosen) {
            Work::ToDo(_, effect) => self.perform(effect, world, faults).await,
            Work::Claimed(address, claimed) => {
                self.engine.claimed(&address, claimed, now, &mut self.effects);
            }
            Work::Settled(batch, stored) => {
                self.engine.settled(batch, stored, now, &mut self.effects);
            }
            Work::Attempted(number, ids, verdict) => {
                world.lock().unwrap().attempt_ended(ids.into_iter());
                let random = self.dice.roll();
                self.engine.attempted(number, &verdict, (now, random), &mut self.effects);
            }
        }
        self.take_effects(world)
    }

    async fn perform(&mut self, effect: Effect, world: &Mutex<World>, faults: bool) {
        let Tools { store, owner, .. } = &self.tools;
        let (before, after) = (self.dice.percent(5), self.dice.percent(5));
        let (fails, answer_lost) = (faults && before, faults && after);
        let done = match effect {
            Effect::Claim { address, .. } if fails => Work::Claimed(address, None),
            Effect::Settle(batch) if fails => Work::Settled(batch, false),
            Effect::Claim { address, limit } => {
                let moment = (self.tools.now(), LEASE);
                let at = (QUEUE, &*address.target);
                let claimed = store.claim(owner, at, limit, moment).await.unwrap();
                Work::Claimed(address, (!answer_lost).then_some(claimed))
            }
            Effect::Settle(batch) => {
                store.settle(owner, &batch).await.unwrap();
                let left = store.ids().await;
                world.lock().unwrap().settled(&batch, &left);
                Work::Settled(batch, !answer_lost)
            }
            Effect::Attempt { number, address, items, timeout } => {
                let ids = items.iter().map(|it| it.id).collect();
                let (queue, target) = self.engine.names(&address);
                let parcel = Parcel { queue, target, items, lease: Lease { held: None } };
                let verdict = self.tools.attempt(&*self.courier, parcel, timeout).await;
                Work::Attempted(number, ids, verdict)
            }
            Effect::Changed { .. } => return,
        };
        self.work.push(done);
    }

    /// Checks what the engine wants, and puts it among the work.
    fn take_effects(&mut self, world: &Mutex<World>) -> Result<(), String> {
        let now = self.tools.now();
        for effect in std::mem::take(&mut self.effects) {
            // The store is asked at once, even when the clock is set back meanwhile.
            let mut begins = Timestamp::default();
            if let Effect::Attempt { address, items, .. } = &effect {
                let mut world = world.lock().unwrap();
                let plan = self.courier.plan(&address.target);
                world.attempt_begins(&address.target, items, &plan, now)?;
                begins = now + world.duration(&address.target, &mut self.dice);
            }
            if !matches!(effect, Effect::Changed { .. }) {
                self.work.push(Work::ToDo(begins, effect));
            }
        }
        Ok(())
    }

    fn ready(&self) -> Vec<usize> {
        let now = self.tools.now();
        let is_ready = |work: &Work| !matches!(work, Work::ToDo(moment, _) if *moment > now);
        (0..self.work.len()).filter(|index| is_ready(&self.work[*index])).collect()
    }

    fn attempt_under_way(&self) -> Option<usize> {
        let is_attempt = |work: &Work| matches!(work, Work::ToDo(_, Effect::Attempt { .. }));
        self.work.iter().position(is_attempt)
    }
}

fn address(target: &str) -> Address {
    Address { queue: 0, target: target.into() }
}
