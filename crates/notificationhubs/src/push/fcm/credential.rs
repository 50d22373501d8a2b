//! The credential of a hub for Google: a service account and its project.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use axum::http::Uri;
use kernel::{Error, ErrorKind, Result, Secret};

use crate::push::key_text;

/// The fields of a hub's `fcmV1Credential`, as they were set.
#[derive(Clone, Debug)]
pub struct FcmFields {
    /// The service account (`clientEmail`).
    pub client_email: String,
    /// Its private key in PEM (`privateKey`).
    pub private_key: Secret,
    /// The project (`projectId`).
    pub project_id: String,
}

/// Where Google is. From the configuration alone, never from what a caller sends: the assertion that
/// goes there is worth an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FcmEndpoints {
    /// Before `/v1/projects/…`.
    pub send: Uri,
    /// Where assertions are traded for access tokens; also their audience.
    pub token: Uri,
}

impl Default for FcmEndpoints {
    fn default() -> Self {
        Self {
            send: Uri::from_static("https://fcm.googleapis.com"),
            token: Uri::from_static("https://oauth2.googleapis.com/token"),
        }
    }
}

/// A credential that can sign. Clones share the key.
#[derive(Clone)]
pub struct FcmCredential {
    pub(super) client_email: Box<str>,
    pub(super) project_id: Box<str>,
    pub(super) endpoints: FcmEndpoints,
    pub(super) key: Arc<RsaKeyPair>,
}

impl FcmCredential {
    /// Checks the fields and reads the key.
    ///
    /// # Errors
    /// `Invalid` names the field that is wrong.
    pub fn parse(fields: &FcmFields, endpoints: FcmEndpoints) -> Result<Self> {
        let email = fields.client_email.trim();
        if !email.contains('@') {
            let problem = "is not the address of a service account (client_email of its JSON file)";
            return Err(invalid("clientEmail", problem));
        }
        let project = fields.project_id.trim();
        let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | ':' | '.' | '_');
        if project.is_empty() || !project.chars().all(plain) {
            let problem =
                "is not the id of a project (project_id of the service account's JSON file)";
            return Err(invalid("projectId", problem));
        }
        let key = key_text::der(fields.private_key.expose())
            .and_then(|der| RsaKeyPair::from_pkcs8(&der).ok())
            .filter(|key| key.public_modulus_len() >= 256);
        let key = key.ok_or_else(|| {
            let problem = "cannot be read; it must be the private_key of the service account's JSON \
                           file (an RSA key in PKCS#8)";
            invalid("privateKey", problem)
        })?;
        Ok(Self {
            client_email: email.into(),
            project_id: project.into(),
            endpoints,
            key: Arc::new(key),
        })
    }

    /// The project.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// Where Google is.
    pub fn endpoints(&self) -> &FcmEndpoints {
        &self.endpoints
    }

    /// The public half of the key, as PKCS#1 DER.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// Where messages go.
    pub(super) fn send_url(&self) -> String {
        let base = self.endpoints.send.to_string();
        format!("{}/v1/projects/{}/messages:send", base.trim_end_matches('/'), self.project_id)
    }
}

impl fmt::Debug for FcmCredential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "FcmCredential({}, project {})", self.client_email, self.project_id)
    }
}

fn invalid(field: &'static str, problem: &str) -> Error {
    let message = format!("The FCM credential cannot be used: {field} {problem}.");
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(field)
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;

    use super::*;

    pub(in crate::push::fcm) fn fields() -> FcmFields {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = key.as_der().unwrap();
        FcmFields {
            client_email: "push@project.iam.gserviceaccount.com".to_owned(),
            private_key: Secret::new(key_text::to_pem("PRIVATE KEY", der.as_ref())),
            project_id: "my-project".to_owned(),
        }
    }

    #[test]
    fn a_service_account_is_read_and_never_printed() {
        let fields = fields();
        let escaped = Secret::new(fields.private_key.expose().replace('\n', "\\n"));
        let escaped = FcmFields { private_key: escaped, ..fields.clone() };
        for fields in [&fields, &escaped] {
            let credential = FcmCredential::parse(fields, FcmEndpoints::default()).unwrap();
            assert_eq!(
                credential.send_url(),
                "https://fcm.googleapis.com/v1/projects/my-project/messages:send"
            );
            assert!(!format!("{credential:?} {fields:?}").contains("BEGIN"));
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let good = fields();
        let parse =
            |fields: &FcmFields| FcmCredential::parse(fields, FcmEndpoints::default()).unwrap_err();
        for (fields, target) in [
            (FcmFields { client_email: "me".to_owned(), ..good.clone() }, "clientEmail"),
            (FcmFields { project_id: "a/b".to_owned(), ..good.clone() }, "projectId"),
            (FcmFields { private_key: Secret::new("AAAA"), ..good }, "privateKey"),
        ] {
            assert_eq!(parse(&fields).target_name(), Some(target));
        }
    }
}
