//! Which assertions are worth an access token.

use aws_lc_rs::signature::RsaKeyPair;
use testkit::ManualClock;

use super::*;
use crate::fake::Accounts;
use crate::push::{jws, key_text};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const OWN: &str = "localhost:8443/fake-push/oauth/token";

struct World {
    fake: Arc<FakePush>,
    key: RsaKeyPair,
}

impl World {
    fn new() -> Self {
        let accounts = Accounts::generate();
        let key = key_text::der(&accounts.fcm_v1.private_key).unwrap();
        let key = RsaKeyPair::from_pkcs8(&key).unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        Self { fake: FakePush::new(accounts, clock).unwrap(), key }
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.fake.accounts().fcm_v1.client_email,
            "scope": SCOPE,
            "aud": format!("https://{OWN}"),
            "iat": NOW.as_secs(),
            "exp": NOW.as_secs() + 3600,
        })
    }

    fn check(&self, claims: &Value) -> Result<String, &'static str> {
        let assertion = jws::sign_rs256(&self.key, &json!({ "alg": "RS256" }), claims);
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", GRANT_TYPE)
            .append_pair("assertion", &assertion)
            .finish();
        check(&self.fake, form.as_bytes(), OWN)
    }
}

#[test]
fn an_assertion_must_be_of_a_known_account_for_this_endpoint_and_young() {
    let world = World::new();
    let email = world.fake.accounts().fcm_v1.client_email.clone();
    assert_eq!(world.check(&world.claims()), Ok(email.clone()));
    let now = NOW.as_secs();
    for (name, value, says) in [
        ("iss", json!("other@example.com"), "account not found"),
        ("aud", json!("https://elsewhere/token"), "audience"),
        ("scope", json!("openid"), "scope"),
        ("exp", json!(now), "short-lived"),
        ("exp", json!(now + 3601), "short-lived"),
        ("iat", json!(now + 1000), "short-lived"),
        ("exp", json!("later"), "no times"),
    ] {
        let mut claims = world.claims();
        claims[name] = value;
        let refused = world.check(&claims).unwrap_err();
        assert!(refused.contains(says), "{name}: {refused}");
    }
    let mut for_google = world.claims();
    for_google["aud"] = GOOGLE.into();
    assert_eq!(world.check(&for_google), Ok(email));
}

#[test]
fn an_assertion_of_another_key_is_refused() {
    let world = World { key: World::new().key, ..World::new() };
    assert_eq!(world.check(&world.claims()), Err("Invalid JWT Signature."));
    assert_eq!(check(&world.fake, b"grant_type=password", OWN), Err("Invalid grant_type."));
}

#[test]
fn an_access_token_holds_for_an_hour_and_few_are_remembered() {
    let tokens = AccessTokens::default();
    let until = NOW + LIFE;
    let token = tokens.issue("me", until);
    assert_eq!(tokens.account(&token, NOW).as_deref(), Some("me"));
    assert_eq!(tokens.account(&token, until), None);
    assert_eq!(tokens.account("other", NOW), None);
    for _ in 0..MAX_TOKENS {
        tokens.issue("me", until);
    }
    assert_eq!(tokens.account(&token, NOW), None, "the oldest are forgotten");
}
