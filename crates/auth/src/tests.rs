//! Tokens as the official SDKs build them, and every way in which one is refused.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, ErrorKind, Secret, Timestamp};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wire::Endpoint;

use crate::jwt::sign;
use crate::*;

const NOW: Timestamp = Timestamp::from_secs(1_760_000_000); // 2025-10-09T08:53:20Z
const SEND: &str = "/api/hubs/chat/:send?api-version=2024-12-01";

struct Resource {
    keys: AccessKeys,
    endpoints: Endpoints,
}

impl Resource {
    fn new() -> Self {
        let addresses =
            ["https://localhost:8443", "http://localhost:8080", "https://push.example.com/wps"];
        Self {
            keys: AccessKeys::generate(),
            endpoints: Endpoints::new(addresses.map(|text| Endpoint::parse(text).unwrap())),
        }
    }

    fn verify(&self, token: &Secret, purpose: Purpose<'_>) -> Result<Claims, Refusal> {
        let expected = Expected { resource: "local", endpoints: &self.endpoints, purpose };
        verify(token.expose(), &self.keys, &expected, NOW)
    }

    fn client(&self, claims: Value) -> Result<Claims, Refusal> {
        self.verify(&self.sign(claims), Purpose::Client { hub: "chat" })
    }

    fn rest(&self, claims: Value) -> Result<Claims, Refusal> {
        self.verify(&self.sign(claims), Purpose::Rest { path_and_query: SEND })
    }

    fn sign(&self, claims: Value) -> Secret {
        sign(self.keys.primary(), &object(claims))
    }

    fn first_endpoint(&self) -> &Endpoint {
        self.endpoints.iter().next().unwrap()
    }
}

fn object(claims: Value) -> Map<String, Value> {
    let Value::Object(claims) = claims else { panic!("claims are an object") };
    claims
}

fn claims_for(audience: &str) -> Value {
    json!({"aud": audience, "iat": NOW.as_secs(), "exp": NOW.as_secs() + 3600})
}

/// A signed token whose payload is exactly `payload`.
fn sign_payload(key: &Secret, payload: &str) -> Secret {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = jsonwebtoken::EncodingKey::from_secret(key.expose().as_bytes());
    let algorithm = jsonwebtoken::Algorithm::HS256;
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    Secret::new(format!("{message}.{signature}"))
}

