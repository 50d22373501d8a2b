//! Credentials as SDKs send them, and every way in which one does not hold.

use proptest::prelude::*;
use wire::Endpoint;

use super::*;

const KEY_TEXT: &str = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
const OTHER: &str = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcg==";
const PATH: &str = "/mytopic/api/events";
const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

/// Signed by the official JavaScript and Python helpers for the key above.
const VECTORS: [(&str, &str, &str); 2] = [
    (
        PATH,
        "r=https%3A%2F%2Flocalhost%3A9443%2Fmytopic%2Fapi%2Fevents%3FapiVersion%3D2018-01-01&\
         e=1%2F2%2F2027%203%3A04%3A05%20AM",
        "iR0ocqCM4vbb0/adnk/ZPBQfvdnYpnbK5rVwceWQJDw=",
    ),
    (
        "/api/events",
        "r=https%3A%2F%2Flocalhost%3A9443%2Fapi%2Fevents%3FapiVersion%3D2018-01-01&\
         e=2027-01-02%2003%3A04%3A05%2B00%3A00",
        "PNWypdsyhRp4DD2MVIL9rnenx5luuXOVXPEbmp/SeWw=",
    ),
];

fn check(token: &str, path: &str, now: Timestamp) -> Result<(), Refusal> {
    let (key1, key2) = (Secret::new(OTHER), Secret::new(KEY_TEXT));
    let expected = Expected { topic: "mytopic", keys: [&key1, &key2], path, endpoints: None };
    Credential::Signature(token).check(&expected, now)
}

fn signed(text: &str) -> String {
    use aws_lc_rs::hmac;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(KEY_TEXT).unwrap());
    format!("{text}&s={}", STANDARD.encode(hmac::sign(&key, text.as_bytes())))
}

#[test]
fn signatures_of_official_helpers_hold_however_they_are_encoded() {
    for (path, text, signature) in VECTORS {
        let escaped = |slash, equals| signature.replace('/', slash).replace('=', equals);
        for signature in
            [signature, &escaped("%2F", "%3D"), &escaped("%2f", "%3d"), &escaped("/", "")]
        {
            let token = format!("{text}&s={signature}");
            assert_eq!(check(&token, path, NOW), Ok(()), "{token}");
        }
    }
}

#[test]
fn a_plus_sign_that_nobody_encoded_still_is_one() {
    // Some signatures hold a plus sign; find a text that leads to one.
    let token = (0..200)
        .map(|n| signed(&format!("r=https%3A%2F%2Fh%2F{n}&e=2027-01-01T00%3A00%3A00Z")))
        .find(|token| token.rsplit("&s=").next().unwrap().contains('+'))
        .unwrap();
    let path = token.split("%2F").nth(3).unwrap().split('&').next().unwrap();
    let path = format!("/{path}/api/events");
    assert_eq!(check(&token.replace('+', " "), &path, NOW), Ok(()));
    assert_eq!(check(&token, &path, NOW), Ok(()));
}

#[test]
fn a_changed_character_breaks_the_signature() {
    let (path, text, signature) = VECTORS[0];
    let token = format!("{}&s={signature}", text.replace("2027", "2028"));
    let wrong = Err(Refusal::WrongSignature { topic: "mytopic".to_owned() });
    assert_eq!(check(&token, path, NOW), wrong);
    // The same text in another spelling is another text.
    assert_eq!(check(&format!("{}&s={signature}", text.replace("%2F", "%2f")), path, NOW), wrong);
}

#[test]
fn the_resource_may_be_the_beginning_of_the_address() {
    for (resource, holds) in [
        ("https%3A%2F%2Fh%2Fmytopic%2Fapi%2Fevents", true),
        ("https%3A%2F%2Fh%2Fmytopic%2Fapi%2Fevents%2F", true),
        ("https%3A%2F%2Fh%2FMyTopic", true),
        ("https%3A%2F%2Fh%2F", true),
        ("https%3A%2F%2Fh", true),
        ("https%3A%2F%2Fh%2Fmyto", false),
        ("https%3A%2F%2Fh%2Fother%2Fapi%2Fevents", false),
        ("https%3A%2F%2Fh%2Fmytopic%2Fapi%2Fevents%2Fmore", false),
    ] {
        let token = signed(&format!("r={resource}&e=2027-01-01"));
        assert_eq!(check(&token, PATH, NOW).is_ok(), holds, "{resource}");
    }
}

