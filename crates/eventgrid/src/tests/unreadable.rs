//! What is stored and cannot be read stops nothing but itself, and what waits for it waits.

use kernel::Secret;
use storage::{Statement, vals};

use super::*;
use crate::subscription::{AttributeSource, DeliveryAttribute, Destination};
use crate::{ConfiguredSubscription, ConfiguredTopic};

fn start(hubs: &Hubs) -> Start {
    Start { hubs: hubs.clone(), ..Start::default() }
}

fn received(hubs: &Hubs, hub: &str) -> usize {
    hubs.0.lock().unwrap().iter().filter(|(target, _)| target.hub == hub).count()
}

/// Stores an event subscription as an earlier version could have, which knew no refused headers.
async fn break_subscription(world: &World, topic: &ResourceId, name: &str) {
    let mut subscription = world.grid.event_subscription(topic, name).unwrap();
    let hook = web_hook("https://h.example/");
    let hook = crate::subscription::Properties::read_back(&hook).unwrap().destination;
    let Destination::WebHook(mut hook) = hook else { panic!("a webhook") };
    let source = AttributeSource::Static { value: Secret::new("v"), is_secret: false };
    hook.attributes.push(DeliveryAttribute { name: "Host".to_owned(), source });
    subscription.properties.destination = Destination::WebHook(hook);
    let statement = world.grid.store().put_subscription(&subscription);
    world.grid.store_and_refresh(vec![statement]).await.unwrap();
}

async fn break_topic(world: &World, topic: &ResourceId, column: &str, value: &str) {
    let sql = format!("UPDATE eventgrid_topics SET {column} = {value} WHERE id = $1");
    let statement = Statement::new(sql, vals![topic.key()]);
    world.grid.store_and_refresh(vec![statement]).await.unwrap();
}

/// Queued, tried and dead, by the name of the event subscription.
async fn fares(world: &World, name: &str) -> (u64, bool, u64) {
    let response = world.grid.operator_router().oneshot(
        Request::get("/eventgrid/subscriptions")
            .header("host", "localhost")
            .body(Body::empty())
            .unwrap(),
    );
    let (_, _, body) = answered(response.await.unwrap()).await;
    let told: Value = serde_json::from_str(&body).unwrap();
    let lines = told["value"].as_array().unwrap();
    let line = lines.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(line["state"], "Unreadable");
    assert!(!line["reason"].as_str().unwrap().is_empty());
    let waits = line["queued"].as_u64().unwrap() + line["inFlight"].as_u64().unwrap();
    let tried = line["health"]["retried"].as_u64().unwrap() > 0;
    (waits, tried, line["dead"].as_u64().unwrap())
}

#[tokio::test]
async fn an_event_subscription_against_a_new_rule_waits_and_the_others_go_on() {
    let (world, hubs) = (World::new().await, Hubs::default());
    let topic = world.topic("orders", json!({})).await;
    world.subscribe(&topic, "broken", hub("broken")).await;
    world.subscribe(&topic, "screens", hub("news")).await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    break_subscription(&world, &topic, "broken").await;

    let world = world.reopened(start(&hubs)).await;
    world.deliver();
    assert_eq!(world.publish(&topic, &json!([event("2", "a")])).await.0, 200);
    eventually("the other gets both", async || received(&hubs, "news") == 2).await;
    let waits = async || fares(&world, "broken").await == (1, true, 0);
    eventually("the first event is tried and waits", waits).await;
    let error = world.grid.event_subscription(&topic, "broken").unwrap_err();
    assert_eq!(error.kind(), kernel::ErrorKind::Unavailable);

    // Writing it again is the cure.
    world.subscribe(&topic, "broken", hub("mended")).await;
    eventually("what waited arrives", async || received(&hubs, "mended") == 1).await;
}

#[tokio::test]
async fn one_that_cannot_be_read_can_be_deleted() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    world.subscribe(&topic, "broken", hub("broken")).await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    break_subscription(&world, &topic, "broken").await;
    assert_eq!(fares(&world, "broken").await, (1, false, 0));
    world.grid.delete_event_subscription(&topic, "broken").await.unwrap();
    let error = world.grid.event_subscription(&topic, "broken").unwrap_err();
    assert_eq!(error.kind(), kernel::ErrorKind::NotFound);
    let counts = world.deliveries.counts(crate::QUEUE).await.unwrap();
    assert!(counts.iter().all(|it| it.queued + it.leased == 0), "{counts:?}");
}

#[tokio::test]
async fn a_topic_that_cannot_be_read_takes_its_event_subscriptions_with_it_until_it_can() {
    let (world, hubs) = (World::new().await, Hubs::default());
    let (topic, other) =
        (world.topic("orders", json!({})).await, world.topic("other", json!({})).await);
    world.subscribe(&topic, "broken", hub("broken")).await;
    world.subscribe(&other, "screens", hub("news")).await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    break_topic(&world, &topic, "document", "'{'").await;

    let world = world.reopened(start(&hubs)).await;
    world.deliver();
    assert_eq!(world.publish(&other, &json!([event("2", "a")])).await.0, 200);
    eventually("the other goes on", async || received(&hubs, "news") == 1).await;
    let waits = async || fares(&world, "broken").await == (1, true, 0);
    eventually("the event is tried and waits", waits).await;
    for (path, host) in [("/topics/Orders/api/events", "h"), ("/api/events", "orders.example")] {
        let request = Request::post(path).header("host", host).body("[]".into()).unwrap();
        assert_eq!(world.send(request).await.0, 503, "{path}: publishers are to try again");
    }

    world.topic("orders", json!({})).await;
    eventually("what waited arrives", async || received(&hubs, "broken") == 1).await;
    assert_eq!(world.publish(&topic, &json!([event("3", "a")])).await.0, 200);
    break_topic(&world, &topic, "document", "'{'").await;
    world.grid.delete_topic(&topic).await.unwrap();
    assert_eq!(world.grid.topic(&topic).unwrap_err().kind(), kernel::ErrorKind::NotFound);
}

#[tokio::test]
async fn what_the_file_defines_starts_though_its_stored_keys_cannot_be_opened() {
    let configured = || Configured {
        topics: vec![ConfiguredTopic {
            id: topic_id("orders"),
            request: TopicRequest::default(),
            keys: None,
            first_keys: None,
            hosts: Vec::new(),
        }],
        subscriptions: vec![ConfiguredSubscription {
            scope: topic_id("orders"),
            name: "screens".to_owned(),
            properties: hub("news"),
        }],
    };
    let with_file = || Start { configured: configured(), ..Start::default() };
    let world = World::start(with_file()).await;
    break_topic(&world, &topic_id("orders"), "key1", "X'01'").await;
    let world = world.reopened(with_file()).await;
    assert_eq!(fares(&world, "screens").await, (0, false, 0));
    let refused = world.grid.delete_topic(&topic_id("orders")).await.unwrap_err();
    assert_eq!(refused.code(), "OwnedByConfiguration");

    // The file names them no longer, and then again.
    let world = world.reopened(Start::default()).await;
    assert!(world.grid.topics(None).is_empty());
    let world = world.reopened(with_file()).await;
    assert_eq!(world.grid.event_subscriptions(&topic_id("orders")).len(), 1);
}