/// The sentence for the caller holds each of `parts`.
fn assert_says(refusal: &Refusal, parts: &[&str]) {
    let message = refusal.to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

#[test]
fn client_tokens_as_sdks_build_them_hold() {
    let resource = Resource::new();
    let exp = NOW.as_secs() + 3600;
    for claims in [
        // JavaScript
        json!({"aud": "https://localhost:8443/client/hubs/chat", "iat": NOW.as_secs(), "exp": exp,
               "sub": "ann", "role": ["webpubsub.sendToGroup"], "webpubsub.group": ["g"]}),
        // Python keeps what was typed of the hub, .NET writes nbf
        json!({"aud": "http://localhost:8080/client/hubs/Chat", "nbf": NOW.as_secs(),
               "exp": exp, "sub": "ann", "role": "webpubsub.sendToGroup", "webpubsub.group": "g"}),
        // behind a proxy, with a base path; TLS ends at the proxy
        json!({"aud": ["https://elsewhere", "http://Push.Example.com/WPS/client/hubs/chat/"],
               "exp": exp, "sub": "ann", "role": ["webpubsub.sendToGroup"],
               "webpubsub.group": ["g"]}),
        json!({"aud": "wss://localhost:8443//client/hubs/ch%61t", "exp": exp, "sub": "ann",
               "role": ["webpubsub.sendToGroup"], "webpubsub.group": ["g"]}),
    ] {
        let claims = resource.client(claims.clone()).unwrap_or_else(|e| panic!("{claims}: {e}"));
        assert_eq!(claims.user_id.as_deref(), Some("ann"));
        assert_eq!(claims.roles, ["webpubsub.sendToGroup"]);
        assert_eq!(claims.groups, ["g"]);
        assert_eq!(claims.expires_at, Timestamp::from_secs(exp));
    }
}

#[test]
fn rest_tokens_as_sdks_build_them_hold() {
    let resource = Resource::new();
    for audience in [
        "https://localhost:8443/api/hubs/chat/:send?api-version=2024-12-01",
        "http://LocalHost:8080/api/hubs/chat/:send?api-version=2024-12-01",
        "https://localhost:8443/api/hubs/chat/:send",
        "https://localhost:8443/api/hubs/chat/:send/",
        "https://localhost:8443/api/hubs/chat/%3Asend",
        "https://localhost:8443//api/hubs/chat/:send",
        "https://push.example.com/wps/api/hubs/chat/:send",
    ] {
        resource.rest(claims_for(audience)).unwrap_or_else(|e| panic!("{audience}: {e}"));
    }
}

#[test]
fn an_encoded_and_a_decoded_spelling_of_one_url_are_equal() {
    let resource = Resource::new();
    let called = "/api/hubs/chat/groups/caf%C3%A9%20bar/:send?filter=userId%20ne%20%27a%27";
    for audience in [
        "http://localhost:8080/api/hubs/chat/groups/café bar/:send",
        "http://localhost:8080/api/hubs/chat/groups/caf%c3%a9%20bar/:send?filter=userId ne 'a'",
    ] {
        let token = resource.sign(claims_for(audience));
        let purpose = Purpose::Rest { path_and_query: called };
        resource.verify(&token, purpose).unwrap_or_else(|e| panic!("{audience}: {e}"));
    }
}

#[test]
fn either_key_signs() {
    let resource = Resource::new();
    let claims = object(claims_for("http://localhost:8080/client/hubs/chat"));
    let token = sign(resource.keys.secondary(), &claims);
    assert!(resource.verify(&token, Purpose::Client { hub: "chat" }).is_ok());
}

#[test]
fn repeated_claims_add_up() {
    let resource = Resource::new();
    let exp = NOW.as_secs() + 60;
    let payload = format!(
        r#"{{"aud":"http://localhost:8080/client/hubs/chat","exp":{exp},"role":"a","role":"b","role":["c"]}}"#
    );
    let token = sign_payload(resource.keys.primary(), &payload);
    let claims = resource.verify(&token, Purpose::Client { hub: "chat" }).unwrap();
    assert_eq!(claims.roles, ["a", "b", "c"]);
    assert_eq!(claims.user_id, None);
    assert_eq!(claims.raw["role"], json!(["a", "b", "c"]));
}

#[test]
fn a_malformed_token_is_told_apart_by_its_fault() {
    let resource = Resource::new();
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = encode(r#"{"alg":"HS256"}"#);
    for (token, malformed, says) in [
        ("secret-key".to_owned(), Malformed::Parts(1), "three between dots"),
        ("a.b.c.d".to_owned(), Malformed::Parts(4), "4 part(s)"),
        ("a*.b.c".to_owned(), Malformed::Base64(Part::Header), "header is not base64url"),
        (format!("{header}.a=.c"), Malformed::Base64(Part::Payload), "payload is not base64url"),
        (format!("{header}.YQ.%"), Malformed::Base64(Part::Signature), "signature is not base64"),
        (format!("{}.YQ.YQ", encode("[]")), Malformed::Json(Part::Header), "header is not a JSON"),
    ] {
        let refusal =
            resource.verify(&Secret::new(token), Purpose::Client { hub: "chat" }).unwrap_err();
        assert_eq!(refusal, Refusal::Malformed(malformed));
        assert_says(&refusal, &["malformed", says]);
    }
}

#[test]
fn a_signed_payload_of_the_wrong_shape_is_malformed() {
    let resource = Resource::new();
    let token = sign_payload(resource.keys.primary(), "not json");
    let refusal = resource.verify(&token, Purpose::Client { hub: "chat" }).unwrap_err();
    assert_eq!(refusal, Refusal::Malformed(Malformed::Json(Part::Payload)));

    let audience = "http://localhost:8080/client/hubs/chat";
    let exp = NOW.as_secs() + 60;
    for (claims, field) in [
        (json!({"aud": audience, "exp": "tomorrow"}), "exp"),
        (json!({"aud": audience, "exp": exp, "nbf": []}), "nbf"),
        (json!({"aud": 7, "exp": exp}), "aud"),
        (json!({"aud": audience, "exp": exp, "sub": 7}), "sub"),
        (json!({"aud": audience, "exp": exp, "role": [1]}), "role"),
        (json!({"aud": audience, "exp": exp, "webpubsub.group": {}}), "webpubsub.group"),
    ] {
        let refusal = resource.client(claims).unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed(Malformed::Field { .. })), "{refusal:?}");
        assert_says(&refusal, &[&format!("'{field}'"), "Correct the code that signs it"]);
    }
}

