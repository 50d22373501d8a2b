//! Access tokens of an identity provider (OpenID Connect): a token and the provider's published keys
//! in, an identity or a reasoned refusal out.
//!
//! Keys come as a JSON Web Key Set (RFC 7517). The algorithm belongs to the key, never to the token,
//! and is one of public keys: a token cannot choose how it is checked.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use kernel::{Error, ErrorKind, Timestamp};
use serde_json::{Map, Value};

use crate::claims::RawClaims;
use crate::jwt::printable;
use crate::refusal::{Malformed, Part, Refusal};
use crate::verify::check_times;

/// A claim in a message is cut after this many characters.
const SHOWN: usize = 200;

/// Whom tokens must come from, and what they must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `iss`, to the letter.
    pub issuer: String,
    /// One of these is among the token's `aud`.
    pub audiences: Vec<String>,
    /// Stands in the token's `roles`, where one is asked for.
    pub role: Option<String>,
}

/// The keys that a provider publishes.
#[derive(Clone, Default)]
pub struct ProviderKeys(Vec<ProviderKey>);

#[derive(Clone)]
struct ProviderKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `sub`, or `oid` where there is none.
    pub subject: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a provider's token does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderRefusal {
    /// Its form or its times are wrong.
    Token(Refusal),
    /// Its key is not among the provider's, which may have newer ones by now.
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
        /// Whose tokens are taken.
        expected: String,
    },
    /// For somebody else.
    Audience {
        /// The token's `aud`.
        seen: Vec<String>,
        /// What is taken.
        expected: Vec<String>,
    },
    /// Without the role.
    Role {
        /// The role that it lacks.
        expected: String,
    },
}

impl ProviderKeys {
    /// Reads a key set. Keys for other purposes, and of kinds that are not known here, are passed over.
    ///
    /// # Errors
    /// When it is no key set, or has no key that could sign a token.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let known: Value = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let Some(Value::Array(keys)) = known.get("keys") else {
            return Err("there is no list 'keys' in it".to_owned());
        };
        // One by one: a kind that is too new for us must not hide the others.
        let keys = keys.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
        let set = JwkSet { keys: keys.collect() };
        let keys: Vec<_> = set.keys.iter().filter_map(ProviderKey::of).collect();
        if keys.is_empty() {
            Err("it has no key for signatures".to_owned())
        } else {
            Ok(Self(keys))
        }
    }

    /// The keys that may have made a token's signature: the one that it names, or all.
    fn candidates(&self, kid: Option<&str>) -> impl Iterator<Item = &ProviderKey> {
        self.0.iter().filter(move |it| kid.is_none() || it.kid.as_deref() == kid)
    }
}

impl fmt::Debug for ProviderKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.0.iter().map(|it| (&it.kid, it.algorithm))).finish()
    }
}

impl ProviderKey {
    fn of(jwk: &Jwk) -> Option<Self> {
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
            (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
            (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS384)) => Algorithm::RS384,
            (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::RS512)) => Algorithm::RS512,
            (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Algorithm::PS256,
            (AlgorithmParameters::EllipticCurve(it), _) => match it.curve {
                EllipticCurve::P256 => Algorithm::ES256,
                EllipticCurve::P384 => Algorithm::ES384,
                _ => return None,
            },
            (AlgorithmParameters::OctetKeyPair(_), _) => Algorithm::EdDSA,
            _ => return None,
        };
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { kid: jwk.common.key_id.clone(), algorithm, key })
    }
}

impl Provider {
    /// Checks a token.
    ///
    /// # Errors
    /// The first reason why it does not hold: form, signature, issuer, times, audience, role.
    pub fn verify(
        &self,
        token: &str,
        keys: &ProviderKeys,
        now: Timestamp,
    ) -> Result<Identity, ProviderRefusal> {
        let claims = RawClaims::parse(&signed_payload(token, keys)?)?;
        let issuer = claims.texts("iss")?.into_iter().next().unwrap_or_default();
        if issuer != self.issuer {
            let seen = printable(&issuer, SHOWN);
            return Err(ProviderRefusal::Issuer { seen, expected: self.issuer.clone() });
        }
        let expires_at = check_times(&claims, now)?;
        let audiences = claims.texts("aud")?;
        if !audiences.iter().any(|it| self.audiences.contains(it)) {
            let seen = audiences.iter().map(|it| printable(it, SHOWN)).collect();
            return Err(ProviderRefusal::Audience { seen, expected: self.audiences.clone() });
        }
        if let Some(role) = &self.role
            && !claims.texts("roles")?.contains(role)
        {
            return Err(ProviderRefusal::Role { expected: role.clone() });
        }
        let subjects = claims.texts("sub")?.into_iter().chain(claims.texts("oid")?);
        let subject = subjects.map(|it| printable(&it, SHOWN)).next().unwrap_or_default();
        Ok(Identity { subject, expires_at })
    }
}

/// The payload of a token that one of `keys` signed.
pub(crate) fn signed_payload(token: &str, keys: &ProviderKeys) -> Result<Vec<u8>, ProviderRefusal> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(Refusal::Malformed(Malformed::Parts(parts.len())).into());
    };
    let malformed = |part| Refusal::Malformed(Malformed::Base64(part));
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed(Part::Header))?;
    let header: Map<String, Value> = serde_json::from_slice(&header)
        .map_err(|_| Refusal::Malformed(Malformed::Json(Part::Header)))?;
    let claims = URL_SAFE_NO_PAD.decode(payload).map_err(|_| malformed(Part::Payload))?;
    let kid = header.get("kid").and_then(Value::as_str);
    let message = &token.as_bytes()[..token.len() - signature.len() - 1];
    let mut any = false;
    for it in keys.candidates(kid) {
        any = true;
        let fits = jsonwebtoken::crypto::verify(signature, message, &it.key, it.algorithm);
        if fits.unwrap_or(false) {
            return Ok(claims);
        }
    }
    Err(match any {
        true => ProviderRefusal::Signature,
        false => ProviderRefusal::UnknownKey { kid: printable(kid.unwrap_or_default(), SHOWN) },
    })
}

