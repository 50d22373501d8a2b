//! What is the same for every call: credential, version, body, headers, what lies above providers.

use std::sync::Arc;

use auth::{AccessKeys, KeyRing};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use wire::Endpoint;

use super::{EVENT_GRID, GROUP, Server};
use crate::Authority;

fn get(path: &str) -> axum::http::request::Builder {
    Request::builder().uri(path).header("host", "localhost:8443")
}

#[tokio::test]
async fn a_call_without_a_token_is_challenged_before_anything_else_is_told() {
    let server = Server::new();
    let reply = server.send(get("/subscriptions/s1/nothing").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.outcome(), (401, "AuthenticationFailed"));
    let challenge = reply.headers["www-authenticate"].to_str().unwrap();
    let expected =
        r#"Bearer authorization_uri="http://localhost:8443/common", error="invalid_token""#;
    assert_eq!(challenge, expected);
}

#[tokio::test]
async fn in_production_the_management_key_is_the_token() {
    let keys = AccessKeys::generate();
    let ring = Arc::new(KeyRing::new(keys.clone()));
    let server = Server::with(Authority::Keys { management: ring, provider: None }, Vec::new());
    let wrong = server.get("/subscriptions").await;
    assert_eq!(wrong.outcome(), (401, "AuthenticationFailed"));
    let bearer = format!("Bearer {}", keys.secondary().expose());
    let request = get("/subscriptions?api-version=2025-02-15").header("authorization", bearer);
    assert_eq!(server.send(request.body(Body::empty()).unwrap()).await.outcome(), (200, ""));
}

#[tokio::test]
async fn in_development_a_page_of_a_stranger_gets_nothing_though_any_token_is_good() {
    let own = || vec![Endpoint::parse("https://tidings.example.com").unwrap()];
    let keys = AccessKeys::generate();
    let token = keys.primary().expose().to_owned();
    let development = Server::with(Authority::AnyBearer, own());
    let ring = Arc::new(KeyRing::new(keys));
    let production = Authority::Keys { management: ring, provider: None };
    let production = Server::with(production, own());
    for (host, outcome) in [
        ("localhost:8443", (200, "")),
        ("127.0.0.1:8443", (200, "")),
        ("[::1]:8443", (200, "")),
        ("tidings.localhost:8080", (200, "")),
        ("tidings.example.com", (200, "")),
        ("rebound.example:8443", (403, "AuthorizationFailed")),
        ("localhost.rebound.example", (403, "AuthorizationFailed")),
    ] {
        let request = Request::builder()
            .uri("/subscriptions?api-version=2025-02-15")
            .header("host", host)
            .header("authorization", format!("Bearer {token}"));
        let reply = development.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.outcome(), outcome, "{host}");
    }
    let request = Request::builder()
        .uri("/subscriptions?api-version=2025-02-15")
        .header("host", "rebound.example")
        .header("authorization", format!("Bearer {token}"));
    let reply = production.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.outcome(), (200, ""), "a key says enough, whatever a proxy calls the server");
}

#[tokio::test]
async fn a_version_is_asked_for_and_may_be_percent_encoded() {
    let server = Server::new();
    let sent = get(&format!("{EVENT_GRID}/topics")).header("authorization", "Bearer x");
    let missing = server.send(sent.body(Body::empty()).unwrap()).await;
    assert_eq!(missing.outcome(), (400, "MissingApiVersionParameter"));
    let unreadable = server.get(&format!("{EVENT_GRID}/topics?api-version=new")).await;
    assert_eq!(unreadable.outcome(), (400, "InvalidApiVersionParameter"));
    let encoded = get(&format!("{EVENT_GRID}/topics?api%2Dversion=2021-10-15-preview"));
    let encoded = encoded.header("authorization", "Bearer x").body(Body::empty()).unwrap();
    assert_eq!(server.send(encoded).await.outcome(), (200, ""));
}

#[tokio::test]
async fn ids_of_requests_are_sent_and_echoed() {
    let server = Server::new();
    let own = server.get("/subscriptions").await;
    assert_eq!(own.headers["x-ms-correlation-request-id"], own.headers["x-ms-request-id"]);
    let request = get("/subscriptions?api-version=2025-02-15")
        .header("authorization", "Bearer x")
        .header("x-ms-client-request-id", "mine")
        .header("x-ms-correlation-request-id", "deployment-7");
    let reply = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.headers["x-ms-client-request-id"], "mine");
    assert_eq!(reply.headers["x-ms-correlation-request-id"], "deployment-7");
}

