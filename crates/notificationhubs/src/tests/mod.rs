//! The service as a whole: requests through its front, sends carried out by the queue over a store of
//! its own, and the fakes of the push services behind it. Time passes only when a test lets it pass.

mod control;
mod devices;
mod failing;
mod reports;
mod sending;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use delivery::{Deliveries, Event, Observer};
use edge::Tasks;
use kernel::Timestamp;
use serde_json::{Value, json};
use storage::testing::TestDb;
use storage::{Db, MasterKey};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::control::HubRequest;
use crate::credential::{DEFAULT_FULL, DEFAULT_LISTEN};
use crate::entry::Details;
use crate::fake::tests::World;
use crate::fake::{Rule, Service};
use crate::notification::State;
use crate::pns_credentials::PnsCredentials;
use crate::push::Senders;
use crate::push::fcm::FcmEndpoints;
use crate::store::HubKey;
use crate::{Foundations, NotificationHubs, Settings};

const HUB: &str = "news";
/// The window in which a device is tried again.
const WINDOW: Duration = Duration::from_secs(30 * 60);

/// A running service before the fakes.
struct Hubs {
    world: Arc<World>,
    db: Arc<TestDb>,
    service: NotificationHubs,
    steps: Arc<Steps>,
    tasks: Tasks,
    driver: JoinHandle<()>,
    page: usize,
}

/// An answer: status, headers, body.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// The id at the end of the path of `Location`.
    fn id(&self) -> String {
        assert_eq!(self.status, 201, "{}", self.body);
        let path = self.header("location").split('?').next().unwrap();
        path.rsplit('/').next().unwrap().to_owned()
    }
}

/// What the queue tells of its work.
#[derive(Default)]
struct Steps(Mutex<Vec<Step>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// An attempt failed and will be repeated: with which outcome, and when.
    Again(String, Timestamp),
    /// A target is left alone until then.
    Suspended(String, Timestamp),
}

impl Observer for Steps {
    fn observe(&self, event: &Event<'_>) {
        let step = match *event {
            Event::Retried { outcome, due_at, .. } => Step::Again(outcome.to_owned(), due_at),
            Event::Suspended { target, until, .. } => Step::Suspended(target.to_owned(), until),
            _ => return,
        };
        self.0.lock().unwrap().push(step);
    }
}

impl Drop for Hubs {
    fn drop(&mut self) {
        self.driver.abort();
        self.tasks.token().cancel();
    }
}

impl Hubs {
    async fn start() -> Self {
        Self::with_page(1000).await
    }

    /// With so many devices in a page.
    async fn with_page(page: usize) -> Self {
        let world = Arc::new(World::start().await);
        let db = Arc::new(storage::testing::sqlite().await);
        let handle = Db::clone(&db);
        let hubs = Self::over(world, db, handle, page).await;
        hubs.service.put_namespace("local", &json!({})).await.unwrap();
        let credentials = PnsCredentials::from_value(&credentials(&hubs.world)).unwrap();
        let request = HubRequest { credentials: Some(credentials), ..HubRequest::default() };
        hubs.service.put_hub("local", HUB, request).await.unwrap();
        hubs
    }

    async fn over(world: Arc<World>, db: Arc<TestDb>, handle: Db, page: usize) -> Self {
        let (tasks, steps) = (Tasks::new(), Arc::new(Steps::default()));
        let queue = delivery::Settings {
            // The clock stands; looking again is what makes time felt.
            sweep_every: Duration::from_millis(5),
            ..delivery::Settings::default()
        };
        let observer = Arc::clone(&steps) as _;
        let deliveries =
            Deliveries::open(handle.clone(), world.clock(), observer, queue).await.unwrap();
        let foundations = Foundations {
            db: handle,
            master_key: Arc::new(MasterKey::from_bytes(&[7; 32])),
            deliveries: deliveries.clone(),
            senders: Senders::new(&world.outbound, &world.clock(), &tasks),
            clock: world.clock(),
            tasks: tasks.clone(),
        };
        let endpoint = |path| world.url(path).parse().unwrap();
        let fcm = FcmEndpoints { send: endpoint("/fcm"), token: endpoint("/oauth/token") };
        let settings = Settings {
            fcm,
            reserved_hubs: vec!["subscriptions".to_owned()],
            delivery_window: WINDOW,
            page,
            concurrency: 4,
            ..Settings::default()
        };
        let service = NotificationHubs::open(foundations, settings).await.unwrap();
        let driver = deliveries.driver(vec![service.queue()]);
        let driver = tokio::spawn(driver.run(CancellationToken::new()));
        Self { world, db, service, steps, tasks, driver, page }
    }

    /// What a crash and a new start make of it: whatever was under way is cut off and forgotten.
    async fn after_a_crash(self) -> Self {
        self.driver.abort();
        self.tasks.token().cancel();
        let (db, page) = (Arc::clone(&self.db), self.page);
        let handle = db.another_handle().await;
        // Devices and what they have received live on.
        Self::over(Arc::clone(&self.world), db, handle, page).await
    }

