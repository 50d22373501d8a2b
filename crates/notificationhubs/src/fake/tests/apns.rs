//! Notifications to Apple devices: connections, answers, tokens, failures of the way.

use tokio::task::JoinSet;
use uuid::Uuid;

use super::*;
use crate::fake::failure::catalog;
use crate::fake::{Rule, Service};
use crate::push::Outcome;
use crate::push::OutcomeName::{self, *};
use crate::push::apns::{ApnsCredential, Channel, Message, Options, PushType};

const PAYLOAD: &str = r#"{"aps":{"alert":"hello"}}"#;

struct Phone {
    channel: Arc<Channel>,
    credential: ApnsCredential,
    message: Message,
}

fn device(number: usize) -> String {
    format!("{number:064x}")
}

impl Phone {
    fn of(world: &World) -> Self {
        Self::with(world, ConnectionLimits::default())
    }

    fn with(world: &World, limits: ConnectionLimits) -> Self {
        let endpoint = format!("https://localhost:{}/3/device", world.apns_port);
        let fields = world.fake.accounts().apns.fields(&endpoint);
        let credential = ApnsCredential::parse(&fields).unwrap();
        let channel = world.apns_sender(limits).channel(&credential);
        let message = message(&credential, &Options::default());
        Self { channel, credential, message }
    }

    async fn send(&self) -> Outcome {
        self.channel.send(&device(1), &self.message, Uuid::from_u128(7)).await
    }

    /// Sends to many devices at once.
    async fn send_to(&self, devices: usize) -> Vec<OutcomeName> {
        let mut sends = JoinSet::new();
        for number in 0..devices {
            let (channel, message) = (Arc::clone(&self.channel), self.message.clone());
            sends.spawn(async move {
                channel.send(&device(number), &message, Uuid::new_v4()).await.name
            });
        }
        sends.join_all().await
    }
}

fn message(credential: &ApnsCredential, options: &Options) -> Message {
    Message::prepare(credential, options, Bytes::from(PAYLOAD)).unwrap()
}

#[tokio::test]
async fn a_notification_arrives_with_its_headers_and_id() {
    let world = World::start().await;
    let outcome = Phone::of(&world).send().await;
    let id = "00000000-0000-0000-0000-000000000007";
    assert_eq!((outcome.name, outcome.id.as_deref()), (Success, Some(id)), "{outcome:?}");
    let received = &world.inbox()[0];
    assert_eq!((&*received.device, &*received.id), (&*device(1), id));
    assert_eq!(received.payload, PAYLOAD);
    let json = received.to_json();
    assert_eq!(json["headers"]["apns-topic"], "com.example.app");
    assert_eq!(json["headers"]["apns-push-type"], "alert");
}

#[tokio::test]
async fn a_new_connection_carries_one_request_until_it_has_proven_itself() {
    let world = World::start().await;
    assert_eq!(Phone::of(&world).send_to(300).await, [Success; 300]);
    assert_eq!((world.server.connections(), world.server.refused_early()), (1, 0));
}

#[tokio::test]
async fn the_servers_limit_of_streams_is_kept() {
    let world = World::start_with(ApnsSettings { streams: 1 }).await;
    assert_eq!(Phone::of(&world).send_to(60).await, [Success; 60]);
    assert_eq!(world.inbox().len(), 60);
}

#[tokio::test]
async fn more_connections_are_opened_when_all_places_are_taken_but_not_too_many() {
    let world = World::start().await;
    let limits = ConnectionLimits { connections: 3, in_flight: 2, ..ConnectionLimits::default() };
    let phone = Phone::with(&world, limits);
    assert_eq!(phone.send_to(200).await, [Success; 200]);
    let opened = world.server.connections();
    assert!((2..=3).contains(&opened), "{opened}");
    assert_eq!(phone.channel.connections(), opened);
    assert_eq!(world.server.refused_early(), 0);
}

