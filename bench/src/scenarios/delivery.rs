//! (j) Durable delivery: acceptances a second, webhooks a second, and the cost of an item when many
//! wait. The queue runs inside this process; the receiver of the webhooks does as well.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use delivery::{
    Courier, Deliveries, Doing, NewDelivery, Parcel, Plan, Queue, Schedule, Settings, Verdict,
};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use storage::{Db, Options as StoreOptions};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;

const QUEUE: &str = "webhooks";
const PAYLOAD: usize = 512;
/// Each publishes one event after the other, and waits until it is on disk.
const PUBLISHERS: u64 = 64;
/// Items accepted in one transaction where the speed of that is not the question.
const FILL: u64 = 500;
/// How many items wait while some more are accepted and attempted.
const DEPTHS: [u64; 3] = [1_000, 100_000, 1_000_000];
/// Items accepted and attempted at each depth.
const SAMPLE: u64 = 20_000;

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        report.table(rates(options).await?)?;
        report.table(depths(options).await?)
    })
}

/// Acceptances and deliveries a second.
async fn rates(options: &Options) -> Result<Table> {
    let mut table = Table::new(
        'j',
        "Durable delivery",
        &["what", "a second", "median (lowest–highest), thousands"],
    );
    table.note(&format!(
        "Events of {PAYLOAD} B in SQLite, every commit on disk. Accepting: {PUBLISHERS} publishers, \
         a transaction for each event, nothing delivered meanwhile. Delivering: a request for each \
         event to a receiver in the same process, 64 at a time."
    ));
    let count = if options.quick { 2_000 } else { 100_000 };
    let (mut accepted, mut delivered) = (Samples::default(), Samples::default());
    for _ in 0..options.rounds {
        let bench = Bench::open(&options.lab.work).await?;
        accepted.add(bench.publish(count).await? / 1e3);
        delivered.add(bench.deliver(count).await? / 1e3);
        bench.close().await;
    }
    for (what, samples) in [("accepted", accepted), ("delivered", delivered)] {
        let rate = format!("{:.0}", samples.median() * 1e3);
        table.row([what.to_owned(), rate, Table::spread(&samples)]);
    }
    Ok(table)
}

/// What an item costs when many others wait.
async fn depths(options: &Options) -> Result<Table> {
    let mut table = Table::new(
        'j',
        "Durable delivery with many waiting",
        &["waiting", "accepting, µs an item", "leasing and settling, µs an item"],
    );
    table.note(&format!(
        "{SAMPLE} further items, {FILL} in a transaction, and then as many attempts that succeed at \
         once, all of one target."
    ));
    for depth in DEPTHS {
        let (depth, sample) = if options.quick { (depth / 1000, 100) } else { (depth, SAMPLE) };
        let bench = Bench::open(&options.lab.work).await?;
        bench.fill(depth).await?;
        let begin = Instant::now();
        bench.fill(sample).await?;
        let accepting = begin.elapsed();
        let taking = bench.take(sample).await;
        let each = |span: Duration| format!("{:.1}", span.as_secs_f64() * 1e6 / sample as f64);
        let cells = [depth.to_string(), each(accepting), each(taking)];
        table.row(cells);
        bench.close().await;
    }
    Ok(table)
}

/// A queue in a file of its own.
#[derive(Clone)]
struct Bench {
    db: Db,
    deliveries: Deliveries,
    folder: std::path::PathBuf,
}

