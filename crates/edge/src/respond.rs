//! The only place that turns a [`kernel::Error`] into an HTTP answer.
//!
//! One table from error kind to status; one envelope a service family. The answer carries the error
//! along (as [`Refused`]) so that the log line of the request gives the operator the same reason.
//! What the operator alone may read stays out of the answer.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kernel::{Error, ErrorKind};

const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// The form in which a service family writes its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Web PubSub's REST calls: `{"code","message","target"?}` and the header `x-ms-error-code`.
    WebPubSub,
    /// Resource manager calls and the Communication Services:
    /// `{"error":{"code","message","target"?}}`.
    ResourceManager,
    /// As [`Envelope::ResourceManager`], with code and message also beside `error`, where clients of
    /// older versions look.
    ResourceManagerAndFlat,
    /// Event Grid's publishing: `{"error":{"code","message","details"?}}`, where a general code follows
    /// from the kind and the detail has the error's own.
    EventGrid,
    /// Log queries: `{"error":{"code","message","innererror"?}}`, where a general code follows from the
    /// kind of a bad query and `innererror` has the error's own.
    Logs,
    /// Nothing: the 401 of Communication chat, whose reason is in the challenge.
    Empty,
    /// The sentence alone, as plain text: a refused WebSocket upgrade, or a request that no service
    /// claims.
    Text,
}

/// A refusal on its way out.
#[derive(Clone, Debug)]
pub struct Rejection {
    error: Error,
    envelope: Envelope,
}

/// The error behind an answer, as an extension of the answer.
#[derive(Clone, Debug)]
pub struct Refused(pub Error);

impl Rejection {
    /// `error`, to be written in the form of `envelope`.
    pub fn new(error: Error, envelope: Envelope) -> Self {
        Self { error, envelope }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let Self { error, envelope } = self;
        let mut response = match envelope {
            Envelope::WebPubSub => web_pubsub(&error),
            Envelope::ResourceManager => resource_manager(&error),
            Envelope::ResourceManagerAndFlat => resource_manager_and_flat(&error),
            Envelope::EventGrid => event_grid(&error),
            Envelope::Logs => logs(&error),
            Envelope::Empty => Response::new(Body::empty()),
            Envelope::Text => text(&error),
        };
        *response.status_mut() = status(error.kind());
        let headers = response.headers_mut();
        if error.kind() == ErrorKind::Unauthenticated {
            // RFC 9110 section 15.5.2 asks every 401 for a challenge.
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(delay) = error.retry_delay() {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(delay)));
        }
        response.extensions_mut().insert(Refused(error));
        response
    }
}

/// The status of each kind of refusal, for every service.
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Gone => StatusCode::GONE,
        ErrorKind::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn web_pubsub(error: &Error) -> Response {
    let mut response = json(&details(error));
    if let Ok(code) = HeaderValue::from_str(error.code()) {
        response.headers_mut().insert(ERROR_CODE, code);
    }
    response
}

fn resource_manager(error: &Error) -> Response {
    json(&serde_json::json!({ "error": details(error) }))
}

fn resource_manager_and_flat(error: &Error) -> Response {
    let mut body = serde_json::json!({ "code": error.code(), "message": error.message() });
    body["error"] = details(error);
    json(&body)
}

fn event_grid(error: &Error) -> Response {
    let general = match error.kind() {
        ErrorKind::Invalid => "BadRequest",
        ErrorKind::Unauthenticated => "Unauthorized",
        ErrorKind::Forbidden => "Forbidden",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::MethodNotAllowed => "MethodNotAllowed",
        ErrorKind::Conflict => "Conflict",
        ErrorKind::Gone => "Gone",
        ErrorKind::PreconditionFailed => "PreconditionFailed",
        ErrorKind::TooLarge => "RequestEntityTooLarge",
        ErrorKind::UnsupportedMediaType => "UnsupportedMediaType",
        ErrorKind::Throttled => "TooManyRequests",
        ErrorKind::Unavailable => "ServerBusy",
        ErrorKind::Internal => "InternalServerError",
    };
    let mut body = serde_json::json!({ "code": general, "message": error.message() });
    if error.code() != general {
        body["details"] = serde_json::json!([details(error)]);
    }
    json(&serde_json::json!({ "error": body }))
}

