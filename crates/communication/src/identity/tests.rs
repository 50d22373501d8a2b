//! Identities over their REST calls, and what ends a token.

use std::time::Duration;

use auth::KeySlot;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use kernel::ErrorKind;
use serde_json::{Value, json};
use storage::testing::TestDb;

use super::{Ended, Ending};
use crate::RawId;
use crate::testing::World;

storage::conformance!(
    an_identity_is_created_with_and_without_a_token,
    tokens_live_as_long_as_asked_within_limits,
    a_token_ends_with_its_time,
    a_revocation_ends_the_tokens_of_before_and_is_told,
    a_deleted_identity_gets_no_tokens_and_its_old_ones_end,
    a_revocation_is_known_after_a_restart,
    what_one_server_ends_the_others_learn,
    a_token_that_another_server_issued_after_a_revocation_holds_at_once,
    replacing_a_key_ends_the_tokens_that_it_issued,
    a_custom_id_leads_to_the_same_identity,
    refusals_name_what_is_wrong,
    every_answer_has_versions_correlation_and_cors_and_preflights_need_no_key,
    the_key_set_is_public,
);

const VERSION: &str = "?api-version=2023-10-01";

fn target(id: &str, rest: &str) -> String {
    format!("/identities/{}{rest}{VERSION}", id.replace(':', "%3A"))
}

async fn holds(world: &World, token: &str) -> bool {
    match world.service.identities().authenticate(&world.resource, token).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
            false
        }
    }
}

async fn an_identity_is_created_with_and_without_a_token(db: TestDb) {
    let world = World::on(&db).await;
    let (status, answer) =
        world.signed("POST", &format!("/identities{VERSION}"), Value::Null).await;
    assert_eq!(status, StatusCode::CREATED);
    let id = answer["identity"]["id"].as_str().unwrap();
    assert!(id.starts_with("8:acs:1b5cc06b-"), "{id}");
    assert_eq!(answer.get("accessToken"), None);

    let (id, token) = world.token(&["chat", "voip"]).await;
    let caller = world.service.identities().authenticate(&world.resource, &token).await.unwrap();
    assert_eq!((caller.id.as_str(), caller.scopes.to_string()), (&*id, "chat,voip".to_owned()));
}

