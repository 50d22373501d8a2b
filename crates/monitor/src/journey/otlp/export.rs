//! The task that brings spans to a collector.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use bytes::Bytes;
use edge::outbound::{Limits, Outbound};
use kernel::Milestone;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::span;

/// Batches that may wait for the collector.
const WAITING: usize = 64;
/// Spans in one request.
const BATCH: usize = 512;
const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(10), header_bytes: 16 * 1024, body_bytes: 64 * 1024 };
/// Requests for one batch at most; then it is dropped.
const TRIES: u32 = 3;
/// Between them, doubled each time, unless the collector names a span.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Where spans go.
#[derive(Clone)]
pub struct Collector {
    /// The whole URL, which ends in `/v1/traces` for most.
    pub url: Uri,
    /// Further headers, such as a credential.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The name of this server among others.
    pub node: String,
}

/// Takes milestones for a collector. Never waits.
pub struct Exporter(mpsc::Sender<Vec<Milestone>>);

impl Exporter {
    /// An exporter, and the work that sends what it is given, until `stop`.
    pub fn new(
        collector: Collector,
        outbound: Outbound,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let numbers = Numbers { random: RandomState::new(), last: 0 };
        let sending = Sending { collector, outbound, numbers };
        (Self(sender), sending.run(receiver, stop))
    }

    /// Has milestones sent, unless too much waits already.
    pub(crate) fn offer(&self, milestones: Vec<Milestone>) {
        let lost = milestones.len();
        if !milestones.is_empty() && self.0.try_send(milestones).is_err() {
            tracing::warn!(lost, "spans are lost: the collector is slower than they come");
        }
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Exporter")
    }
}

struct Sending {
    collector: Collector,
    outbound: Outbound,
    numbers: Numbers,
}

/// Numbers that nobody guesses and that do not come twice, for all practical purposes.
struct Numbers {
    random: RandomState,
    last: u64,
}

impl Numbers {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.random.hash_one(self.last)
    }
}

impl Sending {
    async fn run(mut self, mut given: mpsc::Receiver<Vec<Milestone>>, stop: CancellationToken) {
        loop {
            let milestones = tokio::select! {
                () = stop.cancelled() => break,
                Some(milestones) = given.recv() => milestones,
            };
            for batch in milestones.chunks(BATCH) {
                let _ = stop.run_until_cancelled(self.send(batch)).await;
            }
        }
        // What was recorded last is tried once.
        while let Ok(milestones) = given.try_recv() {
            for batch in milestones.chunks(BATCH) {
                let body = self.body(batch);
                let _ = self.post(body).await;
            }
        }
    }

    async fn send(&mut self, batch: &[Milestone]) {
        let body = self.body(batch);
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            let problem = match self.post(body.clone()).await {
                Ok(answer) if answer.status().is_success() => return,
                Ok(answer) => {
                    pause = wanted_pause(answer.headers()).unwrap_or(pause);
                    let status = answer.status().as_u16();
                    // The statuses that the protocol calls worth a repetition.
                    if !matches!(status, 429 | 502 | 503 | 504) {
                        tracing::warn!(status, lost = batch.len(), "the collector refuses spans");
                        return;
                    }
                    format!("it answered {status}")
                }
                Err(problem) => problem,
            };
            if attempt == TRIES {
                tracing::warn!(problem, lost = batch.len(), "the collector takes no spans");
                return;
            }
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
            pause *= 2;
        }
    }

    fn body(&mut self, batch: &[Milestone]) -> Bytes {
        let Self { numbers, collector, .. } = self;
        span::request(batch, &collector.node, || numbers.next()).encode_to_vec().into()
    }

    async fn post(&self, body: Bytes) -> Result<Response<Bytes>, String> {
        let mut request = Request::new(body);
        *request.method_mut() = axum::http::Method::POST;
        *request.uri_mut() = self.collector.url.clone();
        let headers = request.headers_mut();
        for (name, value) in &self.collector.headers {
            headers.insert(name.clone(), value.clone());
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        self.outbound.send(request, LIMITS).await.map_err(|error| error.to_string())
    }
}

fn wanted_pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
