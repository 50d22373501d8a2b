//! Sign-in with an identity provider (OpenID Connect Core 1.0, authorization code flow with PKCE).
//!
//! The browser goes to the provider and comes back with a code; the code becomes an ID token, and its
//! claims a session, if they are of an operator. The provider is asked through the port [`Issuer`]; tokens
//! are checked behind it and never come here.
//!
//! - [`flow`]: one sign-in on its way, pure
//! - [`operators`]: who may sign in, pure
//! - `rest`: the two routes

mod flow;
mod operators;
pub(crate) mod rest;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth::ProviderMetadata;
use kernel::Secret;
use serde_json::{Map, Value};

use crate::installation::Pending;
use flow::{Begun, Flow};
pub use operators::Operators;

/// Who is asked, as whom, and who may sign in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer, to the letter.
    pub issuer: String,
    /// The console's name there.
    pub client_id: String,
    /// What is asked for besides `openid`, `profile` and `email`.
    pub scopes: Vec<String>,
    /// Who may sign in.
    pub operators: Operators,
}

/// Asks the identity provider. The program implements it.
pub trait Issuer: Send + Sync + 'static {
    /// What the provider says of itself. Strangers cause this call, so it should remember.
    ///
    /// # Errors
    /// When it cannot be had, with the reason.
    fn metadata(&self) -> Pending<'_, Arc<ProviderMetadata>>;

    /// Makes a code into the claims of the ID token behind it, checked for the client and the nonce.
    ///
    /// # Errors
    /// When the provider refuses the code, or the token does not hold; says why.
    fn redeem<'a>(&'a self, grant: Grant<'a>) -> Pending<'a, Map<String, Value>>;
}

/// A code and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// As the browser brought it.
    pub code: &'a Secret,
    /// The code verifier of PKCE.
    pub verifier: &'a Secret,
    /// What the ID token has as `nonce`.
    pub nonce: &'a str,
    /// Where the browser came back to.
    pub redirect_uri: &'a str,
}

/// Sign-in with an identity provider, for a console.
pub struct Oidc {
    settings: Settings,
    issuer: Box<dyn Issuer>,
    flow: Mutex<Flow>,
}

impl Oidc {
    /// No sign-in has begun yet.
    pub fn new(settings: Settings, issuer: impl Issuer) -> Self {
        Self { settings, issuer: Box::new(issuer), flow: Mutex::default() }
    }

    /// What the provider is called on the button: its host.
    pub(crate) fn name(&self) -> &str {
        let issuer = self.settings.issuer.as_str();
        let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    fn flow(&self) -> MutexGuard<'_, Flow> {
        // No code between lock and unlock can leave it half changed.
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the browser signs in.
    fn authorization(&self, endpoint: &str, begun: &Begun, redirect_uri: &str) -> String {
        let mut scopes = vec!["openid", "profile", "email"];
        scopes.extend(self.settings.scopes.iter().map(String::as_str));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", redirect_uri),
            ("scope", &scopes.join(" ")),
            ("state", &begun.state),
            ("nonce", &begun.nonce),
            ("code_challenge", &begun.challenge),
            ("code_challenge_method", "S256"),
        ]);
        let join = if endpoint.contains('?') { '&' } else { '?' };
        format!("{endpoint}{join}{}", query.finish())
    }
}
