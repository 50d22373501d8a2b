//! Signed tokens in compact form (RFC 7515): what proves to a push service who we are.
//!
//! Two algorithms, each fixed by the kind of key and never chosen by a token: ES256 for Apple and
//! VAPID, RS256 for Google. A signature of ES256 is the 64 bytes of r and s, not DER.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, EcdsaKeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;

use super::key_text::{from_base64, to_base64url};

/// Signs with ES256.
pub fn sign_es256(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let input = signing_input(header, claims);
    let signature = key.sign(&SystemRandom::new(), input.as_bytes());
    let signature = signature.expect("a P-256 key that was parsed can sign");
    format!("{input}.{}", to_base64url(signature))
}

/// Signs with RS256.
pub fn sign_rs256(key: &RsaKeyPair, header: &Value, claims: &Value) -> String {
    let input = signing_input(header, claims);
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature)
        .expect("an RSA key that was parsed can sign");
    format!("{input}.{}", to_base64url(signature))
}

fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", to_base64url(header.to_string()), to_base64url(claims.to_string()))
}

/// A token taken apart. Nothing of it is true before [`Jws::is_signed_by`] says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Jws {
    /// The protected header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    input: String,
    signature: Vec<u8>,
}

/// Whose key a signature is checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256; the key is an uncompressed point of 65 bytes.
    Es256,
    /// RSA of 2048 bits or more; the key is PKCS#1 DER.
    Rs256,
}

impl Algorithm {
    /// As it stands in the header of a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        }
    }
}

impl Jws {
    /// Takes a token apart. Nothing comes of text that is none.
    pub fn parse(token: &str) -> Option<Self> {
        let (input, signature) = token.rsplit_once('.')?;
        let (header, claims) = input.split_once('.')?;
        let json = |part: &str| serde_json::from_slice::<Value>(&from_base64(part)?).ok();
        let (header, claims) = (json(header)?, json(claims)?);
        if !header.is_object() || !claims.is_object() {
            return None;
        }
        Some(Self { header, claims, input: input.to_owned(), signature: from_base64(signature)? })
    }

    /// Whether it names `algorithm` and carries that signature of the owner of `public_key`.
    pub fn is_signed_by(&self, algorithm: Algorithm, public_key: &[u8]) -> bool {
        self.header["alg"] == algorithm.as_str()
            && UnparsedPublicKey::new(algorithm.verification(), public_key)
                .verify(self.input.as_bytes(), &self.signature)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, KeyPair};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_signed_by_its_key_and_no_other() {
        let make = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (key, other) = (make(), make());
        let token = sign_es256(&key, &json!({"alg": "ES256"}), &json!({"iss": "team"}));
        let jws = Jws::parse(&token).unwrap();
        assert_eq!(jws.claims["iss"], "team");
        assert!(jws.is_signed_by(Algorithm::Es256, key.public_key().as_ref()));
        assert!(!jws.is_signed_by(Algorithm::Es256, other.public_key().as_ref()));
        assert!(!jws.is_signed_by(Algorithm::Rs256, key.public_key().as_ref()));
    }

    #[test]
    fn a_token_that_names_another_algorithm_is_not_signed() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let token = sign_es256(&key, &json!({"alg": "none"}), &json!({}));
        let jws = Jws::parse(&token).unwrap();
        assert!(!jws.is_signed_by(Algorithm::Es256, key.public_key().as_ref()));
    }

    /// The example of RFC 8292 section 2.4.
    #[test]
    fn the_example_of_the_vapid_standard_verifies() {
        let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
        let key = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
        let jws = Jws::parse(token).unwrap();
        assert_eq!(jws.claims["aud"], "https://push.example.net");
        assert!(jws.is_signed_by(Algorithm::Es256, &from_base64(key).unwrap()));
    }

    proptest! {
        #[test]
        fn damaged_tokens_are_refused_quietly(text in "[A-Za-z0-9_.=-]{0,80}") {
            if let Some(jws) = Jws::parse(&text) {
                prop_assert!(!jws.is_signed_by(Algorithm::Es256, &[4; 65]));
            }
        }
    }
}
