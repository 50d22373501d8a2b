//! The promises of this crate, under everything that can go wrong.
//!
//! One seed is one history: nodes that crash between any two steps, answers of the store that are
//! lost, clocks that jump, targets that fail, dawdle and recover, cancellations and redrives. One
//! thread runs it, the clock is a number, and every choice comes from the seed, so a seed that fails
//! fails again. After the faults, the nodes are left alone, and then nothing may be left over.

mod node;
mod world;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::{Clock, Timestamp};
use storage::Db;
use storage::testing::TestDb;

use crate::driver::settings::Queue;
use crate::id::Ids;
use crate::store::{DeadLetters, Store};
use crate::{NewDelivery, Schedule};
use node::Node;
use world::{QUEUE, Sink, World};

/// Leases of the simulated nodes.
const LEASE: Duration = Duration::from_secs(60);
/// How often they sweep once they are left alone.
const SWEEP: Duration = Duration::from_secs(15);
/// Random steps of one history.
const STEPS: u64 = 120;

/// A generator that is good enough for choices, and the same everywhere.
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end.max(1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// A clock that is set, also back.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl SetClock {
    fn shift(&self, micros: i64) {
        self.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

struct Simulation {
    dice: Dice,
    clock: Arc<SetClock>,
    db: Db,
    store: Store,
    ids: Ids,
    world: Arc<Mutex<World>>,
    nodes: Vec<Node>,
    lives: u32,
}

impl Simulation {
    async fn new(db: Db, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let store = Store::open(db.clone()).await.unwrap();
        for table in ["deliveries", "dead_letters"] {
            db.execute(format!("DELETE FROM {table}"), []).await.unwrap();
        }
        let clock = Arc::new(SetClock(AtomicI64::new(1_000_000_000_000_000)));
        let world = Arc::new(Mutex::new(World::new(&mut dice, clock.now())));
        let count = if dice.percent(30) { 2 } else { 1 };
        let ids = Ids::default();
        let mut it = Self { dice, clock, db, store, ids, world, nodes: Vec::new(), lives: 0 };
        for index in 0..count {
            let node = it.node(index).await;
            it.nodes.push(node);
        }
        it
    }

    /// A node in a new life, after it has taken back what it held in the last.
    async fn node(&mut self, index: usize) -> Node {
        self.lives += 1;
        let courier = Arc::new(Sink::new(Arc::clone(&self.world), Arc::clone(&self.clock)));
        let delays = [5, 10, 60].map(Duration::from_secs);
        let schedule = Schedule::new(delays, Duration::from_secs(3));
        let queues = vec![Queue { name: QUEUE, schedule, courier }];
        let place = (format!("node-{index}"), self.lives);
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        Node::start(self.store.clone(), clock, place, queues, self.dice.roll()).await
    }

    /// One choice of fate.
    async fn step(&mut self) -> Result<(), String> {
        let chosen = self.dice.below(self.nodes.len() as u64) as usize;
        match self.dice.below(100) {
            0..55 => self.nodes[chosen].work(&self.world, true).await?,
            55..68 => self.publish(chosen).await?,
            68..80 => self.pass_time().await?,
            80..88 => self.nodes[chosen].sweep(&self.world).await?,
            88..91 => self.crash(chosen).await?,
            91..93 => self.jump(),
            93 => self.cancel().await?,
            94 => self.redrive().await,
            95..97 => self.nodes[chosen].report().await,
            97 => self.restart(chosen).await?,
            _ => self.nodes[chosen].tick(&self.world)?,
        }
        Ok(())
    }

    /// A transaction that accepts some items. A crash may follow before anybody is woken.
    async fn publish(&mut self, chosen: usize) -> Result<(), String> {
        let now = self.clock.now();
        let mut new = Vec::new();
        for _ in 0..=self.dice.below(3) {
            let key = self.dice.percent(40).then(|| format!("key-{}", self.dice.below(2)));
            let seconds = self.dice.below(120);
            new.push(NewDelivery {
                id: self.ids.next(now, self.dice.roll()),
                queue: QUEUE,
                target: self.world.lock().unwrap().any_target(&mut self.dice),
                order_key: key,
                payload: vec![0; self.dice.below(40) as usize],
                not_before: (seconds < 12).then(|| now + Duration::from_secs(seconds)),
                time_to_live: Duration::from_secs(30 + self.dice.below(300)),
                max_attempts: 1 + self.dice.below(6) as u32,
            });
        }
        let statements: Vec<_> = new.iter().map(|it| Store::enqueue(it, now, 1.0)).collect();
        self.db.write(statements).await.map_err(|error| error.to_string())?;
        for it in &new {
            self.world.lock().unwrap().accepted(it, now);
            if self.dice.percent(80) {
                self.nodes[chosen].wake(&it.target, &self.world)?;
            }
        }
        Ok(())
    }

    async fn pass_time(&mut self) -> Result<(), String> {
        let micros = match self.dice.below(10) {
            0..5 => self.dice.below(1_000_000),
            5..9 => self.dice.below(10_000_000),
            _ => self.dice.below(70_000_000),
        };
        self.clock.shift(micros as i64);
        for node in &mut self.nodes {
            node.tick(&self.world)?;
        }
        // A sweep keeps leases alive as long as a node lives.
        if micros > 10_000_000 {
            for node in &mut self.nodes {
                node.sweep(&self.world).await?;
            }
        }
        Ok(())
    }

    /// All that the node knew is gone, with the answers that it waited for.
    async fn crash(&mut self, chosen: usize) -> Result<(), String> {
        self.nodes[chosen] = self.node(chosen).await;
        self.ids = Ids::default();
        self.store.continue_ids(&self.ids).await.map_err(|error| error.to_string())
    }

    /// The node ends as it should, apart from attempts that it drops.
    async fn restart(&mut self, chosen: usize) -> Result<(), String> {
        self.nodes[chosen].stop(&self.world).await?;
        self.crash(chosen).await
    }

    fn jump(&mut self) {
        let micros = self.dice.below(240_000_000) as i64 - 120_000_000;
        let mut world = self.world.lock().unwrap();
        world.latest = world.latest.max(self.clock.now());
        self.clock.shift(micros);
    }

    async fn cancel(&mut self) -> Result<(), String> {
        let target = self.world.lock().unwrap().any_target(&mut self.dice);
        self.db.write([Store::cancel(QUEUE, &target)]).await.map_err(|error| error.to_string())?;
        self.world.lock().unwrap().cancelled(&target);
        for node in &mut self.nodes {
            if self.dice.percent(80) {
                node.cancelled(&target, &self.world)?;
            }
        }
        Ok(())
    }

    async fn redrive(&mut self) {
        let (which, now) = (DeadLetters::of_queue(QUEUE), self.clock.now());
        let redriven = self.store.redrive(&which, now, now, 2).await.unwrap();
        self.world.lock().unwrap().redriven(&redriven);
    }

    /// No more faults: everything must come to its end, the healthy soon.
    async fn settle_down(&mut self) -> Result<(), String> {
        self.world.lock().unwrap().quiet_since = Some(self.clock.now());
        let mut sweep_at = self.clock.now();
        for _ in 0..2000 {
            let sweeps = self.clock.now() >= sweep_at;
            if sweeps {
                sweep_at = self.clock.now() + SWEEP;
            }
            for node in &mut self.nodes {
                node.tick(&self.world)?;
                if sweeps {
                    node.sweep(&self.world).await?;
                }
                while node.has_work() {
                    node.work(&self.world, false).await?;
                }
            }
            if sweeps && self.nodes.iter().all(Node::is_idle) && self.store.ids().await.is_empty() {
                return self.finish().await;
            }
            let now = self.clock.now();
            let next = self.nodes.iter().filter_map(Node::next_event).min();
            let next = next.map_or(sweep_at, |moment| moment.min(sweep_at));
            let pause = next.since(now).max(Duration::from_micros(1));
            self.clock.shift(pause.as_micros() as i64);
        }
        Err(format!("something is stuck: {}", self.leftovers().await))
    }

    /// Every dead letter is reported, and the books agree.
    async fn finish(&mut self) -> Result<(), String> {
        self.clock.shift(300_000_000);
        self.nodes[0].report().await;
        let all = DeadLetters::of_queue(QUEUE);
        let dead = self.store.dead_letters(&all, None, 10_000).await.unwrap();
        self.world.lock().unwrap().check(&dead.items)
    }

    async fn leftovers(&self) -> String {
        let sql =
            "SELECT target, order_key, state, due_at, lease_owner, lease_until FROM deliveries";
        let rows = self.db.query(sql, []).await.unwrap();
        let rows: Vec<_> = rows.into_iter().map(storage::Row::into_values).collect();
        format!("at {:?}: {rows:?}", self.clock.now())
    }
}

async fn run(db: Db, seed: u64) -> Result<(), String> {
    let mut simulation = Simulation::new(db, seed).await;
    for _ in 0..STEPS {
        simulation.step().await?;
    }
    simulation.settle_down().await
}

/// Seeds of one test. `SIMULATION_SEED` runs one alone, `SIMULATION_SEEDS` changes how many.
fn seeds(first: u64) -> std::ops::Range<u64> {
    #[expect(clippy::disallowed_methods, reason = "how a person repeats or widens a simulation")]
    let number = |name| std::env::var(name).ok().map(|it: String| it.parse::<u64>().unwrap());
    match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => first..first + number("SIMULATION_SEEDS").unwrap_or(1_000),
    }
}

async fn histories(first: u64) {
    let db = Db::in_memory().unwrap();
    for seed in seeds(first) {
        if let Err(problem) = run(db.clone(), seed).await {
            panic!(
                "seed {seed}: {problem}\nrerun it alone: \
                 SIMULATION_SEED={seed} cargo test -p tidings-delivery simulation"
            );
        }
    }
}

#[tokio::test]
async fn whatever_happens_each_item_is_delivered_or_dead() {
    histories(0).await;
}

/// As the test above with other seeds, so that two cores share the work.
#[tokio::test]
async fn whatever_else_happens_each_item_is_delivered_or_dead() {
    histories(1_000_000).await;
}

storage::conformance!(a_few_histories_end_well_on_every_engine);

async fn a_few_histories_end_well_on_every_engine(db: TestDb) {
    for seed in 2_000_000..2_000_005 {
        run(Db::clone(&db), seed).await.unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
    }
}

#[tokio::test]
async fn a_history_repeats_itself() {
    let mut traces = Vec::new();
    for _ in 0..2 {
        let mut simulation = Simulation::new(Db::in_memory().unwrap(), 42).await;
        for _ in 0..STEPS {
            simulation.step().await.unwrap();
        }
        simulation.settle_down().await.unwrap();
        traces.push(simulation.world.lock().unwrap().trace());
    }
    assert!(!traces[0].is_empty());
    assert_eq!(traces[0], traces[1]);
}
