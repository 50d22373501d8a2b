//! Tokens of every client, one captured signature each, and every way in which one does not hold.

use kernel::{Error, ErrorKind, Secret, Timestamp};
use proptest::prelude::*;
use wire::Endpoint;

use super::*;

const KEY: &str = "abc+/=";
const NOW: Timestamp = Timestamp::from_secs(1_899_990_000);

/// What four clients send for one key and time: encoded audience, signature, path of the request.
const CLIENTS: [(&str, &str, &str); 4] = [
    // JavaScript: the endpoint alone
    (
        "https%3A%2F%2Flocalhost%3A8443%2F",
        "fIfIsERPuF5MBE6n1f/2OL+DLy1V8tO6pP7boLJFzms=",
        "/hub1/messages/",
    ),
    // .NET: http, no port, no query, a trailing slash
    (
        "http%3a%2f%2flocalhost%2fhub1%2fmessages%2f",
        "fHQ8sJ1vQqKQfEz4lfeHBCnwsIWvwctSR8QXZNsT/Ak=",
        "/hub1/messages",
    ),
    // Java and Android: everything, the query too
    (
        "https%3a%2f%2flocalhost%3a8443%2fhub1%2fmessages%3fapi-version%3d2020-06",
        "81eKO+wdnSnQLiRPZlHcRlcSb8Zx6HIO4JL+kwTJI+s=",
        "/Hub1/messages",
    ),
    // iOS: http with the port
    (
        "http%3a%2f%2flocalhost%3a8443%2fhub1%2finstallations%2fi1%3fapi-version%3d2020-06",
        "4SB/rcYX1fKYc+ueFLxvwkvn8QD7Av8AglVdF9xXH40=",
        "/hub1//installations/I1/",
    ),
];

fn policy(name: &str, key: &str, rights: &[Right]) -> Policy {
    Policy {
        name: name.to_owned(),
        rights: rights.iter().copied().collect(),
        primary: Secret::new(key),
        secondary: Secret::new("the other key"),
    }
}

fn header(sr: &str, signature: &str) -> String {
    let signature = signature.replace('+', "%2B").replace('/', "%2f").replace('=', "%3d");
    format!("SharedAccessSignature sr={sr}&sig={signature}&se=1900000000&skn=all")
}

fn check(
    header: Option<&str>,
    path: &str,
    needed: Needed,
    rights: &[Right],
    now: Timestamp,
) -> Result<Verified, Refusal> {
    let hub = [policy("all", KEY, rights)];
    let policies = Policies { hub: &hub, namespace: &[], namespace_may_send: true };
    let hosts = ["localhost".to_owned()];
    let expected = Expected { hub: "hub1", hosts: &hosts, host: None, path, needed };
    verify(header, &expected, &policies, now)
}

fn minted(resource: &str, key: &str) -> String {
    let (key, expires) = (Secret::new(key), Timestamp::from_secs(1_900_000_000));
    wire::shared_access_signature(resource, "all", &key, expires).expose().to_owned()
}

#[test]
fn tokens_of_all_clients_hold() {
    for (sr, signature, path) in CLIENTS {
        let verified = check(Some(&header(sr, signature)), path, Needed::SEND, &[Right::Send], NOW);
        assert_eq!(verified.unwrap().policy, "all", "{sr}");
    }
}

#[test]
fn a_changed_byte_is_an_invalid_signature() {
    for (sr, signature, path) in CLIENTS {
        let other = sr.replace("localhost", "localhosu");
        let refusal = check(Some(&header(&other, signature)), path, Needed::SEND, &Right::ALL, NOW);
        assert!(matches!(refusal, Err(Refusal::WrongKey { .. })), "{sr}: {refusal:?}");
    }
}

#[test]
fn order_case_and_raw_names_of_fields_do_not_matter() {
    let (sr, signature, path) = CLIENTS[0];
    // `+` stands for itself, and the scheme's case is free.
    let raw = format!("sharedaccesssignature sig={signature}&skn=all&SE=1900000000&sr={sr}");
    assert!(check(Some(&raw), path, Needed::LISTEN, &[Right::Listen], NOW).is_ok());
}

