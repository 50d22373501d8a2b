//! Nothing is lost when the process is killed, at any moment.
//!
//! The test starts itself again as a node that accepts and delivers without pause, kills it with
//! SIGKILL after some steps, and does so round after round on one database. The receiver lives in the
//! test, so it knows what was accepted and what has arrived. `CRASH_ROUNDS` changes how often.

#![expect(clippy::unwrap_used, reason = "clippy does not see a test without a harness as one")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use delivery::{
    Courier, Deliveries, DeliveryId, Doing, Event, NewDelivery, Observer, Parcel, Plan, Queue,
    Schedule, Settings, Verdict,
};
use kernel::SystemClock;
use storage::{Db, Durability, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const QUEUE: &str = "crash";
const NODE: &str = "--as-a-node";
const KEYS: u8 = 8;
/// Longer than anything here takes, unless it is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[1..] {
        [first, path, address, what] if first == NODE => {
            node(Path::new(path), address.parse().unwrap(), what == "publish");
        }
        // As a person or the editor asks what tests there are.
        [first, ..] if first == "--list" => {}
        _ => kill_again_and_again(),
    }
}

fn kill_again_and_again() {
    #[expect(clippy::disallowed_methods, reason = "how a person asks for more rounds")]
    let rounds = std::env::var("CRASH_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crash.db");
    let (sender, frames) = channel();
    let address = listen(sender);
    let mut books = Books::default();
    for round in 0..rounds {
        let mut node = start(&path, address, "publish");
        // Enough that the node is in full swing, and another moment in each round.
        for _ in 0..100 + (round * 37) % 211 {
            books.enter(&frames.recv_timeout(PATIENCE).expect("the node goes on"));
        }
        node.kill().unwrap();
        node.wait().unwrap();
    }
    let mut last = start(&path, address, "finish");
    while last.try_wait().unwrap().is_none() {
        if let Ok(frame) = frames.recv_timeout(Duration::from_millis(20)) {
            books.enter(&frame);
        }
    }
    assert!(last.wait().unwrap().success(), "the last node has failed");
    frames.try_iter().for_each(|frame| books.enter(&frame));
    books.check(rounds);
}

fn start(path: &Path, address: SocketAddr, what: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(NODE).arg(path).arg(address.to_string()).arg(what).spawn().unwrap()
}

/// What a node says: something was accepted, or is delivered.
struct Frame {
    accepted: bool,
    id: DeliveryId,
    key: u8,
}

#[derive(Default)]
struct Books {
    accepted: BTreeSet<DeliveryId>,
    /// By key, in the order in which they first arrived.
    arrived: BTreeMap<u8, Vec<DeliveryId>>,
    known: BTreeSet<DeliveryId>,
}

impl Books {
    fn enter(&mut self, frame: &Frame) {
        if frame.accepted {
            self.accepted.insert(frame.id);
        } else if self.known.insert(frame.id) {
            self.arrived.entry(frame.key).or_default().push(frame.id);
        }
    }

    fn check(&self, rounds: usize) {
        let lost: Vec<_> = self.accepted.difference(&self.known).collect();
        assert!(lost.is_empty(), "{} of {} were lost: {lost:?}", lost.len(), self.accepted.len());
        assert!(self.accepted.len() >= rounds * 10, "only {} were accepted", self.accepted.len());
        for (key, arrived) in &self.arrived {
            assert!(*key == 0 || arrived.is_sorted(), "key {key} is out of order");
        }
    }
}

/// Receives frames; each delivery is acknowledged, but for some that seem to fail.
fn listen(frames: Sender<Frame>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let frames = frames.clone();
            thread::spawn(move || receive(socket.unwrap(), &frames));
        }
    });
    address
}

fn receive(mut socket: TcpStream, frames: &Sender<Frame>) {
    let mut bytes = [0; 18];
    // A node that is killed ends in the middle of anything.
    while socket.read_exact(&mut bytes).is_ok() {
        let accepted = bytes[0] == b'A';
        let id = DeliveryId::from_bytes(bytes[1..17].try_into().unwrap());
        let fails = !accepted && bytes[16].is_multiple_of(16) && thread::current().id().is_odd();
        if fails {
            return;
        }
        if frames.send(Frame { accepted, id, key: bytes[17] }).is_err() {
            return;
        }
        if !accepted && socket.write_all(b"k").is_err() {
            return;
        }
    }
}

