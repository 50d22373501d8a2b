//! Who may publish, where, and what is refused.

use axum::http::request::Builder;
use edge::Scheme;
use kernel::Secret;

use super::*;
use crate::credential;

fn post(path: &str) -> Builder {
    Request::post(path).header("content-type", "application/json")
}

fn events() -> Body {
    json!([event("1", "a")]).to_string().into()
}

fn error(body: &str) -> Value {
    serde_json::from_str::<Value>(body).unwrap()["error"].clone()
}

#[tokio::test]
async fn every_form_of_an_endpoint_reaches_its_topic() {
    let world = World::new().await;
    let id = world.topic("orders", json!({})).await;
    let key = world.key(&id);
    for (path, host) in [
        ("/topics/orders/api/events?api-version=2018-01-01", "localhost:8443"),
        ("/topics/ORDERS/api/events/", "localhost"),
        ("/orders/api/events", "localhost"),
        ("/api/events", "orders.eastus-1.eventgrid.azure.net:8443"),
        ("/api/events/", "ORDERS.localhost"),
        ("/", "orders.localhost"),
        // The only topic answers to every host.
        ("/api/events", "localhost:8080"),
    ] {
        let request = post(path).header("host", host).header("aeg-sas-key", &key);
        let (status, _, body) = world.send(request.body(events()).unwrap()).await;
        assert_eq!(status, 200, "{path} {host}: {body}");
    }
    world.topic("other", json!({})).await;
    let request = post("/api/events").header("host", "localhost").header("aeg-sas-key", &key);
    let (status, _, body) = world.send(request.body(events()).unwrap()).await;
    assert_eq!((status, error(&body)["code"].as_str()), (404, Some("NotFound")));
}

#[tokio::test]
async fn the_default_topic_takes_what_names_none() {
    let settings = Settings { default_topic: Some("local".to_owned()), ..Settings::default() };
    let world = World::start(Start { settings, ..Start::default() }).await;
    world.topic("another", json!({})).await;
    let id = world.topic("local", json!({})).await;
    let request = post("/api/events").header("aeg-sas-key", world.key(&id));
    assert_eq!(world.send(request.body(events()).unwrap()).await.0, 200);
}

#[tokio::test]
async fn both_keys_and_signatures_pass_and_nothing_else() {
    let world = World::new().await;
    let id = world.topic("orders", json!({})).await;
    let keys = world.grid.topic_keys(&id).unwrap();
    let path = "/topics/orders/api/events";
    let expires = world.grid.now() + Duration::from_secs(60);
    let resource = "https://localhost:8443/topics/orders/api/events";
    let token =
        |key: &Secret| credential::mint(key, resource, expires).unwrap().expose().to_owned();
    let bad = Secret::new("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0");
    let header = |name: &str, value: &str| post(path).header(name, value);
    for (request, status) in [
        (header("aeg-sas-key", keys.key1.expose()), 200),
        (header("aeg-sas-key", keys.key2.expose()), 200),
        (post(&format!("{path}?aeg-sas-key={}", keys.key1.expose())), 200),
        (header("aeg-sas-token", &token(&keys.key2)), 200),
        (header("authorization", &format!("SharedAccessSignature {}", token(&keys.key1))), 200),
        (header("aeg-sas-key", bad.expose()), 401),
        (header("aeg-sas-token", &token(&bad)), 401),
        (header("authorization", "Basic abc"), 401),
        (post(path), 401),
    ] {
        let request = request.body(events()).unwrap();
        let (seen, headers, body) = world.send(request).await;
        assert_eq!(seen, status, "{body}");
        if status == 401 {
            assert_eq!(error(&body)["code"], "Unauthorized");
            assert!(headers.contains_key("www-authenticate"));
        }
    }
}

#[tokio::test]
async fn bearer_tokens_come_over_tls_and_are_all_that_counts_without_local_auth() {
    let world = World::new().await;
    let id = world.topic("orders", json!({ "disableLocalAuth": true })).await;
    let path = "/topics/orders/api/events";
    let bearer = |scheme| post(path).header("authorization", "Bearer abc").extension(scheme);
    let key = world.key(&id);
    for (request, status) in [
        (bearer(Scheme::Https), 200),
        (bearer(Scheme::Http), 401),
        (post(path).header("aeg-sas-key", &key), 401),
    ] {
        let (seen, _, body) = world.send(request.body(events()).unwrap()).await;
        assert_eq!(seen, status, "{body}");
    }
}