#[test]
fn another_algorithm_is_refused_by_name() {
    let resource = Resource::new();
    for algorithm in ["none", "RS256", "HS512", "hs256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm}).to_string());
        let token = Secret::new(format!("{header}.e30.YQ"));
        let refusal = resource.verify(&token, Purpose::Client { hub: "chat" }).unwrap_err();
        assert_eq!(refusal, Refusal::Algorithm { seen: algorithm.to_owned() });
        assert_says(&refusal, &[&format!("'{algorithm}'"), "HS256", "service SDK"]);
    }
}

#[test]
fn an_hs512_signature_with_the_right_key_does_not_hold() {
    let resource = Resource::new();
    let claims = object(claims_for("http://localhost:8080/client/hubs/chat"));
    let key = jsonwebtoken::EncodingKey::from_secret(resource.keys.primary().expose().as_bytes());
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS512);
    let token = Secret::new(jsonwebtoken::encode(&header, &claims, &key).unwrap());
    let refusal = resource.verify(&token, Purpose::Client { hub: "chat" }).unwrap_err();
    assert_eq!(refusal, Refusal::Algorithm { seen: "HS512".to_owned() });
}

#[test]
fn a_wrong_key_names_the_resource_and_tells_nothing_of_the_claims() {
    let resource = Resource::new();
    let claims = object(json!({"aud": "https://elsewhere/client/hubs/other", "exp": 1}));
    let token = sign(&generate_key(), &claims);
    let refusal = resource.verify(&token, Purpose::Client { hub: "chat" }).unwrap_err();
    assert_eq!(refusal, Refusal::WrongKey { resource: "local".to_owned() });
    assert_says(&refusal, &["'local'", "rotated", "`tidings connection-string local`"]);
}

#[test]
fn an_expired_token_says_by_how_much_and_what_time_it_is() {
    let resource = Resource::new();
    let audience = "http://localhost:8080/client/hubs/chat";
    let expiring = |ago: i64| json!({"aud": audience, "exp": NOW.as_secs() - ago});
    assert!(resource.client(expiring(299)).is_ok(), "the clocks may differ by five minutes");
    let refusal = resource.client(expiring(300)).unwrap_err();
    assert_eq!(refusal, Refusal::Expired { by_secs: 300, clock: NOW });
    assert_says(&refusal, &["expired 300 seconds ago", "2025-10-09T08:53:20Z", "new token"]);
}

#[test]
fn a_token_for_later_says_when_and_what_time_it_is() {
    let resource = Resource::new();
    let audience = "http://localhost:8080/client/hubs/chat";
    let starting = |wait: i64| json!({"aud": audience, "nbf": NOW.as_secs() + wait, "exp": NOW.as_secs() + 9999});
    assert!(resource.client(starting(300)).is_ok(), "the clocks may differ by five minutes");
    let refusal = resource.client(starting(301)).unwrap_err();
    assert_eq!(refusal, Refusal::NotYetValid { by_secs: 301, clock: NOW });
    assert_says(&refusal, &["in 301 seconds", "2025-10-09T08:53:20Z", "clock"]);
}

#[test]
fn an_expiry_is_needed_and_may_have_a_fraction() {
    let resource = Resource::new();
    let audience = "http://localhost:8080/client/hubs/chat";
    let refusal = resource.client(json!({"aud": audience})).unwrap_err();
    assert_eq!(refusal, Refusal::NoExpiry);
    assert_says(&refusal, &["no expiry", "'exp'"]);
    assert!(resource.client(json!({"aud": audience, "exp": 1.76e9 + 0.5})).is_ok());
    assert!(resource.client(json!({"aud": audience, "exp": 1e300})).is_ok());
}

#[test]
fn a_token_for_another_hub_says_both() {
    let resource = Resource::new();
    let refusal =
        resource.client(claims_for("https://localhost:8443/client/hubs/news")).unwrap_err();
    let (token, requested) = ("news".to_owned(), "chat".to_owned());
    assert_eq!(refusal, Refusal::OtherHub { token, requested });
    assert_says(&refusal, &["'news'", "'chat'", "same hub name"]);
}

