//! A service in memory for the tests of this crate, and the requests that clients would send.

pub(crate) mod hub;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth::{AccessKeys, KeyRing};
use aws_lc_rs::hmac;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use edge::Tasks;
use kernel::{Clock, Secret, Timestamp};
use serde_json::{Value, json};
use storage::testing::TestDb;
use storage::{Db, MasterKey, Statement};
use testkit::ManualClock;

use crate::chat::{Access, Chat, ChatChange, MessageKind, Metadata, NewMessage, NewThread};
use crate::chat::{NewParticipant, Retention};
use crate::identity::hmac::content_hash;
use crate::identity::{Caller, Identities, Scopes};
use crate::ports::{Outbox, Ports, Realtime, Work};
use crate::{Communication, DEFAULT_CLOCK_SKEW, MIGRATIONS, RawId, Resource, Resources, Throttle};

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);
pub(crate) const RESOURCE_ID: &str = "1b5cc06b-f352-4571-b1e6-d9b259b7c776";
const PRIMARY: &str = "tidingsDevelopmentKeyPrimaryNotASecret00000=";
const SECONDARY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv";

/// What was told, in order.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<Arc<ChatChange>>>);

impl Told {
    pub(crate) fn take(&self) -> Vec<Arc<ChatChange>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Realtime for Told {
    fn announce(&self, change: &Arc<ChatChange>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(change));
    }
}

/// Writes one row for each change, in the change's own transaction, and counts those on disk.
#[derive(Default)]
pub(crate) struct Rows(Arc<AtomicUsize>);

impl Outbox for Rows {
    fn work(&self, change: &ChatChange) -> Work {
        let sql = "INSERT INTO work (transaction_id) VALUES ($1)";
        let statements = vec![Statement::new(sql, vec![(&*change.transaction).into()])];
        let committed = Arc::clone(&self.0);
        let count = move || {
            committed.fetch_add(1, Ordering::SeqCst);
        };
        Work { statements, committed: Some(Box::new(count)) }
    }
}

/// A service, and everything around it.
pub(crate) struct World {
    pub(crate) service: Communication,
    pub(crate) resource: Arc<Resource>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) told: Arc<Told>,
    /// How often the outbox was told that its work is on disk.
    pub(crate) committed: Arc<AtomicUsize>,
    pub(crate) db: Db,
}

impl World {
    pub(crate) async fn on(db: &TestDb) -> Self {
        Self::over(Db::clone(db)).await
    }

    /// A node over a database that others may use, too.
    pub(crate) async fn over(db: Db) -> Self {
        Self::limited(db, 0).await
    }

    /// A node with so many times the published rate limits.
    pub(crate) async fn limited(db: Db, limits: u32) -> Self {
        db.migrate("communication", MIGRATIONS).await.unwrap();
        db.execute("CREATE TABLE IF NOT EXISTS work (transaction_id TEXT NOT NULL)", [])
            .await
            .unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let master = Arc::new(MasterKey::from_bytes(&[7; 32]));
        let shared: Arc<dyn Clock> = clock.clone();
        let identities = Identities::open(db.clone(), master, Arc::clone(&shared)).await.unwrap();
        let keys = AccessKeys::new(Secret::new(PRIMARY), Secret::new(SECONDARY)).unwrap();
        let resource = Arc::new(Resource {
            name: "local".to_owned(),
            id: RESOURCE_ID.to_owned(),
            hosts: Vec::new(),
            keys: KeyRing::new(keys),
            clock_skew: DEFAULT_CLOCK_SKEW,
            public_endpoint: None,
        });
        let told = Arc::new(Told::default());
        let rows = Rows::default();
        let committed = Arc::clone(&rows.0);
        let ports = Ports { outboxes: vec![Arc::new(rows)], realtime: vec![told.clone()] };
        let chat = Chat::new(db.clone(), shared, identities.clone(), ports, Tasks::new());
        let resources = Resources::new([Arc::clone(&resource)]);
        let service = Communication::new(resources, identities, chat, Throttle::new(limits));
        Self { service, resource, clock, told, committed, db }
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn chat(&self) -> &Chat {
        self.service.chat()
    }

    /// A new user with these scopes.
    pub(crate) async fn user(&self, scopes: &str) -> Access {
        let created = self.service.identities().create(&self.resource, None, None).await.unwrap();
        self.access(created.0.id, scopes)
    }

    pub(crate) fn access(&self, id: RawId, scopes: &str) -> Access {
        let scopes = Scopes::of_claim(scopes);
        let expires = NOW + Duration::from_hours(1);
        Access {
            resource: Arc::clone(&self.resource),
            caller: Caller { id, scopes, expires, generation: 0 },
        }
    }

    /// A thread of the first user with the others; its id.
    pub(crate) async fn thread(&self, creator: &Access, others: &[&Access]) -> String {
        let created = self.chat().create_thread(creator, new_thread("a topic", others)).await;
        self.told.take();
        created.unwrap().thread.id.to_string()
    }

    /// Sends a request as a router's user would.
    pub(crate) async fn call(&self, request: Request<Body>) -> Response<Body> {
        edge::layer(self.service.router()).handle(request).await
    }

    /// A request signed with an access key.
    pub(crate) async fn signed(
        &self,
        method: &str,
        target: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        self.signed_with(PRIMARY, method, target, body).await
    }

    pub(crate) async fn signed_with(
        &self,
        key: &str,
        method: &str,
        target: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let date = "Fri, 02 Jan 2026 15:04:05 GMT";
        let hash = content_hash(body.as_bytes());
        let text = format!("{method}\n{target}\n{date};localhost;{hash}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let authorization = format!(
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
        );
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost")
            .header("x-ms-date", date)
            .header("x-ms-content-sha256", hash)
            .header("authorization", authorization)
            .body(Body::from(body))
            .unwrap();
        read(self.call(request).await).await
    }

    /// A request with a user access token.
    pub(crate) async fn with_token(
        &self,
        token: &str,
        method: &str,
        target: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body))
            .unwrap();
        read(self.call(request).await).await
    }

    /// A new user's id and token.
    pub(crate) async fn token(&self, scopes: &[&str]) -> (String, String) {
        let body = json!({ "createTokenWithScopes": scopes });
        let (status, answer) =
            self.signed("POST", "/identities?api-version=2023-10-01", body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&answer["identity"]["id"]), text(&answer["accessToken"]["token"]))
    }
}

/// Status and body; null for an empty one.
pub(crate) async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let body = edge::body::read(response.into_body(), 1 << 20).await.unwrap();
    let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    (status, json)
}

pub(crate) fn new_thread(topic: &str, others: &[&Access]) -> NewThread {
    NewThread {
        topic: topic.to_owned(),
        participants: others.iter().map(|other| participant(other)).collect(),
        metadata: Metadata::new(),
        retention: Retention::None,
        request_id: None,
    }
}

pub(crate) fn participant(who: &Access) -> NewParticipant {
    NewParticipant {
        id: who.caller.id.clone(),
        display_name: Some("Bob".to_owned()),
        share_history: None,
        metadata: Metadata::new(),
    }
}

pub(crate) fn text(content: &str) -> NewMessage {
    NewMessage {
        content: content.to_owned(),
        kind: MessageKind::Text,
        sender_display_name: None,
        metadata: Metadata::new(),
    }
}
