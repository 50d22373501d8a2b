//! What Apple's answers mean.
//!
//! An answer is 200 with an id, or a status with `{"reason":…}`, and for dead handles the time since
//! when they are, in milliseconds.

use std::time::Duration;

use axum::http::HeaderMap;
use kernel::Timestamp;
use serde::Deserialize;

use crate::push::outcome::{Outcome, OutcomeName, clock_skew, retry_after};

/// The body of a refusal.
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    reason: String,
    timestamp: Option<i64>,
}

/// What an answer means, from its status, headers and body.
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Outcome {
    if status == 200 {
        let id = headers.get("apns-id").and_then(|id| id.to_str().ok());
        return Outcome::accepted(status, id);
    }
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    let (name, explanation) = meaning(status, &refusal.reason);
    let mut outcome = Outcome::of(name, explanation).answered(status, &refusal.reason);
    if name == OutcomeName::ExpiredChannel {
        outcome.dead_since =
            refusal.timestamp.map(|millis| Timestamp::from_micros(millis.saturating_mul(1000)));
    }
    if refusal.reason == "ExpiredProviderToken"
        && let Some(skew) = clock_skew(headers, now).filter(|skew| skew.abs() > 60)
    {
        outcome.explanation =
            format!("{explanation}; this machine's clock is {skew} seconds ahead of Apple's")
                .into();
    }
    let delay = outcome.class().is_worth_retrying().then(|| retry_after(headers, now)).flatten();
    outcome.retry_after(delay.or_else(|| usual_delay(name)))
}

/// How long to wait when Apple does not say; a first delay, for the queue to grow from.
fn usual_delay(name: OutcomeName) -> Option<Duration> {
    match name {
        OutcomeName::PnsServerError | OutcomeName::PnsUnavailable => Some(Duration::from_secs(10)),
        OutcomeName::ChannelThrottled | OutcomeName::Throttled => Some(Duration::from_secs(60)),
        _ => None,
    }
}

/// Apple's table of reasons. An unknown reason is judged by its status.
fn meaning(status: u16, reason: &str) -> (OutcomeName, &'static str) {
    use OutcomeName::*;
    match (status, reason) {
        (400, "BadDeviceToken") => (
            BadChannel,
            "the device token is malformed, or belongs to the other environment: tokens of apps run \
             from Xcode need the sandbox endpoint, all others the production endpoint",
        ),
        (400, "MissingDeviceToken") => (BadChannel, "the device token is empty"),
        (400, "DeviceTokenNotForTopic") => (
            WrongToken,
            "the device token belongs to another app than the topic; check the bundle id of the \
             credential (appName)",
        ),
        (400, "BadTopic" | "MissingTopic" | "TopicDisallowed") => (
            WrongToken,
            "the topic is not allowed for this key; check the bundle id of the credential (appName) \
             and that the app belongs to the team of the key",
        ),
        (400, "IdleTimeout") => (PnsServerError, "the connection idled too long"),
        (400, "PayloadEmpty") => (InvalidNotificationFormat, "the payload is empty"),
        (400, "InvalidPushType") => {
            (InvalidNotificationFormat, "the push type does not fit topic, priority or payload")
        }
        (400, _) => (InvalidNotificationFormat, "a header or the payload is refused"),
        (403, "ExpiredProviderToken") => (
            InvalidToken,
            "Apple calls our token expired although it is young; the clock of this machine is wrong",
        ),
        (403, "InvalidProviderToken") => (
            InvalidCredentials,
            "Apple does not accept the signature; check that key id, team id and .p8 file belong \
             together and that the key is not revoked",
        ),
        (403, "BadEnvironmentKeyIdInToken") => (
            InvalidCredentials,
            "the key is limited to the other environment; use a key for this one, or change the \
             endpoint",
        ),
        (403, "UnrelatedKeyIdInToken") => {
            (InvalidCredentials, "the key is of another scope than the first of this connection")
        }
        (403, _) => (
            InvalidCredentials,
            "Apple refuses the credential; check key id, team id and the rights of the key",
        ),
        (404 | 405, _) => (
            PnsInterfaceError,
            "the server does not know the request; check that the \
                                              endpoint is one of Apple's",
        ),
        (410, _) => {
            (ExpiredChannel, "the app was removed from the device, or its token was replaced")
        }
        (413, _) => (InvalidNotificationSize, "the payload is too large"),
        (429, "TooManyProviderTokenUpdates") => {
            (Throttled, "tokens of this key were renewed too often; does another program use it?")
        }
        (429, "TooManyRequests") => (ChannelThrottled, "too many notifications to this device"),
        (429, _) => (Throttled, "too many notifications"),
        (503, _) => (PnsUnavailable, "Apple's service is not available now"),
        (500..=599, _) => (PnsServerError, "Apple's service failed"),
        _ => (PnsInterfaceError, "the answer is none that Apple documents"),
    }
}

#[cfg(test)]
mod tests;
