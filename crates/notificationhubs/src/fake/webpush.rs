//! A push service for browsers, and the browsers: it makes subscriptions up with keys of their own,
//! and so can decrypt what is sent to them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rand;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::failure::STALL;
use super::{FakePush, Received, Service};
use crate::push::jws::{Algorithm, Jws};
use crate::push::key_text::{from_base64, to_base64url};
use crate::push::webpush::{Urgency, encryption};

/// So many browsers are remembered; beyond that the oldest are forgotten.
const MAX_SUBSCRIPTIONS: usize = 10_000;
/// The largest body that push services have to take.
const BODY_BYTES: usize = 4096;
/// A VAPID token may hold for this long.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A clock may be ahead by this much.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// How it can fail.
const FAILURES: [(&str, u16); 10] = [
    ("BadRequest", 400),
    ("Unauthorized", 401),
    ("Forbidden", 403),
    ("NotFound", 404),
    ("Gone", 410),
    ("PayloadTooLarge", 413),
    ("TooManyRequests", 429),
    ("InternalServerError", 500),
    ("ServiceUnavailable", 503),
    ("Redirect", 307),
];

/// The ways to fail.
pub(super) fn failures() -> impl Iterator<Item = &'static str> {
    FAILURES.iter().map(|(name, _)| *name).chain([STALL])
}

/// A browser's subscription as `PushSubscription.toJSON()` shows it, with its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// The device in the inbox.
    pub id: String,
    /// Where messages go.
    pub endpoint: String,
    /// Always null: it does not expire.
    pub expiration_time: Option<u64>,
    /// What messages are encrypted for.
    pub keys: Keys,
}

/// The keys of a subscription, in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The browser's public key.
    pub p256dh: String,
    /// The secret that it shares with the sender.
    pub auth: String,
}

struct Browser {
    issued: Issued,
    /// The key of the sender that it subscribed to, if it named one.
    server_key: Option<Vec<u8>>,
    private_key: PrivateKey,
    auth: [u8; 16],
    unsubscribed: AtomicBool,
}

impl Browser {
    fn is_unsubscribed(&self) -> bool {
        self.unsubscribed.load(Ordering::Relaxed)
    }
}

/// The browsers.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<VecDeque<Arc<Browser>>>);

impl Subscriptions {
    fn browsers(&self) -> MutexGuard<'_, VecDeque<Arc<Browser>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Option<Arc<Browser>> {
        self.browsers().iter().find(|it| it.issued.id == id).cloned()
    }
}

impl FakePush {
    /// A new browser that subscribes: at `origin` (scheme, host, port) and, if a key is given, for
    /// its owner alone (`applicationServerKey`).
    pub fn subscribe(&self, origin: &str, server_key: Option<Vec<u8>>) -> Issued {
        let private_key = PrivateKey::generate(&ECDH_P256);
        let private_key = private_key.expect("the system's random source works");
        let public_key = private_key.compute_public_key().expect("a P-256 key has a public half");
        let mut auth = [0; 16];
        rand::fill(&mut auth).expect("the system's random source works");
        let id = Uuid::new_v4().simple().to_string();
        let keys = Keys { p256dh: to_base64url(&public_key), auth: to_base64url(auth) };
        let endpoint = format!("{origin}/fake-push/web/{id}");
        let issued = Issued { id, endpoint, expiration_time: None, keys };
        let unsubscribed = AtomicBool::new(false);
        let browser =
            Browser { issued: issued.clone(), server_key, private_key, auth, unsubscribed };
        let mut browsers = self.subscriptions.browsers();
        browsers.push_back(Arc::new(browser));
        if browsers.len() > MAX_SUBSCRIPTIONS {
            browsers.pop_front();
        }
        issued
    }

    /// The browsers that are subscribed.
    pub fn subscribed(&self) -> Vec<Issued> {
        let browsers = self.subscriptions.browsers();
        browsers.iter().filter(|it| !it.is_unsubscribed()).map(|it| it.issued.clone()).collect()
    }

    /// Ends a subscription; its endpoint answers 410 from now on. Says whether it was there.
    pub fn unsubscribe(&self, id: &str) -> bool {
        let browser = self.subscriptions.find(id);
        browser.is_some_and(|it| !it.unsubscribed.swap(true, Ordering::Relaxed))
    }
}

/// A refusal: its status, and what was wrong.
type Refused = (u16, String);