#[tokio::test]
async fn addresses_outside_the_rules_are_refused() {
    let world = World::new().await;
    let rules = json!({ "inboundIpRules": [{ "ipMask": "10.0.0.0/8", "action": "Allow" }] });
    let id = world.topic("orders", rules).await;
    for (peer, status) in [("10.1.2.3:5", 200), ("192.0.2.1:5", 403)] {
        let peer = edge::PeerAddr(peer.parse().unwrap());
        let request = post("/topics/orders/api/events").extension(peer);
        let request = request.header("aeg-sas-key", world.key(&id)).body(events()).unwrap();
        assert_eq!(world.send(request).await.0, status);
    }
}

#[tokio::test]
async fn a_bad_event_refuses_the_whole_publication() {
    let hubs = Hubs::default();
    let world = World::start(Start { hubs: hubs.clone(), ..Start::default() }).await;
    let id = world.topic("orders", json!({})).await;
    world.subscribe(&id, "screens", hub("news")).await;
    let mut bad = event("2", "a");
    bad["eventTime"] = "tomorrow".into();
    let (status, body) = world.publish(&id, &json!([event("1", "a"), bad])).await;
    assert_eq!((status, error(&body)["code"].as_str()), (400, Some("BadRequest")));
    assert_eq!(error(&body)["details"][0]["code"], "InputJsonInvalid");
    let counts = world.deliveries.counts(crate::QUEUE).await.unwrap();
    assert!(counts.is_empty(), "nothing was queued");
}

#[tokio::test]
async fn large_bodies_are_refused_before_they_are_read() {
    let settings = Settings { max_request_bytes: 1000, ..Settings::default() };
    let world = World::start(Start { settings, ..Start::default() }).await;
    let id = world.topic("orders", json!({})).await;
    let mut large = event("1", "a");
    large["data"] = "x".repeat(2000).into();
    let (status, body) = world.publish(&id, &json!([large])).await;
    assert_eq!((status, error(&body)["code"].as_str()), (413, Some("RequestEntityTooLarge")));
}

#[tokio::test]
async fn publishers_beyond_the_limit_are_told_to_come_back() {
    let settings = Settings { max_concurrent_publishes: 0, ..Settings::default() };
    let world = World::start(Start { settings, ..Start::default() }).await;
    let id = world.topic("orders", json!({})).await;
    let request = post("/api/events").header("aeg-sas-key", world.key(&id));
    let (status, headers, body) = world.send(request.body(events()).unwrap()).await;
    assert_eq!((status, error(&body)["code"].as_str()), (429, Some("TooManyRequests")));
    assert_eq!(headers["retry-after"], "1");
}

#[tokio::test]
async fn a_closed_store_is_busy_and_says_nothing_was_taken() {
    let world = World::new().await;
    let id = world.topic("orders", json!({})).await;
    world.subscribe(&id, "screens", hub("news")).await;
    world.db.close().await;
    let (status, body) = world.publish(&id, &json!([event("1", "a")])).await;
    assert_eq!((status, error(&body)["code"].as_str()), (503, Some("ServerBusy")));
}

#[tokio::test]
async fn a_topic_consents_to_be_a_webhook() {
    let world = World::new().await;
    world.topic("orders", json!({})).await;
    let request = Request::options("/topics/orders/api/events");
    let request = request.header("webhook-request-origin", "other.example");
    let (status, headers, _) = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(headers["webhook-allowed-origin"], "other.example");
    assert!(headers.contains_key("webhook-allowed-rate"));
}

#[tokio::test]
async fn other_methods_and_paths_are_refused_in_the_services_words() {
    let world = World::new().await;
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(world.send(get("/api/events")).await.0, 405);
    assert_eq!(world.send(get("/")).await.0, 404);
    let uri = "/topics/orders/else".parse().unwrap();
    let unknown = EventGrid::refuse_unknown(&axum::http::Method::POST, &uri).unwrap();
    let (status, _, body) = answered(unknown).await;
    assert_eq!((status, error(&body)["code"].as_str()), (404, Some("NotFound")));
    let uri = "/somewhere".parse().unwrap();
    assert!(EventGrid::refuse_unknown(&axum::http::Method::POST, &uri).is_none());
}
