//! Consent of webhooks, asked over real connections.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use tokio::sync::watch;

use super::webhook::Webhook;
use super::*;

/// A webhook that takes note and says nothing.
async fn silent() -> Webhook {
    Webhook::answering(|_| async { StatusCode::OK.into_response() }).await
}

fn code_of(seen: &webhook::Seen) -> String {
    seen.json()[0]["data"]["validationUrl"].as_str().unwrap().to_owned()
}

async fn open(world: &World, url: &str) -> u16 {
    let path = &url[url.find("/eventsubscriptions").unwrap()..];
    world.send(Request::get(path).body(Body::empty()).unwrap()).await.0
}

#[tokio::test]
async fn a_webhook_that_does_not_consent_is_asked_twice_and_nothing_is_stored() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let webhook = Webhook::answering(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::NOT_FOUND.into_response() }
    })
    .await;
    let properties = web_hook(&webhook.url());
    let put = world.grid.put_event_subscription(&topic, "billing", &properties).await;
    let error = put.unwrap_err();
    assert_eq!(error.code(), "Url validation");
    assert!(error.message().contains("404") && !error.message().contains("hunter2"), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert!(world.grid.event_subscriptions(&topic).is_empty());
}

#[tokio::test]
async fn somebody_opens_the_url_and_only_then_events_flow() {
    let world = World::new().await;
    world.deliver();
    let topic = world.topic("orders", json!({})).await;
    let webhook = silent().await;
    let properties = web_hook(&webhook.url());
    let put = world.grid.put_event_subscription(&topic, "billing", &properties).await.unwrap();
    assert_eq!(put.state.as_str(), "AwaitingManualAction");
    let url = code_of(&webhook.next().await);

    assert_eq!(world.publish(&topic, &json!([event("early", "a")])).await.0, 200);
    assert_eq!(open(&world, &url).await, 200);
    assert_eq!(open(&world, &url).await, 404, "a code is good for once");
    assert_eq!(world.publish(&topic, &json!([event("late", "a")])).await.0, 200);
    assert_eq!(webhook.next().await.json()[0]["id"], "late", "nothing came before consent");
}

#[tokio::test]
async fn the_url_is_good_for_ten_minutes() {
    let clock = clock();
    let start = Start { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Start::default() };
    let world = World::start(start).await;
    let topic = world.topic("orders", json!({})).await;
    let webhook = silent().await;
    let properties = web_hook(&webhook.url());
    world.grid.put_event_subscription(&topic, "billing", &properties).await.unwrap();
    let url = code_of(&webhook.next().await);
    clock.advance(Duration::from_secs(600));
    assert_eq!(open(&world, &url).await, 404);
    let shown = world.grid.event_subscription(&topic, "billing").unwrap().shown(clock.now());
    assert_eq!(shown["provisioningState"], "Failed");
}

#[tokio::test]
async fn a_receiver_may_open_the_url_before_it_answers() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let grid = world.grid.clone();
    let webhook = Webhook::answering(move |seen| {
        let grid = grid.clone();
        async move {
            let url = code_of(&seen);
            let code = &url[url.find("id=").unwrap() + 3..];
            assert!(grid.complete_validation(code).await.unwrap());
            StatusCode::OK.into_response()
        }
    })
    .await;
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
}

#[tokio::test]
async fn cloud_events_are_asked_for_by_options() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({ "inputSchema": "CloudEventSchemaV1_0" })).await;
    let webhook = Webhook::answering(|_| async {
        let origin = ("webhook-allowed-origin", "eventgrid.azure.net");
        ([origin, ("webhook-allowed-rate", "120")], "").into_response()
    })
    .await;
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
    assert_eq!(webhook.next().await.method, "OPTIONS");
    let stored = world.grid.event_subscription(&topic, "billing").unwrap();
    assert_eq!(stored.allowed_rate, Some(120));
}

#[tokio::test]
async fn private_addresses_are_not_called_unless_allowed() {
    let start = Start { policy: AddressPolicy::default(), ..Start::default() };
    let world = World::start(start).await;
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    let properties = web_hook(&webhook.url());
    let put = world.grid.put_event_subscription(&topic, "billing", &properties).await;
    assert!(put.unwrap_err().message().contains("outbound.allow_private"));
    assert_eq!(webhook.unseen().await, 0);
}

