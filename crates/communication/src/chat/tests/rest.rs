//! Chat over its REST calls: statuses, headers and bodies as clients insist on them.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use storage::testing::TestDb;

use crate::testing::World;

storage::conformance!(
    every_operation_has_the_status_that_clients_insist_on,
    a_message_has_every_field_of_the_contract,
    links_are_absolute_and_lead_through_all_pages,
    metadata_is_merged_and_removed,
    refusals_are_in_the_envelope_with_their_cure,
    without_a_token_the_body_is_empty_and_the_challenge_tells_why,
    a_repeated_create_is_answered_with_the_first_thread,
    too_many_requests_are_refused_with_the_time_to_wait,
);

const VERSION: &str = "api-version=2025-03-15";

struct Room {
    world: World,
    alice: (String, String),
    bob: (String, String),
    /// Percent-encoded, as clients send it.
    thread: String,
}

impl Room {
    async fn on(db: &TestDb) -> Self {
        let world = World::on(db).await;
        let (alice, bob) = (world.token(&["chat"]).await, world.token(&["chat"]).await);
        let order = json!({
            "topic": "plans",
            "participants": [
                { "communicationIdentifier": { "communicationUser": { "id": bob.0 } },
                  "displayName": "Bob", "metadata": { "role": "guest" } },
                { "communicationIdentifier": { "rawId": "8:acs:elsewhere_x" } },
            ],
            "retentionPolicy": { "kind": "threadCreationDate", "deleteThreadAfterDays": 60 },
        });
        let target = format!("/chat/threads?{VERSION}");
        let (status, answer) = world.with_token(&alice.1, "POST", &target, order).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        assert_eq!(answer["invalidParticipants"][0]["target"], "8:acs:elsewhere_x");
        assert_eq!(answer["chatThread"]["retentionPolicy"]["deleteThreadAfterDays"], 60);
        let id = answer["chatThread"]["id"].as_str().unwrap();
        let thread = id.replace(':', "%3A").replace('@', "%40");
        Self { world, alice, bob, thread }
    }

    async fn alice(&self, method: &str, rest: &str, body: Value) -> (StatusCode, Value) {
        self.call(&self.alice.1, method, rest, body).await
    }

    async fn bob(&self, method: &str, rest: &str, body: Value) -> (StatusCode, Value) {
        self.call(&self.bob.1, method, rest, body).await
    }

    async fn call(
        &self,
        token: &str,
        method: &str,
        rest: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let separator = if rest.contains('?') { '&' } else { '?' };
        let target = format!("/chat/threads/{}{rest}{separator}{VERSION}", self.thread);
        self.world.with_token(token, method, &target, body).await
    }

    async fn say(&self, content: &str) -> String {
        let (status, answer) = self.alice("POST", "/messages", json!({ "content": content })).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }
}

async fn every_operation_has_the_status_that_clients_insist_on(db: TestDb) {
    let room = Room::on(&db).await;
    let id = room.say("hi").await;
    let bob = json!({ "communicationUser": { "id": room.bob.0 } });
    let people = json!({ "participants": [{ "communicationIdentifier": bob.clone() }] });
    for (method, rest, body, expected) in [
        ("GET", String::new(), Value::Null, StatusCode::OK),
        ("PATCH", String::new(), json!({ "topic": "new" }), StatusCode::NO_CONTENT),
        ("GET", "/messages".to_owned(), Value::Null, StatusCode::OK),
        ("GET", format!("/messages/{id}"), Value::Null, StatusCode::OK),
        ("PATCH", format!("/messages/{id}"), json!({ "content": "x" }), StatusCode::NO_CONTENT),
        ("POST", "/typing".to_owned(), Value::Null, StatusCode::OK),
        ("POST", "/readReceipts".to_owned(), json!({ "chatMessageId": id }), StatusCode::OK),
        ("GET", "/readReceipts".to_owned(), Value::Null, StatusCode::OK),
        ("DELETE", format!("/messages/{id}"), Value::Null, StatusCode::NO_CONTENT),
        ("GET", "/participants".to_owned(), Value::Null, StatusCode::OK),
        ("POST", "/participants/:remove".to_owned(), bob, StatusCode::NO_CONTENT),
        ("POST", "/participants/:add".to_owned(), people, StatusCode::CREATED),
        ("DELETE", String::new(), Value::Null, StatusCode::NO_CONTENT),
    ] {
        let (status, answer) = room.alice(method, &rest, body).await;
        assert_eq!(status, expected, "{method} {rest}: {answer}");
    }
    assert_eq!(room.alice("GET", "", Value::Null).await.0, StatusCode::NOT_FOUND);
}