#[tokio::test]
async fn push_types_have_their_topics_on_one_connection() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    for push_type in PushType::ALL {
        let options = Options { push_type: Some(push_type), ..Options::default() };
        let message = message(&phone.credential, &options);
        let outcome = phone.channel.send(&device(1), &message, Uuid::new_v4()).await;
        assert_eq!(outcome.name, Success, "{push_type:?}: {outcome:?}");
    }
    assert_eq!(world.server.connections(), 1);
}

#[tokio::test]
async fn every_refusal_of_apple_arrives_as_its_outcome() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    assert_eq!(phone.send().await.name, Success);
    let transport = ["GoAway", "RefuseStream", "ResetStream", "Stall"];
    for reason in catalog(Service::Apns).filter(|name| !transport.contains(name)) {
        world.fake.failures.set(Rule::once(Service::Apns, reason)).unwrap();
        let outcome = phone.send().await;
        assert_eq!(outcome.reason, reason, "{outcome:?}");
        assert_ne!(outcome.name, Success, "{reason}");
    }
    assert_eq!(phone.send().await.name, Success);
    assert_eq!(world.inbox().len(), 2, "what is refused is not taken");
}

#[tokio::test]
async fn a_dead_device_says_since_when() {
    let world = World::start().await;
    let rule = Rule {
        timestamp: Some(1_600_000_000_000),
        ..Rule::of_device(Service::Apns, &device(1), "Unregistered")
    };
    world.fake.failures.set(rule).unwrap();
    let outcome = Phone::of(&world).send().await;
    assert_eq!((outcome.name, outcome.status), (ExpiredChannel, Some(410)));
    assert_eq!(outcome.dead_since, Some(Timestamp::from_secs(1_600_000_000)));
}

#[tokio::test]
async fn a_request_that_was_not_processed_is_sent_again_and_arrives_once() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    assert_eq!(phone.send().await.name, Success);
    world.fake.failures.set(Rule::once(Service::Apns, "RefuseStream")).unwrap();
    assert_eq!(phone.send().await.name, Success);
    assert_eq!(world.inbox().len(), 2);
}

#[tokio::test]
async fn a_goaway_costs_the_requests_under_way_and_the_next_reconnect() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    assert_eq!(phone.send().await.name, Success);
    world.fake.failures.set(Rule::once(Service::Apns, "GoAway")).unwrap();
    let lost = phone.send().await;
    assert_eq!(lost.name, PnsUnreachable, "{lost:?}");
    assert!(lost.class().is_worth_retrying());
    assert_eq!(phone.send().await.name, Success);
    assert_eq!(world.server.connections(), 2);
}

#[tokio::test]
async fn a_crowd_survives_a_goaway() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    assert_eq!(phone.send().await.name, Success);
    world.fake.failures.set(Rule::once(Service::Apns, "GoAway")).unwrap();
    let names = phone.send_to(200).await;
    // Those under way at that moment are lost, and known to be; all others went elsewhere.
    assert!(names.contains(&PnsUnreachable), "{names:?}");
    assert!(names.iter().all(|name| matches!(name, Success | PnsUnreachable)), "{names:?}");
    assert_eq!(phone.send_to(200).await, [Success; 200]);
}

#[tokio::test]
async fn a_stream_that_is_reset_or_silent_leaves_the_connection_alone() {
    let world = World::start().await;
    let limits =
        ConnectionLimits { answer: Duration::from_millis(300), ..ConnectionLimits::default() };
    let phone = Phone::with(&world, limits);
    assert_eq!(phone.send().await.name, Success);
    for failure in ["ResetStream", "Stall"] {
        world.fake.failures.set(Rule::once(Service::Apns, failure)).unwrap();
        assert_eq!(phone.send().await.name, PnsUnreachable, "{failure}");
        assert_eq!(phone.send().await.name, Success, "{failure}");
    }
    assert_eq!(world.server.connections(), 1);
}