#[tokio::test]
async fn another_url_is_asked_and_other_changes_are_not() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let (one, two) = (Webhook::consenting(|| 200).await, Webhook::consenting(|| 200).await);
    world.subscribe(&topic, "billing", web_hook(&one.url())).await;
    one.next().await;
    let patch = json!({ "labels": ["a"] });
    world.grid.patch_event_subscription(&topic, "billing", &patch).await.unwrap();
    assert_eq!(one.unseen().await, 0);
    let patch = web_hook(&two.url());
    world.grid.patch_event_subscription(&topic, "billing", &patch).await.unwrap();
    assert_eq!(two.next().await.header("aeg-event-type"), "SubscriptionValidation");
    // The old webhook goes on until the new one consents.
    let patch = web_hook("http://127.0.0.1:1/");
    let refused = world.grid.patch_event_subscription(&topic, "billing", &patch).await;
    assert!(refused.is_err());
    assert_eq!(world.grid.full_url(&topic, "billing").unwrap().expose(), two.url());
}

#[tokio::test]
async fn a_deleted_subscription_tells_its_webhook() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    world.subscribe(&topic, "billing", web_hook(&webhook.url())).await;
    webhook.next().await;
    world.grid.delete_event_subscription(&topic, "billing").await.unwrap();
    let notice = webhook.next().await;
    assert_eq!(notice.header("aeg-event-type"), "SubscriptionDeletion");
    let event = &notice.json()[0];
    assert_eq!(event["eventType"], "Microsoft.EventGrid.SubscriptionDeletedEvent");
    let id = event["data"]["eventSubscriptionId"].as_str().unwrap();
    assert!(id.ends_with("/providers/Microsoft.EventGrid/eventSubscriptions/billing"), "{id}");
}

#[tokio::test]
async fn a_webhook_of_the_file_is_asked_until_it_consents() {
    let (ready, is_ready) = watch::channel(false);
    let webhook = Webhook::answering(move |seen| {
        let ready = *is_ready.borrow();
        async move {
            if !ready {
                return StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            let code = &seen.json()[0]["data"]["validationCode"];
            axum::Json(json!({ "validationResponse": code })).into_response()
        }
    })
    .await;
    let id = topic_id("orders");
    let topic = crate::ConfiguredTopic {
        id: id.clone(),
        request: TopicRequest::default(),
        keys: None,
        first_keys: None,
        hosts: Vec::new(),
    };
    let subscription = crate::ConfiguredSubscription {
        scope: id.clone(),
        name: "billing".to_owned(),
        properties: web_hook(&webhook.url()),
    };
    let configured = Configured { topics: vec![topic], subscriptions: vec![subscription] };
    let world = World::start(Start { configured, ..Start::default() }).await;
    let state = || world.grid.event_subscription(&id, "billing").unwrap();
    eventually("the reason is shown", async || {
        let shown = state().shown(world.grid.now());
        shown["provisioningStateReason"].as_str().is_some_and(|reason| reason.contains("503"))
    })
    .await;
    assert_eq!(state().state.as_str(), "Creating");
    ready.send(true).unwrap();
    eventually("it consents", async || state().state.as_str() == "Succeeded").await;
}

/// A webhook that is told when to answer, and tells the validation URL it was given.
async fn hesitant() -> (Webhook, watch::Sender<bool>, watch::Receiver<String>) {
    let ((release, released), (told, urls)) =
        (watch::channel(false), watch::channel(String::new()));
    let webhook = Webhook::answering(move |seen| {
        let (mut released, told) = (released.clone(), told.clone());
        async move {
            let code = seen.json()[0]["data"]["validationCode"].clone();
            told.send_replace(code_of(&seen));
            if released.wait_for(|released| *released).await.is_err() {
                return StatusCode::GONE.into_response();
            }
            axum::Json(json!({ "validationResponse": code })).into_response()
        }
    })
    .await;
    (webhook, release, urls)
}

#[tokio::test]
async fn the_url_may_be_opened_between_the_answer_and_what_is_stored() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let webhook = silent().await;
    let put = web_hook(&webhook.url());
    let mut made = world.grid.put_event_subscription(&topic, "billing", &put).await.unwrap();
    let handshake = world.grid.validate(&mut made).await.unwrap();
    webhook.next().await;
    assert_eq!(open(&world, &code_of(&webhook.next().await)).await, 200);
    let kept = world.grid.keep(made, Some(handshake)).await.unwrap();
    assert_eq!(kept.state.as_str(), "Succeeded");
}

