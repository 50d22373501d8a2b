//! The service as a whole: its routers, a store of its own, and webhooks on loopback.

mod control;
mod delivering;
mod handshakes;
mod people;
mod publishing;
mod unreadable;
mod webhook;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use delivery::{Deliveries, Doing};
use edge::Tasks;
use edge::outbound::{AddressPolicy, Outbound};
use kernel::{Clock, Result, SystemClock, Timestamp};
use serde_json::{Value, json};
use storage::testing::TestDb;
use storage::{Db, MasterKey};
use testkit::ManualClock;
use tower::ServiceExt as _;
use wire::ResourceId;

use crate::subscription::HubTarget;
use crate::topic::TopicRequest;
use crate::{AnyBearer, Configured, EventGrid, Foundations, Realtime, Settings, Watch};

const GROUP: &str = "/subscriptions/s1/resourceGroups/rg";

fn topic_id(name: &str) -> ResourceId {
    ResourceId::parse(&format!("{GROUP}/providers/Microsoft.EventGrid/topics/{name}")).unwrap()
}

/// Remembers what was sent to hubs.
#[derive(Clone, Default)]
struct Hubs(Arc<Mutex<Vec<(HubTarget, Value)>>>);

impl Realtime for Hubs {
    fn send<'a>(&'a self, target: &'a HubTarget, json: Bytes) -> Doing<'a, Result<()>> {
        let value = serde_json::from_slice(&json).unwrap();
        self.0.lock().unwrap().push((target.clone(), value));
        Box::pin(async { Ok(()) })
    }

    fn check(&self, target: &HubTarget) -> Result<()> {
        let bad = target.hub.starts_with('1');
        if bad { Err(crate::topic::invalid("hub", "A hub begins with a letter.")) } else { Ok(()) }
    }
}

/// What a test can decide.
struct Start {
    settings: Settings,
    configured: Configured,
    policy: AddressPolicy,
    clock: Arc<dyn Clock>,
    hubs: Hubs,
}

impl Default for Start {
    fn default() -> Self {
        let settings = Settings {
            // A pause of no length: the tests count handshakes, not seconds.
            validation_pause: Duration::ZERO,
            ..Settings::default()
        };
        Self {
            settings,
            configured: Configured::default(),
            policy: AddressPolicy::everything(),
            clock: Arc::new(SystemClock),
            hubs: Hubs::default(),
        }
    }
}

/// A running service.
struct World {
    grid: EventGrid,
    deliveries: Deliveries,
    tasks: Tasks,
    db: Arc<TestDb>,
}

/// A day of retries in 86 seconds.
const SCALE: f64 = 0.001;

impl World {
    async fn new() -> Self {
        Self::start(Start::default()).await
    }

    async fn start(start: Start) -> Self {
        let db = Arc::new(storage::testing::sqlite().await);
        let handle = Db::clone(&db);
        Self::over(db, handle, start).await
    }

    async fn over(db: Arc<TestDb>, handle: Db, start: Start) -> Self {
        let Start { settings, configured, policy, clock, hubs } = start;
        let (watch, tasks) = (Watch::new(Arc::clone(&clock)), Tasks::new());
        let queue = delivery::Settings { time_scale: SCALE, ..delivery::Settings::default() };
        let observer = Arc::clone(&watch);
        let deliveries =
            Deliveries::open(handle.clone(), Arc::clone(&clock), observer, queue).await.unwrap();
        let foundations = Foundations {
            db: handle,
            master_key: Arc::new(MasterKey::from_bytes(&[7; 32])),
            deliveries: deliveries.clone(),
            watch,
            outbound: Outbound::new(policy, None).unwrap(),
            realtime: Arc::new(hubs),
            bearer: Arc::new(AnyBearer),
            clock,
            tasks: tasks.clone(),
        };
        let grid = EventGrid::open(foundations, settings, configured).await.unwrap();
        Self { grid, deliveries, tasks, db }
    }

    /// Begins to deliver.
    fn deliver(&self) {
        let driver = self.deliveries.driver(vec![self.grid.queue()]);
        self.tasks.spawn("deliveries", driver.run(self.tasks.token().clone()));
    }

    /// The same store, opened again.
    async fn reopened(self, start: Start) -> Self {
        self.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
        Self::beside(&self, start).await
    }

    /// Another process on the same store.
    async fn beside(other: &Self, start: Start) -> Self {
        let handle = other.db.another_handle().await;
        Self::over(Arc::clone(&other.db), handle, start).await
    }

    async fn topic(&self, name: &str, properties: Value) -> ResourceId {
        let request = TopicRequest { properties, ..TopicRequest::default() };
        self.grid.put_topic(&topic_id(name), request).await.unwrap().id
    }

    async fn subscribe(&self, topic: &ResourceId, name: &str, properties: Value) {
        let put = self.grid.put_event_subscription(topic, name, &properties).await.unwrap();
        assert_eq!(put.state.as_str(), "Succeeded");
    }

    fn key(&self, topic: &ResourceId) -> String {
        self.grid.topic_keys(topic).unwrap().key1.expose().to_owned()
    }

    async fn send(&self, request: Request<Body>) -> (u16, HeaderMap, String) {
        let response = self.grid.router().oneshot(request).await.unwrap();
        answered(response).await
    }

    /// Publishes JSON with the topic's key.
    async fn publish(&self, topic: &ResourceId, events: &Value) -> (u16, String) {
        let path = format!("/topics/{}/api/events?api-version=2018-01-01", topic.name());
        let request = Request::post(path)
            .header("aeg-sas-key", self.key(topic))
            .header("content-type", "application/json");
        let (status, _, body) = self.send(request.body(events.to_string().into()).unwrap()).await;
        (status, body)
    }
}

async fn answered(response: axum::response::Response) -> (u16, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = edge::body::read(body, 1 << 20).await.unwrap();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// An event in Event Grid's schema.
fn event(id: &str, event_type: &str) -> Value {
    json!({ "id": id, "subject": "orders/1", "eventType": event_type, "data": { "n": 1 },
        "eventTime": "2026-11-22T01:55:29.627Z", "dataVersion": "1" })
}

fn web_hook(url: &str) -> Value {
    json!({ "destination": { "endpointType": "WebHook", "properties": { "endpointUrl": url } } })
}

fn hub(name: &str) -> Value {
    json!({ "destination": { "endpointType": "WebPubSub", "properties": { "hub": name } } })
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)))
}

/// Waits until something holds, which the running service brings about by itself.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    waited.unwrap_or_else(|_| panic!("{what} within 20 seconds"));
}
