//! What Apple checks, rule by rule.

use axum::http::{HeaderName, HeaderValue, Request};
use serde_json::json;

use super::*;
use crate::fake::Accounts;
use crate::push::apns::ApnsCredential;
use crate::push::jws;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const MINUTE: Duration = Duration::from_secs(60);

fn key() -> ApnsKey {
    ApnsKey { public_key: Box::default(), bundle_id: "com.example.app".into() }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn each_rule_has_its_reason() {
    let (device, payload) = ("ab".repeat(32), r#"{"aps":{"alert":"x"}}"#);
    let topic = ("apns-topic", "com.example.app");
    let long = "x".repeat(65);
    for (sent, expected) in [
        (vec![topic], Ok(())),
        (vec![topic, ("apns-push-type", "alert"), ("apns-priority", "1")], Ok(())),
        (vec![topic, ("apns-push-type", "background"), ("apns-priority", "5")], Ok(())),
        (vec![("apns-topic", "com.example.app.voip"), ("apns-push-type", "voip")], Ok(())),
        (vec![("apns-topic", "com.example.app.voip")], Ok(())),
        (vec![], Err("MissingTopic")),
        (vec![("apns-topic", "com.other")], Err("TopicDisallowed")),
        (vec![("apns-topic", "nonsense")], Err("BadTopic")),
        (vec![topic, ("apns-push-type", "mdm")], Err("InvalidPushType")),
        (vec![topic, ("apns-push-type", "voip")], Err("InvalidPushType")),
        (
            vec![("apns-topic", "com.example.app.voip"), ("apns-push-type", "alert")],
            Err("InvalidPushType"),
        ),
        (vec![topic, ("apns-push-type", "background")], Err("BadPriority")),
        (vec![topic, ("apns-priority", "7")], Err("BadPriority")),
        (vec![topic, ("apns-expiration", "x")], Err("BadExpirationDate")),
        (vec![topic, ("apns-collapse-id", &long)], Err("BadCollapseId")),
        (vec![topic, ("apns-id", "x")], Err("BadMessageId")),
        (vec![topic, ("apns-id", "123e4567-e89b-12d3-a456-42665544000a")], Ok(())),
        (vec![topic, topic], Err("DuplicateHeaders")),
    ] {
        let result = notification(&headers(&sent), &device, payload.as_bytes(), &key());
        assert_eq!(result, expected, "{sent:?}");
    }
}

#[test]
fn devices_and_payloads_are_checked() {
    let good = "ab".repeat(32);
    let sized = |bytes: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(bytes - 8));
    let check = |device: &str, payload: &str, topic: &str| {
        notification(&headers(&[("apns-topic", topic)]), device, payload.as_bytes(), &key())
    };
    let (app, voip) = ("com.example.app", "com.example.app.voip");
    for (device, payload, topic, expected) in [
        (&*good, sized(4096), app, Ok(())),
        (&good, sized(4097), app, Err("PayloadTooLarge")),
        (&good, sized(5120), voip, Ok(())),
        (&good, sized(5121), voip, Err("PayloadTooLarge")),
        (&good, String::new(), app, Err("PayloadEmpty")),
        (&good, "[1]".to_owned(), app, Err("PayloadEmpty")),
        (&good, "{".to_owned(), app, Err("PayloadEmpty")),
        (&good[1..], sized(20), app, Err("BadDeviceToken")),
        (&"xy".repeat(32), sized(20), app, Err("BadDeviceToken")),
        (&"ab".repeat(101), sized(20), app, Err("BadDeviceToken")),
    ] {
        assert_eq!(check(device, &payload, topic), expected, "{device} {}", payload.len());
    }
}

#[test]
fn only_a_post_to_a_device_is_one() {
    for (method, path, expected) in [
        ("POST", "/3/device/ab", Ok("ab")),
        ("POST", "/3/device/", Err("MissingDeviceToken")),
        ("POST", "/3/device", Err("MissingDeviceToken")),
        ("POST", "/3/devices/ab", Err("BadPath")),
        ("POST", "/2/device/ab", Err("BadPath")),
        ("GET", "/3/device/ab", Err("MethodNotAllowed")),
    ] {
        let request = Request::builder().method(method).uri(format!("https://x{path}"));
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(device(&head), expected, "{method} {path}");
    }
}

/// Tokens of a known key.
struct Signer {
    trusted: Trusted,
    accounts: Accounts,
}

impl Signer {
    fn new() -> Self {
        let accounts = Accounts::generate();
        Self { trusted: Trusted::of(&accounts).unwrap(), accounts }
    }

    fn token(&self, header: &Value, claims: &Value) -> HeaderMap {
        let der = crate::push::key_text::der(&self.accounts.apns.token).unwrap();
        let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(algorithm, &der).unwrap();
        let token = jws::sign_es256(&key, header, claims);
        headers(&[("authorization", &format!("bearer {token}"))])
    }

    fn at(&self, issued: Timestamp) -> HeaderMap {
        let header = json!({ "alg": "ES256", "kid": self.accounts.apns.key_id });
        self.token(&header, &json!({ "iss": self.accounts.apns.app_id, "iat": issued.as_secs() }))
    }
}

#[test]
fn a_token_must_be_signed_by_a_known_key_and_young() {
    let signer = Signer::new();
    let (kid, iss) = (&signer.accounts.apns.key_id, &signer.accounts.apns.app_id);
    let iat = NOW.as_secs();
    let admit =
        |headers: &HeaderMap| Provider::default().admit(headers, &signer.trusted, NOW).map(|_| ());
    assert_eq!(admit(&signer.at(NOW)), Ok(()));
    assert_eq!(admit(&signer.at(NOW - 60 * MINUTE)), Ok(()));
    assert_eq!(admit(&signer.at(NOW - 61 * MINUTE)), Err("ExpiredProviderToken"));
    assert_eq!(admit(&signer.at(NOW + 11 * MINUTE)), Err("InvalidProviderToken"));
    assert_eq!(admit(&HeaderMap::new()), Err("MissingProviderToken"));
    assert_eq!(admit(&headers(&[("authorization", "bearer x.y.z")])), Err("InvalidProviderToken"));
    for (header, claims) in [
        (json!({ "alg": "none", "kid": kid }), json!({ "iss": iss, "iat": iat })),
        (json!({ "alg": "ES256", "kid": "OTHER" }), json!({ "iss": iss, "iat": iat })),
        (json!({ "alg": "ES256" }), json!({ "iss": iss, "iat": iat })),
        (json!({ "alg": "ES256", "kid": kid }), json!({ "iss": "OTHER", "iat": iat })),
        (json!({ "alg": "ES256", "kid": kid }), json!({ "iss": iss, "iat": "now" })),
    ] {
        assert_eq!(admit(&signer.token(&header, &claims)), Err("InvalidProviderToken"), "{header}");
    }
    let credential = ApnsCredential::parse(&Accounts::generate().apns.fields("")).unwrap();
    let foreign =
        crate::push::apns::provider_token::ProviderToken::default().header(&credential, NOW);
    let foreign = headers(&[("authorization", foreign.to_str().unwrap())]);
    assert_eq!(admit(&foreign), Err("InvalidProviderToken"), "the same ids, another key");
}

#[test]
fn a_connection_keeps_its_key_and_changes_its_token_rarely() {
    let signer = Signer::new();
    let mut provider = Provider::default();
    let mut admit = |issued: Timestamp, now: Timestamp| {
        provider.admit(&signer.at(issued), &signer.trusted, now).map(|_| ())
    };
    assert_eq!(admit(NOW, NOW), Ok(()));
    let early = NOW + 19 * MINUTE;
    assert_eq!(admit(early, early), Err("TooManyProviderTokenUpdates"));
    let late = NOW + 20 * MINUTE;
    assert_eq!(admit(late, late), Ok(()));
    let other = Accounts::generate();
    let other = crate::fake::accounts::ApnsAccount { key_id: "SECOND".to_owned(), ..other.apns };
    signer.trusted.apns(&other).unwrap();
    let credential = ApnsCredential::parse(&other.fields("")).unwrap();
    let token =
        crate::push::apns::provider_token::ProviderToken::default().header(&credential, late);
    let token = headers(&[("authorization", token.to_str().unwrap())]);
    let refused = provider.admit(&token, &signer.trusted, late).map(|_| ());
    assert_eq!(refused, Err("UnrelatedKeyIdInToken"));
}