#[tokio::test]
async fn a_service_that_comes_back_is_found_again() {
    let mut world = World::start().await;
    let phone = Phone::of(&world);
    assert_eq!(phone.send().await.name, Success);
    world.stop.cancel();
    // The connection is closed from the other side; the sender notices by itself.
    let down = loop {
        let outcome = phone.send().await;
        if outcome.name != Success {
            break outcome;
        }
    };
    assert!(down.class().is_worth_retrying(), "{down:?}");
    world.stop = CancellationToken::new();
    world.server = ApnsServer::new(Arc::clone(&world.fake), &world.tls, ApnsSettings::default());
    let again = loop {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], world.apns_port));
        if let Ok(listener) = Listener::bind(address, "test") {
            break listener;
        }
        tokio::task::yield_now().await;
    };
    world.serve_apns(again);
    // A failed connection is remembered for a second.
    world.pass(Duration::from_secs(2));
    let mut names = Vec::new();
    while names.last() != Some(&Success) {
        assert!(names.len() < 50, "{names:?}");
        names.push(phone.send().await.name);
        world.pass(Duration::from_secs(2));
    }
}

#[tokio::test]
async fn the_token_is_renewed_before_apple_calls_it_old() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    for _ in 0..6 {
        assert_eq!(phone.send().await.name, Success);
        world.pass(31 * MINUTE);
    }
    assert_eq!(world.server.connections(), 1, "on the same connection");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_named() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    world.their_clock.advance(2 * 60 * MINUTE);
    let outcome = phone.send().await;
    assert_eq!((outcome.name, &*outcome.reason), (InvalidToken, "ExpiredProviderToken"));
    assert!(outcome.explanation.contains("clock"), "{}", outcome.explanation);
}

#[tokio::test]
async fn a_key_that_the_service_does_not_know_is_a_credential_problem() {
    let world = World::start().await;
    let endpoint = format!("https://localhost:{}", world.apns_port);
    let own = Accounts::generate().apns.fields(&endpoint);
    let credential = ApnsCredential::parse(&own).unwrap();
    let channel = world.apns_sender(ConnectionLimits::default()).channel(&credential);
    let message = message(&credential, &Options::default());
    let outcome = channel.send(&device(1), &message, Uuid::new_v4()).await;
    assert_eq!((outcome.name, &*outcome.reason), (InvalidCredentials, "InvalidProviderToken"));
    let mut told = world.fake.accounts().apns.clone();
    told.token = own.token.unwrap().expose().to_owned();
    world.fake.trusted().apns(&told).unwrap();
    assert_eq!(channel.send(&device(1), &message, Uuid::new_v4()).await.name, Success);
}

#[tokio::test]
async fn handles_and_messages_that_cannot_work_are_not_sent() {
    let world = World::start().await;
    let phone = Phone::of(&world);
    let send = async |handle: &str| phone.channel.send(handle, &phone.message, Uuid::nil()).await;
    assert_eq!(send("no token").await.name, BadChannel);
    let options = Options { expiration: Some(START.as_secs() - 1), ..Options::default() };
    let late = message(&phone.credential, &options);
    let outcome = phone.channel.send(&device(1), &late, Uuid::nil()).await;
    assert_eq!(outcome.name, Skipped);
    assert_eq!(world.server.connections(), 0);
}

#[tokio::test]
async fn an_address_that_must_not_be_called_is_named() {
    let mut world = World::start().await;
    let ca = world.dir.path().join("ca.pem");
    world.outbound = Outbound::new(AddressPolicy::default(), Some(&ca)).unwrap();
    let outcome = Phone::of(&world).send().await;
    assert_eq!(outcome.name, PnsUnreachable);
    assert!(outcome.explanation.contains("loopback"), "{}", outcome.explanation);
}

#[tokio::test]
async fn a_forgotten_credential_lets_its_connections_go() {
    let world = World::start().await;
    let sender = world.apns_sender(ConnectionLimits::default());
    let credential = Phone::of(&world).credential;
    let message = message(&credential, &Options::default());
    let names: [OutcomeName; 2] = {
        let first = sender.channel(&credential);
        let before = first.send(&device(1), &message, Uuid::nil()).await.name;
        sender.forget(&credential);
        assert_eq!(first.connections(), 0);
        let after = sender.channel(&credential).send(&device(1), &message, Uuid::nil()).await.name;
        [before, after]
    };
    assert_eq!((names, world.server.connections()), ([Success, Success], 2));
}
