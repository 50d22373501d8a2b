//! The VAPID key pair of a hub: browsers subscribe with the public half, and only its owner may send.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::http::{HeaderValue, Uri};
use kernel::{Error, ErrorKind, Result, Secret, Timestamp};
use serde_json::json;

use crate::push::{jws, key_text};

/// Push services refuse more than a day; half of it leaves room for clocks that differ.
const TOKEN_LIFE: Duration = Duration::from_secs(12 * 3600);
/// A token is replaced when it is this old.
pub(super) const TOKEN_RENEWAL: Duration = Duration::from_secs(6 * 3600);

/// The fields of a hub's `browserCredential`, as they were set.
#[derive(Clone, Debug)]
pub struct VapidFields {
    /// Whom a push service may write to (`subject`): a `mailto:` or `https:` URI.
    pub subject: String,
    /// The public key (`vapidPublicKey`): 65 bytes in base64url.
    pub public_key: String,
    /// The private key (`vapidPrivateKey`): 32 bytes in base64url, or PKCS#8 in PEM.
    pub private_key: Secret,
}

/// A credential that can sign. Clones share the key.
#[derive(Clone)]
pub struct VapidCredential {
    subject: Box<str>,
    public_key: Box<str>,
    key: Arc<EcdsaKeyPair>,
}

impl VapidCredential {
    /// Checks the fields and that the two keys belong together.
    ///
    /// # Errors
    /// `Invalid` names the field that is wrong.
    pub fn parse(fields: &VapidFields) -> Result<Self> {
        let subject = fields.subject.trim();
        if !(subject.starts_with("mailto:") || subject.starts_with("https://")) {
            let problem = "is not a mailto: or https: URI; push services write there when something \
                           is wrong with your messages";
            return Err(invalid("subject", problem));
        }
        let key = key_text::der(fields.private_key.expose()).and_then(|bytes| key_pair(&bytes));
        let key = key.ok_or_else(|| {
            let problem = "cannot be read; it must be the 32 bytes of a P-256 key in base64url, or \
                           its PKCS#8 file";
            invalid("vapidPrivateKey", problem)
        })?;
        let public_key = key_text::from_base64(&fields.public_key).unwrap_or_default();
        if public_key != key.public_key().as_ref() {
            let problem = "does not belong to vapidPrivateKey; browsers that subscribed with it could \
                           not be reached. Give both halves of one key pair";
            return Err(invalid("vapidPublicKey", problem));
        }
        Ok(Self {
            subject: subject.into(),
            public_key: key_text::to_base64url(public_key).into(),
            key: Arc::new(key),
        })
    }

    /// The public key as browsers are given it (`applicationServerKey`), in base64url.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// What an operator should know although the credential can be used.
    pub fn warning(&self) -> Option<&'static str> {
        let host = self.subject.rsplit(['@', '/']).next().unwrap_or_default();
        let unusable = host.eq_ignore_ascii_case("localhost") || !host.contains('.');
        unusable.then_some(
            "Apple's push service refuses VAPID subjects whose domain does not exist, such as \
             localhost; Safari would not be reached",
        )
    }

    /// The value of `authorization` for the push service of `origin` (scheme, host, port).
    pub fn authorization(&self, origin: &str, now: Timestamp) -> HeaderValue {
        let header = json!({ "typ": "JWT", "alg": "ES256" });
        let exp = (now + TOKEN_LIFE).as_secs();
        let claims = json!({ "aud": origin, "exp": exp, "sub": self.subject });
        let token = jws::sign_es256(&self.key, &header, &claims);
        let text = format!("vapid t={token}, k={}", self.public_key);
        let mut value = HeaderValue::try_from(text).expect("base64url is ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for VapidCredential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VapidCredential({}, {})", self.subject, self.public_key)
    }
}

fn key_pair(bytes: &[u8]) -> Option<EcdsaKeyPair> {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    if bytes.len() != 32 {
        return EcdsaKeyPair::from_pkcs8(algorithm, bytes).ok();
    }
    let public = PrivateKey::from_private_key(&ECDH_P256, bytes).ok()?.compute_public_key().ok()?;
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, bytes, public.as_ref()).ok()
}