/// `POST /fake-push/web/{id}`
pub(super) async fn receive(
    State(fake): State<Arc<FakePush>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (browser, payload) = match open(&fake, &id, &headers, &body) {
        Ok(opened) => opened,
        Err((status, reason)) => return refuse(status, &reason, None),
    };
    if let Some(rule) = fake.failures.strike(Service::WebPush, &id) {
        if rule.failure == STALL {
            return std::future::pending().await;
        }
        let status = FAILURES.iter().find(|(name, _)| *name == rule.failure);
        let status = status.map_or(500, |(_, status)| *status);
        return refuse(status, &rule.failure, rule.retry_after);
    }
    let message = Uuid::new_v4().simple().to_string();
    let shown = ["ttl", "urgency", "topic", "content-encoding"];
    let shown = shown.into_iter().filter_map(|name| {
        Some((name.into(), headers.get(name)?.to_str().ok()?.to_owned().into_boxed_str()))
    });
    fake.inbox.push(Received {
        sequence: 0,
        service: Service::WebPush,
        device: id.as_str().into(),
        id: message.as_str().into(),
        headers: shown.collect(),
        payload: payload.into(),
        time: fake.now(),
    });
    let mut response = StatusCode::CREATED.into_response();
    let place = format!("{}/messages/{message}", browser.issued.endpoint);
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

fn refuse(status: u16, reason: &str, retry_after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(json!({ "reason": reason }))).into_response();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
    }
    if status.is_redirection() {
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("/fake-push"));
    }
    response
}

/// Checks a message in the order in which push services do, and decrypts it as the browser would.
fn open(
    fake: &FakePush,
    id: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(Arc<Browser>, Vec<u8>), Refused> {
    let bad = |text: &str| (400, text.to_owned());
    let browser = fake.subscriptions.find(id);
    let browser = browser.ok_or_else(|| (404, "There is no such subscription.".to_owned()))?;
    check_vapid(headers, &browser, fake.now())?;
    if browser.is_unsubscribed() {
        return Err((410, "The browser has unsubscribed.".to_owned()));
    }
    let text = |name: &str| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    let ttl = text("ttl").ok_or_else(|| bad("The header TTL is missing."))?;
    if ttl.parse::<u32>().is_err() {
        return Err(bad("The header TTL is no number of seconds."));
    }
    if text("urgency").is_some_and(|it| Urgency::parse(it).is_none()) {
        return Err(bad("The header Urgency is none of very-low, low, normal, high."));
    }
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    if text("topic").is_some_and(|it| it.is_empty() || it.len() > 32 || !it.bytes().all(plain)) {
        return Err(bad("The header Topic is not up to 32 characters of base64url."));
    }
    if headers.get(CONTENT_ENCODING).is_none_or(|it| it != "aes128gcm") {
        return Err(bad("The header Content-Encoding is not aes128gcm."));
    }
    if body.len() > BODY_BYTES {
        return Err((413, format!("The body has {} bytes, at most {BODY_BYTES}.", body.len())));
    }
    let payload = encryption::decrypt(body, &browser.private_key, &browser.auth)
        .map_err(|cause| (400, format!("The browser could not decrypt the message: {cause}.")))?;
    Ok((browser, payload))
}

fn check_vapid(headers: &HeaderMap, browser: &Browser, now: Timestamp) -> Result<(), Refused> {
    let no = |text: &str| (403, text.to_owned());
    let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let header = header.and_then(|it| it.strip_prefix("vapid "));
    let header = header.ok_or_else(|| (401, "There is no VAPID token.".to_owned()))?;
    let part = |name: &str| {
        let mut parts = header.split(',').filter_map(|it| it.trim().split_once('='));
        parts.find(|(it, _)| *it == name).map(|(_, value)| value)
    };
    let key = part("k").and_then(from_base64).ok_or_else(|| no("The VAPID key is missing."))?;
    let jws = part("t").and_then(Jws::parse).ok_or_else(|| no("BadJwtToken"))?;
    if browser.server_key.as_ref().is_some_and(|expected| *expected != key) {
        return Err(no("VapidPkHashMismatch: the browser subscribed with another key."));
    }
    if !jws.is_signed_by(Algorithm::Es256, &key) {
        return Err(no("BadJwtToken: the signature is not of the key."));
    }
    let endpoint = browser.issued.endpoint.parse().ok();
    let origin = endpoint.and_then(|it| crate::push::webpush::credential::origin(&it));
    if origin.is_none() || jws.claims["aud"].as_str() != origin.as_deref() {
        return Err(no("BadJwtToken: aud is not the origin of the endpoint."));
    }
    let expires = jws.claims["exp"].as_i64().map(Timestamp::from_secs);
    let holds = expires.is_some_and(|at| at > now && at.since(now) <= TOKEN_LIFE + CLOCK_TOLERANCE);
    if !holds {
        return Err(no("BadJwtToken: exp has passed, or is more than a day ahead."));
    }
    let subject = jws.claims["sub"].as_str().unwrap_or_default();
    if !(subject.starts_with("mailto:") || subject.starts_with("https://")) {
        return Err(no("BadJwtToken: sub is neither mailto: nor https:."));
    }
    Ok(())
}