#[tokio::test]
async fn a_body_that_is_no_json_or_no_object_is_told() {
    let server = Server::new();
    let put = |body: &'static str| {
        let request = get(&format!("{EVENT_GRID}/topics/orders?api-version=2025-02-15"));
        let request = request.method("PUT").header("authorization", "Bearer x");
        server.send(request.body(Body::from(body)).unwrap())
    };
    for body in ["{", "[]", "null", "", r#"{"location":"l","properties":[]}"#] {
        assert_eq!(put(body).await.outcome(), (400, "InvalidRequestContent"), "{body}");
    }
    let large = Body::from(vec![b' '; 1024 * 1024 + 1]);
    let request = get("/subscriptions?api-version=2025-02-15").header("authorization", "Bearer x");
    assert_eq!(server.send(request.body(large).unwrap()).await.outcome().0, 413);
}

#[tokio::test]
async fn slashes_and_case_make_no_difference() {
    let server = Server::new();
    let topic = json!({ "location": "global" });
    server.call("PUT", &format!("{EVENT_GRID}/topics/Orders"), topic).await;
    let odd = "/subscriptions//S1/RESOURCEGROUPS/G1/Providers/microsoft.eventgrid/Topics//orders";
    let reply = server.get(odd).await;
    assert_eq!(reply.body["id"], format!("{EVENT_GRID}/topics/Orders"), "as it was created");
}

#[tokio::test]
async fn every_subscription_and_group_exists_once_it_is_named() {
    let server = Server::new();
    let reply = server.get("/subscriptions/any").await;
    assert_eq!((reply.outcome().0, &reply.body["state"]), (200, &json!("Enabled")));
    let reply = server.get("/subscriptions/any/resourcegroups/My.Group").await;
    assert_eq!(reply.body["id"], "/subscriptions/any/resourceGroups/My.Group");
    let put = json!({ "location": "eastus" });
    assert_eq!(server.call("PUT", GROUP, put).await.body["location"], "eastus");
    assert_eq!(server.call("HEAD", GROUP, Value::Null).await.outcome().0, 204);
    let refused = server.call("DELETE", GROUP, Value::Null).await;
    assert_eq!(refused.outcome(), (405, "MethodNotAllowed"));
}

#[tokio::test]
async fn lists_tell_subscriptions_groups_and_resources_that_hold_something() {
    let server = Server::new();
    assert_eq!(server.get("/subscriptions").await.body["value"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/subscriptions/s1/resourcegroups").await.names(), [""; 0]);
    let topic = || json!({ "location": "global" });
    server.call("PUT", &format!("{EVENT_GRID}/topics/orders"), topic()).await;
    let other = "/subscriptions/S1/resourceGroups/G1/providers/Microsoft.EventGrid/topics/other";
    server.call("PUT", other, topic()).await;
    let subscriptions = server.get("/subscriptions").await;
    assert_eq!(subscriptions.body["value"][0]["subscriptionId"], "s1");
    assert_eq!(server.get("/subscriptions/s1/resourceGroups").await.names(), ["g1"]);
    assert_eq!(server.get("/subscriptions/s1/resources").await.names(), ["orders", "other"]);
    assert_eq!(server.get(&format!("{GROUP}/resources")).await.names(), ["orders", "other"]);
}

#[tokio::test]
async fn providers_are_registered_and_others_are_named_in_the_refusal() {
    let server = Server::new();
    let reply = server.get("/subscriptions/s1/providers/microsoft.eventgrid").await;
    assert_eq!(reply.body["registrationState"], "Registered");
    let register = "/subscriptions/s1/providers/Microsoft.EventGrid/register";
    assert_eq!(server.call("POST", register, Value::Null).await.outcome().0, 200);
    let reply = server.get(&format!("{GROUP}/providers/Microsoft.Storage/storageAccounts/a")).await;
    assert_eq!(reply.outcome(), (404, "InvalidResourceNamespace"));
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("Microsoft.EventGrid"));
    assert_eq!(
        server.get("/subscriptions/s1/unknown").await.outcome(),
        (404, "InvalidResourceType")
    );
}

#[tokio::test]
async fn the_cloud_is_described_without_a_credential_and_at_the_address_that_was_called() {
    let endpoint = Endpoint::parse("https://tidings.example.com").unwrap();
    let server = Server::with(Authority::AnyBearer, vec![endpoint]);
    let path = "/metadata/endpoints?api-version=2022-09-01";
    let plain = server.send(get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(plain.body["resourceManager"], "http://localhost:8443");
    let request = Request::builder().uri(path).header("host", "tidings.example.com");
    let proxied = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(proxied.body["resourceManager"], "https://tidings.example.com");
}
