//! Headers, limits and requests of a notification.

use super::super::credential::tests::fields;
use super::*;

fn credential(app: &str) -> ApnsCredential {
    let mut fields = fields("");
    app.clone_into(&mut fields.app_name);
    ApnsCredential::parse(&fields).unwrap()
}

fn headers_of(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn prepare(app: &str, sent: &[(&'static str, &str)], payload: &str) -> Message {
    let options = Options::from_headers(&headers_of(sent)).unwrap();
    Message::prepare(&credential(app), &options, Bytes::from(payload.to_owned())).unwrap()
}

#[test]
fn headers_follow_from_app_payload_and_options() {
    const APP: &str = "com.example.app";
    for (sent, payload, expected) in [
        (&[][..], r#"{"aps":{"alert":"x"}}"#, "apns-topic: com.example.app, apns-push-type: alert"),
        (
            &[],
            r#"{"aps":{"content-available":1}}"#,
            "apns-topic: com.example.app, apns-push-type: background, apns-priority: 5",
        ),
        (
            &[("apns-push-type", "voip"), ("apns-priority", "10"), ("apns-expiration", "0")],
            "{}",
            "apns-topic: com.example.app.voip, apns-push-type: voip, apns-priority: 10, \
             apns-expiration: 0",
        ),
        (
            &[("apns-topic", "com.example.app.voip")],
            r#"{"aps":{"alert":"x"}}"#,
            "apns-topic: com.example.app.voip, apns-push-type: voip",
        ),
        (
            &[("apns-push-type", "liveactivity"), ("apns-collapse-id", "a b")],
            "{}",
            "apns-topic: com.example.app.push-type.liveactivity, apns-push-type: liveactivity, \
             apns-collapse-id: a b",
        ),
        (
            &[("apns-push-type", "pushtotalk")],
            "{}",
            "apns-topic: com.example.app.voip-ptt, apns-push-type: pushtotalk, apns-priority: 10, \
             apns-expiration: 0",
        ),
    ] {
        let message = prepare(APP, sent, payload);
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let headers: Vec<String> = message.headers.iter().map(pair).collect();
        assert_eq!(headers.join(", "), expected, "{sent:?}");
    }
}

#[test]
fn a_request_names_device_id_and_token_and_hides_the_token() {
    let message = prepare("com.example.app", &[], r#"{"aps":{}}"#);
    let id = Uuid::from_u128(7);
    let mut token = HeaderValue::from_static("bearer x");
    token.set_sensitive(true);
    let request = message.request(&credential("com.example.app"), "ab", id, token);
    assert_eq!(request.uri(), "https://api.push.apple.com/3/device/ab");
    assert_eq!(request.headers()["apns-id"], "00000000-0000-0000-0000-000000000007");
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
}

#[test]
fn values_that_apple_would_refuse_are_named() {
    let long = "x".repeat(65);
    for (name, value) in [
        ("apns-push-type", "mdm"),
        ("apns-priority", "7"),
        ("apns-expiration", "-1"),
        ("apns-expiration", "tomorrow"),
        ("apns-collapse-id", &long),
        ("apns-topic", " "),
    ] {
        let error = Options::from_headers(&headers_of(&[(name, value)])).unwrap_err();
        assert_eq!(error.target_name(), Some(name), "{error}");
    }
    let options = Options { topic: Some("com.other".to_owned()), ..Options::default() };
    let error = options.check_topic("com.example.app").unwrap_err();
    assert!(error.message().contains("com.example.app"), "{error}");
}

#[test]
fn what_every_device_would_refuse_is_not_sent() {
    let prepare = |options: &Options, payload: &str| {
        let payload = Bytes::from(payload.to_owned());
        Message::prepare(&credential("com.example.app"), options, payload).map_err(|it| it.name)
    };
    let sized = |bytes: usize| format!("{{\"x\":\"{}\"}}", "x".repeat(bytes - 8));
    let voip = Options { push_type: Some(PushType::Voip), ..Options::default() };
    let other = Options { topic: Some("com.other".to_owned()), ..Options::default() };
    assert!(prepare(&Options::default(), &sized(4096)).is_ok());
    assert!(prepare(&voip, &sized(5120)).is_ok());
    for (options, payload, expected) in [
        (&Options::default(), sized(4097), OutcomeName::InvalidNotificationSize),
        (&voip, sized(5121), OutcomeName::InvalidNotificationSize),
        (&voip, "[]".to_owned(), OutcomeName::InvalidNotificationFormat),
        (&voip, String::new(), OutcomeName::InvalidNotificationFormat),
        (&other, "{}".to_owned(), OutcomeName::WrongToken),
    ] {
        assert_eq!(prepare(options, &payload).unwrap_err(), expected);
    }
}

#[test]
fn a_notification_is_over_after_its_expiration_unless_it_is_to_be_tried_once() {
    let with = |at: &str| prepare("com.example.app", &[("apns-expiration", at)], "{}");
    assert!(with("99").is_expired(Timestamp::from_secs(100)));
    assert!(!with("100").is_expired(Timestamp::from_secs(100)));
    assert!(!with("0").is_expired(Timestamp::from_secs(100)));
    assert!(!prepare("com.example.app", &[], "{}").is_expired(Timestamp::from_secs(100)));
}

#[test]
fn only_hexadecimal_handles_of_even_length_are_device_tokens() {
    for (handle, is_one) in [
        ("ab".repeat(32), true),
        ("AB".repeat(80), true),
        ("ab".repeat(15), false),
        ("ab".repeat(101), false),
        (format!("{}c", "ab".repeat(32)), false),
        (format!("{}/..", "ab".repeat(32)), false),
        ("xy".repeat(32), false),
    ] {
        assert_eq!(is_device_token(&handle), is_one, "{handle}");
    }
}
