//! Messages to browsers: encryption, VAPID, answers.

use axum::http::HeaderMap;
use kernel::Secret;
use serde_json::Value;

use super::*;
use crate::fake::failure::catalog;
use crate::fake::{Rule, Service};
use crate::push::Outcome;
use crate::push::OutcomeName::*;
use crate::push::webpush::{Message, Subscription, VapidCredential, VapidFields};

fn credential(accounts: &Accounts) -> VapidCredential {
    let browser = &accounts.browser;
    VapidCredential::parse(&VapidFields {
        subject: browser.subject.clone(),
        public_key: browser.vapid_public_key.clone(),
        private_key: Secret::new(&*browser.vapid_private_key),
    })
    .unwrap()
}

struct Browser {
    id: String,
    subscription: Subscription,
}

impl Browser {
    async fn subscribe(world: &World) -> Self {
        let key = &world.fake.accounts().browser.vapid_public_key;
        let body = serde_json::json!({ "applicationServerKey": key }).to_string();
        let (status, issued) = world.ask("POST", "/subscriptions", &body).await;
        assert_eq!(status, 201, "{issued}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (endpoint, keys) = (text(&issued["endpoint"]), &issued["keys"]);
        let subscription =
            Subscription::parse(&endpoint, &text(&keys["p256dh"]), &text(&keys["auth"])).unwrap();
        Self { id: text(&issued["id"]), subscription }
    }

    async fn send(&self, world: &World, text: &str) -> Outcome {
        let payload = Bytes::from(text.to_owned());
        let message = Message::from_headers(&HeaderMap::new(), payload).unwrap();
        let credential = credential(world.fake.accounts());
        world.web_push_sender().send(&credential, &self.subscription, &message).await
    }
}

#[tokio::test]
async fn a_message_arrives_decrypted() {
    let world = World::start().await;
    let browser = Browser::subscribe(&world).await;
    let outcome = browser.send(&world, "hello, browser").await;
    assert_eq!((outcome.name, outcome.status), (Success, Some(201)), "{outcome:?}");
    assert!(outcome.id.unwrap().starts_with(&world.url("/web/")));
    let received = &world.inbox()[0];
    assert_eq!((&*received.device, &received.payload[..]), (&*browser.id, &b"hello, browser"[..]));
    assert_eq!(received.to_json()["headers"]["ttl"], "2419200");
}

#[tokio::test]
async fn every_refusal_of_a_push_service_arrives_as_its_outcome() {
    let world = World::start().await;
    let browser = Browser::subscribe(&world).await;
    let expected = [
        ("BadRequest", InvalidNotificationFormat),
        ("Unauthorized", InvalidCredentials),
        ("Forbidden", InvalidCredentials),
        ("NotFound", ExpiredChannel),
        ("Gone", ExpiredChannel),
        ("PayloadTooLarge", InvalidNotificationSize),
        ("TooManyRequests", Throttled),
        ("InternalServerError", PnsServerError),
        ("ServiceUnavailable", PnsUnavailable),
        ("Redirect", PnsInterfaceError),
    ];
    let names: Vec<&str> = expected.iter().map(|(name, _)| *name).chain(["Stall"]).collect();
    assert_eq!(catalog(Service::WebPush).collect::<Vec<_>>(), names);
    for (failure, name) in expected {
        world.fake.failures.set(Rule::once(Service::WebPush, failure)).unwrap();
        let outcome = browser.send(&world, "x").await;
        assert_eq!((outcome.name, &*outcome.reason), (name, failure));
    }
    assert_eq!(browser.send(&world, "x").await.name, Success);
}

#[tokio::test]
async fn a_browser_that_unsubscribed_is_gone() {
    let world = World::start().await;
    let browser = Browser::subscribe(&world).await;
    let path = format!("/subscriptions/{}", browser.id);
    assert_eq!(world.ask("DELETE", &path, "").await.0, 204);
    assert_eq!(world.ask("DELETE", &path, "").await.0, 404);
    let outcome = browser.send(&world, "x").await;
    assert_eq!((outcome.name, outcome.status), (ExpiredChannel, Some(410)));
}

#[tokio::test]
async fn only_the_owner_of_the_key_reaches_a_browser() {
    let world = World::start().await;
    let browser = Browser::subscribe(&world).await;
    let message = Message::from_headers(&HeaderMap::new(), Bytes::from("x")).unwrap();
    let other = credential(&Accounts::generate());
    let sender = world.web_push_sender();
    let outcome = sender.send(&other, &browser.subscription, &message).await;
    assert_eq!(outcome.name, InvalidCredentials);
    assert!(outcome.reason.starts_with("VapidPkHashMismatch"), "{}", outcome.reason);
}

#[tokio::test]
async fn a_message_for_other_keys_is_not_taken() {
    let world = World::start().await;
    let (browser, other) = (Browser::subscribe(&world).await, Browser::subscribe(&world).await);
    let mixed = Subscription {
        endpoint: browser.subscription.endpoint.clone(),
        ..other.subscription.clone()
    };
    let outcome = Browser { subscription: mixed, ..browser }.send(&world, "x").await;
    assert_eq!(outcome.name, InvalidNotificationFormat);
    assert!(outcome.reason.contains("could not decrypt"), "{}", outcome.reason);
}

#[tokio::test]
async fn the_vapid_token_is_renewed() {
    let world = World::start().await;
    let browser = Browser::subscribe(&world).await;
    for _ in 0..4 {
        assert_eq!(browser.send(&world, "x").await.name, Success);
        world.pass(7 * 60 * MINUTE);
    }
}

#[tokio::test]
async fn the_largest_payload_fits_and_a_larger_one_is_not_sent() {
    let world = World::start().await;
    let browser = Browser::subscribe(&world).await;
    assert_eq!(browser.send(&world, &"x".repeat(3993)).await.name, Success);
    let outcome = browser.send(&world, &"x".repeat(3994)).await;
    assert_eq!((outcome.name, outcome.status), (InvalidNotificationSize, None));
}

#[tokio::test]
async fn an_endpoint_inside_the_network_is_not_called() {
    let mut world = World::start().await;
    let browser = Browser::subscribe(&world).await;
    let ca = world.dir.path().join("ca.pem");
    world.outbound = Outbound::new(AddressPolicy::default(), Some(&ca)).unwrap();
    let outcome = browser.send(&world, "x").await;
    assert_eq!(outcome.name, Skipped);
    assert!(outcome.explanation.contains("loopback"), "{}", outcome.explanation);
}
