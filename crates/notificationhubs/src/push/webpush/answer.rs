//! What push services of browsers answer.
//!
//! The statuses are those of RFC 8030. Beside them Mozilla sends numbers (`errno`) and Apple words
//! (`reason`), which go into the reason of an outcome.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::LOCATION;
use kernel::Timestamp;
use serde_json::Value;

use crate::push::outcome::{Outcome, OutcomeName, retry_after};

/// What an answer means, from its status, headers and body.
pub fn classify(status: u16, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Outcome {
    if matches!(status, 200..=202) {
        let id = headers.get(LOCATION).and_then(|it| it.to_str().ok());
        return Outcome::accepted(status, id);
    }
    let (name, explanation) = meaning(status);
    let outcome = Outcome::of(name, explanation).answered(status, &reason(body));
    let delay = outcome.class().is_worth_retrying().then(|| retry_after(headers, now)).flatten();
    let usual = match name {
        OutcomeName::Throttled => Some(Duration::from_secs(60)),
        OutcomeName::PnsServerError | OutcomeName::PnsUnavailable => Some(Duration::from_secs(10)),
        _ => None,
    };
    outcome.retry_after(delay.or(usual))
}

fn meaning(status: u16) -> (OutcomeName, &'static str) {
    use OutcomeName::*;
    match status {
        400 => (InvalidNotificationFormat, "the push service does not accept a header or the body"),
        401 | 403 => (
            InvalidCredentials,
            "the push service does not accept our VAPID token: the browser subscribed with another \
             public key than vapidPublicKey (then it has to subscribe again), the subject is refused, \
             or this machine's clock is wrong",
        ),
        404 | 410 => (ExpiredChannel, "the browser's subscription is over"),
        413 => (InvalidNotificationSize, "the payload is too large for this push service"),
        429 => (Throttled, "too many notifications"),
        503 => (PnsUnavailable, "the push service is not available now"),
        500..=599 => (PnsServerError, "the push service failed"),
        300..=399 => {
            (PnsInterfaceError, "the push service points elsewhere, which is not followed")
        }
        _ => (PnsInterfaceError, "the answer is none that web push has"),
    }
}

/// The service's own word: Apple's reason, or Mozilla's number and sentence, or plain text.
fn reason(body: &[u8]) -> String {
    let Ok(parsed) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body);
        return text.trim().chars().filter(|it| !it.is_control()).collect();
    };
    let text = |name: &str| parsed[name].as_str().unwrap_or_default();
    match parsed["errno"].as_i64() {
        Some(number) => format!("errno {number}: {}", text("message")),
        None if text("reason").is_empty() => text("message").to_owned(),
        None => text("reason").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use OutcomeName::*;

    use super::*;

    fn answer(status: u16, body: &str) -> Outcome {
        classify(status, &HeaderMap::new(), body.as_bytes(), Timestamp::default())
    }

    #[test]
    fn every_documented_answer_has_its_outcome() {
        for (status, name) in [
            (201, Success),
            (200, Success),
            (202, Success),
            (400, InvalidNotificationFormat),
            (401, InvalidCredentials),
            (403, InvalidCredentials),
            (404, ExpiredChannel),
            (410, ExpiredChannel),
            (413, InvalidNotificationSize),
            (429, Throttled),
            (500, PnsServerError),
            (503, PnsUnavailable),
            (307, PnsInterfaceError),
            (418, PnsInterfaceError),
        ] {
            assert_eq!(answer(status, "").name, name, "{status}");
        }
    }

    #[test]
    fn each_services_own_word_is_the_reason() {
        for (body, reason) in [
            (r#"{"reason":"BadJwtToken"}"#, "BadJwtToken"),
            (r#"{"code":410,"errno":103,"error":"Gone","message":"x"}"#, "errno 103: x"),
            (
                "push subscription has unsubscribed or expired.\n",
                "push subscription has unsubscribed or expired.",
            ),
            ("", ""),
            ("[1]", ""),
        ] {
            assert_eq!(answer(410, body).reason, reason, "{body}");
        }
    }

    #[test]
    fn success_brings_the_place_of_the_message() {
        let place = "https://push.example/m/1";
        let headers = [(LOCATION, place.parse().unwrap())].into_iter().collect();
        assert_eq!(classify(201, &headers, b"", Timestamp::default()).id.as_deref(), Some(place));
    }
}
