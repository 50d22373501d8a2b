//! The credential of a hub for Apple: a token signing key with its ids, the app, the environment.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::http::Uri;
use axum::http::uri::Authority;
use kernel::{Error, ErrorKind, Result, Secret};

use crate::push::key_text;

/// Apple's hosts.
const PRODUCTION: &str = "api.push.apple.com";
const SANDBOX: &str = "api.sandbox.push.apple.com";

/// The fields of a hub's `apnsCredential`, as they were set.
#[derive(Clone, Debug, Default)]
pub struct ApnsFields {
    /// The environment: a URL or host of Apple, or the `https` URL of another server that speaks the
    /// same. Empty means production.
    pub endpoint: String,
    /// The id of the signing key, 10 characters.
    pub key_id: String,
    /// The bundle id of the app (`appName`).
    pub app_name: String,
    /// The id of the team (`appId`), 10 characters.
    pub app_id: String,
    /// The `.p8` file, with or without its PEM lines.
    pub token: Option<Secret>,
    /// Whether a certificate was given (`apnsCertificate`).
    pub has_certificate: bool,
}

/// A credential that can sign. Clones share the key.
#[derive(Clone)]
pub struct ApnsCredential {
    pub(super) authority: Authority,
    pub(super) key_id: Box<str>,
    pub(super) team_id: Box<str>,
    pub(super) bundle_id: Box<str>,
    pub(super) key: Arc<EcdsaKeyPair>,
}

impl ApnsCredential {
    /// Checks the fields and reads the key.
    ///
    /// # Errors
    /// `Invalid` names the field that is wrong. Certificates are refused with the reason.
    pub fn parse(fields: &ApnsFields) -> Result<Self> {
        let token = match (&fields.token, fields.has_certificate) {
            (Some(_), true) => {
                return Err(invalid(
                    "token",
                    "is set together with a certificate; set one of them",
                ));
            }
            (None, true) => return Err(certificate_mode()),
            (None, false) => {
                return Err(invalid("token", "is missing; it is the .p8 file of a key"));
            }
            (Some(token), false) => token,
        };
        let filled = |name, value: &str, what| match value.trim() {
            "" => Err(invalid(name, &format!("is empty; it is {what}"))),
            value if value.chars().all(|it| it.is_ascii_graphic()) => Ok(value.into()),
            _ => Err(invalid(name, &format!("has characters that no {what} has"))),
        };
        let key = key_text::der(token.expose())
            .and_then(|der| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok())
            .ok_or_else(|| {
                let problem = "cannot be read; it must be the content of the AuthKey_….p8 file that \
                               Apple issued (an EC P-256 key in PKCS#8)";
                invalid("token", problem)
            })?;
        Ok(Self {
            authority: authority(&fields.endpoint)?,
            key_id: filled("keyId", &fields.key_id, "the id of the key, 10 characters")?,
            team_id: filled("appId", &fields.app_id, "the id of the team, 10 characters")?,
            bundle_id: filled("appName", &fields.app_name, "the bundle id of the app")?,
            key: Arc::new(key),
        })
    }

    /// The bundle id of the app.
    pub fn bundle_id(&self) -> &str {
        &self.bundle_id
    }

    /// Host and port that requests go to.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The public half of the signing key, as an uncompressed point.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }
}

impl fmt::Debug for ApnsCredential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authority, key_id, team_id, bundle_id, .. } = self;
        write!(out, "ApnsCredential({bundle_id}, key {key_id} of team {team_id}, {authority})")
    }
}

/// Where requests go. Hubs name Apple's hosts in many forms, with paths, ports and legacy names; they
/// differ only in whether they say sandbox. Anything else is taken as it is.
fn authority(endpoint: &str) -> Result<Authority> {
    let endpoint = endpoint.trim();
    let known = |host| Ok(Authority::from_static(host));
    let with_scheme =
        if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") };
    if endpoint.is_empty() {
        return known(PRODUCTION);
    }
    let uri: Uri = with_scheme.parse().map_err(|_| invalid("endpoint", "is not a URL"))?;
    let authority = uri.authority().ok_or_else(|| invalid("endpoint", "names no host"))?;
    let host = authority.host().to_ascii_lowercase();
    if host.ends_with(".push.apple.com") {
        let sandbox = host.contains("sandbox") || host.contains("development");
        return known(if sandbox { SANDBOX } else { PRODUCTION });
    }
    if uri.scheme_str() != Some("https") {
        return Err(invalid("endpoint", "must begin with https://; the protocol needs TLS"));
    }
    if authority.as_str().contains('@') {
        return Err(invalid("endpoint", "must not hold a user name or password"));
    }
    Ok(authority.clone())
}

