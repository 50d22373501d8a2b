//! Requests that may be repeated: each is carried out once, and its sender is told the same every time.
//!
//! A client that has got no answer sends its request again under the same `Repeatability-Request-ID`.
//! What the first one was told is written in the transaction of what it did, so the second one finds
//! either both or nothing.

use axum::Json;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

const ID: HeaderName = HeaderName::from_static("repeatability-request-id");
const RESULT: HeaderName = HeaderName::from_static("repeatability-result");
/// Longest id that is kept; clients write a UUID.
const MAX_ID: usize = 128;

/// By which a repeated request is known: its sender, its operation and the id that the sender gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(String);

impl RequestId {
    /// The id of a request of a sender, a resource or a user; `None` for one that is not to be repeated.
    pub(super) fn of(sender: &str, parts: &Parts) -> Option<Self> {
        let id = parts.headers.get(ID)?.to_str().ok()?.trim();
        let fits = !id.is_empty() && id.len() <= MAX_ID;
        fits.then(|| Self(format!("{sender}{}/{id}", parts.uri.path())))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How an operation went, as its sender is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// Null for none.
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body }
    }

    pub(super) fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Value::Null)
    }

    /// With the word that a request which may be repeated was accepted.
    pub(super) fn to(self, request: Option<&RequestId>) -> Response {
        let mut response = match self.body {
            Value::Null => self.status.into_response(),
            body => (self.status, Json(body)).into_response(),
        };
        if request.is_some() {
            response.headers_mut().insert(RESULT, HeaderValue::from_static("accepted"));
        }
        response
    }
}
