//! What Google's answers mean.
//!
//! A refusal is a `google.rpc.Status` with details. The detail of FCM's own type says it best; where
//! it is missing the status does, then the HTTP code. Google answers 400 for a malformed token and
//! for a malformed payload alike: it is about the token when FCM's detail stands alone, or when the
//! violated field is the token.

use std::time::Duration;

use axum::http::HeaderMap;
use kernel::Timestamp;
use serde::Deserialize;

use crate::push::outcome::{Outcome, OutcomeName, retry_after};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    message: String,
    status: String,
    details: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(rename = "@type")]
    kind: String,
    #[serde(rename = "errorCode")]
    error_code: String,
    #[serde(rename = "fieldViolations")]
    field_violations: Vec<Violation>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Violation {
    field: String,
}

#[derive(Deserialize)]
struct Sent {
    name: String,
}

/// What an answer means, from its status, headers and body.
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Outcome {
    if status == 200 {
        return match serde_json::from_slice::<Sent>(body) {
            Ok(sent) => Outcome::accepted(status, Some(&sent.name)),
            Err(_) => {
                let text = "FCM answered 200 without the name of a message";
                Outcome::of(OutcomeName::PnsInterfaceError, text).answered(status, "")
            }
        };
    }
    let error = serde_json::from_slice::<Body>(body).unwrap_or_default().error;
    let (name, explanation) = meaning(status, &error);
    let code = error.code().unwrap_or(&error.status);
    let reason = match (code, &*error.message) {
        ("", text) => text.to_owned(),
        (code, "") => code.to_owned(),
        (code, text) => format!("{code}: {text}"),
    };
    let outcome = Outcome::of(name, explanation).answered(status, &reason);
    let delay = outcome.class().is_worth_retrying().then(|| retry_after(headers, now)).flatten();
    outcome.retry_after(delay.or_else(|| usual_delay(name)))
}

/// Google's advice where it gives no `Retry-After`: a minute for quotas, else ten seconds to begin
/// with.
fn usual_delay(name: OutcomeName) -> Option<Duration> {
    match name {
        OutcomeName::Throttled | OutcomeName::ChannelThrottled => Some(Duration::from_secs(60)),
        OutcomeName::PnsServerError | OutcomeName::PnsUnavailable => Some(Duration::from_secs(10)),
        _ => None,
    }
}

impl Status {
    /// FCM's own word.
    fn code(&self) -> Option<&str> {
        let detail = self.details.iter().find(|it| it.kind.ends_with("FcmError"))?;
        Some(&*detail.error_code).filter(|code| !code.is_empty())
    }

    /// Whether a 400 is about the token.
    fn blames_token(&self) -> bool {
        let violated: Vec<&str> = self
            .details
            .iter()
            .filter(|it| it.kind.ends_with("google.rpc.BadRequest"))
            .flat_map(|it| it.field_violations.iter().map(|violation| &*violation.field))
            .collect();
        match violated.is_empty() {
            false => violated.iter().all(|field| matches!(*field, "message.token" | "token")),
            true => {
                let without_fields =
                    !self.details.iter().any(|it| it.kind.ends_with("google.rpc.BadRequest"));
                (without_fields && self.code().is_some())
                    || self.message.contains("registration token")
            }
        }
    }
}

fn meaning(status: u16, error: &Status) -> (OutcomeName, &'static str) {
    use OutcomeName::*;
    let word = error.code().unwrap_or(&error.status);
    let message = error.message.to_ascii_lowercase();
    match (status, word) {
        (404, "UNREGISTERED") => {
            (ExpiredChannel, "the app was removed from the device, or its token was replaced")
        }
        (404, _) => (
            InvalidCredentials,
            "Google does not know the project; check projectId and that the FCM API is on",
        ),
        (400, _) if message.contains("too big") || message.contains("too large") => {
            (InvalidNotificationSize, "the payload is too large")
        }
        (400, _) if error.blames_token() => {
            (BadChannel, "the registration token is malformed or was never one of FCM")
        }
        (400, _) => (
            InvalidNotificationFormat,
            "FCM does not accept the message; its own words name the field (values of data must be \
             strings)",
        ),
        (_, "THIRD_PARTY_AUTH_ERROR") => (
            InvalidCredentials,
            "the device is an Apple device or a browser, and the Firebase project has no valid APNs \
             key or web push key for it",
        ),
        (401, _) => (InvalidToken, "FCM does not accept the access token"),
        (403, "SENDER_ID_MISMATCH") => (
            WrongToken,
            "the registration token belongs to another Firebase project than the credential; check \
             projectId",
        ),
        (403, _) => (
            InvalidCredentials,
            "the service account may not send: it needs the permission \
             cloudmessaging.messages.create in the project, and the FCM API must be on",
        ),
        (429, _) if message.contains("device") => {
            (ChannelThrottled, "too many notifications to this device")
        }
        (429, _) => (Throttled, "the quota of the project is used up for now"),
        (503, _) => (PnsUnavailable, "FCM is not available now"),
        (500..=599, _) => (PnsServerError, "FCM failed"),
        _ => (PnsInterfaceError, "the answer is none that Google documents"),
    }
}

