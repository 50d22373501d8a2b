//! The whole road over HTTP, by the polling transport: from a token to notifications and back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use cluster::Backplane;
use edge::Tasks;
use gateway::{Gateway, QueueLimits, Settings};
use kernel::Clock;
use serde_json::{Value, json};
use storage::Db;
use tokio_util::sync::CancellationToken;

use super::packet::{Packet, decode_batch};
use super::*;
use crate::chat::{Access, Chat};
use crate::identifier::RawId;
use crate::identity::{Ended, Ending};
use crate::ports::Ports;
use crate::testing::{self, World, new_thread};

/// A server with signaling, and a thread of Alice and Bob.
struct Server {
    world: World,
    signaling: Signaling,
    chat: Chat,
    tally: Arc<Tally>,
}

/// A user with a token.
struct Person {
    token: String,
    access: Access,
}

impl Server {
    async fn over(db: Db) -> Self {
        let world = World::over(db).await;
        let clock: Arc<dyn Clock> = world.clock.clone();
        let settings = Settings {
            shards: 1,
            max_message_bytes: 1 << 20,
            queue: QueueLimits { bytes: 1 << 20, frames: 1_000 },
        };
        let gateway = Gateway::start(settings, &clock, &mut Default::default()).unwrap();
        let tally = Arc::new(Tally::default());
        let identities = world.service.identities().clone();
        let signaling = Signaling::open(Foundation {
            resources: world.service.resources().clone(),
            identities: identities.clone(),
            backplane: Backplane::local(gateway),
            db: world.db.clone(),
            clock: Arc::clone(&clock),
            roster: Roster::new(vec![tally.clone()]),
            stop: CancellationToken::new(),
        });
        let signaling = signaling.await.unwrap();
        let ports = Ports {
            outboxes: vec![Arc::new(signaling.clone())],
            realtime: vec![Arc::new(signaling.clone())],
        };
        let chat = Chat::new(world.db.clone(), clock, identities, ports, Tasks::new());
        Self { world, signaling, chat, tally }
    }

    async fn new() -> Self {
        Self::over(Db::in_memory().unwrap()).await
    }

    async fn person(&self) -> Person {
        let (id, token) = self.world.token(&["chat"]).await;
        Person { token, access: self.world.access(RawId::new(id), "chat") }
    }

    /// Alice, Bob, and their thread.
    async fn pair(&self) -> (Person, Person, String) {
        let (alice, bob) = (self.person().await, self.person().await);
        let thread = new_thread("plans", &[&bob.access]);
        let created = self.chat.create_thread(&alice.access, thread).await.unwrap();
        (alice, bob, created.thread.id.to_string())
    }

    async fn send(&self, who: &Person, thread: &str, text: &str) {
        self.chat.send(&who.access, thread, testing::text(text)).await.unwrap();
    }

