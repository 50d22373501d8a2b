//! Messages to Google: access tokens, answers, the schema.

use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::fake::failure::catalog;
use crate::fake::{Rule, Service};
use crate::push::OutcomeName::*;
use crate::push::fcm::{Channel, FcmCredential, FcmEndpoints, Message};

fn credential(world: &World) -> FcmCredential {
    let endpoints = FcmEndpoints {
        send: world.url("/fcm").parse().unwrap(),
        token: world.url("/oauth/token").parse().unwrap(),
    };
    FcmCredential::parse(&world.fake.accounts().fcm_v1.fields(), endpoints).unwrap()
}

fn channel(world: &World) -> Arc<Channel> {
    world.fcm_sender().channel(&credential(world))
}

fn message(body: &str) -> Message {
    Message::parse(body.as_bytes()).unwrap()
}

fn hello() -> Message {
    message(r#"{"message":{"notification":{"title":"hello"},"data":{"k":"v"}}}"#)
}

#[tokio::test]
async fn a_notification_arrives_without_the_token_in_it() {
    let world = World::start().await;
    let outcome = channel(&world).send("device-1", &hello()).await;
    assert_eq!(outcome.name, Success, "{outcome:?}");
    assert!(outcome.id.unwrap().starts_with("projects/fake-project/messages/0:"));
    let received = &world.inbox()[0];
    assert_eq!(&*received.device, "device-1");
    let payload: serde_json::Value = serde_json::from_slice(&received.payload).unwrap();
    assert_eq!(payload, json!({ "notification": { "title": "hello" }, "data": { "k": "v" } }));
}

#[tokio::test]
async fn a_crowd_shares_one_access_token_which_is_renewed_in_time() {
    let world = World::start().await;
    let channel = channel(&world);
    for _ in 0..3 {
        let mut sends = JoinSet::new();
        for number in 0..20 {
            let channel = Arc::clone(&channel);
            let device = format!("device-{number}");
            sends.spawn(async move { channel.send(&device, &hello()).await.name });
        }
        assert!(sends.join_all().await.into_iter().all(|name| name == Success));
        world.pass(58 * MINUTE);
    }
    assert_eq!(world.fake.access_tokens.issued(), 3);
}

#[tokio::test]
async fn every_refusal_of_google_arrives_as_its_outcome() {
    let world = World::start().await;
    let channel = channel(&world);
    let expected = [
        ("UNREGISTERED", ExpiredChannel),
        ("NOT_FOUND", InvalidCredentials),
        ("INVALID_TOKEN", BadChannel),
        ("INVALID_TOKEN_FIELD", BadChannel),
        ("INVALID_ARGUMENT", InvalidNotificationFormat),
        ("TOO_BIG", InvalidNotificationSize),
        ("THIRD_PARTY_AUTH_ERROR", InvalidCredentials),
        ("SENDER_ID_MISMATCH", WrongToken),
        ("PERMISSION_DENIED", InvalidCredentials),
        ("QUOTA_EXCEEDED", Throttled),
        ("DEVICE_QUOTA_EXCEEDED", ChannelThrottled),
        ("INTERNAL", PnsServerError),
        ("UNAVAILABLE", PnsUnavailable),
        ("NONSENSE", PnsInterfaceError),
    ];
    for (failure, name) in expected {
        world.fake.failures.set(Rule::once(Service::Fcm, failure)).unwrap();
        let outcome = channel.send("device-1", &hello()).await;
        assert_eq!(outcome.name, name, "{failure}: {outcome:?}");
    }
    let tested = |name: &&str| expected.iter().any(|(it, _)| it == name);
    let others: Vec<&str> = catalog(Service::Fcm).filter(|name| !tested(name)).collect();
    assert_eq!(others, ["UNAUTHENTICATED", "Stall"], "these have tests of their own");
    assert_eq!(world.inbox(), []);
}

#[tokio::test]
async fn a_quota_is_waited_for_as_long_as_google_says() {
    let world = World::start().await;
    let rule = Rule { retry_after: Some(17), ..Rule::once(Service::Fcm, "QUOTA_EXCEEDED") };
    world.fake.failures.set(rule).unwrap();
    let outcome = channel(&world).send("device-1", &hello()).await;
    assert_eq!(outcome.retry_after, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn a_refused_access_token_is_replaced_once() {
    let world = World::start().await;
    let channel = channel(&world);
    world.fake.failures.set(Rule::once(Service::Fcm, "UNAUTHENTICATED")).unwrap();
    assert_eq!(channel.send("device-1", &hello()).await.name, Success);
    assert_eq!(world.fake.access_tokens.issued(), 2);
    world.fake.failures.set(Rule::always(Service::Fcm, "UNAUTHENTICATED")).unwrap();
    let outcome = channel.send("device-1", &hello()).await;
    assert_eq!((outcome.name, outcome.status), (InvalidCredentials, Some(401)));
}

#[tokio::test]
async fn a_service_account_that_is_refused_is_named_and_not_tried_at_once_again() {
    let world = World::start().await;
    let channel = channel(&world);
    let rule = Rule { count: Some(2), ..Rule::always(Service::OAuth, "invalid_grant") };
    world.fake.failures.set(rule).unwrap();
    for _ in 0..5 {
        let outcome = channel.send("device-1", &hello()).await;
        assert_eq!(outcome.name, InvalidCredentials);
        assert!(outcome.reason.starts_with("invalid_grant"), "{outcome:?}");
    }
    assert_eq!(world.fake.failures.list()[0].count, Some(1), "it was asked once");
    world.pass(6 * Duration::from_secs(1));
    assert_eq!(channel.send("device-1", &hello()).await.name, InvalidCredentials);
    world.pass(6 * Duration::from_secs(1));
    assert_eq!(channel.send("device-1", &hello()).await.name, Success);
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_suspected() {
    let world = World::start().await;
    world.their_clock.advance(2 * 60 * MINUTE);
    let outcome = channel(&world).send("device-1", &hello()).await;
    assert_eq!(outcome.name, InvalidCredentials);
    assert!(outcome.explanation.contains("clock"), "{}", outcome.explanation);
    assert!(outcome.reason.contains("reasonable timeframe"), "{}", outcome.reason);
}

#[tokio::test]
async fn what_googles_schema_does_not_have_is_a_payload_problem() {
    let world = World::start().await;
    let channel = channel(&world);
    for body in [
        r#"{"message":{"data":{"n":1}}}"#,
        r#"{"message":{"notification":{"sound":"x"}}}"#,
        r#"{"message":{"data":{"from":"x"}}}"#,
    ] {
        let outcome = channel.send("device-1", &message(body)).await;
        assert_eq!(outcome.name, InvalidNotificationFormat, "{body}: {outcome:?}");
    }
}

#[tokio::test]
async fn another_project_is_refused() {
    let world = World::start().await;
    let mut fields = world.fake.accounts().fcm_v1.fields();
    fields.project_id = "other".to_owned();
    let endpoints = credential(&world).endpoints().clone();
    let credential = FcmCredential::parse(&fields, endpoints).unwrap();
    let outcome = world.fcm_sender().channel(&credential).send("device-1", &hello()).await;
    assert_eq!(outcome.name, InvalidCredentials);
    assert!(outcome.reason.contains("PERMISSION_DENIED"), "{}", outcome.reason);
}
