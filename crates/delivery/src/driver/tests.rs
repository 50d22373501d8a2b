//! The driver as it runs: on a runtime, over a real store, with couriers that misbehave.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::{Clock, Milestones, Note, Stage, SystemClock, TraceId, journey};
use storage::Db;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    Courier, DeadLetter, DeadLetters, Deliveries, Doing, Event, NewDelivery, Observer, Parcel,
    Plan, Queue, Reason, Schedule, Settings, Verdict,
};

const QUEUE: &str = "q";

/// Says what happens, and does what the payload says.
struct Script {
    said: mpsc::Sender<String>,
    gate: Arc<Semaphore>,
}

impl Courier for Script {
    fn plan(&self, _: &str) -> Plan {
        Plan { concurrency: 2, timeout: Duration::from_millis(50), ..Plan::default() }
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        Box::pin(async move {
            let item = &parcel.items[0];
            let script = String::from_utf8_lossy(&item.payload).into_owned();
            let (outcome, answer) = ("Busy".into(), "é".repeat(2000));
            match script.as_str() {
                "refuse" => return Verdict::Refused { outcome, answer },
                "panic" if item.attempts == 0 => panic!("a courier's defect"),
                "hang" if item.attempts == 0 => std::future::pending().await,
                "fail once" if item.attempts == 0 => {
                    return Verdict::Retry { outcome, answer, not_before: None, probation: None };
                }
                "gate" => {
                    parcel.lease.checkpoint(item.id, b"half".to_vec()).await.unwrap();
                    self.said.send("waiting".to_owned()).await.unwrap();
                    self.gate.acquire().await.unwrap().forget();
                }
                _ => {}
            }
            journey::note("script", || Note::new(Stage::WebhookAnswered, "200"));
            let before = item.last_outcome.clone().unwrap_or_default();
            let progress = String::from_utf8(item.progress.clone().unwrap_or_default()).unwrap();
            self.said.send(format!("{script}: {before} {progress}")).await.unwrap();
            Verdict::Delivered
        })
    }

    fn buried<'a>(&'a self, letter: &'a DeadLetter) -> Doing<'a, Result<(), String>> {
        Box::pin(async move {
            self.said.send(format!("buried: {}", letter.reason)).await.unwrap();
            Ok(())
        })
    }
}

#[derive(Default)]
struct Steps(Mutex<Vec<String>>);

impl Observer for Steps {
    fn observe(&self, event: &Event<'_>) {
        let name = format!("{event:?}");
        let name = name.split([' ', '{']).next().unwrap_or_default().to_owned();
        self.0.lock().unwrap().push(name);
    }
}

struct Fixture {
    db: Db,
    deliveries: Deliveries,
    steps: Arc<Steps>,
    said: mpsc::Receiver<String>,
    gate: Arc<Semaphore>,
    courier: Arc<Script>,
    milestones: Milestones,
    stop: CancellationToken,
}

impl Fixture {
    async fn new() -> Self {
        let db = Db::in_memory().unwrap();
        let steps = Arc::new(Steps::default());
        let milestones = Milestones::new(Arc::new(SystemClock), Default::default());
        let settings = Settings {
            milestones: milestones.clone(),
            sweep_every: Duration::from_millis(20),
            grace: Duration::from_millis(20),
            ..Settings::default()
        };
        let clock = Arc::new(SystemClock);
        let observer = Arc::clone(&steps) as _;
        let deliveries = Deliveries::open(db.clone(), clock, observer, settings).await.unwrap();
        let (sender, said) = mpsc::channel(100);
        let gate = Arc::new(Semaphore::new(0));
        let courier = Arc::new(Script { said: sender, gate: Arc::clone(&gate) });
        let stop = CancellationToken::new();
        Self { db, deliveries, steps, said, gate, courier, milestones, stop }
    }

    fn start(&mut self) -> JoinHandle<()> {
        self.stop = CancellationToken::new();
        let schedule = Schedule::new([Duration::from_millis(1)], Duration::ZERO);
        let courier = Arc::clone(&self.courier) as _;
        let driver = self.deliveries.driver(vec![Queue { name: QUEUE, schedule, courier }]);
        tokio::spawn(driver.run(self.stop.clone()))
    }

    async fn accept(&self, script: &str) -> NewDelivery {
        let new = NewDelivery {
            id: self.deliveries.next_id(),
            queue: QUEUE,
            target: "t".to_owned(),
            order_key: None,
            payload: script.into(),
            not_before: None,
            time_to_live: Duration::from_secs(3600),
            max_attempts: 3,
        };
        self.db.write(self.deliveries.enqueue(std::slice::from_ref(&new))).await.unwrap();
        new
    }

    async fn heard(&mut self) -> String {
        let heard = tokio::time::timeout(Duration::from_secs(20), self.said.recv()).await;
        heard.expect("the courier is asked in time").unwrap()
    }
}

#[tokio::test]
async fn what_is_accepted_is_delivered() {
    let mut it = Fixture::new().await;
    let driver = it.start();
    let new = it.accept("first").await;
    it.deliveries.accepted(&[new]);
    assert_eq!(it.heard().await, "first:  ");
    it.stop.cancel();
    driver.await.unwrap();
    assert_eq!(*it.steps.0.lock().unwrap(), ["Accepted", "Attempted", "Delivered"]);
    assert_eq!(it.deliveries.counts(QUEUE).await.unwrap(), []);
}

