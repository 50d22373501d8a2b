//! Delivery to real HTTP servers on loopback.

mod failures;
mod fake_handler;
mod order;

use std::sync::Arc;
use std::time::Duration;

use auth::{AccessKeys, KeyRing};
use aws_lc_rs::hmac;
use axum::http::StatusCode;
use edge::Tasks;
use edge::outbound::{AddressPolicy, Outbound};
use kernel::Timestamp;
use testkit::ManualClock;
use tokio::sync::oneshot;

use self::fake_handler::{FakeHandler, nothing};
use super::*;
use crate::message::Data;
use crate::metadata::Metadata;
use crate::name::HubName;

/// A dispatcher with everything around it.
struct World {
    upstream: Upstream,
    clock: Arc<ManualClock>,
    keys: Arc<KeyRing>,
}

impl World {
    fn new() -> Self {
        Self::with(AddressPolicy::everything(), limits())
    }

    fn with(policy: AddressPolicy, limits: UpstreamLimits) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_700_000_000)));
        let outbound = Outbound::new(policy, None).unwrap();
        let upstream = Upstream::new(outbound, clock.clone(), Tasks::new(), limits);
        Self { upstream, clock, keys: Arc::new(KeyRing::new(AccessKeys::generate())) }
    }

    /// A connection of a hub whose events all go to the handler at `port`.
    fn connection(&self, port: u16, id: &str) -> Arc<ConnectionContext> {
        self.connection_of(&hub(vec![handler(port)]), id)
    }

    fn connection_of(&self, hub: &Arc<HubHandlers>, id: &str) -> Arc<ConnectionContext> {
        ConnectionContext::new(Arc::clone(hub), self.keys.clone(), id, Some("alice"))
    }

    /// Raises a user event and waits for what comes of it.
    async fn ask(&self, context: &Arc<ConnectionContext>, name: &str, text: &str) -> UserOutcome {
        self.raise(context, name, text).await.unwrap()
    }

    fn raise(
        &self,
        context: &Arc<ConnectionContext>,
        name: &str,
        text: &str,
    ) -> oneshot::Receiver<UserOutcome> {
        let (sender, receiver) = oneshot::channel();
        let event = UserEvent {
            name: name.into(),
            data: Data::Text(text.into()),
            metadata: Metadata::default(),
            reply: Box::new(|outcome| sender.send(outcome).unwrap()),
        };
        self.upstream.raise(Arc::clone(context), QueuedEvent::User(event));
        receiver
    }

    async fn connect(&self, context: &Arc<ConnectionContext>) -> ConnectOutcome {
        self.upstream.connect(context, &ConnectEvent::default()).await
    }
}

/// Two further attempts, at once.
fn limits() -> UpstreamLimits {
    UpstreamLimits { retry_after: vec![Duration::ZERO; 2], ..UpstreamLimits::default() }
}

fn hub(handlers: Vec<EventHandler>) -> Arc<HubHandlers> {
    let name = HubName::parse("chat").unwrap();
    Arc::new(HubHandlers::new(name, "local.example", handlers, hub::DEFAULT_CONCURRENCY))
}

fn handler(port: u16) -> EventHandler {
    let url = format!("http://127.0.0.1:{port}/{{hub}}/{{event}}?code=hidden");
    EventHandler {
        url: UrlTemplate::parse(&url).unwrap(),
        user_events: EventPattern::parse("*").unwrap(),
        system_events: SystemEvents::parse(["connect", "connected", "disconnected"]).unwrap(),
        auth: HandlerAuth::None,
    }
}

fn said(text: &str) -> UserOutcome {
    let data = Data::Text(text.into());
    UserOutcome::Handled(Some(Answer { data, metadata: Metadata::default() }))
}