#[test]
fn a_signature_over_the_decoded_audience_holds_too() {
    // Signed over text that needs no encoding, then sent encoded.
    let made = minted("localhost", KEY);
    let sent = made.replacen("sr=localhost", "sr=%6Cocalhost", 1);
    assert!(check(Some(&sent), "/hub1", Needed::SEND, &Right::ALL, NOW).is_ok());
}

#[test]
fn what_is_minted_holds_with_either_key_below_its_path() {
    let ok = |resource: &str, key: &str, path: &str| {
        check(Some(&minted(resource, key)), path, Needed::MANAGE, &[Right::Manage], NOW)
    };
    for key in [KEY, "the other key"] {
        assert!(ok("https://LOCALHOST:8443/hub1", key, "/hub1/registrations?x").is_ok());
        assert!(ok("sb://localhost/", key, "/hub2/messages").is_ok());
    }
    for (resource, path) in [
        ("https://localhost/hub1", "/hub12/messages"),
        ("https://localhost/hub1/messages", "/hub1"),
        ("https://elsewhere/hub1", "/hub1"),
    ] {
        let refusal = ok(resource, KEY, path).unwrap_err();
        assert!(matches!(refusal, Refusal::OtherAudience { .. }), "{resource}: {refusal:?}");
    }
    let listed = minted("https://localhost/hub1/tags/a%20b/registrations", KEY);
    let checked =
        check(Some(&listed), "/hub1/tags/a%20b/registrations", Needed::SEND, &Right::ALL, NOW);
    assert!(checked.is_ok());
}

#[test]
fn the_host_header_names_us_too() {
    let hub = [policy("all", KEY, &Right::ALL)];
    let policies = Policies { hub: &hub, namespace: &[], namespace_may_send: true };
    let expected = Expected {
        hub: "hub1",
        hosts: &[],
        host: Some("Push.Example:8443"),
        path: "/hub1",
        needed: Needed::SEND,
    };
    let header = minted("https://push.example:8443/", KEY);
    assert!(verify(Some(&header), &expected, &policies, NOW).is_ok());
}

#[test]
fn time_is_told_after_the_signature() {
    let header = minted("https://localhost/", KEY);
    let at =
        |secs| check(Some(&header), "/hub1", Needed::SEND, &Right::ALL, Timestamp::from_secs(secs));
    assert!(at(1_900_000_299).is_ok(), "within the skew");
    assert_eq!(at(1_900_000_400), Err(Refusal::Expired { by_secs: 400 }));
    let forged = minted("https://localhost/", "no key");
    let late = Timestamp::from_secs(1_900_000_400);
    let refusal = check(Some(&forged), "/hub1", Needed::SEND, &Right::ALL, late);
    assert!(matches!(refusal, Err(Refusal::WrongKey { .. })));
}

#[test]
fn every_refusal_has_its_sub_code_and_the_services_words() {
    let (sr, _, path) = CLIENTS[0];
    let full = minted("https://localhost/", KEY);
    let refuse = |header: Option<&str>, needed, rights: &[Right]| -> Error {
        check(header, path, needed, rights, NOW).unwrap_err().into()
    };
    let cut = |field: &str| full.replace(field, "x=");
    for (error, code, start) in [
        (refuse(None, Needed::SEND, &Right::ALL), "40102", "MissingToken:"),
        (refuse(Some(" "), Needed::SEND, &Right::ALL), "40102", "MissingToken:"),
        (refuse(Some("Bearer x"), Needed::SEND, &Right::ALL), "40105", "MalformedToken:"),
        (refuse(Some(&cut("sr=")), Needed::SEND, &Right::ALL), "40105", "MalformedToken:"),
        (refuse(Some(&cut("se=")), Needed::SEND, &Right::ALL), "40108", "MalformedToken:"),
        (refuse(Some(&cut("sig=")), Needed::SEND, &Right::ALL), "40110", "MalformedToken:"),
        (
            refuse(Some(&full.replace("skn=all", "skn=none")), Needed::SEND, &Right::ALL),
            "40103",
            "InvalidSignature: The token has an invalid signature.",
        ),
        (
            refuse(Some(&header(sr, "AAAA")), Needed::SEND, &Right::ALL),
            "40103",
            "InvalidSignature: The token has an invalid signature.",
        ),
        (
            refuse(Some(&full), Needed::MANAGE, &[Right::Listen]),
            "40100",
            "Manage claim is required for this operation.",
        ),
        (refuse(Some(&full), Needed::SEND, &[Right::Listen]), "40300", "Send claim is required"),
    ] {
        assert_eq!(error.code(), code, "{error}");
        assert!(error.message().starts_with(start), "{error}");
        assert!(!error.message().contains(KEY), "{error}");
    }
}

