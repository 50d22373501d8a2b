//! Calls in the store, on every engine: carried out once, told on every server, pushed to phones.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use delivery::Deliveries;
use edge::outbound::{AddressPolicy, Outbound};
use kernel::{ErrorKind, Milestones};
use storage::testing::TestDb;
use storage::{Db, MasterKey};
use tokio_util::sync::CancellationToken;

use crate::calling::repeat::{Reply, RequestId};
use crate::calling::service::{Addition, Asked, NewCall};
use crate::calling::{CallEvents, Calling, Foundations, Ringing, Signal, What, store};
use crate::events::Event;
use crate::identifier::RawId;
use crate::link::{Hub, Links, NoDirectory};
use crate::ports::Work;
use crate::push::tests::device;
use crate::push::{Devices, Presence, Purpose, Pushes};
use crate::testing::World;
use crate::testing::hub::{FakeHub, HUB_ID};

storage::conformance!(
    a_call_rings_and_is_answered_once,
    a_repeated_request_is_carried_out_once,
    what_another_server_changes_is_signalled_here,
    what_rang_before_the_start_rings,
    ringing_ends_with_its_time_and_is_missed,
    ended_calls_are_forgotten,
    each_phone_that_is_not_connected_is_woken_and_hushed,
);

/// A server: calls, and what it has signalled.
struct Server {
    calling: Calling,
    world: World,
    links: Links,
    devices: Devices,
    signals: Arc<Signals>,
}

#[derive(Default)]
struct Signals(Mutex<Vec<Signal>>);

