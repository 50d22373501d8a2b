//! Google's token endpoint: an assertion that a service account signed, for an access token.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use kernel::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::with_delay;
use crate::fake::failure::STALL;
use crate::fake::{FakePush, Service};
use crate::push::fcm::access_token::{GRANT_TYPE, SCOPE};
use crate::push::jws::{Algorithm, Jws};

/// Google's own endpoint: what assertions name that were made for it.
const GOOGLE: &str = "https://oauth2.googleapis.com/token";
/// So long an access token holds.
const LIFE: Duration = Duration::from_secs(3599);
/// A clock may be ahead by this much.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);
/// So many access tokens are remembered.
const MAX_TOKENS: usize = 1000;

/// How it can fail.
const FAILURES: [(&str, u16); 4] =
    [("invalid_grant", 400), ("invalid_client", 401), ("internal_failure", 500), ("nonsense", 200)];

/// The ways to fail.
pub(in crate::fake) fn failures() -> impl Iterator<Item = &'static str> {
    FAILURES.iter().map(|(name, _)| *name).chain([STALL])
}

/// The access tokens that were issued, the oldest first.
#[derive(Debug, Default)]
pub(in crate::fake) struct AccessTokens(Mutex<VecDeque<(String, Box<str>, Timestamp)>>);

impl AccessTokens {
    /// The service account of a token that holds.
    pub(super) fn account(&self, token: &str, now: Timestamp) -> Option<Box<str>> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = tokens.iter().rev().find(|(it, _, until)| it == token && now < *until)?;
        Some(found.1.clone())
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(in crate::fake) fn issued(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn issue(&self, email: &str, until: Timestamp) -> String {
        let token = format!("fake.{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.push_back((token.clone(), email.into(), until));
        if tokens.len() > MAX_TOKENS {
            tokens.pop_front();
        }
        token
    }
}

/// `POST /fake-push/oauth/token`
pub(in crate::fake) async fn token(
    State(fake): State<Arc<FakePush>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let host = uri.authority().map(|it| it.as_str().to_owned());
    let host = host.or_else(|| Some(headers.get(HOST)?.to_str().ok()?.to_owned()));
    let own = format!("{}{}", host.unwrap_or_default(), uri.path());
    let email = match check(&fake, &body, &own) {
        Ok(email) => email,
        Err(description) => return refuse(400, "invalid_grant", description, None),
    };
    if let Some(rule) = fake.failures.strike(Service::OAuth, &email) {
        if rule.failure == STALL {
            return std::future::pending().await;
        }
        let status = FAILURES.iter().find(|(name, _)| *name == rule.failure);
        let status = status.map_or(500, |(_, status)| *status);
        return refuse(status, &rule.failure, "The fake was told to.", rule.retry_after);
    }
    let token = fake.access_tokens.issue(&email, fake.now() + LIFE);
    let granted = json!({
        "access_token": token,
        "expires_in": LIFE.as_secs(),
        "token_type": "Bearer",
    });
    axum::Json(granted).into_response()
}

fn refuse(status: u16, error: &str, description: &str, retry_after: Option<u32>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "error": error, "error_description": description });
    with_delay((status, axum::Json(body)).into_response(), retry_after)
}

/// Checks a request; `own` is this endpoint as the caller named it, without its scheme.
fn check(fake: &FakePush, body: &[u8], own: &str) -> Result<String, &'static str> {
    let mut grant_type = None;
    let mut assertion = None;
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "grant_type" => grant_type = Some(value),
            "assertion" => assertion = Some(value),
            _ => {}
        }
    }
    if grant_type.as_deref() != Some(GRANT_TYPE) {
        return Err("Invalid grant_type.");
    }
    let jws = assertion.and_then(|it| Jws::parse(&it)).ok_or("Bad Request: no assertion.")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let email = text(&jws.claims["iss"]);
    let key = fake.trusted.fcm_key(&email).ok_or("Invalid grant: account not found")?;
    if !jws.is_signed_by(Algorithm::Rs256, &key.public_key) {
        return Err("Invalid JWT Signature.");
    }
    let audience = text(&jws.claims["aud"]);
    let is_own = audience.split_once("://").is_some_and(|(_, rest)| rest == own);
    if !is_own && audience != GOOGLE {
        return Err("Invalid JWT: Failed audience check.");
    }
    let seconds = |name: &str| jws.claims[name].as_i64().map(Timestamp::from_secs);
    let (issued, expires) = seconds("iat").zip(seconds("exp")).ok_or("Invalid JWT: no times.")?;
    let now = fake.now();
    let too_long = expires.since(issued) > Duration::from_secs(3600);
    if too_long || expires <= now || issued.since(now) > CLOCK_TOLERANCE {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
             timeframe. Check your iat and exp values in the JWT claim.",
        );
    }
    let scopes = text(&jws.claims["scope"]);
    let wide = "https://www.googleapis.com/auth/cloud-platform";
    if !scopes.split_whitespace().any(|it| it == SCOPE || it == wide) {
        return Err("Invalid OAuth scope or ID token audience provided.");
    }
    Ok(email)
}

#[cfg(test)]
mod tests;
