//! Google's push service as a sender sees it.
//!
//! - [`oauth`]: assertions for access tokens
//! - [`schema`]: which members a message may have, and of what kind
//! - [`refusal`]: Google's error documents

pub(super) mod oauth;
pub(super) mod refusal;
mod schema;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use self::refusal::Refusal;
use super::failure::STALL;
use super::{FakePush, Received, Service};

/// Google's limit for keys and values of a message.
const PAYLOAD_BYTES: usize = 4096;

/// `POST /fake-push/fcm/v1/projects/{project}/messages:send`
pub(super) async fn send(
    State(fake): State<Arc<FakePush>>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match accept(&fake, &project, &headers, &body) {
        Ok(name) => axum::Json(json!({ "name": name })).into_response(),
        Err(Problem::Refused(refusal)) => refusal.into_response(),
        Err(Problem::Silence) => std::future::pending().await,
    }
}

enum Problem {
    Refused(Refusal),
    Silence,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn accept(
    fake: &FakePush,
    project: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<String, Problem> {
    let own_project = authorised(fake, headers)?;
    if own_project != project {
        return Err(Refusal::permission_denied(project).into());
    }
    let document: Value = serde_json::from_slice(body).map_err(|cause| {
        Refusal::invalid_json(&format!("Invalid JSON payload received. {cause}"))
    })?;
    schema::check(&document)?;
    let message = &document["message"];
    let token = schema::token(message)?;
    schema::check_data_keys(message)?;
    if schema::size(message) > PAYLOAD_BYTES {
        return Err(Refusal::too_big().into());
    }
    if let Some(rule) = fake.failures.strike(Service::Fcm, token) {
        if rule.failure == STALL {
            return Err(Problem::Silence);
        }
        return Err(Refusal::named(&rule.failure, rule.retry_after).into());
    }
    if schema::either(&document, "validate_only", "validateOnly") == Some(&Value::Bool(true)) {
        return Ok(format!("projects/{project}/messages/fake_message_id"));
    }
    let now = fake.now();
    let unique = Uuid::new_v4().simple().to_string();
    let id = format!("projects/{project}/messages/0:{}%{}", now.as_micros(), &unique[..16]);
    let (device, mut shown) = (token.into(), message.clone());
    if let Some(members) = shown.as_object_mut() {
        members.remove("token");
    }
    fake.inbox.push(Received {
        sequence: 0,
        service: Service::Fcm,
        device,
        id: id.as_str().into(),
        headers: vec![("project".into(), project.into())],
        payload: shown.to_string().into(),
        time: now,
    });
    Ok(id)
}

/// The project of the account whose access token came.
fn authorised(fake: &FakePush, headers: &HeaderMap) -> Result<String, Refusal> {
    let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let token = header.strip_prefix("Bearer ").ok_or_else(Refusal::unauthenticated)?;
    let email = fake.access_tokens.account(token, fake.now());
    let key = email.and_then(|email| fake.trusted.fcm_key(&email));
    key.map(|key| key.project_id.into()).ok_or_else(Refusal::unauthenticated)
}

/// Adds `Retry-After`.
fn with_delay(mut response: Response, retry_after: Option<u32>) -> Response {
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
