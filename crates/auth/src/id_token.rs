//! ID tokens (OpenID Connect Core 1.0, section 3.1.3.7): who has signed in, told by an identity
//! provider to one client alone.
//!
//! As with access tokens of a provider, the algorithm belongs to the key, so `none` and symmetric keys
//! are never taken. Who may do what is not decided here.

use std::fmt;

use kernel::{Error, ErrorKind, Timestamp};
use serde_json::{Map, Value};

use crate::claims::RawClaims;
use crate::jwt::printable;
use crate::provider::signed_payload;
use crate::verify::check_times;
use crate::{CLOCK_SKEW, ProviderKeys, ProviderRefusal, Refusal};

/// A claim in a message is cut after this many characters.
const SHOWN: usize = 200;

/// What an ID token must be for.
#[derive(Clone, Copy, Debug)]
pub struct IdToken<'a> {
    /// Its `iss`, to the letter.
    pub issuer: &'a str,
    /// We, among its `aud`.
    pub client_id: &'a str,
    /// Its `nonce`: the sign-in that it belongs to.
    pub nonce: &'a str,
}

/// Why an ID token does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdTokenRefusal {
    /// It is no JWT, or a claim has the wrong type.
    Malformed,
    /// Its key is not among the provider's.
    UnknownKey {
        /// The token's `kid`.
        kid: String,
    },
    /// The signature is not of the key that it names.
    Signature,
    /// From somebody else.
    Issuer {
        /// The token's `iss`.
        seen: String,
    },
    /// For other clients, or meant to be used by another.
    Audience {
        /// The token's `aud`, or its `azp`.
        seen: Vec<String>,
    },
    /// Expired, not yet valid, or without a time that it must have.
    Times,
    /// Of another sign-in.
    Nonce,
    /// Without `sub`.
    NoSubject,
}

impl IdToken<'_> {
    /// Checks a token and returns its claims; one that is repeated as an array.
    ///
    /// # Errors
    /// The first reason why it does not hold: form, signature, issuer, audience, times, nonce, subject.
    pub fn verify(
        &self,
        token: &str,
        keys: &ProviderKeys,
        now: Timestamp,
    ) -> Result<Map<String, Value>, IdTokenRefusal> {
        let claims = RawClaims::parse(&signed_payload(token, keys)?)?;
        let issuer = claims.texts("iss")?;
        if issuer != [self.issuer] {
            let seen = issuer.first().map(|it| printable(it, SHOWN)).unwrap_or_default();
            return Err(IdTokenRefusal::Issuer { seen });
        }
        self.check_audience(&claims)?;
        check_times(&claims, now)?;
        let issued = claims.moment("iat")?.ok_or(IdTokenRefusal::Times)?;
        if now + CLOCK_SKEW < issued {
            return Err(IdTokenRefusal::Times);
        }
        if claims.texts("nonce")? != [self.nonce] {
            return Err(IdTokenRefusal::Nonce);
        }
        match &claims.texts("sub")?[..] {
            [subject] if !subject.is_empty() => Ok(claims.into_map()),
            _ => Err(IdTokenRefusal::NoSubject),
        }
    }

    /// We are in the audience; if somebody else is too, or the token names a party that may use it,
    /// then that is us.
    fn check_audience(&self, claims: &RawClaims) -> Result<(), IdTokenRefusal> {
        let (audiences, party) = (claims.texts("aud")?, claims.texts("azp")?);
        let refused = |seen: &[String]| {
            let seen = seen.iter().map(|it| printable(it, SHOWN)).collect();
            Err(IdTokenRefusal::Audience { seen })
        };
        if !audiences.iter().any(|it| it == self.client_id) {
            return refused(&audiences);
        }
        match &party[..] {
            [] if audiences.len() == 1 => Ok(()),
            [] => refused(&audiences),
            [one] if one == self.client_id => Ok(()),
            others => refused(others),
        }
    }
}

impl From<Refusal> for IdTokenRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoExpiry | Refusal::Expired { .. } | Refusal::NotYetValid { .. } => {
                Self::Times
            }
            _ => Self::Malformed,
        }
    }
}

impl From<ProviderRefusal> for IdTokenRefusal {
    fn from(refusal: ProviderRefusal) -> Self {
        match refusal {
            ProviderRefusal::UnknownKey { kid } => Self::UnknownKey { kid },
            ProviderRefusal::Signature => Self::Signature,
            _ => Self::Malformed,
        }
    }
}

impl From<IdTokenRefusal> for Error {
    fn from(refusal: IdTokenRefusal) -> Self {
        Self::new(ErrorKind::Forbidden, "IdTokenRefused", refusal.to_string())
    }
}

impl std::error::Error for IdTokenRefusal {}