impl Bench {
    async fn open(work: &Path) -> Result<Self> {
        let folder = work.join("delivery");
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).context("cannot make the folder")?;
        let db = Db::open(folder.join("bench.db"), &StoreOptions::default())?;
        let clock = Arc::new(kernel::SystemClock);
        let settings = Settings::default();
        let deliveries = Deliveries::open(db.clone(), clock, Arc::new(()), settings).await?;
        Ok(Self { db, deliveries, folder })
    }

    async fn close(self) {
        self.db.close().await;
        std::fs::remove_dir_all(&self.folder).ok();
    }

    fn event(&self) -> NewDelivery {
        NewDelivery {
            id: self.deliveries.next_id(),
            queue: QUEUE,
            target: "receiver".to_owned(),
            order_key: None,
            payload: vec![b'x'; PAYLOAD],
            not_before: None,
            time_to_live: Duration::from_secs(86_400),
            max_attempts: 30,
        }
    }

    /// Accepts `count` events from many publishers; how many a second.
    async fn publish(&self, count: u64) -> Result<f64> {
        let begin = Instant::now();
        let mut publishers = JoinSet::new();
        for _ in 0..PUBLISHERS {
            let bench = self.clone();
            publishers.spawn(async move {
                for _ in 0..count / PUBLISHERS {
                    bench.db.write(bench.deliveries.enqueue(&[bench.event()])).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(publisher) = publishers.join_next().await {
            publisher??;
        }
        Ok((count / PUBLISHERS * PUBLISHERS) as f64 / begin.elapsed().as_secs_f64())
    }

    /// Accepts `count` events as fast as one publisher can.
    async fn fill(&self, count: u64) -> Result<()> {
        for _ in 0..count.div_ceil(FILL) {
            let events: Vec<_> = (0..FILL.min(count)).map(|_| self.event()).collect();
            self.db.write(self.deliveries.enqueue(&events)).await?;
        }
        Ok(())
    }

    /// Delivers what waits over HTTP; how many a second.
    async fn deliver(&self, count: u64) -> Result<f64> {
        let received = Arc::new(AtomicU64::new(0));
        let url = receiver(Arc::clone(&received)).await?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let courier = Webhook { url, client };
        let count = count / PUBLISHERS * PUBLISHERS;
        let span =
            self.until(Arc::new(courier), || received.load(Ordering::Relaxed) >= count).await;
        Ok(count as f64 / span.as_secs_f64())
    }

    /// Takes `count` items with attempts that cost nothing.
    async fn take(&self, count: u64) -> Duration {
        let taken = Arc::new(AtomicU64::new(0));
        let courier = Taker(Arc::clone(&taken));
        self.until(Arc::new(courier), || taken.load(Ordering::Relaxed) >= count).await
    }

    /// Runs the driver until `done`; how long that took.
    async fn until(&self, courier: Arc<dyn Courier>, done: impl Fn() -> bool) -> Duration {
        let schedule = Schedule::new([Duration::from_secs(10)], Duration::ZERO);
        let driver = self.deliveries.driver(vec![Queue { name: QUEUE, schedule, courier }]);
        let stop = CancellationToken::new();
        let begin = Instant::now();
        let running = tokio::spawn(driver.run(stop.clone()));
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let span = begin.elapsed();
        stop.cancel();
        running.await.ok();
        span
    }
}

/// Delivers over HTTP.
struct Webhook {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Courier for Webhook {
    fn plan(&self, _: &str) -> Plan {
        Plan { concurrency: 64, ..Plan::default() }
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        Box::pin(async move {
            let body = parcel.items.into_iter().next().map(|item| item.payload).unwrap_or_default();
            let request = Request::post(&self.url).body(Full::new(Bytes::from(body)));
            let request = request.expect("the URL of the receiver is one");
            match self.client.request(request).await {
                Ok(answer) if answer.status().is_success() => Verdict::Delivered,
                _ => Verdict::Retry {
                    outcome: "Failed".into(),
                    answer: String::new(),
                    not_before: None,
                    probation: None,
                },
            }
        })
    }
}

/// Takes everything at once.
struct Taker(Arc<AtomicU64>);

impl Courier for Taker {
    fn plan(&self, _: &str) -> Plan {
        Plan { concurrency: 64, ..Plan::default() }
    }

    fn attempt(&self, _: Parcel) -> Doing<'_, Verdict> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Verdict::Delivered))
    }
}

/// Starts a receiver that counts requests, and returns its URL.
async fn receiver(received: Arc<AtomicU64>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let received = Arc::clone(&received);
            tokio::spawn(async move {
                let answer = service_fn(move |_| {
                    received.fetch_add(1, Ordering::Relaxed);
                    async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                http.serve_connection(TokioIo::new(socket), answer).await.ok();
            });
        }
    });
    Ok(url)
}