impl Signals {
    fn take(&self) -> Vec<Signal> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The word of the one call that rings.
    fn context(&self) -> String {
        match &self.take()[..] {
            [Signal { what: What::Ring { context, .. }, .. }] => context.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the one call that has stopped was missed.
    fn missed(&self) -> bool {
        match &self.take()[..] {
            [Signal { what: What::Stop { missed }, .. }] => *missed,
            other => panic!("{other:?}"),
        }
    }
}

impl Ringing for Signals {
    fn signal(&self, signal: &Signal) {
        self.0.lock().unwrap().push(signal.clone());
    }
}

struct NoEvents;

impl CallEvents for NoEvents {
    fn work(&self, _: &[Event]) -> Work {
        Work::default()
    }
}

/// Everybody is connected, with a tablet.
struct WithTablet;

impl Presence for WithTablet {
    fn is_connected(&self, _: &RawId) -> bool {
        true
    }

    fn is_device_connected(&self, _: &RawId, device: &str) -> bool {
        device == "tablet"
    }
}

impl Server {
    async fn on(db: &TestDb) -> Self {
        Self::over(Db::clone(db)).await
    }

    async fn over(db: Db) -> Self {
        let world = World::over(db.clone()).await;
        let clock: Arc<dyn kernel::Clock> = world.clock.clone();
        let settings = delivery::Settings {
            // The clock stands; looking again is what makes time felt.
            sweep_every: Duration::from_millis(5),
            ..delivery::Settings::default()
        };
        let silent = Arc::new(Quiet);
        let deliveries =
            Deliveries::open(db.clone(), Arc::clone(&clock), silent, settings).await.unwrap();
        let outbound = Outbound::new(AddressPolicy::everything(), None).unwrap();
        let master = Arc::new(MasterKey::from_bytes(&[7; 32]));
        let hub = Hub::new(outbound.clone(), Arc::clone(&clock));
        let directory = Arc::new(NoDirectory);
        let links =
            Links::open(db.clone(), Arc::clone(&master), Arc::clone(&clock), hub, directory);
        let links = links.await.unwrap();
        let devices = Devices::open(db.clone(), master, Arc::clone(&clock)).await.unwrap();
        let pushes =
            Pushes::new(links.clone(), devices.clone(), Arc::new(WithTablet), deliveries.clone());
        let signals = Arc::new(Signals::default());
        let driver = deliveries.driver(vec![pushes.queue()]);
        tokio::spawn(driver.run(CancellationToken::new()));
        let calling = Calling::open(Foundations {
            db,
            clock,
            deliveries,
            outbound,
            pushes,
            events: Arc::new(NoEvents),
            ringing: signals.clone(),
            resources: world.service.resources().clone(),
            identities: world.service.identities().clone(),
            ring_time: Duration::from_mins(1),
            issuer: "https://localhost".to_owned(),
            milestones: Milestones::default(),
        });
        let calling = calling.await.unwrap();
        Self { calling, world, links, devices, signals }
    }

    async fn user(&self) -> RawId {
        self.world.user("voip").await.caller.id
    }

    fn asked<'a>(&'a self, request: Option<&'a RequestId>) -> Asked<'a> {
        Asked { resource: &self.world.resource, request }
    }

    async fn create(&self, user: &RawId, request: Option<&RequestId>) -> Reply {
        let new = NewCall {
            targets: vec![user.clone()],
            source: None,
            display_name: Some("Alice".to_owned()),
            callback: "http://127.0.0.1:1/".to_owned(),
            operation_context: None,
        };
        self.calling.create(self.asked(request), new).await.unwrap()
    }

    async fn answer(&self, context: &str, request: Option<&RequestId>) -> kernel::Result<Reply> {
        self.calling.answer(self.asked(request), context, None, (None, None)).await
    }

    /// How many calls there are.
    async fn calls(&self) -> usize {
        self.world.db.query("SELECT id FROM calls", []).await.unwrap().len()
    }
}

/// Nobody watches the deliveries.
struct Quiet;

impl delivery::Observer for Quiet {
    fn observe(&self, _: &delivery::Event<'_>) {}
}

fn request(path: &str, id: &str) -> RequestId {
    let request = Request::post(path).header("repeatability-request-id", id).body(()).unwrap();
    RequestId::of("local", &request.into_parts().0).unwrap()
}

async fn a_call_rings_and_is_answered_once(db: TestDb) {
    let server = Server::on(&db).await;
    let bob = server.user().await;
    let created = server.create(&bob, None).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.body["callConnectionState"], "connecting");
    let context = server.signals.context();
    let both = tokio::join!(server.answer(&context, None), server.answer(&context, None));
    let (won, lost) = if both.0.is_ok() { (both.0, both.1) } else { (both.1, both.0) };
    assert_eq!(won.unwrap().body["callConnectionState"], "connected");
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!server.signals.missed());

    let connection = created.body["callConnectionId"].as_str().unwrap();
    let seen = server.calling.seen(&server.world.resource, connection).await.unwrap();
    assert_eq!(seen.properties().unwrap()["callConnectionState"], "connected");
}

async fn a_repeated_request_is_carried_out_once(db: TestDb) {
    let server = Server::on(&db).await;
    let (bob, eve) = (server.user().await, server.user().await);
    let creating = request("/calling/callConnections", "1");
    let first = server.create(&bob, Some(&creating)).await;
    assert_eq!(server.create(&bob, Some(&creating)).await, first);
    assert_eq!(server.calls().await, 1);

    let context = server.signals.context();
    let answering = request("/calling/callConnections:answer", "1");
    let answered = server.answer(&context, Some(&answering)).await.unwrap();
    assert_eq!(server.answer(&context, Some(&answering)).await.unwrap(), answered);
    let another = request("/calling/callConnections:answer", "2");
    assert_eq!(
        server.answer(&context, Some(&another)).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    server.signals.take();

    let connection = first.body["callConnectionId"].as_str().unwrap();
    let adding = request("/calling/callConnections/c/participants:add", "1");
    let mut replies = Vec::new();
    for _ in 0..2 {
        let addition =
            Addition { user: eve.clone(), timeout: None, callback: None, operation_context: None };
        let reply = |id: &str| Reply::new(StatusCode::ACCEPTED, id.into());
        let added = server.calling.add(server.asked(Some(&adding)), connection, addition, reply);
        replies.push(added.await.unwrap());
    }
    assert_eq!(replies[0], replies[1]);
    assert_eq!(server.signals.take().len(), 1, "it rings once");
}

async fn what_another_server_changes_is_signalled_here(db: TestDb) {
    let one = Server::on(&db).await;
    let two = Server::over(db.another_handle().await).await;
    let bob = one.user().await;
    one.create(&bob, None).await;
    assert_eq!(two.signals.take(), []);
    two.calling.follow().await.unwrap();
    let context = two.signals.context();
    assert_eq!(one.signals.context(), context);
    two.calling.follow().await.unwrap();
    assert_eq!(two.signals.take(), [], "once");

    two.answer(&context, None).await.unwrap();
    assert!(!two.signals.missed());
    one.calling.follow().await.unwrap();
    assert!(!one.signals.missed(), "the first answer stops it everywhere");

    one.create(&bob, None).await;
    one.world.clock.advance(Duration::from_secs(61));
    two.calling.follow().await.unwrap();
    one.calling.expire().await.unwrap();
    two.calling.follow().await.unwrap();
    assert!(matches!(
        two.signals.take()[..],
        [_, Signal { what: What::Stop { missed: true }, .. }]
    ));
}

async fn what_rang_before_the_start_rings(db: TestDb) {
    let first = Server::on(&db).await;
    let bob = first.user().await;
    first.create(&bob, None).await;
    let again = Server::on(&db).await;
    again.calling.follow().await.unwrap();
    assert_eq!(again.signals.context(), first.signals.context());
}

async fn ringing_ends_with_its_time_and_is_missed(db: TestDb) {
    let server = Server::on(&db).await;
    server.create(&server.user().await, None).await;
    let context = server.signals.context();
    server.calling.expire().await.unwrap();
    assert_eq!(server.signals.take(), []);
    server.world.clock.advance(Duration::from_secs(60));
    server.calling.expire().await.unwrap();
    assert!(server.signals.missed());
    assert_eq!(server.answer(&context, None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn ended_calls_are_forgotten(db: TestDb) {
    let server = Server::on(&db).await;
    let creating = request("/calling/callConnections", "1");
    server.create(&server.user().await, Some(&creating)).await;
    let context = server.signals.context();
    let why = crate::calling::outcome::Unanswered::Busy;
    server.calling.reject(server.asked(None), &context, None, why).await.unwrap();
    let now = server.world.clock_now();
    server.world.db.write(store::forget(now)).await.unwrap();
    assert_eq!(server.calls().await, 1, "not yet");
    server.world.db.write(store::forget(now + Duration::from_secs(1))).await.unwrap();
    assert_eq!(server.calls().await, 0);
    let rows = "SELECT call_id FROM call_replies UNION ALL SELECT call_id FROM call_connections";
    assert!(server.world.db.query(rows, []).await.unwrap().is_empty());
}

async fn each_phone_that_is_not_connected_is_woken_and_hushed(db: TestDb) {
    let (server, hub) = (Server::on(&db).await, FakeHub::start().await);
    server.links.link("local", HUB_ID, &hub.connection_string()).await.unwrap();
    let bob = server.user().await;
    for id in ["phone", "tablet"] {
        server.devices.put(&bob, &device(id, Purpose::Calls, 600)).await.unwrap();
    }
    server.devices.put(&bob, &device("chat phone", Purpose::Chat, 600)).await.unwrap();
    server.create(&bob, None).await;
    let ring = hub.next().await;
    assert_eq!((&*ring.handle, &*ring.push_type), ("handle_of_phone", "voip"));
    assert_eq!(ring.body["data"]["eventId"], 107);
    server.answer(&server.signals.context(), None).await.unwrap();
    let stop = hub.next().await;
    assert_eq!(
        (&*stop.handle, stop.body["data"]["eventId"].as_u64()),
        ("handle_of_phone", Some(110))
    );
    assert_eq!(stop.body["data"]["missedCall"], "false");
}
