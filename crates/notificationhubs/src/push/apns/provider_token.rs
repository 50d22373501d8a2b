//! The token that proves who sends: signed with the team's key, cached, renewed within Apple's
//! limits. Apple refuses a token that is older than an hour, and a sender that signs more than one in
//! twenty minutes.

use std::time::Duration;

use axum::http::HeaderValue;
use kernel::Timestamp;
use serde_json::json;

use super::credential::ApnsCredential;
use crate::push::jws;

/// A token is replaced when it is this old.
const RENEWAL: Duration = Duration::from_secs(45 * 60);
/// Apple's least time between two tokens.
const LEAST_INTERVAL: Duration = Duration::from_secs(20 * 60);

/// The token of one key. It has no clock: every call brings the time.
#[derive(Debug, Default)]
pub struct ProviderToken {
    current: Option<(Timestamp, HeaderValue)>,
}

impl ProviderToken {
    /// The value of `authorization`; signed anew when it is time.
    pub fn header(&mut self, credential: &ApnsCredential, now: Timestamp) -> HeaderValue {
        match &self.current {
            // A clock that was set back makes a token of the future, which Apple refuses as well.
            Some((issued, header)) if *issued <= now && now.since(*issued) < RENEWAL => {
                header.clone()
            }
            _ => self.sign(credential, now),
        }
    }

    /// A new token after Apple called `used` expired. None when the last one is too young to be
    /// replaced: then the clocks differ, and another token would not help.
    pub fn after_expiry(
        &mut self,
        credential: &ApnsCredential,
        used: &HeaderValue,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        match &self.current {
            // Another request has renewed it in the meantime.
            Some((_, header)) if header != used => Some(header.clone()),
            Some((issued, _)) if *issued <= now && now.since(*issued) < LEAST_INTERVAL => None,
            _ => Some(self.sign(credential, now)),
        }
    }

    fn sign(&mut self, credential: &ApnsCredential, now: Timestamp) -> HeaderValue {
        let header = json!({ "alg": "ES256", "kid": credential.key_id });
        let claims = json!({ "iss": credential.team_id, "iat": now.as_secs() });
        let token = jws::sign_es256(&credential.key, &header, &claims);
        let mut value =
            HeaderValue::try_from(format!("bearer {token}")).expect("base64url is ASCII");
        value.set_sensitive(true);
        self.current = Some((now, value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::credential::tests::fields;
    use super::*;
    use crate::push::jws::{Algorithm, Jws};

    const MINUTE: Duration = Duration::from_secs(60);

    fn credential() -> ApnsCredential {
        ApnsCredential::parse(&fields("")).unwrap()
    }

    fn parsed(header: &HeaderValue) -> Jws {
        Jws::parse(header.to_str().unwrap().strip_prefix("bearer ").unwrap()).unwrap()
    }

    #[test]
    fn it_says_team_key_and_time_and_is_signed() {
        let (credential, mut token) = (credential(), ProviderToken::default());
        let header = token.header(&credential, Timestamp::from_secs(1_700_000_000));
        let jws = parsed(&header);
        assert_eq!(jws.header, json!({ "alg": "ES256", "kid": "KEY1234567" }));
        assert_eq!(jws.claims, json!({ "iss": "TEAM123456", "iat": 1_700_000_000 }));
        assert!(jws.is_signed_by(Algorithm::Es256, credential.public_key()));
        assert!(header.is_sensitive());
    }

    #[test]
    fn it_is_kept_for_45_minutes_and_then_renewed() {
        let (credential, mut token) = (credential(), ProviderToken::default());
        let start = Timestamp::from_secs(1_700_000_000);
        let first = token.header(&credential, start);
        assert_eq!(token.header(&credential, start + 44 * MINUTE), first);
        let second = token.header(&credential, start + 45 * MINUTE);
        assert_ne!(second, first);
        assert_eq!(parsed(&second).claims["iat"], 1_700_000_000 + 45 * 60);
    }

    #[test]
    fn an_expiry_renews_it_once_but_never_within_20_minutes() {
        let (credential, mut token) = (credential(), ProviderToken::default());
        let start = Timestamp::from_secs(1_700_000_000);
        let first = token.header(&credential, start);
        assert_eq!(token.after_expiry(&credential, &first, start + 19 * MINUTE), None);
        let second = token.after_expiry(&credential, &first, start + 20 * MINUTE).unwrap();
        assert_ne!(second, first);
        let late = token.after_expiry(&credential, &first, start + 21 * MINUTE);
        assert_eq!(late, Some(second), "a request that still had the old one takes the new one");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_a_new_token() {
        let (credential, mut token) = (credential(), ProviderToken::default());
        let first = token.header(&credential, Timestamp::from_secs(1_700_000_000));
        assert_ne!(token.header(&credential, Timestamp::from_secs(1_600_000_000)), first);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn apples_limits_hold_whenever_it_is_asked_for(
            steps in prop::collection::vec((0_u64..3000, any::<bool>()), 1..60),
        ) {
            let (credential, mut token) = (credential(), ProviderToken::default());
            let mut now = Timestamp::from_secs(1_700_000_000);
            let mut issued: Vec<i64> = Vec::new();
            for (seconds, refused) in steps {
                now = now + Duration::from_secs(seconds);
                let mut header = token.header(&credential, now);
                if refused {
                    header = token.after_expiry(&credential, &header, now).unwrap_or(header);
                }
                let at = parsed(&header).claims["iat"].as_i64().unwrap();
                prop_assert!(now.as_secs() - at < 3600, "too old");
                if issued.last() != Some(&at) {
                    issued.push(at);
                }
            }
            prop_assert!(issued.windows(2).all(|pair| pair[1] - pair[0] >= 1200), "{issued:?}");
        }
    }
}
