//! Topics and event subscriptions by calls and by the configuration file.

use kernel::ErrorKind;

use super::webhook::Webhook;
use super::*;
use crate::topic::{TopicKey, TopicKeys};
use crate::{ConfiguredSubscription, ConfiguredTopic};

fn configured_topic(name: &str) -> ConfiguredTopic {
    ConfiguredTopic {
        id: topic_id(name),
        request: TopicRequest::default(),
        keys: None,
        first_keys: None,
        hosts: Vec::new(),
    }
}

#[tokio::test]
async fn a_topic_is_made_changed_and_deleted() {
    let world = World::new().await;
    let id = world.topic("Orders", json!({ "disableLocalAuth": true })).await;
    let topic = world.grid.topic(&topic_id("ORDERS")).unwrap();
    assert_eq!(topic.id.name(), "Orders", "the case of the creation is kept");
    let endpoint = world.grid.topic_endpoint(&topic);
    assert_eq!(endpoint, "http://localhost:8080/topics/Orders/api/events");
    assert_eq!(topic.properties(&endpoint)["disableLocalAuth"], true);

    let patch = json!({ "tags": { "a": "b" }, "properties": { "disableLocalAuth": false } });
    let topic = world.grid.patch_topic(&id, &patch).await.unwrap();
    assert_eq!(topic.properties("")["disableLocalAuth"], false);
    assert_eq!(topic.tags["a"], "b");

    world.grid.delete_topic(&id).await.unwrap();
    assert_eq!(world.grid.topic(&id).unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn regenerating_a_key_leaves_the_other() {
    let world = World::new().await;
    let id = world.topic("orders", json!({})).await;
    let before = world.grid.topic_keys(&id).unwrap();
    let after = world.grid.regenerate_topic_key(&id, TopicKey::Second).await.unwrap();
    assert_eq!(after.key1, before.key1);
    assert_ne!(after.key2, before.key2);
    assert_eq!(world.grid.topic_keys(&id).unwrap(), after);
}

#[tokio::test]
async fn what_cannot_change_or_is_taken_is_a_conflict() {
    let world = World::new().await;
    let id = world.topic("orders", json!({})).await;
    let other = |properties| TopicRequest { properties, ..TopicRequest::default() };
    let schema = other(json!({ "inputSchema": "CloudEventSchemaV1_0" }));
    let error = world.grid.put_topic(&id, schema).await.unwrap_err();
    assert_eq!(error.code(), "InputSchemaFixed");
    let elsewhere = id.as_str().replace("/rg/", "/other/");
    let elsewhere = ResourceId::parse(&elsewhere).unwrap();
    let error = world.grid.put_topic(&elsewhere, other(json!({}))).await.unwrap_err();
    assert_eq!(error.code(), "TopicNameTaken");
}

#[tokio::test]
async fn a_source_has_one_system_topic_of_its_own_type() {
    let world = World::new().await;
    let of = |name: &str| {
        let id = format!("{GROUP}/providers/Microsoft.EventGrid/systemTopics/{name}");
        ResourceId::parse(&id).unwrap()
    };
    let source = format!("{GROUP}/providers/Microsoft.Communication/communicationServices/chat");
    let request = |kind: &str| TopicRequest {
        properties: json!({ "source": source, "topicType": kind }),
        ..TopicRequest::default()
    };
    let right = "Microsoft.Communication.CommunicationServices";
    world.grid.put_topic(&of("one"), request(right)).await.unwrap();
    let error = world.grid.put_topic(&of("two"), request(right)).await.unwrap_err();
    assert_eq!(error.code(), "SystemTopicExists");
    let error = world.grid.put_topic(&of("three"), request("Microsoft.Storage")).await.unwrap_err();
    assert!(error.message().contains(right), "{error}");
    assert!(world.grid.topic_keys(&of("one")).is_err(), "nobody publishes to it");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let world = World::new().await;
    let webhook = Webhook::consenting(|| 200).await;
    let topic = world.topic("orders", json!({})).await;
    let properties = world.key(&topic);
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
    let world = world.reopened(Start::default()).await;
    assert_eq!(world.key(&topic), properties);
    let url = world.grid.full_url(&topic, "BILLING").unwrap();
    assert_eq!(url.expose(), webhook.url());
    let shown = world.grid.event_subscription(&topic, "billing").unwrap();
    let shown = shown.shown(world.grid.now());
    assert_eq!(shown["provisioningState"], "Succeeded");
    assert!(!shown.to_string().contains("hunter2"));
    assert_eq!(webhook.next().await.header("aeg-event-type"), "SubscriptionValidation");
    assert_eq!(webhook.unseen().await, 0, "it was asked once");
}

#[tokio::test]
async fn a_change_by_another_process_is_noticed() {
    let world = World::new().await;
    let other = World::beside(&world, Start::default()).await;
    let id = other.topic("orders", json!({})).await;
    eventually("the topic is seen", async || world.grid.topic(&id).is_ok()).await;
}

#[tokio::test]
async fn a_change_whose_caller_went_away_before_the_answer_is_noticed() {
    let world = World::new().await;
    let id = world.topic("orders", json!({})).await;
    world.grid.store().change(crate::store::Store::delete_topic(id.key())).await.unwrap();
    eventually("the topic is gone", async || world.grid.topic(&id).is_err()).await;
}

#[tokio::test]
async fn calls_cannot_change_what_the_file_defines() {
    let topic = configured_topic("orders");
    let id = topic.id.clone();
    let subscription = ConfiguredSubscription {
        scope: id.clone(),
        name: "screens".to_owned(),
        properties: hub("news"),
    };
    let configured = Configured { topics: vec![topic], subscriptions: vec![subscription] };
    let world = World::start(Start { configured, ..Start::default() }).await;
    assert!(world.grid.topic(&id).unwrap().owned_by_file);
    let refusals = [
        world.grid.delete_topic(&id).await.unwrap_err(),
        world.grid.patch_topic(&id, &json!({})).await.unwrap_err(),
        world.grid.delete_event_subscription(&id, "screens").await.unwrap_err(),
        world.grid.put_event_subscription(&id, "screens", &hub("x")).await.unwrap_err(),
    ];
    assert!(refusals.iter().all(|error| error.code() == "OwnedByConfiguration"));
    // Generated keys can be replaced: the file does not give them.
    world.grid.regenerate_topic_key(&id, TopicKey::First).await.unwrap();

    let world = world.reopened(Start::default()).await;
    assert!(world.grid.topic(&id).is_err(), "the file no longer names it");
    assert!(world.grid.event_subscriptions(&id).is_empty());
}

#[tokio::test]
async fn keys_of_the_file_count_and_stay_out_of_the_store() {
    let keys = TopicKeys::generate();
    let topic = ConfiguredTopic { keys: Some(keys.clone()), ..configured_topic("orders") };
    let id = topic.id.clone();
    let configured = Configured { topics: vec![topic], subscriptions: Vec::new() };
    let world = World::start(Start { configured, ..Start::default() }).await;
    assert_eq!(world.grid.topic_keys(&id).unwrap(), keys);
    let stored = world.grid.store().load().await.unwrap();
    assert!(stored.topics.iter().all(|(_, stored)| stored.is_none()));
}

#[tokio::test]
async fn destinations_that_are_not_there_are_refused_before_anything_is_stored() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    for (properties, says) in [
        (json!({ "destination": { "endpointType": "StorageQueue" } }), "WebHook"),
        (hub("1news"), "begins with a letter"),
    ] {
        let put = world.grid.put_event_subscription(&topic, "one", &properties).await;
        let error = put.unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
    assert!(world.grid.event_subscriptions(&topic).is_empty());
    let group = ResourceId::parse(GROUP).unwrap();
    let error = world.grid.put_event_subscription(&group, "one", &hub("a")).await.unwrap_err();
    assert_eq!(error.target_name(), Some("scope"));
}