fn logs(error: &Error) -> Response {
    if error.kind() != ErrorKind::Invalid {
        return resource_manager(error);
    }
    let message = "The request had some invalid properties.";
    let body = serde_json::json!({ "code": "BadArgumentError", "message": message,
        "innererror": details(error) });
    json(&serde_json::json!({ "error": body }))
}

fn details(error: &Error) -> serde_json::Value {
    let mut details = serde_json::json!({ "code": error.code(), "message": error.message() });
    if let Some(target) = error.target_name() {
        details["target"] = target.into();
    }
    details
}

fn json(body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn text(error: &Error) -> Response {
    let mut response = Response::new(Body::from(error.message().to_owned()));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// `Retry-After` has whole seconds; rounding down would invite a retry that comes too early.
fn whole_seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn rendered(error: Error, envelope: Envelope) -> (axum::http::response::Parts, String) {
        let (parts, body) = Rejection::new(error, envelope).into_response().into_parts();
        let body = crate::body::read(body, 10_000).await.unwrap();
        (parts, String::from_utf8(body.to_vec()).unwrap())
    }

    fn throttled() -> Error {
        Error::new(ErrorKind::Throttled, "TooManyRequests", "Slow \"down\".")
            .target("hub")
            .retry_after(Duration::from_millis(1_200))
            .context("bucket 17 is empty")
    }

    #[tokio::test]
    async fn web_pubsub_has_code_message_target_and_the_code_header() {
        let (parts, body) = rendered(throttled(), Envelope::WebPubSub).await;
        assert_eq!(parts.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(body, r#"{"code":"TooManyRequests","message":"Slow \"down\".","target":"hub"}"#);
        assert_eq!(parts.headers["x-ms-error-code"], "TooManyRequests");
        assert_eq!(parts.headers["retry-after"], "2");
    }

    #[tokio::test]
    async fn the_resource_manager_wraps_the_same_into_an_error_object() {
        let (parts, body) = rendered(throttled(), Envelope::ResourceManager).await;
        assert_eq!(parts.status, StatusCode::TOO_MANY_REQUESTS);
        let inner = r#"{"code":"TooManyRequests","message":"Slow \"down\".","target":"hub"}"#;
        assert_eq!(body, format!(r#"{{"error":{inner}}}"#));
    }

    #[tokio::test]
    async fn event_grid_has_a_general_code_and_the_own_one_as_a_detail() {
        let error = Error::new(ErrorKind::Invalid, "InputJsonInvalid", "No array.");
        let (parts, body) = rendered(error, Envelope::EventGrid).await;
        assert_eq!(parts.status, StatusCode::BAD_REQUEST);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], "BadRequest");
        assert_eq!(body["error"]["details"][0]["code"], "InputJsonInvalid");
        let (_, body) = rendered(throttled(), Envelope::EventGrid).await;
        assert!(body.contains("TooManyRequests") && !body.contains("details"), "{body}");
    }

    #[tokio::test]
    async fn empty_has_a_status_and_no_body() {
        let (parts, body) = rendered(throttled(), Envelope::Empty).await;
        assert_eq!((parts.status, body.as_str()), (StatusCode::TOO_MANY_REQUESTS, ""));
        assert!(!parts.headers.contains_key(CONTENT_TYPE));
    }

    #[tokio::test]
    async fn text_is_the_sentence_alone() {
        let (parts, body) = rendered(throttled(), Envelope::Text).await;
        assert_eq!(body, "Slow \"down\".");
        assert_eq!(parts.headers[CONTENT_TYPE], "text/plain; charset=utf-8");
    }

    #[tokio::test]
    async fn the_operators_context_goes_along_but_not_out() {
        for envelope in [Envelope::WebPubSub, Envelope::ResourceManager, Envelope::Text] {
            let (parts, body) = rendered(throttled(), envelope).await;
            assert!(!body.contains("bucket") && !format!("{:?}", parts.headers).contains("bucket"));
            let Refused(error) = parts.extensions.get().unwrap();
            assert_eq!(error.operator_context(), Some("bucket 17 is empty"));
        }
    }

    #[tokio::test]
    async fn a_missing_credential_is_challenged() {
        let error = Error::new(ErrorKind::Unauthenticated, "Unauthorized", "No token.");
        let (parts, _) = rendered(error, Envelope::Text).await;
        assert_eq!(parts.headers[WWW_AUTHENTICATE], "Bearer");
    }
}