#[test]
fn the_host_counts_only_where_the_addresses_are_given() {
    let token = signed("r=https%3A%2F%2Fproxy.example%2Fmytopic&e=2027-01-01T00:00:00Z");
    assert_eq!(check(&token, PATH, NOW), Ok(()));
    let key = Secret::new(KEY_TEXT);
    let parse = |text| Endpoint::parse(text).unwrap();
    for (address, holds) in [
        ("https://proxy.example", true),
        ("https://PROXY.example:443/base", true),
        ("http://proxy.example", false),
        ("https://localhost", false),
    ] {
        let endpoints = Endpoints::new([parse(address)]);
        let expected = Expected {
            topic: "mytopic",
            keys: [&key, &key],
            path: PATH,
            endpoints: Some(&endpoints),
        };
        let checked = Credential::Signature(&token).check(&expected, NOW);
        assert_eq!(checked.is_ok(), holds, "{address}: {checked:?}");
    }
}

#[test]
fn a_signature_ends_with_its_time() {
    let (path, text, signature) = VECTORS[0];
    let token = format!("{text}&s={signature}");
    let end = Timestamp::from_secs(1_798_859_045);
    assert_eq!(check(&token, path, end + auth::CLOCK_SKEW), Ok(()));
    let late = end + auth::CLOCK_SKEW + std::time::Duration::from_secs(1);
    let by_secs = auth::CLOCK_SKEW.as_secs() + 1;
    assert_eq!(check(&token, path, late), Err(Refusal::Expired { by_secs, clock: late }));
}

#[test]
fn what_we_sign_holds() {
    let key = Secret::new(KEY_TEXT);
    let end = NOW + std::time::Duration::from_secs(60);
    let token = mint(&key, "https://localhost:8443/mytopic/api/events?a=b c", end).unwrap();
    assert_eq!(check(token.expose(), PATH, NOW), Ok(()));
    assert!(check(token.expose(), "/other", NOW).is_err());
    assert!(mint(&Secret::new("no base64!"), "https://h", end).is_none());
    assert!(mint(&Secret::new(""), "https://h", end).is_none());
}