fn certificate_mode() -> Error {
    invalid(
        "apnsCertificate",
        "is not supported: Tidings signs tokens and does not log in with certificates. Create a key \
         for APNs in Apple's developer account (Certificates, Identifiers & Profiles, Keys), and set \
         token, keyId, appId (the team id) and appName (the bundle id) instead; one key serves all \
         apps of a team and does not expire",
    )
}

fn invalid(field: &'static str, problem: &str) -> Error {
    let message = format!("The APNs credential cannot be used: {field} {problem}.");
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(field)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A fresh key as Apple hands it out.
    pub(in crate::push::apns) fn p8() -> Secret {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let der = key.to_pkcs8v1().unwrap();
        Secret::new(key_text::to_pem("PRIVATE KEY", der.as_ref()))
    }

    pub(in crate::push::apns) fn fields(endpoint: &str) -> ApnsFields {
        ApnsFields {
            endpoint: endpoint.to_owned(),
            key_id: "KEY1234567".to_owned(),
            app_name: "com.example.app".to_owned(),
            app_id: "TEAM123456".to_owned(),
            token: Some(p8()),
            has_certificate: false,
        }
    }

    #[test]
    fn every_way_to_write_an_environment_is_understood() {
        for (endpoint, host) in [
            ("", PRODUCTION),
            ("https://api.push.apple.com:443/3/device", PRODUCTION),
            ("gateway.push.apple.com", PRODUCTION),
            ("https://api.development.push.apple.com:443/3/device", SANDBOX),
            ("https://api.sandbox.push.apple.com", SANDBOX),
            ("gateway.sandbox.push.apple.com", SANDBOX),
            ("https://localhost:8444/3/device", "localhost:8444"),
            ("https://push.apple.com.example.org", "push.apple.com.example.org"),
        ] {
            let credential = ApnsCredential::parse(&fields(endpoint)).unwrap();
            assert_eq!(credential.authority().as_str(), host, "{endpoint}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let with = |change: fn(&mut ApnsFields)| {
            let mut fields = fields("");
            change(&mut fields);
            ApnsCredential::parse(&fields).unwrap_err()
        };
        for (error, target, says) in [
            (with(|it| it.key_id.clear()), "keyId", "empty"),
            (with(|it| it.app_id = "a b".to_owned()), "appId", "characters"),
            (with(|it| it.app_name = " ".to_owned()), "appName", "bundle id"),
            (with(|it| it.token = None), "token", ".p8"),
            (with(|it| it.token = Some(Secret::new("AAAA"))), "token", "PKCS#8"),
            (with(|it| it.has_certificate = true), "token", "one of them"),
            (with(|it| it.endpoint = "http://localhost".to_owned()), "endpoint", "https"),
            (with(|it| it.endpoint = "https://".to_owned()), "endpoint", "URL"),
        ] {
            assert_eq!(error.target_name(), Some(target), "{error}");
            assert!(error.message().contains(says), "{error}");
        }
    }

    #[test]
    fn certificates_are_refused_with_the_way_out() {
        let certificate = ApnsFields { has_certificate: true, token: None, ..fields("") };
        let error = ApnsCredential::parse(&certificate).unwrap_err();
        assert!(error.message().contains("Create a key"), "{error}");
    }

    #[test]
    fn a_key_is_read_without_its_pem_lines_and_never_printed() {
        let pem = p8();
        let body: String = pem.expose().lines().filter(|line| !line.starts_with('-')).collect();
        let bare = ApnsFields { token: Some(Secret::new(body.clone())), ..fields("") };
        let credential = ApnsCredential::parse(&bare).unwrap();
        assert!(!format!("{credential:?} {bare:?}").contains(&body[40..60]));
    }
}
