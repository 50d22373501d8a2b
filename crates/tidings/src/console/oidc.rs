//! How the console asks its identity provider: for metadata, and for the claims behind a code.
//!
//! Metadata is remembered for minutes, and so is, for seconds, that it could not be had: strangers may ask
//! for it as often as they like. Keys are fetched for each sign-in: these are rare, and only who has
//! brought a good code comes that far.

use std::sync::Arc;
use std::time::Duration;

use ::console::Oidc;
use ::console::installation::Pending;
use ::console::oidc::{Grant, Issuer as Port, Operators, Settings};
use auth::{IdToken, ProviderMetadata};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use edge::outbound::Outbound;
use hyper::Request;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use kernel::{Clock, Error, ErrorKind, Result, Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, Semaphore};

use crate::config;
use crate::issuer::Issuer;

/// How long metadata is taken for true.
const REMEMBERED: Duration = Duration::from_mins(10);
/// How long nobody asks again after an attempt that failed.
const PAUSE: Duration = Duration::from_secs(5);
/// Codes that are exchanged at a time.
const AT_A_TIME: usize = 8;
/// What is encoded in a form. Characters that may stand as they are do: some providers take the id and
/// the secret of an Authorization header to the letter.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a provider says is cut after this many characters.
const SHOWN: usize = 300;

/// Sign-in to the console as the configuration wants it.
pub(super) fn oidc(config: &config::Oidc, outbound: Outbound, clock: Arc<dyn Clock>) -> Oidc {
    let settings = Settings {
        issuer: config.issuer.clone(),
        client_id: config.client_id.clone(),
        scopes: config.scopes.clone(),
        operators: Operators::new(&config.operator_claim, config.operators.clone()),
    };
    let client = Client {
        config: config.clone(),
        issuer: Issuer::new(&config.issuer, outbound),
        clock,
        metadata: Mutex::default(),
        slots: Semaphore::new(AT_A_TIME),
    };
    Oidc::new(settings, client)
}

/// The console, as a client of an issuer.
struct Client {
    config: config::Oidc,
    issuer: Issuer,
    clock: Arc<dyn Clock>,
    metadata: Mutex<Option<Remembered>>,
    slots: Semaphore,
}

struct Remembered {
    outcome: Result<Arc<ProviderMetadata>>,
    until: Timestamp,
}

/// What the token endpoint gives for a code (RFC 6749, section 5.1).
#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

impl Port for Client {
    fn metadata(&self) -> Pending<'_, Arc<ProviderMetadata>> {
        Box::pin(async {
            // Held while the issuer is asked, so that one question answers all.
            let mut remembered = self.metadata.lock().await;
            if let Some(known) = remembered.as_ref().filter(|it| self.clock.now() < it.until) {
                return known.outcome.clone();
            }
            let found = self.issuer.metadata().await;
            let pause = if found.is_ok() { REMEMBERED } else { PAUSE };
            let outcome = found.map(Arc::new).map_err(|problem| self.unreachable(problem));
            let until = self.clock.now() + pause;
            *remembered = Some(Remembered { outcome: outcome.clone(), until });
            outcome
        })
    }

    fn redeem<'a>(&'a self, grant: Grant<'a>) -> Pending<'a, Map<String, Value>> {
        Box::pin(async move {
            let _slot = self.slots.try_acquire().map_err(|_| busy())?;
            let metadata = Port::metadata(self).await?;
            let tokens = self.exchange(&metadata, grant).await?;
            let keys = self.issuer.keys(&metadata.keys_url).await;
            let keys = keys.map_err(|problem| self.unreachable(problem))?;
            let (issuer, client_id) = (self.issuer.name(), self.config.client_id.as_str());
            let expected = IdToken { issuer, client_id, nonce: grant.nonce };
            let id_token = tokens.id_token.unwrap_or_default();
            let claims = expected.verify(&id_token, &keys, self.clock.now())?;
            Ok(self.completed(claims, &metadata, tokens.access_token).await)
        })
    }
}

impl Client {
    /// Asks the token endpoint (OpenID Connect Core, section 3.1.3).
    async fn exchange(&self, metadata: &ProviderMetadata, grant: Grant<'_>) -> Result<Tokens> {
        let Some(url) = &metadata.token_url else {
            return Err(self.unreachable("its metadata has no token_endpoint".to_owned()));
        };
        let request = self.request(url, metadata.secret_in_body, grant);
        let request = request.map_err(|error| self.unreachable(error.to_string()))?;
        let answer = self.issuer.ask(request).await;
        let (status, body) = answer.map_err(|problem| self.unreachable(problem))?;
        if status != 200 {
            return Err(token_refused(status, &body));
        }
        serde_json::from_slice(&body).map_err(|_| {
            self.unreachable(format!("{url} answered with something other than tokens"))
        })
    }

