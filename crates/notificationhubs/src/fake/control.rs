//! The window to the fakes over HTTP: what arrived, what shall go wrong, keys and browsers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use edge::{Envelope, Rejection, Scheme};
use kernel::{Error, ErrorKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::accounts::{ApnsAccount, FcmAccount};
use super::failure::{Rule, catalog};
use super::{FakePush, Query, Service};
use crate::push::key_text::from_base64;

type Answer = Result<Response, Rejection>;

/// A long poll is answered after this long at the latest, since proxies and clients give up later.
const MAX_WAIT_SECS: u64 = 55;
/// Notifications in one answer.
const MAX_PAGE: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxQuery {
    service: Option<Service>,
    device: Option<String>,
    contains: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
    /// Seconds to wait until `count` notifications fit.
    wait: Option<u64>,
    count: Option<usize>,
}

/// `GET /fake-push/inbox`
pub(super) async fn inbox(
    State(fake): State<Arc<FakePush>>,
    query: Result<UrlQuery<InboxQuery>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let UrlQuery(asked) = query.map_err(|cause| {
        let known = "service (apns, fcm, webpush), device, contains, after, limit, wait, count";
        reject(invalid(&format!(
            "The query cannot be read: {}. It may have {known}.",
            cause.body_text()
        )))
    })?;
    let query = Query {
        service: asked.service,
        device: asked.device,
        contains: asked.contains,
        after: asked.after.unwrap_or(0),
        limit: Some(asked.limit.unwrap_or(MAX_PAGE).min(MAX_PAGE)),
    };
    let found = match asked.wait {
        None => fake.inbox.find(&query),
        Some(seconds) => {
            let patience = Duration::from_secs(seconds.min(MAX_WAIT_SECS));
            let count = asked.count.unwrap_or(1).min(MAX_PAGE);
            fake.inbox.wait(&query, count, patience).await
        }
    };
    let notifications: Vec<Value> = found.notifications.iter().map(|it| it.to_json()).collect();
    Ok(Json(json!({
        "notifications": notifications,
        "last": found.last,
        "forgotten": found.forgotten,
    }))
    .into_response())
}

/// `DELETE /fake-push/inbox`
pub(super) async fn empty_inbox(State(fake): State<Arc<FakePush>>) -> StatusCode {
    fake.inbox.clear();
    StatusCode::NO_CONTENT
}

/// `GET /fake-push/failures`
pub(super) async fn failures(State(fake): State<Arc<FakePush>>) -> Json<Value> {
    let services = [
        ("apns", Service::Apns),
        ("fcm", Service::Fcm),
        ("oauth", Service::OAuth),
        ("webpush", Service::WebPush),
    ];
    let names = |service| Value::from_iter(catalog(service));
    let catalog: Map<String, Value> =
        services.into_iter().map(|(name, service)| (name.to_owned(), names(service))).collect();
    Json(json!({ "active": fake.failures.list(), "catalog": catalog }))
}

/// `POST /fake-push/failures`
pub(super) async fn add_failure(State(fake): State<Arc<FakePush>>, body: Bytes) -> Answer {
    let rule: Rule = read(&body).map_err(reject)?;
    let set = fake.failures.set(rule);
    set.map_err(|cause| reject(invalid(&format!("The rule is not set: {cause}."))))?;
    Ok((StatusCode::CREATED, Json(json!({ "active": fake.failures.list() }))).into_response())
}

/// `DELETE /fake-push/failures`
pub(super) async fn clear_failures(State(fake): State<Arc<FakePush>>) -> StatusCode {
    fake.failures.clear();
    StatusCode::NO_CONTENT
}

/// `GET /fake-push/accounts`
pub(super) async fn accounts(State(fake): State<Arc<FakePush>>) -> Response {
    Json(fake.accounts()).into_response()
}

/// `PUT /fake-push/accounts/apns`
pub(super) async fn trust_apns(State(fake): State<Arc<FakePush>>, body: Bytes) -> Answer {
    let account: ApnsAccount = read(&body).map_err(reject)?;
    fake.trusted().apns(&account).map_err(reject)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `PUT /fake-push/accounts/fcm`
pub(super) async fn trust_fcm(State(fake): State<Arc<FakePush>>, body: Bytes) -> Answer {
    let account: FcmAccount = read(&body).map_err(reject)?;
    fake.trusted().fcm(&account).map_err(reject)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Subscribe {
    application_server_key: Option<String>,
}

/// `POST /fake-push/subscriptions`
pub(super) async fn subscribe(
    State(fake): State<Arc<FakePush>>,
    scheme: Option<axum::Extension<Scheme>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let asked: Subscribe =
        if body.is_empty() { Subscribe::default() } else { read(&body).map_err(reject)? };
    let key = asked.application_server_key.map(|text| {
        let key = from_base64(&text).filter(|key| key.len() == 65 && key[0] == 4);
        key.ok_or_else(|| {
            invalid("applicationServerKey is not 65 bytes of a P-256 key in base64url.")
        })
    });
    let host = uri.authority().map(|it| it.as_str().to_owned());
    let host = host.or_else(|| Some(headers.get(HOST)?.to_str().ok()?.to_owned()));
    let host = host.ok_or_else(|| reject(invalid("The request names no host.")))?;
    let scheme = scheme.map_or("https", |it| it.0.as_str());
    let issued = fake.subscribe(&format!("{scheme}://{host}"), key.transpose().map_err(reject)?);
    Ok((StatusCode::CREATED, Json(issued)).into_response())
}

/// `GET /fake-push/subscriptions`
pub(super) async fn subscriptions(State(fake): State<Arc<FakePush>>) -> Json<Value> {
    Json(json!({ "subscriptions": fake.subscribed() }))
}

/// `DELETE /fake-push/subscriptions/{id}`
pub(super) async fn unsubscribe(
    State(fake): State<Arc<FakePush>>,
    Path(id): Path<String>,
) -> Answer {
    if fake.unsubscribe(&id) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let message = "There is no such subscription; GET /fake-push/subscriptions lists them.";
    Err(reject(Error::new(ErrorKind::NotFound, "NotFound", message)))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> kernel::Result<T> {
    let read = serde_json::from_slice(body);
    read.map_err(|cause| invalid(&format!("The body cannot be read: {cause}.")))
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message)
}

fn reject(error: Error) -> Rejection {
    Rejection::new(error, Envelope::Text)
}