    async fn call(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = edge::layer(self.signaling.router()).handle(request).await;
        let (parts, body) = response.into_parts();
        let body = edge::body::read(body, 1 << 20).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn request(
        &self,
        method: &str,
        target: &str,
        token: &str,
        body: &str,
    ) -> (StatusCode, String) {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost:7443")
            .header("x-skypetoken", token)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let (status, _, body) = self.call(request).await;
        (status, body)
    }

    async fn allocate(&self, who: &Person, query: &str) -> Value {
        let (status, body) = self.request("POST", &format!("/v4/a{query}"), &who.token, "").await;
        assert_eq!(status, StatusCode::OK, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The session's name.
    async fn handshake(&self, who: &Person, device: &str) -> String {
        let target = format!("/socket.io/1/?epid={device}&v=v4");
        let (status, body) = self.request("GET", &target, &who.token, "").await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let (sid, rest) = body.split_once(':').unwrap();
        assert_eq!(rest, "180:180:websocket,xhr-polling");
        sid.to_owned()
    }

    /// A connection by polling, greeted.
    async fn connect(&self, who: &Person, device: &str) -> String {
        let sid = self.handshake(who, device).await;
        assert_eq!(self.fetch(&sid).await, ["1::"]);
        let connected = self.fetch(&sid).await;
        assert!(connected[0].contains("trouter.connected"), "{connected:?}");
        sid
    }

    async fn fetch(&self, sid: &str) -> Vec<String> {
        static MOMENT: AtomicU64 = AtomicU64::new(1);
        let moment = MOMENT.fetch_add(1, Ordering::Relaxed);
        let target = format!("/socket.io/1/xhr-polling/{sid}?t={moment}");
        let (status, body) = self.request("GET", &target, "", "").await;
        assert_eq!(status, StatusCode::OK, "{body}");
        decode_batch(&body).unwrap().into_iter().map(str::to_owned).collect()
    }

    async fn say(&self, sid: &str, packet: &str) -> StatusCode {
        let target = format!("/socket.io/1/xhr-polling/{sid}?t=1");
        self.request("POST", &target, "", packet).await.0
    }

    /// Answers with 200 whatever was pushed; the texts of the messages.
    async fn take(&self, sid: &str, packets: &[String]) -> Vec<String> {
        let mut texts = Vec::new();
        for packet in packets {
            let request = pushed(packet);
            let answer = format!("3:::{{\"id\":{},\"status\":200}}", request["id"]);
            assert_eq!(self.say(sid, &answer).await, StatusCode::OK);
            let body: Value = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
            texts.extend(body["messageBody"].as_str().map(str::to_owned));
        }
        texts
    }

    async fn register(&self, who: &Person, device: &str) -> StatusCode {
        let body = json!({
            "clientDescription": { "appId": "AcsWeb", "languageId": "en-US" },
            "registrationId": device,
            "nodeId": "",
            "transports": { "TROUTER": [{ "context": "", "path": "https://x/", "ttl": 7200 }] },
        });
        let target = "/registrar/prod/v3/registrations";
        self.request("POST", target, &who.token, &body.to_string()).await.0
    }
}

fn pushed(packet: &str) -> Value {
    serde_json::from_str(Packet::decode(packet).unwrap().data.unwrap()).unwrap()
}

#[tokio::test]
async fn discovery_names_the_addresses_and_refuses_who_may_not_chat() {
    let server = Server::new().await;
    let target = "//chat/config/realTimeNotifications?api-version=2024-09-01";
    let chatter = server.person().await;
    let (status, body) = server.request("GET", target, &chatter.token, "").await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "trouterServiceUrl": "https://localhost:7443",
        "registrarServiceUrl": "https://localhost:7443/registrar/prod",
        "cloudType": "public",
    });
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    let (_, caller) = server.world.token(&["voip"]).await;
    let (status, body) = server.request("GET", target, &caller, "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("chat.join"), "{body}");
}

#[tokio::test]
async fn requests_without_a_token_that_holds_are_refused() {
    let server = Server::new().await;
    for (method, target) in [
        ("GET", "/chat/config/realTimeNotifications?api-version=2024-09-01"),
        ("POST", "/v4/a"),
        ("GET", "/socket.io/1/?epid=d"),
        ("POST", "/registrar/prod/v3/registrations"),
        ("DELETE", "/registrar/prod/v3/registrations/d"),
    ] {
        for token in ["", "x.y.z"] {
            let (status, _) = server.request(method, target, token, "").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {target}");
        }
    }
}

#[tokio::test]
async fn preflights_need_no_token() {
    let server = Server::new().await;
    for target in
        ["/v4/a", "/socket.io/1/", "/socket.io/1/xhr-polling/x", "/registrar/prod/v3/registrations"]
    {
        let request = Request::options(target).header("host", "localhost").body(Body::empty());
        let (status, headers, _) = server.call(request.unwrap()).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{target}");
        assert_eq!(headers["access-control-allow-origin"], "*");
        let allowed = headers["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.contains("x-skypetoken"), "{allowed}");
    }
}

#[tokio::test]
async fn an_allocation_is_kept_by_its_user_and_no_other() {
    let server = Server::new().await;
    let (alice, bob) = (server.person().await, server.person().await);
    let first = server.allocate(&alice, "?epid=d").await;
    let params = first["connectparams"].as_object().unwrap();
    let pairs: Vec<_> =
        params.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
    for pair in &pairs {
        assert_eq!(pair.matches(['=', '&', '#', ' ']).count(), 1, "{pair}");
    }
    let query = format!("?{}", pairs.join("&"));
    let again = server.allocate(&alice, &query).await;
    assert_eq!(again["connectparams"]["sr"], first["connectparams"]["sr"]);
    let other = server.allocate(&bob, &query).await;
    assert_ne!(other["connectparams"]["sr"], first["connectparams"]["sr"]);
    let target = format!("/socket.io/1/{query}&epid=d");
    assert_eq!(server.request("GET", &target, &alice.token, "").await.0, StatusCode::OK);
    assert_eq!(server.request("GET", &target, &bob.token, "").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn messages_arrive_in_order_and_answers_are_counted() {
    let server = Server::new().await;
    let (alice, bob, thread) = server.pair().await;
    let sid = server.connect(&bob, "d").await;
    let texts = ["one", "two 50%41", "☃ \"three\""];
    for text in texts {
        server.send(&alice, &thread, text).await;
    }
    let packets = server.fetch(&sid).await;
    assert_eq!(server.take(&sid, &packets).await, texts);
    assert_eq!(server.tally.count(EventKind::MessageReceived).handled, 3);

    server.chat.typing(&alice.access, &thread, None).await.unwrap();
    let packets = server.fetch(&sid).await;
    assert!(pushed(&packets[0])["url"].as_str().unwrap().ends_with("/typingIndicatorReceived"));
}

#[tokio::test]
async fn a_session_belongs_to_whom_it_was_given_and_for_two_minutes() {
    let server = Server::new().await;
    let bob = server.person().await;
    assert_eq!(server.fetch("made-up").await, ["7:::1+0"]);
    assert_eq!(server.say("made-up", "2::").await, StatusCode::INTERNAL_SERVER_ERROR);
    let sid = server.handshake(&bob, "d").await;
    server.world.clock.advance(Duration::from_secs(121));
    assert_eq!(server.fetch(&sid).await, ["7:::1+0"]);
}

#[tokio::test]
async fn a_revocation_ends_a_session_before_it_is_opened() {
    let server = Server::new().await;
    let bob = server.person().await;
    let sid = server.handshake(&bob, "d").await;
    let now = server.world.clock_now();
    let user = bob.access.caller.id.clone();
    let ended = Ended { user, ending: Ending::Revoked, before: 1 };
    server.signaling.0.devices.end(&ended, now);
    assert_eq!(server.fetch(&sid).await, [r#"0:::{"reason":"unauthorized"}"#]);
}

#[tokio::test]
async fn nonsense_ends_a_polling_connection() {
    let server = Server::new().await;
    let bob = server.person().await;
    let sid = server.connect(&bob, "d").await;
    assert_eq!(server.say(&sid, "what?").await, StatusCode::BAD_REQUEST);
    assert_eq!(server.fetch(&sid).await, ["7:::1+0"]);
    assert_eq!(server.signaling.connections(), 0);
}

#[tokio::test]
async fn what_was_missed_over_a_restart_comes_from_the_store() {
    let db = Db::in_memory().unwrap();
    let first = Server::over(db.clone()).await;
    let (alice, bob, thread) = first.pair().await;
    let sid = first.connect(&bob, "d").await;
    assert_eq!(first.register(&bob, "d").await, StatusCode::ACCEPTED);
    first.send(&alice, &thread, "on disk, on no screen").await;
    drop(sid);

    let second = Server::over(db).await;
    second.send(&alice, &thread, "while away").await;
    let sid = second.handshake(&bob, "d").await;
    assert_eq!(second.fetch(&sid).await, ["1::"]);
    second.send(&alice, &thread, "back again").await;
    let packets = second.fetch(&sid).await;
    let texts = second.take(&sid, &packets[1..]).await;
    assert_eq!(texts, ["on disk, on no screen", "while away", "back again"]);
}

#[tokio::test]
async fn a_device_that_unregisters_misses_nothing_and_gets_nothing() {
    let server = Server::new().await;
    let (alice, bob, thread) = server.pair().await;
    let sid = server.connect(&bob, "d").await;
    assert_eq!(server.register(&bob, "d").await, StatusCode::ACCEPTED);
    assert_eq!(server.say(&sid, "0::").await, StatusCode::OK);
    let target = "/registrar/prod/v3/registrations/d";
    let (status, body) = server.request("DELETE", target, &bob.token, "").await;
    assert_eq!((status, &*body), (StatusCode::ACCEPTED, ""));
    server.send(&alice, &thread, "unheard").await;
    let sid = server.connect(&bob, "d").await;
    server.send(&alice, &thread, "heard").await;
    let packets = server.fetch(&sid).await;
    assert_eq!(server.take(&sid, &packets).await, ["heard"]);
}

#[tokio::test]
async fn registrations_that_say_nothing_are_told_what_is_missing() {
    let server = Server::new().await;
    let bob = server.person().await;
    for body in [
        "{}".to_owned(),
        json!({ "registrationId": "d", "transports": {} }).to_string(),
        json!({ "registrationId": "", "transports": { "T": [{ "path": "", "ttl": 1 }] } })
            .to_string(),
        json!({ "registrationId": "d", "transports": { "T": [{ "path": "" }] } }).to_string(),
    ] {
        let target = "/registrar/prod/v3/registrations";
        let (status, answer) = server.request("POST", target, &bob.token, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.contains("message"), "{answer}");
    }
}

#[tokio::test]
async fn a_server_that_stops_lets_nobody_in() {
    let server = Server::new().await;
    let bob = server.person().await;
    let sid = server.connect(&bob, "d").await;
    server.signaling.close().await;
    server.signaling.leave(Duration::ZERO).await;
    let (status, _) = server.request("POST", "/v4/a", &bob.token, "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(server.fetch(&sid).await[0].contains("trouter.reconnect"));
}

#[test]
fn a_probe_is_answered_at_the_root_only() {
    let probed = |uri: &str| {
        let uri = uri.parse().unwrap();
        rest::probed(&axum::http::Method::GET, &uri).is_some()
    };
    assert!(probed("/?check=1&cor_id=2"));
    assert!(!probed("/") && !probed("/x?check=1"));
}
