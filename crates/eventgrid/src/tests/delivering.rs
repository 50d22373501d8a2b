//! From an accepted event to a webhook, a hub or the dead letters.

use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use delivery::DeadLetters;
use serde_json::value::RawValue;

use super::webhook::Webhook;
use super::*;
use crate::system::SystemEvent;

fn with(mut properties: Value, name: &str, value: Value) -> Value {
    properties[name] = value;
    properties
}

fn with_destination(mut properties: Value, name: &str, value: Value) -> Value {
    properties["destination"]["properties"][name] = value;
    properties
}

#[tokio::test]
async fn an_event_arrives_as_azure_would_send_it() {
    let world = World::new().await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    let attributes = json!([
        { "name": "x-static", "type": "Static", "properties": { "value": "v", "isSecret": true } },
        { "name": "x-n", "type": "Dynamic", "properties": { "sourceField": "data.n" } },
    ]);
    let properties =
        with_destination(web_hook(&webhook.url()), "deliveryAttributeMappings", attributes);
    world.subscribe(&topic, "Billing", properties).await;
    webhook.next().await;
    assert_eq!(world.publish(&topic, &json!([event("1", "order.made")])).await.0, 200);
    let seen = webhook.next().await;
    for (name, value) in [
        ("aeg-event-type", "Notification"),
        ("aeg-subscription-name", "BILLING"),
        ("aeg-delivery-count", "0"),
        ("aeg-data-version", "1"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-static", "v"),
        ("x-n", "1"),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let mut expected = event("1", "order.made");
    expected["topic"] = topic.as_str().into();
    expected["metadataVersion"] = "1".into();
    assert_eq!(seen.json(), json!([expected]));
}

#[tokio::test]
async fn filters_decide_who_gets_what() {
    let world = World::new().await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    let filter = json!({ "includedEventTypes": ["order.made"] });
    world.subscribe(&topic, "made", with(web_hook(&webhook.url()), "filter", filter)).await;
    webhook.next().await;
    let events = json!([event("1", "order.gone"), event("2", "order.made")]);
    assert_eq!(world.publish(&topic, &events).await.0, 200);
    assert_eq!(webhook.next().await.json()[0]["id"], "2");
    eventually("nothing waits", async || waiting(&world).await == 0).await;
    assert_eq!(webhook.unseen().await, 0);
}

async fn waiting(world: &World) -> u64 {
    let counts = world.deliveries.counts(crate::QUEUE).await.unwrap();
    counts.iter().map(|it| it.queued + it.leased).sum()
}

#[tokio::test]
async fn events_come_in_batches_where_that_is_wanted() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    let properties = with_destination(web_hook(&webhook.url()), "maxEventsPerBatch", 10.into());
    world.subscribe(&topic, "billing", properties).await;
    webhook.next().await;
    let events: Vec<Value> = (0..10).map(|n| event(&n.to_string(), "a")).collect();
    assert_eq!(world.publish(&topic, &Value::Array(events)).await.0, 200);
    world.deliver();
    assert_eq!(webhook.next().await.json().as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_failure_is_tried_again_and_the_count_tells() {
    let world = World::new().await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let calls = AtomicUsize::new(0);
    let fails_twice = move || if calls.fetch_add(1, Ordering::SeqCst) < 2 { 503 } else { 200 };
    let webhook = Webhook::consenting(fails_twice).await;
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
    webhook.next().await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    for attempt in ["0", "1", "2"] {
        assert_eq!(webhook.next().await.header("aeg-delivery-count"), attempt);
    }
    eventually("it is delivered", async || waiting(&world).await == 0).await;
}

#[tokio::test]
async fn what_cannot_be_delivered_lies_in_the_folder_and_can_be_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let settings = Settings { dead_letter_folder: Some(root.clone()), ..Settings::default() };
    let world = World::start(Start { settings, ..Start::default() }).await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let status = Arc::new(AtomicU16::new(400));
    let answer = Arc::clone(&status);
    let webhook = Webhook::consenting(move || answer.load(Ordering::SeqCst)).await;
    let dead = json!({ "endpointType": "Folder", "properties": { "name": "dead" } });
    let properties = with(web_hook(&webhook.url()), "deadLetterDestination", dead);
    world.subscribe(&topic, "billing", properties).await;
    webhook.next().await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    webhook.next().await;

    let letters = DeadLetters::of_queue(crate::QUEUE);
    let deliveries = world.deliveries.clone();
    let dead = async || deliveries.dead_letters(&letters, None, 10).await.unwrap().items;
    eventually("it is given up", async || !dead().await.is_empty()).await;
    assert_eq!(dead().await[0].last_outcome.as_deref(), Some("BadRequest"));
    let place = root.join("dead/ORDERS/BILLING");
    eventually("its file is there", async || files(&place).len() == 1).await;
    let record: Value = serde_json::from_slice(&std::fs::read(&files(&place)[0]).unwrap()).unwrap();
    assert_eq!(record[0]["deadLetterReason"], "UndeliverableDueToClientError");
    assert_eq!(record[0]["lastDeliveryOutcome"], "BadRequest");
    assert_eq!(record[0]["id"], "1");

    status.store(200, Ordering::SeqCst);
    assert_eq!(deliveries.redrive(&letters).await.unwrap(), 1);
    assert_eq!(webhook.next().await.json()[0]["id"], "1");
    eventually("it is delivered", async || waiting(&world).await == 0).await;
    assert!(dead().await.is_empty());
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect()
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let world = World::new().await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let calls = AtomicUsize::new(0);
    let redirects = move || if calls.fetch_add(1, Ordering::SeqCst) == 0 { 307 } else { 200 };
    let webhook = Webhook::consenting(redirects).await;
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
    webhook.next().await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    webhook.next().await;
    assert_eq!(webhook.next().await.header("aeg-delivery-count"), "1", "a failure, tried again");
}

#[tokio::test]
async fn events_reach_the_clients_of_a_hub() {
    let hubs = Hubs::default();
    let world = World::start(Start { hubs: hubs.clone(), ..Start::default() }).await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let to_group = json!({ "destination": { "endpointType": "WebPubSub",
        "properties": { "hub": "news", "group": "sports" } },
        "eventDeliverySchema": "CloudEventSchemaV1_0" });
    world.subscribe(&topic, "screens", to_group).await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    eventually("it is sent", async || !hubs.0.lock().unwrap().is_empty()).await;
    let (target, sent) = hubs.0.lock().unwrap()[0].clone();
    assert_eq!((target.hub.as_str(), target.group.as_deref()), ("news", Some("sports")));
    assert_eq!((&sent["specversion"], &sent["id"]), (&json!("1.0"), &json!("1")));
}

#[tokio::test]
async fn an_expired_subscription_gets_nothing_more() {
    let (clock, hubs) = (clock(), Hubs::default());
    let start = Start {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        hubs: hubs.clone(),
        ..Start::default()
    };
    let world = World::start(start).await;
    let topic = world.topic("orders", json!({})).await;
    let expires = crate::calendar::rfc3339(clock.now() + Duration::from_secs(60));
    let properties = with(hub("news"), "expirationTimeUtc", expires.into());
    world.subscribe(&topic, "screens", properties).await;
    world.publish(&topic, &json!([event("before", "a")])).await;
    assert_eq!(waiting(&world).await, 1);
    clock.advance(Duration::from_secs(61));
    world.publish(&topic, &json!([event("after", "a")])).await;
    assert_eq!(waiting(&world).await, 1, "nothing is added");
    world.deliver();
    eventually("what waited is given up", async || waiting(&world).await == 0).await;
    assert!(hubs.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn deleting_a_subscription_empties_its_queue() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    world.subscribe(&topic, "screens", hub("news")).await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    assert_eq!(waiting(&world).await, 1);
    world.grid.delete_event_subscription(&topic, "screens").await.unwrap();
    assert_eq!(waiting(&world).await, 0);
}

fn chat() -> ResourceId {
    let id = format!("{GROUP}/providers/Microsoft.Communication/communicationServices/chat");
    ResourceId::parse(&id).unwrap()
}

fn user_disconnected() -> SystemEvent {
    SystemEvent {
        id: "1".to_owned(),
        subject: "user/8:acs:a_b".to_owned(),
        event_type: "Microsoft.Communication.UserDisconnected",
        time: Timestamp::from_secs(1_800_000_000),
        data: RawValue::from_string(r#"{"userCommunicationIdentifier":{}}"#.to_owned()).unwrap(),
    }
}

#[tokio::test]
async fn events_of_a_resource_reach_its_system_topic_and_its_own_scope() {
    let hubs = Hubs::default();
    let world = World::start(Start { hubs: hubs.clone(), ..Start::default() }).await;
    world.deliver();
    let id = format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics/chat-events");
    let id = ResourceId::parse(&id).unwrap();
    let kind = "Microsoft.Communication.CommunicationServices";
    let properties = json!({ "source": chat().as_str(), "topicType": kind });
    let request = TopicRequest { properties, ..TopicRequest::default() };
    world.grid.put_topic(&id, request).await.unwrap();
    world.subscribe(&id, "one", hub("one")).await;
    world.subscribe(&chat(), "two", hub("two")).await;

    world.grid.raise(&chat(), &[user_disconnected()]);
    eventually("both get it", async || hubs.0.lock().unwrap().len() == 2).await;
    let sent = hubs.0.lock().unwrap()[0].1.clone();
    assert_eq!(sent["topic"], chat().as_str());
    assert_eq!(sent["eventType"], "Microsoft.Communication.UserDisconnected");

    let batch = world.grid.system_events(&chat(), &[user_disconnected()]);
    assert_eq!(batch.statements.len(), 2);
    world.db.write(batch.statements.clone()).await.unwrap();
    world.grid.system_events_stored(&batch);
    eventually("both get it again", async || hubs.0.lock().unwrap().len() == 4).await;
}

#[tokio::test]
async fn events_that_nobody_watches_cost_nothing() {
    let world = World::new().await;
    let batch = world.grid.system_events(&chat(), &[user_disconnected()]);
    assert!(batch.statements.is_empty());
}

#[tokio::test]
async fn a_subscription_that_another_server_made_a_moment_ago_is_known_when_its_events_are_due() {
    let world = World::new().await;
    let late = World::beside(&world, Start::default()).await;
    late.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    let webhook = Webhook::consenting(|| 200).await;
    let topic = world.topic("orders", json!({})).await;
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
    webhook.next().await;
    assert_eq!(world.publish(&topic, &json!([event("1", "a")])).await.0, 200);
    assert!(late.grid.event_subscription(&topic, "billing").is_err(), "it does not look");
    let driver = late.deliveries.driver(vec![late.grid.queue()]);
    world.tasks.spawn("deliveries", driver.run(world.tasks.token().clone()));
    assert_eq!(webhook.next().await.json()[0]["id"], "1");
    let counts = world.deliveries.counts(crate::QUEUE).await.unwrap();
    assert!(counts.iter().all(|it| it.dead == 0), "{counts:?}");
}

#[tokio::test]
async fn attributes_carry_whatever_text_a_header_can() {
    let world = World::new().await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    let attributes =
        json!([{ "name": "x-place", "type": "Static", "properties": { "value": "Zürich" } }]);
    let properties =
        with_destination(web_hook(&webhook.url()), "deliveryAttributeMappings", attributes);
    world.subscribe(&topic, "billing", properties).await;
    webhook.next().await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    let seen = webhook.next().await;
    assert_eq!(seen.headers["x-place"].as_bytes(), "Zürich".as_bytes());
}

#[tokio::test]
async fn nothing_is_remembered_of_a_subscription_that_another_server_has_deleted() {
    let world = World::new().await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
    let mut subscription = world.grid.event_subscription(&topic, "billing").unwrap();
    subscription.allowed_rate = Some(6000);
    let statement = world.grid.store().put_subscription(&subscription);
    world.grid.store_and_refresh(vec![statement]).await.unwrap();
    world.publish(&topic, &json!([event("1", "a")])).await;
    let key = subscription.key();
    let delivered = async || world.grid.watch().health(&key).delivered == 1;
    eventually("it is delivered", delivered).await;
    assert!(world.grid.pace().knows(&key));

    let other = World::beside(&world, Start::default()).await;
    other.grid.delete_event_subscription(&topic, "billing").await.unwrap();
    let forgotten = async || {
        world.grid.watch().health(&key) == crate::Health::default()
            && !world.grid.pace().knows(&key)
    };
    eventually("it is forgotten", forgotten).await;
}
