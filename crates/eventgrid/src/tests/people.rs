//! What people at the server see and do.

use http_body_util::BodyExt as _;

use super::webhook::Webhook;
use super::*;

async fn ask(world: &World, request: Request<Body>) -> (u16, Value) {
    let response = world.grid.operator_router().oneshot(request).await.unwrap();
    let (status, _, body) = answered(response).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "127.0.0.1:8081").body(Body::empty()).unwrap()
}

fn redrive(body: &Value) -> Request<Body> {
    let request = Request::post("/eventgrid/dead-letters/redrive");
    request.header("content-type", "application/json").body(body.to_string().into()).unwrap()
}

/// A world with one dead letter: its webhook refuses it.
async fn with_a_dead_letter() -> (World, ResourceId) {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    let webhook = Webhook::consenting(|| 400).await;
    world.subscribe(&topic, "screens", web_hook(&webhook.url())).await;
    world.publish(&topic, &json!([event("1", "order.made")])).await;
    world.deliver();
    let dead = async || {
        let counts = world.deliveries.counts(crate::QUEUE).await.unwrap();
        // What people are told is noted right after the store has it.
        let (_, told) = ask(&world, get("/eventgrid/subscriptions")).await;
        counts.iter().any(|it| it.dead == 1) && told["value"][0]["health"]["deadLettered"] == 1
    };
    eventually("it is given up", dead).await;
    (world, topic)
}

#[tokio::test]
async fn topics_and_subscriptions_are_told_without_secrets() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    world.subscribe(&topic, "screens", hub("news")).await;
    world.publish(&topic, &json!([event("1", "a")])).await;
    let (_, topics) = ask(&world, get("/eventgrid/topics")).await;
    assert_eq!(topics["value"][0]["name"], "orders");
    assert_eq!(topics["value"][0]["eventSubscriptions"], 1);
    let (_, told) = ask(&world, get("/eventgrid/subscriptions?topic=ORDERS")).await;
    let told = &told["value"][0];
    assert_eq!((&told["name"], &told["queued"]), (&json!("screens"), &json!(1)));
    assert_eq!((&told["state"], &told["destination"]), (&json!("Succeeded"), &json!("hub news")));
    let (_, none) = ask(&world, get("/eventgrid/subscriptions?topic=other")).await;
    assert_eq!(none["value"], json!([]));
}

#[tokio::test]
async fn dead_letters_are_listed_with_their_events_and_put_back() {
    let (world, _) = with_a_dead_letter().await;
    let (status, listed) = ask(&world, get("/eventgrid/dead-letters?subscription=screens")).await;
    assert_eq!(status, 200, "{listed}");
    let letter = &listed["value"][0];
    assert_eq!(
        (&letter["reason"], &letter["lastOutcome"]),
        (&json!("refused"), &json!("BadRequest"))
    );
    assert_eq!((&letter["eventType"], &letter["event"]["id"]), (&json!("order.made"), &json!("1")));
    let (_, told) = ask(&world, get("/eventgrid/subscriptions")).await;
    assert_eq!(
        (&told["value"][0]["dead"], &told["value"][0]["expired"]),
        (&json!(1), &json!(false))
    );

    let health = &told["value"][0]["health"];
    assert_eq!(
        (&health["deadLettered"], &health["lastOutcome"]),
        (&json!(1), &json!("BadRequest"))
    );

    let (status, _) = ask(&world, redrive(&json!({}))).await;
    assert_eq!(status, 400, "everything has to be asked for");
    let (_, one) = ask(&world, redrive(&json!({ "id": letter["id"] }))).await;
    assert_eq!(one["redriven"], 1);
    let (status, _) = ask(&world, get("/eventgrid/dead-letters?subscription=none")).await;
    assert_eq!(status, 404);
    let (status, _) = ask(&world, get("/eventgrid/dead-letters?reason=bad")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_redrive_needs_a_body_that_no_page_sends_unasked() {
    let world = World::new().await;
    let plain =
        Request::post("/eventgrid/dead-letters/redrive").header("content-type", "text/plain");
    let plain = plain.body(r#"{"all":true}"#.into()).unwrap();
    assert_eq!(ask(&world, plain).await.0, 415);
}

#[tokio::test]
async fn the_tail_tells_what_is_published_and_what_becomes_of_it() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    world.subscribe(&topic, "screens", hub("news")).await;
    let response = world.grid.operator_router().oneshot(get("/eventgrid/tail")).await.unwrap();
    let mut body = response.into_body();
    world.publish(&topic, &json!([event("1", "order.made")])).await;
    world.deliver();
    let mut line = async || {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        serde_json::from_slice::<Value>(&frame).unwrap()
    };
    let published = line().await;
    assert_eq!((&published["kind"], &published["id"]), (&json!("published"), &json!("1")));
    let delivered = line().await;
    assert_eq!(delivered["kind"], "delivered");
    assert_eq!(delivered["delivery"], published["deliveries"][0]["id"]);
    assert_eq!(delivered["eventSubscription"], "screens");
}

#[tokio::test]
async fn a_slow_reader_of_the_tail_is_told_what_it_missed() {
    let world = World::new().await;
    let topic = world.topic("orders", json!({})).await;
    world.subscribe(&topic, "screens", hub("news")).await;
    let response = world.grid.operator_router().oneshot(get("/eventgrid/tail")).await.unwrap();
    let events: Vec<Value> = (0..5000).map(|n| event(&n.to_string(), "a")).collect();
    // Published in one go, more than all buffers hold, before anybody reads.
    world.publish(&topic, &Value::Array(events)).await;
    let mut body = response.into_body();
    let missed = async {
        loop {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            let line: Value = serde_json::from_slice(&frame).unwrap();
            if line["kind"] == "missed" {
                return line["lines"].as_u64().unwrap();
            }
        }
    };
    let missed = tokio::time::timeout(Duration::from_secs(20), missed).await.unwrap();
    assert!((1..5000).contains(&missed), "{missed}");
}