#[tokio::test]
async fn a_call_whose_caller_goes_away_leaves_no_handshake_behind() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let (webhook, _release, mut urls) = hesitant().await;
    let properties = web_hook(&webhook.url());
    let put = world.grid.put_event_subscription(&topic, "billing", &properties);
    tokio::select! {
        _ = put => panic!("the webhook does not answer"),
        asked = urls.wait_for(|url| !url.is_empty()) => drop(asked),
    }
    let url = urls.borrow().clone();
    assert_eq!(open(&world, &url).await, 404);
}

#[tokio::test]
async fn the_url_may_be_opened_at_a_server_that_has_not_looked_yet() {
    let world = World::new().await;
    let late = World::beside(&world, Start::default()).await;
    late.tasks.shutdown(Duration::from_secs(10)).await.unwrap();
    let topic = world.topic("orders", json!({})).await;
    let webhook = silent().await;
    let properties = web_hook(&webhook.url());
    world.grid.put_event_subscription(&topic, "billing", &properties).await.unwrap();
    assert_eq!(open(&late, &code_of(&webhook.next().await)).await, 200);
    let seen = async || world.grid.event_subscription(&topic, "billing").unwrap().state;
    eventually("both know", async || seen().await == crate::subscription::State::Succeeded).await;
}

#[tokio::test]
async fn a_change_does_not_bring_back_what_was_deleted_while_the_webhook_was_asked() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let old = Webhook::consenting(|| 200).await;
    world.subscribe(&topic, "billing", web_hook(&old.url())).await;
    let (webhook, release, mut urls) = hesitant().await;
    let (grid, scope, patch) = (world.grid.clone(), topic.clone(), web_hook(&webhook.url()));
    let change =
        tokio::spawn(async move { grid.patch_event_subscription(&scope, "billing", &patch).await });
    urls.wait_for(|url| !url.is_empty()).await.unwrap();
    world.grid.delete_event_subscription(&topic, "billing").await.unwrap();
    release.send(true).unwrap();
    assert_eq!(change.await.unwrap().unwrap_err().kind(), kernel::ErrorKind::NotFound);
    assert!(world.grid.event_subscriptions(&topic).is_empty());
}

#[tokio::test]
async fn what_has_expired_is_removed_and_its_webhook_is_told() {
    let clock = clock();
    let start = Start { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Start::default() };
    let world = World::start(start).await;
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 200).await;
    let mut properties = web_hook(&webhook.url());
    let past = clock.now();
    properties["expirationTimeUtc"] = crate::calendar::rfc3339(past).into();
    let put = world.grid.put_event_subscription(&topic, "billing", &properties).await;
    assert!(put.unwrap_err().message().contains("has passed already"));

    let soon = past + Duration::from_secs(60);
    properties["expirationTimeUtc"] = crate::calendar::rfc3339(soon).into();
    world.subscribe(&topic, "billing", properties).await;
    assert_eq!(webhook.next().await.header("aeg-event-type"), "SubscriptionValidation");
    world.publish(&topic, &json!([event("1", "a")])).await;
    clock.advance(Duration::from_secs(60));
    assert_eq!(webhook.next().await.header("aeg-event-type"), "SubscriptionDeletion");
    assert!(world.grid.event_subscriptions(&topic).is_empty());
    world.deliver();
    let dead = async || {
        let counts = world.deliveries.counts(crate::QUEUE).await.unwrap();
        counts.iter().any(|it| it.dead == 1)
    };
    eventually("what waited for it is a dead letter", dead).await;
}