#[tokio::test]
async fn a_connection_is_told_from_its_beginning_to_its_end() {
    let fake = FakeHandler::start(|seen| async move {
        match seen.event() {
            "connect" => r#"{"userId":"bob","roles":["r"]}"#.to_owned(),
            "order" => format!("{} to you", seen.body),
            _ => String::new(),
        }
    })
    .await;
    let world = World::new();
    let context = world.connection(fake.port, "abc");
    let ConnectOutcome::Accepted(grant) = world.connect(&context).await else { panic!("refused") };
    assert_eq!(grant.roles.unwrap(), ["r"]);
    context.set_subprotocol(Some("json.webpubsub.azure.v1"));
    world.upstream.raise(Arc::clone(&context), QueuedEvent::Connected);
    let untyped = world.ask(&context, "order", "hello").await;
    assert_eq!(untyped, said("hello to you"));
    let reason = "The client left.".into();
    world.upstream.raise(Arc::clone(&context), QueuedEvent::Disconnected { reason });
    world.ask(&context, "end", "").await;

    let events = fake.events();
    let of = |name: &str| events.iter().map(|it| it.header(name).map(str::to_owned)).collect();
    let told: Vec<Option<String>> = of("ce-eventname");
    let told: Vec<&str> = told.iter().flatten().map(String::as_str).collect();
    assert_eq!(told, ["connect", "connected", "order", "disconnected", "end"]);
    let ids: Vec<Option<String>> = of("ce-id");
    assert_eq!(ids.iter().flatten().collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
    let users: Vec<Option<String>> = of("ce-userid");
    assert_eq!(users.iter().flatten().collect::<Vec<_>>(), ["alice", "bob", "bob", "bob", "bob"]);
    assert_eq!(events[0].header("ce-subprotocol"), None);
    assert_eq!(events[1].header("ce-subprotocol"), Some("json.webpubsub.azure.v1"));
    assert_eq!(events[3].body, r#"{"reason":"The client left."}"#);
    assert_eq!(events[2].header("ce-time"), Some("2023-11-14T22:13:20Z"));
    assert_eq!(world.upstream.counters().delivered.get(), 5);
}

#[tokio::test]
async fn either_key_verifies_the_signature() {
    let fake = FakeHandler::start(nothing).await;
    let world = World::new();
    world.connect(&world.connection(fake.port, "abc")).await;
    let seen = fake.events();
    let signatures: Vec<&str> = seen[0].header("ce-signature").unwrap().split(',').collect();
    let keys = world.keys.current();
    for (signature, key) in signatures.iter().zip([keys.primary(), keys.secondary()]) {
        let hex = signature.strip_prefix("sha256=").unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|index| u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap())
            .collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        hmac::verify(&key, b"abc", &bytes).unwrap();
    }
    assert_eq!(signatures.len(), 2);
}

#[tokio::test]
async fn state_and_cookies_come_back_with_each_event() {
    let fake = FakeHandler::start(|seen| async move {
        let state = format!("after-{}", seen.event());
        (
            StatusCode::OK,
            [("ce-connectionState", state), ("set-cookie", "instance=7; Path=/".to_owned())],
        )
    })
    .await;
    let world = World::new();
    let context = world.connection(fake.port, "abc");
    world.connect(&context).await;
    world.upstream.raise(Arc::clone(&context), QueuedEvent::Connected);
    world.ask(&context, "first", "").await;
    world.ask(&context, "second", "").await;
    let other = world.connection(fake.port, "def");
    world.connect(&other).await;

    let events = fake.events();
    let states: Vec<_> = events.iter().map(|it| it.header("ce-connectionstate")).collect();
    // Nobody waits for the answer to 'connected', so it sets nothing.
    let expected = [None, Some("after-connect"), Some("after-connect"), Some("after-first"), None];
    assert_eq!(states, expected);
    let cookies: Vec<_> = events.iter().map(|it| it.header("cookie")).collect();
    let cookie = Some("instance=7");
    assert_eq!(cookies, [None, cookie, cookie, cookie, None]);
}

#[tokio::test]
async fn a_crowd_causes_one_handshake_which_holds_for_an_hour() {
    let fake = FakeHandler::start(nothing).await;
    let world = World::new();
    let hub = hub(vec![handler(fake.port)]);
    let connect = |id: usize| {
        let (upstream, context) =
            (world.upstream.clone(), world.connection_of(&hub, &id.to_string()));
        tokio::spawn(async move { upstream.connect(&context, &ConnectEvent::default()).await })
    };
    let crowd: Vec<_> = (0..10).map(connect).collect();
    for client in crowd {
        assert_eq!(client.await.unwrap(), ConnectOutcome::Accepted(Grant::default()));
    }
    assert_eq!((fake.handshakes(), fake.events().len()), (1, 10));
    world.clock.advance(Duration::from_secs(3601));
    connect(10).await.unwrap();
    assert_eq!((fake.handshakes(), fake.events().len()), (2, 11));
}

#[tokio::test]
async fn without_a_handler_clients_connect_and_events_have_no_taker() {
    let world = World::new();
    let context = world.connection_of(&hub(Vec::new()), "abc");
    assert_eq!(world.connect(&context).await, ConnectOutcome::Accepted(Grant::default()));
    world.upstream.raise(Arc::clone(&context), QueuedEvent::Connected);
    assert_eq!(world.ask(&context, "order", "").await, UserOutcome::NoHandler);
}