#[test]
fn only_a_sender_is_forbidden() {
    let full = minted("https://localhost/", KEY);
    let kind = |needed| {
        let refusal = check(Some(&full), "/hub1", needed, &[], NOW).unwrap_err();
        Error::from(refusal).kind()
    };
    assert_eq!(kind(Needed::SEND), ErrorKind::Forbidden);
    assert_eq!(kind(Needed::LISTEN), ErrorKind::Unauthenticated, "403 makes a device try for ever");
    assert_eq!(kind(Needed::MANAGE), ErrorKind::Unauthenticated);
}

#[test]
fn a_policy_of_the_namespace_sends_when_that_is_allowed() {
    let namespace = [policy("all", KEY, &Right::ALL)];
    let header = minted("https://localhost/", KEY);
    let hosts = ["localhost".to_owned()];
    let with = |namespace_may_send, needed| {
        let policies = Policies { hub: &[], namespace: &namespace, namespace_may_send };
        let expected = Expected { hub: "h", hosts: &hosts, host: None, path: "/h", needed };
        verify(Some(&header), &expected, &policies, NOW)
    };
    assert!(with(true, Needed::SEND).is_ok());
    assert!(with(false, Needed::SEND).is_err());
    assert!(with(false, Needed::MANAGE).is_ok());
}

#[test]
fn generated_policies_have_the_services_names_and_keys() {
    let [listen, full] = Policy::of_new_hub();
    assert_eq!((&*listen.name, &*full.name), (DEFAULT_LISTEN, DEFAULT_FULL));
    assert!(listen.rights.has(Right::Listen) && !listen.rights.has(Right::Send));
    assert_eq!(full.rights.to_list(), "Listen,Manage,Send");
    assert_eq!(Rights::from_list("Listen,Manage,Send"), Rights::ALL);
    assert_eq!(full.primary.expose().len(), 44);
    assert_ne!(full.primary, full.secondary);
    assert!(Policy::generate("a b", Rights::ALL).is_err());
    assert!(Policy::generate("a", Rights::default()).is_err());
}

#[test]
fn a_connection_string_has_the_one_form_that_all_clients_read() {
    let connection = ConnectionString {
        endpoint: Endpoint::parse("https://localhost:8443").unwrap(),
        policy: "p".to_owned(),
        key: Secret::new(KEY),
    };
    let text = "Endpoint=sb://localhost:8443/;SharedAccessKeyName=p;SharedAccessKey=abc+/=";
    assert_eq!(connection.build().expose(), text);
    assert_eq!(ConnectionString::parse(text), Ok(connection.clone()));
    assert_eq!(ConnectionString::parse(&format!("{text};EntityPath=h")), Ok(connection));
    for (text, missing) in [
        ("", "Endpoint"),
        ("Endpoint=sb://h/;SharedAccessKey=k", "SharedAccessKeyName"),
        ("Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey=", "SharedAccessKey"),
    ] {
        assert_eq!(ConnectionString::parse(text), Err(ConnectionStringError::Missing(missing)));
    }
}

proptest! {
    #[test]
    fn arbitrary_headers_never_panic(header in ".*", path in ".*") {
        let _ = check(Some(&header), &path, Needed::SEND, &Right::ALL, NOW);
    }

    #[test]
    fn near_misses_never_hold(
        sr in "[a-z%0-9:/]{0,12}", sig in "[A-Za-z0-9%+/=]{0,12}", se in "-?[0-9]{0,22}",
    ) {
        let header = format!("SharedAccessSignature sr={sr}&sig={sig}&se={se}&skn=all");
        prop_assert!(check(Some(&header), "/hub1", Needed::SEND, &Right::ALL, NOW).is_err());
    }
}