impl From<Refusal> for ProviderRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Token(refusal)
    }
}

impl From<ProviderRefusal> for Error {
    fn from(refusal: ProviderRefusal) -> Self {
        let kind = match refusal {
            ProviderRefusal::Role { .. } => ErrorKind::Forbidden,
            _ => ErrorKind::Unauthenticated,
        };
        Self::new(kind, "Unauthorized", refusal.to_string())
    }
}

impl std::error::Error for ProviderRefusal {}

impl fmt::Display for ProviderRefusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(refusal) => refusal.fmt(out),
            Self::UnknownKey { kid } => write!(
                out,
                "The bearer token is signed with the key '{kid}', which the identity provider does \
                 not publish. Get a token from the provider that this server trusts."
            ),
            Self::Signature => out.write_str(
                "The bearer token's signature is not of the key that it names. Send the token as \
                 the identity provider issued it.",
            ),
            Self::Issuer { seen, expected } => write!(
                out,
                "The bearer token comes from '{seen}', but this server trusts '{expected}'. Get the \
                 token there."
            ),
            Self::Audience { seen, expected } => write!(
                out,
                "The bearer token is for '{}', but this server takes tokens for '{}'. Ask the \
                 identity provider for one of these, or add the audience to \
                 identity_provider.audiences.",
                seen.join("', '"),
                expected.join("', '")
            ),
            Self::Role { expected } => write!(
                out,
                "The bearer token lacks the role '{expected}', which this server asks for. Let the \
                 identity provider assign it to this caller."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
    use serde_json::json;

    use super::*;
    use crate::signer::{Signer, encode};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const ISSUER: &str = "https://login.example.com/tenant";

    fn provider() -> Provider {
        Provider {
            issuer: ISSUER.to_owned(),
            audiences: vec!["api://tidings".to_owned()],
            role: Some("Operator".to_owned()),
        }
    }

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "aud": ["other", "api://tidings"], "sub": "ann", "roles": ["Operator"],
            "exp": NOW.as_secs() + 60,
        })
    }

    #[test]
    fn a_token_of_the_provider_names_its_bearer() {
        let signer = Signer::new();
        let keys = signer.keys("k1");
        for header in [json!({"alg": "ES256", "kid": "k1"}), json!({"alg": "ES256"})] {
            let token = signer.token(&header, &claims());
            let identity = provider().verify(&token, &keys, NOW).unwrap();
            assert_eq!(identity.subject, "ann");
        }
    }

    #[test]
    fn keys_of_rsa_check_too() {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        let jwk = json!({
            "kty": "RSA", "kid": "r", "n": encode(n.big_endian_without_leading_zero()),
            "e": encode(e.big_endian_without_leading_zero()),
        });
        let keys = ProviderKeys::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
        let message = format!("{}.{}", encode(r#"{"kid":"r"}"#), encode(claims().to_string()));
        let mut signature = vec![0; pair.public_modulus_len()];
        let random = SystemRandom::new();
        pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).unwrap();
        let token = format!("{message}.{}", encode(signature));
        assert!(provider().verify(&token, &keys, NOW).is_ok());
    }

    #[test]
    fn each_fault_is_told() {
        let (signer, stranger) = (Signer::new(), Signer::new());
        let keys = signer.keys("k1");
        let header = json!({"alg": "ES256", "kid": "k1"});
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            signer.token(&header, &claims)
        };
        for (token, expected) in [
            (stranger.token(&header, &claims()), "not of the key"),
            (signer.token(&json!({"kid": "k2"}), &claims()), "key 'k2'"),
            (with("iss", json!("https://evil.example")), "comes from 'https://evil.example'"),
            (with("exp", json!(NOW.as_secs() - 400)), "expired 400 seconds ago"),
            (with("exp", Value::Null), "no expiry"),
            (with("aud", json!("api://else")), "identity_provider.audiences"),
            (with("roles", json!(["Reader"])), "lacks the role 'Operator'"),
            ("a.b".to_owned(), "2 part(s)"),
            (format!("{}.e30.AA", encode(r#"{"alg":"none"}"#)), "not of the key"),
        ] {
            let refusal = provider().verify(&token, &keys, NOW).unwrap_err();
            assert!(refusal.to_string().contains(expected), "{refusal}");
        }
    }

    #[test]
    fn a_symmetric_key_is_no_key_of_a_provider() {
        let set =
            json!({"keys": [{"kty": "oct", "kid": "k1", "k": encode("secret"), "alg": "HS256"}]});
        assert!(ProviderKeys::parse(set.to_string().as_bytes()).is_err());
        assert!(ProviderKeys::parse(b"{}").is_err());
        assert!(ProviderKeys::parse(b"<html>").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_a_token_by_chance(text in "[A-Za-z0-9_.-]{0,120}") {
            let keys = Signer::new().keys("k1");
            proptest::prop_assert!(provider().verify(&text, &keys, NOW).is_err());
        }
    }
}