#[tokio::test]
async fn a_sweep_finds_what_nobody_was_woken_for() {
    let mut it = Fixture::new().await;
    it.accept("before").await;
    it.start();
    assert_eq!(it.heard().await, "before:  ");
    it.accept("after").await;
    assert_eq!(it.heard().await, "after:  ");
}

#[tokio::test]
async fn failures_panics_and_hanging_attempts_are_repeated() {
    let mut it = Fixture::new().await;
    it.start();
    for (script, outcome) in [("fail once", "Busy"), ("panic", "Aborted"), ("hang", "TimedOut")] {
        it.accept(script).await;
        assert_eq!(it.heard().await, format!("{script}: {outcome} "));
    }
}

#[tokio::test]
async fn a_refused_one_is_buried_reported_and_can_be_seen() {
    let mut it = Fixture::new().await;
    it.start();
    it.accept("refuse").await;
    assert_eq!(it.heard().await, "buried: refused");
    let which = DeadLetters::of_queue(QUEUE);
    let dead = it.deliveries.dead_letters(&which, None, 10).await.unwrap().items;
    assert_eq!(dead[0].reason, Reason::Refused);
    assert_eq!(dead[0].last_answer.as_ref().map(String::len), Some(Verdict::MAX_ANSWER));
    assert_eq!(it.deliveries.redrive(&which).await, Ok(1));
    assert_eq!(it.heard().await, "buried: refused");
    assert_eq!(it.deliveries.discard(&which).await, Ok(1));
}

#[tokio::test]
async fn a_journey_goes_on_through_retries_dead_letters_and_redrive() {
    let mut it = Fixture::new().await;
    let driver = it.start();
    let journey = it.milestones.begin(None, TraceId::from_bytes([1; 16]).unwrap());
    for (script, heard) in [("fail once", "fail once: Busy "), ("refuse", "buried: refused")] {
        let new = journey.clone().scope(it.accept(script)).await;
        journey.within(|| it.deliveries.accepted(&[new]));
        assert_eq!(it.heard().await, heard);
    }
    it.deliveries.redrive(&DeadLetters::of_queue(QUEUE)).await.unwrap();
    assert_eq!(it.heard().await, "buried: refused");
    it.accept("of no journey").await;
    assert_eq!(it.heard().await, "of no journey:  ");
    it.stop.cancel();
    driver.await.unwrap();
    let recorded = it.milestones.take();
    assert!(recorded.iter().all(|it| it.trace == journey.context().trace));
    // Of each delivery in order; between the two there is none.
    let of = |which: &str| {
        let noted = recorded.iter().filter(|it| it.subjects.iter().any(|it| it.value == which));
        noted.map(|it| (it.stage, it.pending)).collect::<Vec<_>>()
    };
    let ids: Vec<_> = recorded.iter().filter(|it| it.stage == Stage::Queued).collect();
    let [retried, refused] = [0, 1].map(|index| of(&ids[index].subjects[0].value));
    let (queued, dead) = ((Stage::Queued, 1), (Stage::DeadLettered, -1));
    assert_eq!(retried, [queued, (Stage::Retried, 0), (Stage::Delivered, -1)]);
    assert_eq!(refused, [queued, dead, dead]);
    let detail = |stage| &*recorded.iter().find(|it| it.stage == stage).unwrap().detail;
    assert!(detail(Stage::Retried).contains("Busy; next attempt in"), "{recorded:?}");
    assert_eq!(detail(Stage::DeadLettered), "q: for t: refused; Busy");
    assert_eq!(detail(Stage::WebhookAnswered), "200", "the courier's own");
    assert_eq!(recorded.len(), 7, "and nothing of what has no journey");
}

#[tokio::test]
async fn a_stop_drops_attempts_after_the_grace_and_the_next_start_goes_on() {
    let mut it = Fixture::new().await;
    let driver = it.start();
    it.accept("gate").await;
    assert_eq!(it.heard().await, "waiting");
    it.stop.cancel();
    driver.await.unwrap();
    let left = it.deliveries.pending(QUEUE, "t", None, 10).await.unwrap().items;
    assert_eq!((left.len(), left[0].leased), (1, false));

    it.gate.add_permits(10);
    it.start();
    assert_eq!(it.heard().await, "waiting");
    assert_eq!(it.heard().await.split_whitespace().last(), Some("half"));
}

#[tokio::test]
async fn a_scheduled_one_waits_for_its_moment() {
    let mut it = Fixture::new().await;
    let mut new = it.accept("now").await;
    new.id = it.deliveries.next_id();
    let moment = SystemClock.now() + Duration::from_millis(80);
    (new.not_before, new.payload) = (Some(moment), b"then".to_vec());
    it.db.write(it.deliveries.enqueue(&[new])).await.unwrap();
    it.start();
    assert_eq!(it.heard().await, "now:  ");
    assert_eq!(it.heard().await, "then:  ");
    assert!(SystemClock.now() >= moment);
}
