//! The keys that the fake services issue, as Apple and Google would, and those that they accept.
//!
//! An account is written with the names that a hub's credential has, so that it can be put into one as
//! it is.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair};
use kernel::{Result, Secret};
use serde::{Deserialize, Serialize};

use crate::push::apns::{ApnsCredential, ApnsFields};
use crate::push::fcm::{FcmCredential, FcmEndpoints, FcmFields};
use crate::push::key_text;

/// A token signing key of Apple's, with its team and app.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApnsAccount {
    /// The id of the key.
    pub key_id: String,
    /// The id of the team.
    pub app_id: String,
    /// The bundle id of the app.
    pub app_name: String,
    /// The key as a `.p8` file.
    pub token: String,
}

/// A service account of Google's, with its project.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FcmAccount {
    /// Its address.
    pub client_email: String,
    /// Its key in PEM.
    pub private_key: String,
    /// The project.
    pub project_id: String,
}

/// A VAPID key pair.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BrowserAccount {
    /// Whom a push service may write to.
    pub subject: String,
    /// The public half.
    pub vapid_public_key: String,
    /// The private half.
    pub vapid_private_key: String,
}

/// One account of each kind. Serialised, it holds private keys: of services that reach nobody, yet
/// it is for the developer's own folder.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Accounts {
    /// Apple's.
    pub apns: ApnsAccount,
    /// Google's.
    pub fcm_v1: FcmAccount,
    /// The browsers'.
    pub browser: BrowserAccount,
}

impl Accounts {
    /// Fresh keys. Takes a moment, for the RSA key.
    pub fn generate() -> Self {
        let ec = || {
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .expect("the system's random source works")
        };
        let p8 = ec().to_pkcs8v1().expect("a P-256 key has a PKCS#8 form");
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("the system's random source works");
        let rsa: Pkcs8V1Der<'_> = rsa.as_der().expect("an RSA key has a PKCS#8 form");
        let vapid = ec();
        let private: EcPrivateKeyBin<'_> =
            vapid.private_key().as_be_bytes().expect("a P-256 key has 32 bytes");
        Self {
            apns: ApnsAccount {
                key_id: "FAKEKEY001".to_owned(),
                app_id: "FAKETEAM01".to_owned(),
                app_name: "com.example.app".to_owned(),
                token: key_text::to_pem("PRIVATE KEY", p8.as_ref()),
            },
            fcm_v1: FcmAccount {
                client_email: "tidings@fake-project.iam.gserviceaccount.com".to_owned(),
                private_key: key_text::to_pem("PRIVATE KEY", rsa.as_ref()),
                project_id: "fake-project".to_owned(),
            },
            browser: BrowserAccount {
                subject: "mailto:developer@example.com".to_owned(),
                vapid_public_key: key_text::to_base64url(vapid.public_key()),
                vapid_private_key: key_text::to_base64url(private.as_ref()),
            },
        }
    }
}

impl ApnsAccount {
    /// The fields of a hub's credential, for the service at `endpoint`.
    pub fn fields(&self, endpoint: &str) -> ApnsFields {
        ApnsFields {
            endpoint: endpoint.to_owned(),
            key_id: self.key_id.clone(),
            app_name: self.app_name.clone(),
            app_id: self.app_id.clone(),
            token: Some(Secret::new(&*self.token)),
            has_certificate: false,
        }
    }
}

impl FcmAccount {
    /// The fields of a hub's credential.
    pub fn fields(&self) -> FcmFields {
        FcmFields {
            client_email: self.client_email.clone(),
            private_key: Secret::new(&*self.private_key),
            project_id: self.project_id.clone(),
        }
    }
}

/// What Apple knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApnsKey {
    /// Its public half, an uncompressed point.
    pub public_key: Box<[u8]>,
    /// The bundle id of the app that it may send to.
    pub bundle_id: Box<str>,
}

/// What Google knows of a service account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FcmKey {
    /// The public half of its key, PKCS#1 DER.
    pub public_key: Box<[u8]>,
    /// The project that it may send for.
    pub project_id: Box<str>,
}

/// The id of a team, and that of a key.
type TeamAndKey = (Box<str>, Box<str>);

/// The keys that are accepted.
#[derive(Debug, Default)]
pub struct Trusted {
    apns: Mutex<HashMap<TeamAndKey, ApnsKey>>,
    /// By address.
    fcm: Mutex<HashMap<Box<str>, FcmKey>>,
}

impl Trusted {
    /// The keys of `accounts`.
    ///
    /// # Errors
    /// The account whose key cannot be read.
    pub fn of(accounts: &Accounts) -> Result<Self> {
        let trusted = Self::default();
        trusted.apns(&accounts.apns)?;
        trusted.fcm(&accounts.fcm_v1)?;
        Ok(trusted)
    }

    /// Accepts the key of an account from now on, in place of one with the same ids.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn apns(&self, account: &ApnsAccount) -> Result<()> {
        let credential = ApnsCredential::parse(&account.fields(""))?;
        let key = ApnsKey {
            public_key: credential.public_key().into(),
            bundle_id: credential.bundle_id().into(),
        };
        let ids = (account.app_id.as_str().into(), account.key_id.as_str().into());
        lock(&self.apns).insert(ids, key);
        Ok(())
    }

    /// Accepts the key of a service account from now on, in place of its former one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn fcm(&self, account: &FcmAccount) -> Result<()> {
        let credential = FcmCredential::parse(&account.fields(), FcmEndpoints::default())?;
        let key = FcmKey {
            public_key: credential.public_key().into(),
            project_id: credential.project_id().into(),
        };
        lock(&self.fcm).insert(account.client_email.as_str().into(), key);
        Ok(())
    }

    /// The key of a team.
    pub(super) fn apns_key(&self, team_id: &str, key_id: &str) -> Option<ApnsKey> {
        lock(&self.apns).get(&(team_id.into(), key_id.into())).cloned()
    }

    /// The key of a service account.
    pub(super) fn fcm_key(&self, client_email: &str) -> Option<FcmKey> {
        lock(&self.fcm).get(client_email).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each holder changes the map in a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_survive_being_written_down_and_are_accepted() {
        let accounts = Accounts::generate();
        let text = serde_json::to_string(&accounts).unwrap();
        let read: Accounts = serde_json::from_str(&text).unwrap();
        let trusted = Trusted::of(&read).unwrap();
        assert!(trusted.apns_key("FAKETEAM01", "FAKEKEY001").is_some());
        assert!(trusted.apns_key("FAKETEAM01", "OTHER").is_none());
        let email = &accounts.fcm_v1.client_email;
        assert_eq!(&*trusted.fcm_key(email).unwrap().project_id, "fake-project");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_named() {
        let mut accounts = Accounts::generate();
        accounts.apns.token = "AAAA".to_owned();
        assert_eq!(Trusted::of(&accounts).unwrap_err().target_name(), Some("token"));
    }
}