async fn tokens_live_as_long_as_asked_within_limits(db: TestDb) {
    let world = World::on(&db).await;
    let (id, _) = world.token(&["chat"]).await;
    for (minutes, expected) in
        [(60, "2026-01-02T16:04:05+00:00"), (1440, "2026-01-03T15:04:05+00:00")]
    {
        let body = json!({ "scopes": ["chat"], "expiresInMinutes": minutes });
        let (status, answer) = world.signed("POST", &target(&id, "/:issueAccessToken"), body).await;
        assert_eq!((status, answer["expiresOn"].as_str()), (StatusCode::OK, Some(expected)));
    }
    for minutes in [0, 59, 1441, -1, i64::MAX] {
        let body = json!({ "scopes": ["chat"], "expiresInMinutes": minutes });
        let (status, answer) = world.signed("POST", &target(&id, "/:issueAccessToken"), body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(answer["error"]["code"], "ValidationError");
        assert_eq!(answer["error"]["target"], "ExpiresInMinutes");
    }
}

async fn a_token_ends_with_its_time(db: TestDb) {
    let world = World::on(&db).await;
    let (_, token) = world.token(&["chat"]).await;
    world.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    assert!(holds(&world, &token).await);
    world.clock.advance(Duration::from_secs(1));
    assert!(!holds(&world, &token).await);
}

async fn a_revocation_ends_the_tokens_of_before_and_is_told(db: TestDb) {
    let world = World::on(&db).await;
    let (id, before) = world.token(&["chat"]).await;
    let mut endings = world.service.identities().endings();
    let revoke = target(&id, "/:revokeAccessTokens");
    assert_eq!(world.signed("POST", &revoke, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert!(!holds(&world, &before).await);
    let ended = Ended { user: RawId::new(id.as_str()), ending: Ending::Revoked, before: 1 };
    assert_eq!(endings.try_recv(), Ok(ended));

    let body = json!({ "scopes": ["chat"] });
    let (_, answer) = world.signed("POST", &target(&id, "/:issueAccessToken"), body).await;
    assert!(holds(&world, answer["token"].as_str().unwrap()).await, "in the same second");
}

async fn a_deleted_identity_gets_no_tokens_and_its_old_ones_end(db: TestDb) {
    let world = World::on(&db).await;
    let (id, token) = world.token(&["chat"]).await;
    for _ in 0..2 {
        let (status, _) = world.signed("DELETE", &target(&id, ""), Value::Null).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    assert!(!holds(&world, &token).await);
    let body = json!({ "scopes": ["chat"] });
    let (status, answer) = world.signed("POST", &target(&id, "/:issueAccessToken"), body).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(answer["error"]["code"], "IdentityNotFound");
}

async fn a_revocation_is_known_after_a_restart(db: TestDb) {
    let world = World::on(&db).await;
    let (id, token) = world.token(&["chat"]).await;
    world.signed("POST", &target(&id, "/:revokeAccessTokens"), Value::Null).await;
    let again = World::over(world.db.clone()).await;
    assert!(!holds(&again, &token).await);
}

async fn what_one_server_ends_the_others_learn(db: TestDb) {
    let (one, two) = (World::on(&db).await, World::over(db.another_handle().await).await);
    let mut users = Vec::new();
    for _ in 0..3 {
        users.push(one.token(&["chat"]).await);
    }
    for (_, token) in &users {
        assert!(holds(&two, token).await, "and is remembered");
    }
    let mut endings = two.service.identities().endings();
    let revoke = target(&users[0].0, "/:revokeAccessTokens");
    assert_eq!(one.signed("POST", &revoke, Value::Null).await.0, StatusCode::NO_CONTENT);
    let delete = target(&users[1].0, "");
    assert_eq!(one.signed("DELETE", &delete, Value::Null).await.0, StatusCode::NO_CONTENT);
    two.service.identities().learn().await.unwrap();
    let told = [endings.try_recv().unwrap(), endings.try_recv().unwrap()];
    let ended =
        |at: usize, ending, before| Ended { user: RawId::new(&*users[at].0), ending, before };
    assert_eq!(told, [ended(0, Ending::Revoked, 1), ended(1, Ending::Deleted, i64::MAX)]);
    for (at, held) in [(0, false), (1, false), (2, true)] {
        assert_eq!(holds(&two, &users[at].1).await, held, "{at}");
    }
    two.service.identities().learn().await.unwrap();
    assert!(endings.try_recv().is_err(), "it is told once");

    one.clock.advance(Duration::from_hours(26));
    one.service.identities().refresh_keys().await.unwrap();
    let rows = one.db.query("SELECT number FROM identity_endings", []).await.unwrap();
    assert!(rows.is_empty(), "no token is left of then");
}

async fn a_token_that_another_server_issued_after_a_revocation_holds_at_once(db: TestDb) {
    let (one, two) = (World::on(&db).await, World::over(db.another_handle().await).await);
    let (id, before) = one.token(&["chat"]).await;
    assert!(holds(&two, &before).await);
    one.signed("POST", &target(&id, "/:revokeAccessTokens"), Value::Null).await;
    let body = json!({ "scopes": ["chat"] });
    let (_, answer) = one.signed("POST", &target(&id, "/:issueAccessToken"), body).await;
    assert!(holds(&two, answer["token"].as_str().unwrap()).await);
    assert!(!holds(&two, &before).await);
}

async fn replacing_a_key_ends_the_tokens_that_it_issued(db: TestDb) {
    let world = World::on(&db).await;
    let (_, token) = world.token(&["chat"]).await;
    let keys = world.resource.keys.current();
    world.resource.keys.replace(keys.rotated(KeySlot::Secondary));
    assert!(holds(&world, &token).await);
    let keys = world.resource.keys.current();
    world.resource.keys.replace(keys.rotated(KeySlot::Primary));
    assert!(!holds(&world, &token).await);
}

async fn a_custom_id_leads_to_the_same_identity(db: TestDb) {
    let world = World::on(&db).await;
    let create = "/identities?api-version=2025-03-02-preview";
    let body = json!({ "customId": "alice", "createTokenWithScopes": ["chat"] });
    let (_, first) = world.signed("POST", create, body.clone()).await;
    let (_, second) = world.signed("POST", create, body).await;
    assert_eq!(first["identity"]["id"], second["identity"]["id"]);
    assert_eq!(second["identity"]["customId"], "alice");
    assert_eq!(second["identity"]["lastTokenIssuedAt"], "2026-01-02T15:04:05Z");
    let (_, other) = world.signed("POST", create, json!({ "customId": "bob" })).await;
    assert_ne!(first["identity"]["id"], other["identity"]["id"]);

    let id = first["identity"]["id"].as_str().unwrap();
    let (status, read) = world.signed("GET", &target(id, ""), Value::Null).await;
    assert_eq!((status, &read["customId"]), (StatusCode::OK, &json!("alice")));
}

async fn refusals_name_what_is_wrong(db: TestDb) {
    let world = World::on(&db).await;
    let create = format!("/identities{VERSION}");
    let stranger = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
    let (status, answer) = world.signed_with(stranger, "POST", &create, Value::Null).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(answer["error"]["message"].as_str().unwrap().contains("neither access key"));

    let (status, answer) = world.signed("POST", "/identities?api-version=1", Value::Null).await;
    assert_eq!(
        (status, &answer["error"]["target"]),
        (StatusCode::BAD_REQUEST, &json!("api-version"))
    );
    let body = json!({ "createTokenWithScopes": ["sms"] });
    let (_, answer) = world.signed("POST", &create, body).await;
    assert_eq!(answer["error"]["target"], "createTokenWithScopes");
    let foreign = target("8:acs:other_user", "/:revokeAccessTokens");
    assert_eq!(world.signed("POST", &foreign, Value::Null).await.0, StatusCode::NOT_FOUND);
}

async fn every_answer_has_versions_correlation_and_cors_and_preflights_need_no_key(db: TestDb) {
    let world = World::on(&db).await;
    let request = |method: &str| {
        let uri = format!("/identities{VERSION}");
        Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()
    };
    let preflight = world.call(request("OPTIONS")).await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("x-ms-content-sha256"));

    let refused = world.call(request("POST")).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    for name in ["api-supported-versions", "ms-cv", "access-control-allow-origin"] {
        assert!(refused.headers().contains_key(name), "{name}");
    }
}

async fn the_key_set_is_public(db: TestDb) {
    let world = World::on(&db).await;
    let uri = "/access/.well-known/jwks.json";
    let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
    let (status, keys) = crate::testing::read(world.call(request).await).await;
    assert_eq!((status, &keys["keys"][0]["crv"]), (StatusCode::OK, &json!("P-256")));
}