impl fmt::Display for IdTokenRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => out.write_str(
                "The identity provider's ID token is malformed. It should be a signed JWT; let the \
                 provider sign ID tokens for this client with RS256 or ES256 and not encrypt them.",
            ),
            Self::UnknownKey { kid } => write!(
                out,
                "The ID token is signed with the key '{kid}', which the identity provider does not \
                 publish. Let it sign ID tokens for this client with one of its public keys."
            ),
            Self::Signature => out.write_str(
                "The ID token's signature is not of the key that it names. Sign in again; if it \
                 stays so, the issuer of the configuration is not who issues these tokens.",
            ),
            Self::Issuer { seen } => write!(
                out,
                "The ID token comes from '{seen}', which is not the issuer of the configuration. \
                 Correct console.issuer."
            ),
            Self::Audience { seen } => write!(
                out,
                "The ID token is for '{}' and not for this console alone. Correct \
                 console.client_id, or the client at the identity provider.",
                seen.join("', '")
            ),
            Self::Times => out.write_str(
                "The ID token is expired, not yet valid, or says neither when it was issued nor when \
                 it ends. Correct the clocks of this server and of the identity provider.",
            ),
            Self::Nonce => out.write_str(
                "The ID token belongs to another sign-in. Sign in again, from the console's own \
                 page.",
            ),
            Self::NoSubject => out.write_str(
                "The ID token does not say who has signed in: it has no 'sub'. Let the identity \
                 provider put it there.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signer::{Signer, encode};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const ISSUER: &str = "https://login.example.com/tenant";
    const EXPECTED: IdToken<'_> =
        IdToken { issuer: ISSUER, client_id: "tidings-console", nonce: "n-1" };

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "aud": "tidings-console", "sub": "ada", "nonce": "n-1",
            "iat": NOW.as_secs() - 2, "exp": NOW.as_secs() + 60, "email": "ada@example.com",
        })
    }

    fn verified(signer: &Signer, claims: &Value) -> Result<Map<String, Value>, IdTokenRefusal> {
        let token = signer.token(&json!({"alg": "ES256", "kid": "k1"}), claims);
        EXPECTED.verify(&token, &signer.keys("k1"), NOW)
    }

    #[test]
    fn a_token_tells_who_has_signed_in() {
        let signer = Signer::new();
        let found = verified(&signer, &claims()).unwrap();
        assert_eq!(found["email"], "ada@example.com");
        let mut several = claims();
        several["aud"] = json!(["tidings-console", "api"]);
        several["azp"] = json!("tidings-console");
        assert!(verified(&signer, &several).is_ok());
    }

    #[test]
    fn each_fault_is_told_apart() {
        let signer = Signer::new();
        let late = NOW.as_secs() + 400;
        let audience = |seen: &[&str]| IdTokenRefusal::Audience {
            seen: seen.iter().map(|&it| it.to_owned()).collect(),
        };
        for (changes, expected) in [
            (
                json!({"iss": "https://evil"}),
                IdTokenRefusal::Issuer { seen: "https://evil".into() },
            ),
            (json!({"aud": "other"}), audience(&["other"])),
            (json!({"aud": null}), audience(&[])),
            (json!({"aud": ["tidings-console", "b"]}), audience(&["tidings-console", "b"])),
            (json!({"aud": ["tidings-console", "b"], "azp": "b"}), audience(&["b"])),
            (json!({"azp": "b"}), audience(&["b"])),
            (json!({"exp": NOW.as_secs() - 400}), IdTokenRefusal::Times),
            (json!({"exp": null}), IdTokenRefusal::Times),
            (json!({"nbf": late}), IdTokenRefusal::Times),
            (json!({"iat": late}), IdTokenRefusal::Times),
            (json!({"iat": null}), IdTokenRefusal::Times),
            (json!({"nonce": "n-2"}), IdTokenRefusal::Nonce),
            (json!({"nonce": null}), IdTokenRefusal::Nonce),
            (json!({"nonce": ["n-1", "n-2"]}), IdTokenRefusal::Nonce),
            (json!({"sub": ""}), IdTokenRefusal::NoSubject),
            (json!({"sub": null}), IdTokenRefusal::NoSubject),
            (json!({"sub": 1}), IdTokenRefusal::Malformed),
        ] {
            let mut claims = claims();
            for (name, value) in changes.as_object().unwrap() {
                claims[name] = value.clone();
            }
            assert_eq!(verified(&signer, &claims).unwrap_err(), expected, "{changes}");
        }
    }

    #[test]
    fn only_the_providers_keys_sign() {
        let (signer, stranger) = (Signer::new(), Signer::new());
        let keys = signer.keys("k1");
        let verify = |token: &str| EXPECTED.verify(token, &keys, NOW).unwrap_err();
        let header = |kid: &str| json!({"alg": "ES256", "kid": kid});
        let foreign = stranger.token(&header("k1"), &claims());
        assert_eq!(verify(&foreign), IdTokenRefusal::Signature);
        let unknown = verify(&signer.token(&header("k2"), &claims()));
        assert_eq!(unknown, IdTokenRefusal::UnknownKey { kid: "k2".to_owned() });
        let none = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(claims().to_string()));
        assert_eq!(verify(&none), IdTokenRefusal::Signature);
        assert_eq!(verify("a.b"), IdTokenRefusal::Malformed);
    }
}