/// Every second connection of some items seems to fail: each has a thread of its own.
trait Odd {
    fn is_odd(&self) -> bool;
}

impl Odd for thread::ThreadId {
    fn is_odd(&self) -> bool {
        let digits: String = format!("{self:?}").chars().filter(char::is_ascii_digit).collect();
        digits.parse::<u64>().is_ok_and(|number| number % 2 == 1)
    }
}

/// The process that is killed.
#[tokio::main(worker_threads = 2)]
async fn node(path: &Path, address: SocketAddr, publishing: bool) {
    let options = Options { durability: Durability::Relaxed, ..Options::default() };
    let db = Db::open(path, &options).unwrap();
    let delivered = Arc::new(Notify::new());
    let observer = Arc::new(Delivered(Arc::clone(&delivered)));
    let settings = Settings { sweep_every: Duration::from_millis(50), ..Settings::default() };
    let clock = Arc::new(SystemClock);
    let deliveries = Deliveries::open(db.clone(), clock, observer, settings).await.unwrap();
    let schedule = Schedule::new([Duration::from_millis(1)], Duration::ZERO);
    let courier = Arc::new(Sink(address));
    let driver = deliveries.driver(vec![Queue { name: QUEUE, schedule, courier }]);
    let stop = CancellationToken::new();
    let driver = tokio::spawn(driver.run(stop.clone()));
    if publishing {
        publish(&db, &deliveries, address).await;
    }
    while !deliveries.counts(QUEUE).await.unwrap().is_empty() {
        delivered.notified().await;
    }
    stop.cancel();
    driver.await.unwrap();
    db.close().await;
}

/// Accepts without end, and says so after each commit.
async fn publish(db: &Db, deliveries: &Deliveries, address: SocketAddr) {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    for number in 0_u64.. {
        let key = (number % u64::from(KEYS)) as u8;
        let new = NewDelivery {
            id: deliveries.next_id(),
            queue: QUEUE,
            target: format!("t{}", number % 3),
            order_key: (key > 0).then(|| key.to_string()),
            payload: vec![b'x'; 100],
            not_before: None,
            time_to_live: Duration::from_secs(86_400),
            max_attempts: 1000,
        };
        db.write(deliveries.enqueue(std::slice::from_ref(&new))).await.unwrap();
        // Some are left to the sweep.
        if number % 5 > 0 {
            deliveries.accepted(std::slice::from_ref(&new));
        }
        socket.write_all(&frame(b'A', new.id, 0)).await.unwrap();
    }
}

fn frame(kind: u8, id: DeliveryId, key: u8) -> [u8; 18] {
    let mut bytes = [0; 18];
    bytes[0] = kind;
    bytes[1..17].copy_from_slice(id.as_bytes());
    bytes[17] = key;
    bytes
}

struct Sink(SocketAddr);

impl Courier for Sink {
    fn plan(&self, _: &str) -> Plan {
        Plan::default()
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        Box::pin(async move {
            let item = &parcel.items[0];
            let number: u8 = item.order_key.as_deref().unwrap_or("0").parse().unwrap();
            // Keys are apart for each target.
            let target: u8 = parcel.target[1..].parse().unwrap();
            let key = if number == 0 { 0 } else { target * KEYS + number };
            let exchange = async {
                let mut socket = tokio::net::TcpStream::connect(self.0).await?;
                socket.write_all(&frame(b'D', item.id, key)).await?;
                socket.read_u8().await
            };
            match exchange.await {
                Ok(_) => Verdict::Delivered,
                Err(error) => Verdict::Retry {
                    outcome: "SocketError".into(),
                    answer: error.to_string(),
                    not_before: None,
                    probation: None,
                },
            }
        })
    }
}

/// Wakes whoever waits for deliveries.
struct Delivered(Arc<Notify>);

impl Observer for Delivered {
    fn observe(&self, event: &Event<'_>) {
        if matches!(event, Event::Delivered { .. }) {
            self.0.notify_one();
        }
    }
}