#[cfg(test)]
mod tests {
    use OutcomeName::*;
    use serde_json::{Value, json};

    use super::*;

    fn answer(status: u16, body: &Value) -> Outcome {
        classify(status, &HeaderMap::new(), body.to_string().as_bytes(), Timestamp::default())
    }

    fn fcm(code: &str) -> Value {
        json!({ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code })
    }

    fn fields(field: &str) -> Value {
        json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": field, "description": "Invalid" }]
        })
    }

    fn error(status: &str, message: &str, details: &[Value]) -> Value {
        json!({ "error": { "code": 0, "message": message, "status": status, "details": details } })
    }

    #[test]
    fn every_documented_answer_has_its_outcome() {
        let argument = "INVALID_ARGUMENT";
        let token_text = "The registration token is not a valid FCM registration token";
        for (http, body, name) in [
            (404, error("NOT_FOUND", "", &[fcm("UNREGISTERED")]), ExpiredChannel),
            (404, error("NOT_FOUND", "Requested entity was not found.", &[]), InvalidCredentials),
            (400, error(argument, token_text, &[fcm(argument)]), BadChannel),
            (400, error(argument, "x", &[fcm(argument), fields("message.token")]), BadChannel),
            (400, error(argument, "x", &[fields("message.token")]), BadChannel),
            (400, error(argument, token_text, &[]), BadChannel),
            (
                400,
                error(argument, "x", &[fields("message.data[0].value")]),
                InvalidNotificationFormat,
            ),
            (
                400,
                error(argument, "x", &[fcm(argument), fields("message.android.ttl")]),
                InvalidNotificationFormat,
            ),
            (400, error(argument, "Invalid JSON payload", &[]), InvalidNotificationFormat),
            (
                400,
                error(argument, "Android message is too big", &[fcm(argument)]),
                InvalidNotificationSize,
            ),
            (401, error("UNAUTHENTICATED", "", &[]), InvalidToken),
            (
                401,
                error("UNAUTHENTICATED", "", &[fcm("THIRD_PARTY_AUTH_ERROR")]),
                InvalidCredentials,
            ),
            (403, error("PERMISSION_DENIED", "", &[fcm("SENDER_ID_MISMATCH")]), WrongToken),
            (403, error("PERMISSION_DENIED", "", &[]), InvalidCredentials),
            (429, error("RESOURCE_EXHAUSTED", "", &[fcm("QUOTA_EXCEEDED")]), Throttled),
            (429, error("RESOURCE_EXHAUSTED", "rate of this device", &[]), ChannelThrottled),
            (500, error("INTERNAL", "", &[fcm("INTERNAL")]), PnsServerError),
            (503, error("UNAVAILABLE", "", &[fcm("UNAVAILABLE")]), PnsUnavailable),
            (502, json!("<html>"), PnsServerError),
            (302, json!(null), PnsInterfaceError),
        ] {
            let outcome = answer(http, &body);
            assert_eq!((outcome.name, outcome.status), (name, Some(http)), "{body}");
        }
    }

    #[test]
    fn success_brings_the_name_of_the_message() {
        let outcome = answer(200, &json!({ "name": "projects/p/messages/1" }));
        assert_eq!((outcome.name, outcome.id.as_deref()), (Success, Some("projects/p/messages/1")));
        assert_eq!(answer(200, &json!({})).name, PnsInterfaceError);
    }

    #[test]
    fn a_quota_is_waited_for_as_google_says_or_a_minute() {
        let headers =
            [("retry-after".parse().unwrap(), "7".parse().unwrap())].into_iter().collect();
        let outcome = classify(429, &headers, b"", Timestamp::default());
        assert_eq!(outcome.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(answer(429, &json!({})).retry_after, Some(Duration::from_secs(60)));
    }
}