    fn request(
        &self,
        url: &str,
        secret_in_body: bool,
        grant: Grant<'_>,
    ) -> std::result::Result<Request<Bytes>, hyper::http::Error> {
        let client_id = self.config.client_id.as_str();
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", grant.code.expose()),
            ("redirect_uri", grant.redirect_uri),
            ("code_verifier", grant.verifier.expose()),
        ];
        let mut request = Request::post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        match &self.config.client_secret {
            Some(secret) if !secret_in_body => {
                request = request.header(AUTHORIZATION, basic(client_id, secret));
            }
            Some(secret) => {
                form.extend([("client_id", client_id), ("client_secret", secret.expose())]);
            }
            None => form.push(("client_id", client_id)),
        }
        let pairs: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        request.body(Bytes::from(pairs.join("&")))
    }

    /// Adds what the provider tells of the person elsewhere alone, when the claim that decides is not
    /// in the token (OpenID Connect Core, section 5.3).
    async fn completed(
        &self,
        mut claims: Map<String, Value>,
        metadata: &ProviderMetadata,
        access_token: Option<String>,
    ) -> Map<String, Value> {
        let (Some(url), Some(token)) = (&metadata.user_info_url, access_token) else {
            return claims;
        };
        if claims.contains_key(&self.config.operator_claim) {
            return claims;
        }
        match self.user_info(url, &Secret::new(token)).await {
            // Nobody else's claims (section 5.3.2).
            Ok(more) if more.get("sub") == claims.get("sub") => {
                for (name, value) in more {
                    claims.entry(name).or_insert(value);
                }
            }
            Ok(_) => self.no_user_info("it is about somebody else"),
            Err(problem) => self.no_user_info(&problem),
        }
        claims
    }

    async fn user_info(
        &self,
        url: &str,
        token: &Secret,
    ) -> std::result::Result<Map<String, Value>, String> {
        let request = Request::get(url).header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
        match self.issuer.ask(request).await? {
            (200, body) => serde_json::from_slice(&body).map_err(|error| error.to_string()),
            (status, _) => Err(format!("{url} answered {status}")),
        }
    }

    fn no_user_info(&self, problem: &str) {
        tracing::warn!(
            issuer = self.issuer.name(),
            problem,
            "no claims from the userinfo endpoint"
        );
    }

    /// The reason may tell of the network, so it is for the log alone.
    fn unreachable(&self, problem: String) -> Error {
        let message = format!(
            "The identity provider '{}' cannot be asked just now; the server's log says why. Try \
             again in a moment, or sign in with a link.",
            self.issuer.name()
        );
        Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
            .retry_after(PAUSE)
            .context(problem)
    }
}

/// The provider's own reason for not taking a code (RFC 6749, section 5.2).
fn token_refused(status: u16, body: &[u8]) -> Error {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(shown);
    let error = text("error").unwrap_or_else(|| format!("status {status}"));
    let cure = match error.as_str() {
        "invalid_client" | "unauthorized_client" => {
            "Correct console.client_id and the client secret of the configuration."
        }
        _ => "Sign in again.",
    };
    let description = text("error_description").map(|it| format!(" ({it})")).unwrap_or_default();
    let message =
        format!("The identity provider has not taken the code: {error}{description}. {cure}");
    Error::new(ErrorKind::Forbidden, "SignInRefused", message)
}

fn busy() -> Error {
    let message = "Too many people are signing in at this moment. Try again.";
    Error::new(ErrorKind::Throttled, "TooManyRequests", message).retry_after(PAUSE)
}

/// Id and secret are encoded as in a form before they are joined (RFC 6749, section 2.3.1).
fn basic(client_id: &str, secret: &Secret) -> String {
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.expose()));
    format!("Basic {}", STANDARD.encode(pair))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

fn shown(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_as_in_a_form() {
        let pair = |client_id: &str, secret: &str| {
            let header = basic(client_id, &Secret::new(secret));
            let pair = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
            String::from_utf8(pair).unwrap()
        };
        let strange = pair("tidings console", "a:b%+/");
        assert_eq!(strange, "tidings%20console:a%3Ab%25%2B%2F");
        let usual = pair("12-a.apps.example.com", "Ab8Q~x_y-z");
        assert_eq!(usual, "12-a.apps.example.com:Ab8Q~x_y-z", "nothing that needs decoding");
    }

    #[test]
    fn what_the_provider_says_of_a_code_is_told() {
        let body = br#"{"error":"invalid_client","error_description":"Bad\nsecret"}"#;
        let told = token_refused(401, body).message().to_owned();
        assert!(told.contains("invalid_client (Bad secret). Correct console.client_id"), "{told}");
        assert!(token_refused(500, b"<html>").message().contains("status 500"));
    }
}