#[test]
fn a_token_for_another_resource_says_both() {
    let resource = Resource::new();
    for audience in [
        "https://other.example/client/hubs/chat",
        "https://localhost:9999/client/hubs/chat",
        "https://localhost.evil/client/hubs/chat",
        "https://push.example.com/wpsx/client/hubs/chat",
        "https://push.example.com/client/hubs/chat",
        "https://user@localhost:8443/client/hubs/chat",
        "not a url",
    ] {
        let refusal = resource.client(claims_for(audience)).unwrap_err();
        assert!(matches!(refusal, Refusal::OtherResource { .. }), "{audience}: {refusal:?}");
        let parts = [audience, "'https://localhost:8443', 'http://localhost:8080'", "'local'"];
        assert_says(&refusal, &parts);
    }
}

#[test]
fn a_token_without_audience_is_refused() {
    let resource = Resource::new();
    for claims in [json!({"exp": NOW.as_secs() + 9}), json!({"exp": NOW.as_secs() + 9, "aud": []})]
    {
        let refusal = resource.client(claims).unwrap_err();
        assert_eq!(refusal, Refusal::NoAudience);
        assert_says(&refusal, &["no audience", "'aud'"]);
    }
}

#[test]
fn a_client_token_cannot_call_rest() {
    let resource = Resource::new();
    let refusal = resource.rest(claims_for("http://localhost:8080/client/hubs/news")).unwrap_err();
    let url = format!("http://localhost:8080{SEND}");
    assert_eq!(refusal, Refusal::ClientTokenForRest { hub: "news".to_owned(), url: url.clone() });
    assert_says(&refusal, &["client access token", "'news'", &url, "service SDK"]);
}

#[test]
fn a_rest_token_cannot_open_a_client_connection() {
    let resource = Resource::new();
    let audience = format!("http://localhost:8080{SEND}");
    let refusal = resource.client(claims_for(&audience)).unwrap_err();
    let expected = "http://localhost:8080/client/hubs/chat".to_owned();
    assert_eq!(refusal, Refusal::RestTokenForClient { audience, expected: expected.clone() });
    assert_says(&refusal, &[&expected, "getClientAccessToken()"]);
}

#[test]
fn a_rest_token_for_another_url_says_both() {
    let resource = Resource::new();
    for audience in [
        "https://localhost:8443/api/hubs/news/:send",
        "https://localhost:8443/api/hubs/chat/:send?api-version=2021-10-01",
        "https://localhost:8443",
        "https://localhost:8443/api/hubs/chat%2F:send/x",
    ] {
        let refusal = resource.rest(claims_for(audience)).unwrap_err();
        let expected = format!("https://localhost:8443{SEND}");
        let named = audience.to_owned();
        assert_eq!(refusal, Refusal::OtherUrl { audience: named, expected: expected.clone() });
        assert_says(&refusal, &[audience, &expected, "own URL"]);
    }
}

#[test]
fn the_closest_audience_explains_the_refusal() {
    let resource = Resource::new();
    for audiences in [
        json!(["https://elsewhere/", "https://localhost:8443/client/hubs/news"]),
        json!(["https://localhost:8443/client/hubs/news", "https://elsewhere/"]),
    ] {
        let claims = json!({"aud": audiences, "exp": NOW.as_secs() + 60});
        let refusal = resource.client(claims).unwrap_err();
        assert_eq!(refusal.reason(), "other_hub");
    }
}

#[test]
fn text_from_a_token_cannot_break_a_log_line() {
    let resource = Resource::new();
    let audience = format!("https://else where\r\nWARN forged {}", "x".repeat(5000));
    let message = resource.client(claims_for(&audience)).unwrap_err().to_string();
    assert!(!message.contains(['\r', '\n']), "{message}");
    assert!(message.len() < 1000, "{}", message.len());
}

#[test]
fn a_refusal_becomes_an_unauthenticated_error() {
    assert_says(&Refusal::Missing, &["'Authorization: Bearer <token>'", "'access_token'"]);
    let scheme = Some("Basic".to_owned());
    assert_says(&Refusal::OtherScheme { scheme }, &["'Basic'", "Bearer"]);
    assert_says(&Refusal::OtherScheme { scheme: None }, &["does not begin with the word Bearer"]);

    let error = Error::from(Refusal::NoExpiry);
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert_eq!(error.code(), "Unauthorized");
    assert_eq!(error.message(), Refusal::NoExpiry.to_string());
    assert!(error.operator_context().is_some_and(|context| context.contains("no_expiry")));
}