async fn a_message_has_every_field_of_the_contract(db: TestDb) {
    let room = Room::on(&db).await;
    let body = json!({
        "content": "<p onclick=\"x\">hi <script>x</script></p>", "type": "html",
        "senderDisplayName": "Alice", "metadata": { "k": "v" },
    });
    let (_, sent) = room.alice("POST", "/messages", body).await;
    let id = sent["id"].as_str().unwrap();
    let (_, message) = room.bob("GET", &format!("/messages/{id}"), Value::Null).await;
    assert_eq!(
        message,
        json!({
            "id": id, "type": "html", "sequenceId": "3", "version": id,
            "content": { "message": "<p>hi </p>" },
            "senderDisplayName": "Alice", "createdOn": "2026-01-02T15:04:05Z",
            "senderCommunicationIdentifier": {
                "kind": "communicationUser", "rawId": room.alice.0,
                "communicationUser": { "id": room.alice.0 },
            },
            "metadata": { "k": "v" },
        })
    );
}

async fn links_are_absolute_and_lead_through_all_pages(db: TestDb) {
    let room = Room::on(&db).await;
    for number in 0..5 {
        room.say(&number.to_string()).await;
    }
    let (_, first) = room.bob("GET", "/messages?maxPageSize=3", Value::Null).await;
    let (mut seen, mut page) = (0, first);
    loop {
        seen += page["value"].as_array().unwrap().len();
        let Some(next) = page["nextLink"].as_str() else { break };
        assert!(next.starts_with("https://localhost/chat/threads/19%3A"), "{next}");
        assert!(next.contains("api-version=2025-03-15"), "{next}");
        let target = next.strip_prefix("https://localhost").unwrap();
        page = room.world.with_token(&room.bob.1, "GET", target, Value::Null).await.1;
    }
    assert_eq!(seen, 7);
    let (_, people) = room.bob("GET", "/participants?maxPageSize=1", Value::Null).await;
    assert!(people["nextLink"].as_str().unwrap().contains("skip=1"), "{people}");
}

async fn metadata_is_merged_and_removed(db: TestDb) {
    let room = Room::on(&db).await;
    let patch = |metadata: Value| json!({ "metadata": metadata });
    for (metadata, expected) in [
        (json!({ "a": "1", "b": "2" }), json!({ "a": "1", "b": "2" })),
        (json!({ "a": null, "c": "3" }), json!({ "b": "2", "c": "3" })),
        (Value::Null, json!({})),
    ] {
        assert_eq!(room.alice("PATCH", "", patch(metadata)).await.0, StatusCode::NO_CONTENT);
        let (_, thread) = room.alice("GET", "", Value::Null).await;
        assert_eq!(thread["metadata"], expected);
    }
    let (_, people) = room.alice("GET", "/participants", Value::Null).await;
    assert_eq!(people["value"][1]["metadata"], json!({ "role": "guest" }));
}