/// The audience of an endpoint: its scheme, host, and port if it is not the usual one (RFC 6454).
pub fn origin(endpoint: &Uri) -> Option<String> {
    let (scheme, host) = (endpoint.scheme_str()?, endpoint.host()?);
    let usual = if scheme == "https" { 443 } else { 80 };
    let host = host.to_ascii_lowercase();
    Some(match endpoint.port_u16().filter(|port| *port != usual) {
        None => format!("{scheme}://{host}"),
        Some(port) => format!("{scheme}://{host}:{port}"),
    })
}

fn invalid(field: &'static str, problem: &str) -> Error {
    let message = format!("The web push credential cannot be used: {field} {problem}.");
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(field)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::push::jws::{Algorithm, Jws};

    /// A fresh key pair as tools for VAPID print it.
    pub(in crate::push::webpush) fn fields() -> VapidFields {
        use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private: EcPrivateKeyBin<'_> = key.private_key().as_be_bytes().unwrap();
        VapidFields {
            subject: "mailto:ops@example.com".to_owned(),
            public_key: key_text::to_base64url(key.public_key()),
            private_key: Secret::new(key_text::to_base64url(private.as_ref())),
        }
    }

    #[test]
    fn a_key_pair_is_read_in_its_usual_forms() {
        let fields = fields();
        let credential = VapidCredential::parse(&fields).unwrap();
        assert_eq!(credential.public_key(), fields.public_key);
        let pem = credential.key.to_pkcs8v1().unwrap();
        let pem = Secret::new(key_text::to_pem("PRIVATE KEY", pem.as_ref()));
        let from_pem = VapidCredential::parse(&VapidFields { private_key: pem, ..fields }).unwrap();
        assert_eq!(from_pem.public_key(), credential.public_key());
        assert_eq!(credential.warning(), None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let (good, other) = (fields(), fields());
        for (fields, target) in [
            (VapidFields { subject: "ops@example.com".to_owned(), ..good.clone() }, "subject"),
            (VapidFields { public_key: other.public_key, ..good.clone() }, "vapidPublicKey"),
            (VapidFields { public_key: String::new(), ..good.clone() }, "vapidPublicKey"),
            (VapidFields { private_key: Secret::new("AAAA"), ..good }, "vapidPrivateKey"),
        ] {
            let error = VapidCredential::parse(&fields).unwrap_err();
            assert_eq!(error.target_name(), Some(target), "{error}");
        }
    }

    #[test]
    fn a_subject_that_apple_refuses_is_warned_about() {
        for subject in ["mailto:x@localhost", "https://localhost"] {
            let fields = VapidFields { subject: subject.to_owned(), ..fields() };
            assert!(VapidCredential::parse(&fields).unwrap().warning().is_some(), "{subject}");
        }
    }

    #[test]
    fn the_token_names_origin_subject_and_twelve_hours_and_is_signed() {
        let credential = VapidCredential::parse(&fields()).unwrap();
        let now = Timestamp::from_secs(1_700_000_000);
        let header = credential.authorization("https://push.example.net", now);
        let text = header.to_str().unwrap().strip_prefix("vapid t=").unwrap();
        let (token, key) = text.split_once(", k=").unwrap();
        let jws = Jws::parse(token).unwrap();
        let claims = json!({
            "aud": "https://push.example.net",
            "exp": 1_700_043_200,
            "sub": "mailto:ops@example.com"
        });
        assert_eq!((&jws.claims, key), (&claims, credential.public_key()));
        assert!(jws.is_signed_by(Algorithm::Es256, &key_text::from_base64(key).unwrap()));
    }

    #[test]
    fn an_origin_leaves_the_usual_port_out() {
        for (endpoint, expected) in [
            ("https://Push.example.net/a/b?c", "https://push.example.net"),
            ("https://push.example.net:443/", "https://push.example.net"),
            ("https://localhost:8443/x", "https://localhost:8443"),
        ] {
            assert_eq!(origin(&endpoint.parse().unwrap()).as_deref(), Some(expected));
        }
        assert_eq!(origin(&"/x".parse().unwrap()), None);
    }
}