    fn key(&self) -> HubKey {
        self.service.hub("local", HUB).unwrap().key
    }

    /// A request with the signature of a policy.
    async fn ask_as(
        &self,
        policy: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.ask_in("local", policy, (method, path), headers, body).await
    }

    /// As [`Hubs::ask_as`], of the hub of the same name in a namespace.
    async fn ask_in(
        &self,
        namespace: &str,
        policy: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let policy = self.service.policy(namespace, Some(HUB), policy).unwrap().unwrap();
        let expires = self.world.clock().now() + Duration::from_secs(600);
        let (name, key) = (&policy.name, &policy.primary);
        let token = wire::shared_access_signature("https://localhost/", name, key, expires);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/{HUB}{path}"))
            .header("host", "localhost:8443")
            .header("authorization", token.expose());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.service.handle(request).await.into_parts();
        let body = edge::body::read(body, 1 << 24).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.ask_as(DEFAULT_FULL, (method, path), &[], body).await
    }

    /// Registers a device and returns the id of the registration.
    async fn register(&self, kind: &str, members: &str) -> String {
        let body =
            format!("<{kind}RegistrationDescription>{members}</{kind}RegistrationDescription>");
        let answer = self.ask_as(DEFAULT_LISTEN, ("POST", "/registrations"), &[], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        within("RegistrationId", &answer.body).to_owned()
    }

    /// Registers devices of Apple, with the tag `apple`.
    async fn iphones(&self, count: usize) {
        for number in 0..count {
            let members = format!("<Tags>apple</Tags><DeviceToken>{number:064X}</DeviceToken>");
            self.register("Apple", &members).await;
        }
    }

    /// Registers devices of Google, with the tag `google`.
    async fn androids(&self, count: usize) {
        for number in 0..count {
            let token = format!("<FcmV1RegistrationId>{}</FcmV1RegistrationId>", android(number));
            self.register("FcmV1", &format!("<Tags>google</Tags>{token}")).await;
        }
    }

    /// Sends to everybody of a platform; the id of the notification.
    async fn send(&self, format: &str) -> String {
        let body = match format {
            "apple" => r#"{"aps":{"alert":"hello"}}"#,
            _ => r#"{"message":{"data":{"text":"hello"}}}"#,
        };
        let headers = [("ServiceBusNotification-Format", format)];
        self.ask_as(DEFAULT_FULL, ("POST", "/messages"), &headers, body).await.id()
    }

    async fn details(&self, id: &str) -> Details {
        self.service.store().notification(self.key(), id).await.unwrap()
    }

    /// The telemetry of a notification once it is over.
    async fn settled(&self, id: &str) -> Details {
        eventually("the send is over", async || self.details(id).await.state.is_final()).await;
        self.details(id).await
    }

    /// How many devices of a notification came to an outcome.
    async fn count(&self, id: &str, outcome: &str) -> u64 {
        let details = self.details(id).await;
        let counts = details.counts.iter().flat_map(|(_, counts)| counts);
        counts.filter(|(name, _)| name == outcome).map(|(_, count)| count).sum()
    }

    async fn devices(&self) -> i64 {
        self.service.store().count_registrations(self.key()).await.unwrap()
    }

    /// From now on a push service fails.
    fn fail(&self, rule: Rule) {
        self.world.fake.failures.set(rule).unwrap();
    }

    fn steps(&self) -> Vec<Step> {
        self.steps.0.lock().unwrap().clone()
    }

    /// How many different devices a push service has taken something for.
    fn reached(&self, service: Service) -> usize {
        let inbox = self.world.inbox();
        let devices = inbox.iter().filter(|it| it.service == service).map(|it| &it.device);
        devices.collect::<std::collections::BTreeSet<_>>().len()
    }

    fn metric(&self, name: &str) -> i64 {
        let metrics = self.service.metrics("local", HUB).unwrap();
        metrics.iter().find(|(metric, _)| metric.name == name).unwrap().1
    }
}

/// Credentials for all fakes.
fn credentials(world: &World) -> Value {
    let accounts = world.fake.accounts();
    let mut apple = json!(accounts.apns);
    apple["endpoint"] = format!("https://localhost:{}/3/device", world.apns_port).into();
    json!({
        "apnsCredential": { "properties": apple },
        "fcmV1Credential": { "properties": accounts.fcm_v1 },
        "browserCredential": { "properties": accounts.browser },
    })
}

fn android(number: usize) -> String {
    format!("android-{number}")
}

/// The text of an element.
fn within<'a>(element: &str, xml: &'a str) -> &'a str {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let rest = xml.split_once(&open).unwrap_or_else(|| panic!("no {element} in {xml}")).1;
    rest.split_once(&close).unwrap().0
}

/// Waits until something holds, which the running service brings about by itself.
async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    waited.unwrap_or_else(|_| panic!("{what} within 30 seconds"));
}