async fn refusals_are_in_the_envelope_with_their_cure(db: TestDb) {
    let room = Room::on(&db).await;
    let stranger = room.world.token(&["chat"]).await.1;
    let voip = room.world.token(&["voip"]).await.1;
    let big = "x".repeat(28 * 1024 + 1);
    for (token, rest, body, status, says) in [
        (&stranger, "/messages", json!({ "content": "x" }), 403, "not a participant"),
        (&voip, "/messages", json!({ "content": "x" }), 403, "scope chat"),
        (&room.alice.1, "/messages", json!({ "content": big }), 413, "28672 bytes"),
        (&room.alice.1, "/messages", json!({ "content": "" }), 400, "needs content"),
        (&room.alice.1, "/messages", json!({}), 400, "content"),
        (
            &room.alice.1,
            "/messages",
            json!({ "content": "x", "type": "topicUpdated" }),
            400,
            "text or html",
        ),
        (&room.alice.1, "/readReceipts", json!({ "chatMessageId": "x" }), 400, "digits"),
        (&room.alice.1, "/readReceipts", json!({ "chatMessageId": "17" }), 404, "does not exist"),
        (&room.alice.1, "/participants/:add", json!({ "participants": [] }), 400, "At least one"),
    ] {
        let (got, answer) = room.call(token, "POST", rest, body).await;
        assert_eq!(got.as_u16(), status, "{rest}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{rest}: {message}");
    }
}

async fn without_a_token_the_body_is_empty_and_the_challenge_tells_why(db: TestDb) {
    let room = Room::on(&db).await;
    let target = format!("/chat/threads?{VERSION}");
    for (authorization, says) in
        [(None, "has no user access token"), (Some("Bearer x.y.z"), "not a user access token")]
    {
        let mut request = Request::builder().uri(&target);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = room.world.call(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(challenge.contains(says), "{challenge}");
        assert_eq!(crate::testing::read(answer).await.1, Value::Null);
    }
}

async fn a_repeated_create_is_answered_with_the_first_thread(db: TestDb) {
    let world = World::on(&db).await;
    let (_, token) = world.token(&["chat"]).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let request = Request::post(format!("/chat/threads?{VERSION}"))
            .header("authorization", format!("Bearer {token}"))
            .header("repeatability-request-id", "c2f0a8a4-6f2c-4c61-9a52-6ad7b9e1d001")
            .body(Body::from(r#"{"topic":"t","participants":[]}"#))
            .unwrap();
        let answer = world.call(request).await;
        assert!(answer.headers()["location"].to_str().unwrap().contains("/chat/threads/19%3A"));
        ids.push(crate::testing::read(answer).await.1["chatThread"]["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
}

async fn too_many_requests_are_refused_with_the_time_to_wait(db: TestDb) {
    let world = World::limited(storage::Db::clone(&db), 1).await;
    let (alice, eve) = (world.token(&["chat"]).await, world.token(&["chat"]).await);
    let order = json!({ "topic": "busy", "participants": [] });
    let target = format!("/chat/threads?{VERSION}");
    let (_, answer) = world.with_token(&alice.1, "POST", &target, order).await;
    let thread = answer["chatThread"]["id"].as_str().unwrap().replace(':', "%3A");
    let messages = format!("/chat/threads/{thread}/messages?{VERSION}");
    let send = async |token: &str| {
        world.with_token(token, "POST", &messages, json!({ "content": "hi" })).await
    };
    for _ in 0..20 {
        assert_eq!(send(&eve.1).await.0, StatusCode::FORBIDDEN, "no member uses up nothing");
    }
    for _ in 0..10 {
        assert_eq!(send(&alice.1).await.0, StatusCode::CREATED);
    }
    let (status, answer) = send(&alice.1).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("TooManyRequests"))
    );
    let request = Request::post(&messages)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", alice.1))
        .body(Body::from("{}"))
        .unwrap();
    let response = world.call(request).await;
    assert_eq!(response.headers()["retry-after"], "10");
    assert_eq!(world.with_token(&alice.1, "GET", &messages, Value::Null).await.0, StatusCode::OK);
    world.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(send(&alice.1).await.0, StatusCode::CREATED);
}
