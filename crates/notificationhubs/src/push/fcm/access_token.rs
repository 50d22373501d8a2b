//! The access token: a signed assertion is traded for it, and it is kept until shortly before its
//! end.

use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Request};
use bytes::Bytes;
use kernel::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::credential::FcmCredential;
use crate::push::jws;
use crate::push::outcome::{Outcome, OutcomeName, clock_skew, retry_after};

/// What the token is for.
pub const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// How assertions are traded (RFC 7523).
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest life that Google allows an assertion.
const ASSERTION_LIFE: Duration = Duration::from_secs(3600);
/// A token is replaced this long before its end.
const RENEWAL: Duration = Duration::from_secs(5 * 60);

/// A token and until when it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// The value of `authorization`.
    pub header: HeaderValue,
    /// From here on a new one is fetched.
    pub renew_at: Timestamp,
}

/// The request for a token.
pub fn request(credential: &FcmCredential, now: Timestamp) -> Request<Bytes> {
    let header = json!({ "alg": "RS256", "typ": "JWT" });
    let claims = json!({
        "iss": credential.client_email,
        "scope": SCOPE,
        "aud": credential.endpoints.token.to_string(),
        "iat": now.as_secs(),
        "exp": (now + ASSERTION_LIFE).as_secs(),
    });
    let assertion = jws::sign_rs256(&credential.key, &header, &claims);
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", GRANT_TYPE)
        .append_pair("assertion", &assertion)
        .finish();
    let mut request = Request::new(Bytes::from(form));
    *request.method_mut() = axum::http::Method::POST;
    *request.uri_mut() = credential.endpoints.token.clone();
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, form);
    request
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refused {
    error: String,
    error_description: String,
}

/// What the answer to [`request`] means.
///
/// # Errors
/// The outcome of every message that needs the token.
pub fn read(
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<AccessToken, Box<Outcome>> {
    let nonsense = |text: &'static str| {
        let outcome = Outcome::of(OutcomeName::TokenProviderInterfaceError, text);
        Box::new(outcome.answered(status, "").retry_after(retry_after(headers, now)))
    };
    match status {
        200 => {
            let granted = serde_json::from_slice::<Granted>(body).ok();
            let granted = granted.filter(|it| it.expires_in > 0);
            let (token, life) = granted
                .and_then(|it| {
                    let header =
                        HeaderValue::try_from(format!("Bearer {}", it.access_token)).ok()?;
                    Some((header, Duration::from_secs(it.expires_in.min(86_400))))
                })
                .ok_or_else(|| nonsense("Google's token endpoint granted something unreadable"))?;
            let mut header = token;
            header.set_sensitive(true);
            // A short-lived token is used for half of its life at least.
            let renew_at = now + life.saturating_sub(RENEWAL).max(life / 2);
            Ok(AccessToken { header, renew_at })
        }
        400 | 401 | 403 => {
            let refused: Refused = serde_json::from_slice(body).unwrap_or_default();
            let outcome = Outcome::of(OutcomeName::InvalidCredentials, advice(headers, now));
            let reason = format!("{}: {}", refused.error, refused.error_description);
            Err(Box::new(outcome.answered(status, &reason)))
        }
        _ => Err(nonsense("Google's token endpoint failed")),
    }
}

fn advice(headers: &HeaderMap, now: Timestamp) -> String {
    let mut text = "Google does not accept the service account: check that clientEmail and \
                    privateKey belong together, that the key was not deleted, and that this \
                    machine's clock is right"
        .to_owned();
    if let Some(skew) = clock_skew(headers, now).filter(|skew| skew.abs() > 60) {
        text.push_str(&format!("; it is {skew} seconds ahead of Google's"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::credential::tests::fields;
    use super::super::credential::{FcmCredential, FcmEndpoints};
    use super::*;
    use crate::push::jws::{Algorithm, Jws};

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn answer(status: u16, body: &str) -> Result<AccessToken, Box<Outcome>> {
        read(status, &HeaderMap::new(), body.as_bytes(), NOW)
    }

    #[test]
    fn the_assertion_names_account_scope_audience_and_an_hour() {
        let credential = FcmCredential::parse(&fields(), FcmEndpoints::default()).unwrap();
        let request = request(&credential, NOW);
        assert_eq!(request.uri(), "https://oauth2.googleapis.com/token");
        let form: Vec<_> = form_urlencoded::parse(request.body()).into_owned().collect();
        assert_eq!(form[0], ("grant_type".to_owned(), GRANT_TYPE.to_owned()));
        let assertion = Jws::parse(&form[1].1).unwrap();
        assert!(assertion.is_signed_by(Algorithm::Rs256, credential.public_key()));
        assert_eq!(
            assertion.claims,
            json!({
                "iss": "push@project.iam.gserviceaccount.com",
                "scope": "https://www.googleapis.com/auth/firebase.messaging",
                "aud": "https://oauth2.googleapis.com/token",
                "iat": 1_700_000_000,
                "exp": 1_700_003_600,
            })
        );
    }

    #[test]
    fn a_token_is_kept_until_five_minutes_before_its_end() {
        for (life, kept) in [(3599, 3299), (600, 300), (100, 50)] {
            let body = format!("{{\"access_token\":\"t\",\"expires_in\":{life}}}");
            let token = answer(200, &body).unwrap();
            assert_eq!(token.renew_at.since(NOW), Duration::from_secs(kept), "{life}");
            assert_eq!(token.header, "Bearer t");
            assert!(token.header.is_sensitive());
        }
    }

    #[test]
    fn refusals_and_nonsense_are_told_apart() {
        use OutcomeName::*;
        for (status, body, name) in [
            (400, r#"{"error":"invalid_grant","error_description":"x"}"#, InvalidCredentials),
            (401, r#"{"error":"invalid_client"}"#, InvalidCredentials),
            (403, "", InvalidCredentials),
            (200, "{}", TokenProviderInterfaceError),
            (200, r#"{"access_token":"a\nb","expires_in":9}"#, TokenProviderInterfaceError),
            (200, r#"{"access_token":"a","expires_in":0}"#, TokenProviderInterfaceError),
            (503, "", TokenProviderInterfaceError),
        ] {
            assert_eq!(answer(status, body).unwrap_err().name, name, "{status} {body}");
        }
        let refused = answer(400, r#"{"error":"invalid_grant","error_description":"x"}"#);
        let refused = refused.unwrap_err();
        assert_eq!(refused.reason, "invalid_grant: x");
        assert!(refused.explanation.contains("clock"));
    }
}
