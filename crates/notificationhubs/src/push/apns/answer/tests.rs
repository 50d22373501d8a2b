//! Apple's table of answers.

use OutcomeName::*;

use super::*;
use crate::push::outcome::Class;

fn answer(status: u16, body: &str) -> Outcome {
    classify(status, &HeaderMap::new(), body.as_bytes(), Timestamp::from_secs(1_700_000_000))
}

fn reason(status: u16, reason: &str) -> Outcome {
    answer(status, &format!("{{\"reason\":\"{reason}\"}}"))
}

#[test]
fn every_documented_answer_has_its_outcome() {
    for (status, reasons, name) in [
        (
            400,
            "BadCollapseId BadExpirationDate BadMessageId BadPriority DuplicateHeaders \
             InvalidPushType PayloadEmpty",
            InvalidNotificationFormat,
        ),
        (400, "BadDeviceToken MissingDeviceToken", BadChannel),
        (400, "DeviceTokenNotForTopic BadTopic MissingTopic TopicDisallowed", WrongToken),
        (400, "IdleTimeout", PnsServerError),
        (
            403,
            "InvalidProviderToken MissingProviderToken Forbidden UnrelatedKeyIdInToken \
             BadEnvironmentKeyIdInToken BadCertificate BadCertificateEnvironment",
            InvalidCredentials,
        ),
        (403, "ExpiredProviderToken", InvalidToken),
        (404, "BadPath", PnsInterfaceError),
        (405, "MethodNotAllowed", PnsInterfaceError),
        (410, "Unregistered ExpiredToken", ExpiredChannel),
        (413, "PayloadTooLarge", InvalidNotificationSize),
        (429, "TooManyProviderTokenUpdates", Throttled),
        (429, "TooManyRequests", ChannelThrottled),
        (500, "InternalServerError", PnsServerError),
        (503, "ServiceUnavailable Shutdown", PnsUnavailable),
        (418, "NewReason", PnsInterfaceError),
        (400, "NewReason", InvalidNotificationFormat),
    ] {
        for word in reasons.split_whitespace() {
            let outcome = reason(status, word);
            assert_eq!((outcome.name, outcome.status), (name, Some(status)), "{word}");
            assert_eq!(outcome.reason, word);
            assert!(!outcome.explanation.is_empty(), "{word}");
        }
    }
}

#[test]
fn a_wrong_environment_and_a_wrong_topic_are_kept_apart() {
    assert_eq!(reason(400, "BadDeviceToken").class(), Class::HandleDead);
    assert_eq!(reason(400, "DeviceTokenNotForTopic").class(), Class::Mismatch);
    assert!(reason(400, "BadDeviceToken").explanation.contains("sandbox"));
}

#[test]
fn a_dead_handle_says_since_when() {
    let outcome = answer(410, r#"{"reason":"Unregistered","timestamp":1700000000123}"#);
    assert_eq!(outcome.dead_since, Some(Timestamp::from_micros(1_700_000_000_123_000)));
    assert_eq!(reason(410, "Unregistered").dead_since, None);
    let odd = answer(410, r#"{"reason":"Unregistered","timestamp":"soon"}"#);
    assert_eq!((odd.name, odd.dead_since), (ExpiredChannel, None));
}

#[test]
fn success_brings_the_id() {
    let headers = [("apns-id".parse().unwrap(), "ID".parse().unwrap())].into_iter().collect();
    let outcome = classify(200, &headers, b"", Timestamp::default());
    assert_eq!((outcome.name, outcome.id.as_deref()), (Success, Some("ID")));
}

#[test]
fn answers_that_are_no_json_are_judged_by_their_status() {
    for (status, name) in [(502, PnsServerError), (503, PnsUnavailable), (410, ExpiredChannel)] {
        assert_eq!(answer(status, "<html>").name, name);
    }
}

#[test]
fn retries_have_a_delay_and_apples_own_wins() {
    assert_eq!(reason(503, "Shutdown").retry_after, Some(Duration::from_secs(10)));
    assert_eq!(reason(400, "BadTopic").retry_after, None);
    let headers = [("retry-after".parse().unwrap(), "7".parse().unwrap())].into_iter().collect();
    let outcome = classify(429, &headers, b"{}", Timestamp::default());
    assert_eq!(outcome.retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn an_expired_token_names_the_difference_of_the_clocks() {
    let date = "Tue, 14 Nov 2023 22:13:20 GMT"; // 1 700 000 000
    let headers = [("date".parse().unwrap(), date.parse().unwrap())].into_iter().collect();
    let body = br#"{"reason":"ExpiredProviderToken"}"#;
    let outcome = classify(403, &headers, body, Timestamp::from_secs(1_699_990_000));
    assert!(outcome.explanation.contains("-10000 seconds"), "{}", outcome.explanation);
}