#[test]
fn a_minted_rest_token_holds_for_its_path() {
    let resource = Resource::new();
    let hour = Duration::from_secs(3600);
    let mint = |path| {
        let endpoint = resource.first_endpoint();
        mint_rest_token(resource.keys.secondary(), endpoint, path, hour, NOW)
    };
    let purpose = Purpose::Rest { path_and_query: SEND };
    assert!(resource.verify(&mint("/api/hubs/chat/:send"), purpose).is_ok());
    assert!(resource.verify(&mint("/api/hubs/chat/:closeConnections"), purpose).is_err());
}

#[test]
fn of_the_fuzzing_corpus_only_signed_claims_hold() {
    let resource = Resource {
        endpoints: Endpoints::new(
            ["http://localhost:8080", "https://push.example.com/base"]
                .map(|text| Endpoint::parse(text).unwrap()),
        ),
        ..Resource::new()
    };
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/access_token");
    let mut held = 0;
    for file in std::fs::read_dir(corpus).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let is_payload = text.starts_with('{');
        let token = match is_payload {
            true => sign_payload(resource.keys.primary(), &text),
            false => Secret::new(text.clone()),
        };
        for purpose in [Purpose::Client { hub: "chat" }, Purpose::Rest { path_and_query: SEND }] {
            match resource.verify(&token, purpose) {
                Ok(_) => {
                    assert!(is_payload, "nobody signed this: {text}");
                    held += 1;
                }
                Err(refusal) => {
                    let message = refusal.to_string();
                    assert!(!message.contains(char::is_control), "{text}: {message:?}");
                }
            }
        }
    }
    assert_eq!(held, 2, "a client's claims and a call's");
}

proptest! {
    #[test]
    fn minted_client_tokens_hold(
        hub in "[A-Za-z][A-Za-z0-9_`,.\\[\\]]{0,127}",
        user in proptest::option::of(".{1,20}"),
        roles in proptest::collection::vec(".*", 0..3),
        groups in proptest::collection::vec(".*", 0..3),
        secs in 0_u64..1_000_000,
    ) {
        let resource = Resource::new();
        let grant = ClientGrant {
            hub: &hub,
            user_id: user.as_deref(),
            roles: &roles,
            groups: &groups,
            lifetime: Duration::from_secs(secs),
        };
        let token =
            mint_client_token(resource.keys.primary(), resource.first_endpoint(), &grant, NOW);
        let claims = resource.verify(&token, Purpose::Client { hub: &hub });
        let claims = claims.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert_eq!(claims.user_id, user);
        prop_assert_eq!(claims.roles, roles);
        prop_assert_eq!(claims.groups, groups);
        prop_assert_eq!(claims.expires_at, NOW + Duration::from_secs(secs));
    }

    #[test]
    fn any_changed_byte_is_refused(position in any::<prop::sample::Index>(), change in 1_u8..128) {
        let resource = Resource::new();
        let mut token = resource
            .sign(claims_for("http://localhost:8080/client/hubs/chat"))
            .expose()
            .as_bytes()
            .to_vec();
        let position = position.index(token.len());
        token[position] ^= change;
        let token = Secret::new(String::from_utf8(token).unwrap());
        let purpose = Purpose::Client { hub: "chat" };
        prop_assert!(resource.verify(&token, purpose).is_err());
    }

    #[test]
    fn arbitrary_text_is_refused_without_a_panic(text in ".*", dotted in "[A-Za-z0-9_.=-]{0,80}") {
        let resource = Resource::new();
        for text in [text, dotted] {
            let _ = bearer(Some(&text));
            let purpose = Purpose::Client { hub: "chat" };
            prop_assert!(resource.verify(&Secret::new(text), purpose).is_err());
        }
    }

    #[test]
    fn arbitrary_audiences_never_panic(audience in ".*", path in "[/a-zA-Zé%?:#.]{0,30}") {
        let resource = Resource::new();
        for audience in [audience, format!("https://localhost:8443{path}")] {
            let _ = resource.rest(claims_for(&audience));
            let _ = resource.client(claims_for(&audience));
        }
    }

    #[test]
    fn arbitrary_payloads_never_panic(payload in "[\\[\\]{}\",:a-z0-9e-]{0,40}") {
        let resource = Resource::new();
        let token = sign_payload(resource.keys.primary(), &payload);
        let purpose = Purpose::Client { hub: "chat" };
        prop_assert!(resource.verify(&token, purpose).is_err());
    }
}
