//! Google's error documents: a `google.rpc.Status` with details.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::with_delay;
use crate::fake::failure::STALL;

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::fake) struct Refusal {
    http: u16,
    status: &'static str,
    message: String,
    details: Vec<Value>,
    retry_after: Option<u32>,
}

/// What can be asked for: name, HTTP status, status, sentence, FCM's own word.
type Named = (&'static str, u16, &'static str, &'static str, Option<&'static str>);

const NAMED: [Named; 15] = [
    ("UNREGISTERED", 404, "NOT_FOUND", "Requested entity was not found.", Some("UNREGISTERED")),
    ("NOT_FOUND", 404, "NOT_FOUND", "Requested entity was not found.", None),
    (
        "INVALID_TOKEN",
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        Some("INVALID_ARGUMENT"),
    ),
    (
        "INVALID_TOKEN_FIELD",
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        Some("INVALID_ARGUMENT"),
    ),
    (
        "INVALID_ARGUMENT",
        400,
        "INVALID_ARGUMENT",
        "Request contains an invalid argument.",
        Some("INVALID_ARGUMENT"),
    ),
    ("TOO_BIG", 400, "INVALID_ARGUMENT", "Android message is too big", Some("INVALID_ARGUMENT")),
    (
        "UNAUTHENTICATED",
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token.",
        None,
    ),
    (
        "THIRD_PARTY_AUTH_ERROR",
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
        Some("THIRD_PARTY_AUTH_ERROR"),
    ),
    (
        "SENDER_ID_MISMATCH",
        403,
        "PERMISSION_DENIED",
        "SenderId mismatch",
        Some("SENDER_ID_MISMATCH"),
    ),
    (
        "PERMISSION_DENIED",
        403,
        "PERMISSION_DENIED",
        "Permission 'cloudmessaging.messages.create' denied on the resource.",
        None,
    ),
    (
        "QUOTA_EXCEEDED",
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for messages of the project.",
        Some("QUOTA_EXCEEDED"),
    ),
    (
        "DEVICE_QUOTA_EXCEEDED",
        429,
        "RESOURCE_EXHAUSTED",
        "The message rate of this device is exceeded.",
        Some("QUOTA_EXCEEDED"),
    ),
    ("INTERNAL", 500, "INTERNAL", "Internal error encountered.", Some("INTERNAL")),
    ("UNAVAILABLE", 503, "UNAVAILABLE", "The service is unavailable.", Some("UNAVAILABLE")),
    ("NONSENSE", 200, "", "", None),
];

/// The ways to fail.
pub(in crate::fake) fn failures() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, ..)| *name).chain([STALL])
}

fn fcm_error(code: &str) -> Value {
    json!({ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code })
}

fn bad_request(field: &str, description: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{ "field": field, "description": description }]
    })
}

impl Refusal {
    /// One of those that can be asked for.
    pub(super) fn named(name: &str, retry_after: Option<u32>) -> Self {
        let found = NAMED.iter().find(|(it, ..)| *it == name).unwrap_or(&NAMED[12]);
        let (name, http, status, message, code) = *found;
        let mut details: Vec<Value> = code.map(fcm_error).into_iter().collect();
        match name {
            "INVALID_TOKEN_FIELD" => details.push(bad_request("message.token", message)),
            "INVALID_ARGUMENT" => details.push(bad_request("message.android.ttl", message)),
            _ => {}
        }
        Self { http, status, message: message.to_owned(), details, retry_after }
    }

    /// No access token, or one that does not hold.
    pub(super) fn unauthenticated() -> Self {
        Self::named("UNAUTHENTICATED", None)
    }

    /// An access token of another project.
    pub(super) fn permission_denied(project: &str) -> Self {
        let message = format!(
            "Permission 'cloudmessaging.messages.create' denied on resource \
             '//cloudresourcemanager.googleapis.com/projects/{project}' (or it may not exist)."
        );
        Self { message, ..Self::named("PERMISSION_DENIED", None) }
    }

    /// More bytes than a message may have.
    pub(super) fn too_big() -> Self {
        Self::named("TOO_BIG", None)
    }

    /// A token that is none.
    pub(super) fn invalid_token() -> Self {
        Self::named("INVALID_TOKEN", None)
    }

    /// A body that does not fit the schema: the field and what is wrong with it.
    pub(super) fn invalid_field(field: &str, message: &str) -> Self {
        let details = vec![bad_request(field, message)];
        Self { details, ..Self::invalid_json(message) }
    }

    /// A body that is no JSON.
    pub(super) fn invalid_json(message: &str) -> Self {
        Self {
            http: 400,
            status: "INVALID_ARGUMENT",
            message: message.to_owned(),
            details: Vec::new(),
            retry_after: None,
        }
    }

    /// A value that FCM itself does not take.
    pub(super) fn invalid_argument(field: &str, message: &str) -> Self {
        let details = vec![bad_request(field, message), fcm_error("INVALID_ARGUMENT")];
        Self { details, ..Self::invalid_json(message) }
    }

    /// The document.
    pub(super) fn document(&self) -> Value {
        if self.http == 200 {
            return json!({});
        }
        let mut error =
            json!({ "code": self.http, "message": self.message, "status": self.status });
        if !self.details.is_empty() {
            error["details"] = self.details.clone().into();
        }
        json!({ "error": error })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        with_delay((status, axum::Json(self.document())).into_response(), self.retry_after)
    }
}
