//! How an application knows that a callback comes from this server: a token in `Authorization`, signed
//! with the key that signs user access tokens.
//!
//! The issuer is the address of this server, the audience the immutable id of the resource, and the key
//! set is found through `/calling/.well-known/acsopenidconfiguration`, as with the real service, whose
//! issuer is `https://acscallautomation.communication.azure.com`. Keys are of the curve P-256 (ES256);
//! the real ones are RSA, which libraries for tokens tell by the key set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Result, Secret};
use serde_json::{Value, json};

use crate::identity::Identities;

/// How long one token holds; each attempt has its own.
const LIFETIME: Duration = Duration::from_mins(10);

/// Signs for one server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Attestation {
    identities: Identities,
    clock: Arc<dyn Clock>,
    issuer: Arc<str>,
}

impl Attestation {
    pub(super) fn new(identities: Identities, clock: Arc<dyn Clock>, issuer: &str) -> Self {
        Self { identities, clock, issuer: issuer.trim_end_matches('/').into() }
    }

    /// A token for an application of the resource with this immutable id.
    ///
    /// # Errors
    /// When there is no key to sign with.
    pub(super) fn token(&self, audience: &str) -> Result<Secret> {
        let now = self.clock.now();
        let claims = json!({
            "iss": &*self.issuer,
            "aud": audience,
            "iat": now.as_secs(),
            "nbf": now.as_secs(),
            "exp": (now + LIFETIME).as_secs(),
        });
        self.identities.attest(&claims)
    }

    /// The OpenID configuration.
    pub(super) fn configuration(&self) -> Value {
        json!({
            "issuer": &*self.issuer,
            "jwks_uri": format!("{}/access/.well-known/jwks.json", self.issuer),
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }
}

impl fmt::Debug for Attestation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Attestation").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