#[test]
fn every_malformed_signature_says_which_part() {
    use Malformed as M;
    let good = "r=https%3A%2F%2Fh&e=2027-01-01";
    for (token, problem) in [
        ("", M::Missing("s")),
        (good, M::Missing("s")),
        (&format!("{good}&s=***"), M::Base64),
        (&signed("e=2027-01-01"), M::Missing("r")),
        (&signed("r=https%3A%2F%2Fh"), M::Missing("e")),
        (&signed("r=https%3A%2F%2Fh&e=tomorrow"), M::Expiry),
        (&signed("r=%ff&e=2027-01-01"), M::Encoding("r")),
        (&signed("r=topic&e=2027-01-01"), M::Resource),
    ] {
        assert_eq!(check(token, PATH, NOW), Err(Refusal::Malformed(problem)), "{token}");
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn a_credential_is_found_wherever_it_may_be() {
    use Credential as C;
    for (pairs, query, found) in [
        (&[("aeg-sas-key", "k")][..], None, Ok(C::Key("k".into()))),
        (&[("aeg-sas-token", "t")], None, Ok(C::Signature("t"))),
        (&[("authorization", "SharedAccessSignature r=1&s=2")], None, Ok(C::Signature("r=1&s=2"))),
        (&[("authorization", "sharedaccesskey k")], None, Ok(C::Key("k".into()))),
        (&[("authorization", "Bearer t")], None, Ok(C::Bearer("t"))),
        (&[], Some("api-version=2018-01-01&aeg-sas-key=a+b%2Bc%3D"), Ok(C::Key("a+b+c=".into()))),
        (&[("aeg-sas-key", "k"), ("authorization", "Basic x")], None, Ok(C::Key("k".into()))),
        (&[("authorization", "Basic x")], None, Err(Refusal::OtherScheme)),
        (&[("authorization", "Bearer")], None, Err(Refusal::OtherScheme)),
        (&[("aeg-sas-key", "")], Some("aeg-sas-key="), Err(Refusal::Missing)),
        (&[], None, Err(Refusal::Missing)),
    ] {
        assert_eq!(Credential::find(&headers(pairs), query), found, "{pairs:?} {query:?}");
    }
}

#[test]
fn both_keys_hold_and_no_other() {
    let (key1, key2) = (Secret::new(KEY_TEXT), Secret::new(OTHER));
    let expected = Expected { topic: "mytopic", keys: [&key1, &key2], path: PATH, endpoints: None };
    let check = |key: &'static str| Credential::Key(key.into()).check(&expected, NOW);
    assert_eq!(check(KEY_TEXT), Ok(()));
    assert_eq!(check(OTHER), Ok(()));
    for key in ["", "c2VjcmV0", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV1"] {
        let refusal = check(key).unwrap_err();
        assert_eq!(refusal.reason(), "wrong_key");
        assert!(key.is_empty() || !refusal.to_string().contains(key), "{refusal}");
    }
}

#[test]
fn a_topic_without_keys_lets_nobody_in() {
    let none = Secret::new("");
    let expected = Expected { topic: "t", keys: [&none, &none], path: "/", endpoints: None };
    assert!(Credential::Key("".into()).check(&expected, NOW).is_err());
    assert!(
        Credential::Signature("r=http%3A%2F%2Fh&e=2027-01-01&s=").check(&expected, NOW).is_err()
    );
}

#[test]
fn nothing_printed_holds_a_credential() {
    for credential in [
        Credential::Key("hidden".into()),
        Credential::Signature("hidden"),
        Credential::Bearer("hidden"),
    ] {
        assert!(!format!("{credential:?}").contains("hidden"));
    }
    let refusal = check("r=hidden&e=hidden&s=aGlkZGVu", PATH, NOW).unwrap_err().to_string();
    assert!(!refusal.contains("hidden") && !refusal.contains("aGlkZGVu"), "{refusal}");
}

#[test]
fn the_fuzzing_corpus_behaves() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/shared_access_signature");
    let mut files = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let token = if text.starts_with("r=") { signed(&text) } else { text };
        if let Err(refusal) = check(&token, PATH, NOW) {
            assert!(!refusal.to_string().contains(char::is_control), "{refusal:?}");
        }
        files += 1;
    }
    assert!(files > 3, "the corpus has {files} files");
}

proptest! {
    #[test]
    fn arbitrary_tokens_are_refused_in_one_line(token in ".{0,200}") {
        let refusal = check(&token, PATH, NOW).unwrap_err().to_string();
        prop_assert!(!refusal.contains(char::is_control));
    }

    #[test]
    fn arbitrary_signed_text_is_judged_without_a_panic(text in "r=.{0,80}&e=.{0,40}") {
        if let Err(refusal) = check(&signed(&text), PATH, NOW) {
            prop_assert!(!refusal.to_string().contains(char::is_control), "{}", refusal);
        }
    }

    #[test]
    fn what_we_sign_holds_for_its_path(path in "(/[a-zA-Z0-9-]{1,10}){1,4}", secs in 0_i64..100_000) {
        let key = Secret::new(KEY_TEXT);
        let end = NOW + std::time::Duration::from_secs(secs.unsigned_abs());
        let token = mint(&key, &format!("https://h{path}"), end).unwrap();
        prop_assert_eq!(check(token.expose(), &path, NOW), Ok(()));
    }
}
