//! The keys that sign user access tokens: made here, sealed in the store, replaced in time.
//!
//! The newest key signs. A replaced one goes on verifying for as long as a token of it can live, then
//! it is deleted. Public keys are published as a JSON Web Key Set, so that other programs can verify
//! tokens, too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::{Value, json};
use storage::{Db, MasterKey, Row, vals};
use uuid::Uuid;

use super::MAX_LIFETIME;

/// How long a key signs before the next one takes over.
const ROTATE_AFTER: Duration = Duration::from_hours(30 * 24);
/// How long a replaced key goes on verifying: the longest life of a token, and an hour for nodes that
/// learn late of the replacement.
const KEEP_FOR: Duration = MAX_LIFETIME.saturating_add(Duration::from_hours(1));

/// How often an unknown key is looked for.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A key pair of the curve P-256.
pub(crate) struct SigningKey {
    kid: String,
    made: Timestamp,
    pkcs8: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    pub(crate) fn generate(now: Timestamp) -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("the system's random source answers");
        Self::of(Uuid::new_v4().to_string(), now, document.as_ref().to_vec())
            .expect("a key that was just made can be read")
    }

    fn of(kid: String, made: Timestamp, pkcs8: Vec<u8>) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).ok()?;
        Some(Self { kid, made, pkcs8, pair })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key: an uncompressed point, 65 bytes.
    pub(crate) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        signature.expect("the system's random source answers").as_ref().to_vec()
    }

    fn to_jwk(&self) -> Value {
        let (x, y) = self.point()[1..].split_at(32);
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}

/// The keys in force, newest first. Reading takes no lock.
pub(crate) struct SigningKeys {
    db: Db,
    master: Arc<MasterKey>,
    keys: ArcSwap<Vec<SigningKey>>,
    /// When the store was last asked for an unknown key.
    asked: Mutex<Option<Timestamp>>,
}

impl SigningKeys {
    /// Reads the keys, and makes the first one.
    ///
    /// # Errors
    /// When the store fails, or a key was sealed with another master key.
    pub(crate) async fn open(db: Db, master: Arc<MasterKey>, now: Timestamp) -> Result<Self> {
        let keys = Self { db, master, keys: ArcSwap::default(), asked: Mutex::default() };
        keys.refresh(now).await?;
        Ok(keys)
    }

    /// Takes over keys that another process has made, makes a new one when the newest is old, and
    /// forgets those that no token can need. To be called every few minutes.
    ///
    /// # Errors
    /// When the store fails; the keys in force stay.
    pub(crate) async fn refresh(&self, now: Timestamp) -> Result<()> {
        let mut keys = self.load().await?;
        if keys.first().is_none_or(|newest| now.since(newest.made) >= ROTATE_AFTER) {
            self.store(&SigningKey::generate(now)).await?;
            keys = self.load().await?;
        }
        // A key is replaced when the next one is made.
        let mut replaced_at = None;
        let mut kept = Vec::with_capacity(keys.len());
        for key in keys {
            let made = key.made;
            if replaced_at.is_some_and(|at| now.since(at) > KEEP_FOR) {
                let sql = "DELETE FROM signing_keys WHERE kid = $1";
                self.db.execute(sql, vals![key.kid]).await?;
            } else {
                kept.push(key);
            }
            replaced_at = Some(made);
        }
        self.keys.store(Arc::new(kept));
        Ok(())
    }

    /// Looks for keys that another process has made since, and says whether it looked: tokens can name
    /// any key, so the store is asked once a second at most.
    ///
    /// # Errors
    /// As [`SigningKeys::refresh`].
    pub(crate) async fn look_for_new(&self, now: Timestamp) -> Result<bool> {
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_some_and(|asked| now.since(asked) < LOOK_AGAIN_AFTER) {
                return Ok(false);
            }
            *asked = Some(now);
        }
        self.refresh(now).await.map(|()| true)
    }

    /// Calls `sign` with the key that signs now.
    pub(crate) fn with_newest<T>(&self, sign: impl FnOnce(&SigningKey) -> T) -> Result<T> {
        let keys = self.keys.load();
        let newest = keys.first().ok_or_else(|| {
            let message = "The server has no key to sign tokens with. The log has the reason.";
            Error::new(ErrorKind::Internal, "InternalServerError", message)
        })?;
        Ok(sign(newest))
    }

    /// The public key with this id.
    pub(crate) fn point(&self, kid: &str) -> Option<Vec<u8>> {
        let keys = self.keys.load();
        keys.iter().find(|key| key.kid == kid).map(|key| key.point().to_vec())
    }

    /// The JSON Web Key Set.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": self.keys.load().iter().map(SigningKey::to_jwk).collect::<Vec<_>>() })
    }

    async fn store(&self, key: &SigningKey) -> Result<()> {
        let sealed = URL_SAFE_NO_PAD.encode(self.master.seal(&key.pkcs8, &place(&key.kid)));
        let sql = "INSERT INTO signing_keys (kid, made_at, sealed) VALUES ($1, $2, $3)";
        self.db.execute(sql, vals![key.kid.clone(), key.made, sealed]).await?;
        Ok(())
    }

    async fn load(&self) -> Result<Vec<SigningKey>> {
        let sql = "SELECT kid, made_at, sealed FROM signing_keys ORDER BY made_at DESC, kid";
        let rows = self.db.query(sql, []).await?;
        rows.iter().map(|row| self.open_key(row)).collect()
    }

    fn open_key(&self, row: &Row) -> Result<SigningKey> {
        let (kid, made, sealed): (String, _, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let damaged = || {
            let message = "The server cannot read a key that signs tokens. The log has the reason.";
            Error::new(ErrorKind::Internal, "InternalServerError", message)
                .context(format!("the signing key {kid} is damaged"))
        };
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| damaged())?;
        let pkcs8 = self.master.open(&sealed, &place(&kid))?;
        SigningKey::of(kid.clone(), made, pkcs8).ok_or_else(damaged)
    }
}

fn place(kid: &str) -> String {
    format!("communication/signing/{kid}")
}

#[cfg(test)]
mod tests {
    use storage::testing::TestDb;

    use super::*;
    use crate::store::MIGRATIONS;

    storage::conformance!(
        a_restart_keeps_the_key_and_the_store_does_not_show_it,
        a_key_is_replaced_and_verifies_until_its_last_token_is_gone,
        two_processes_end_up_with_each_others_keys,
        a_key_of_another_process_is_found_when_it_is_asked_for,
    );

    const DAY: Duration = Duration::from_hours(24);

    async fn keys(db: &Db, now: Timestamp) -> SigningKeys {
        db.migrate("communication", MIGRATIONS).await.unwrap();
        let master = Arc::new(MasterKey::from_bytes(&[7; 32]));
        SigningKeys::open(db.clone(), master, now).await.unwrap()
    }

    async fn a_restart_keeps_the_key_and_the_store_does_not_show_it(db: TestDb) {
        let now = Timestamp::from_secs(1_700_000_000);
        let first = keys(&db, now).await.jwks();
        assert_eq!(keys(&db, now + DAY).await.jwks(), first);
        let other = Arc::new(MasterKey::from_bytes(&[8; 32]));
        assert!(SigningKeys::open(Db::clone(&db), other, now).await.is_err());
    }

    async fn a_key_is_replaced_and_verifies_until_its_last_token_is_gone(db: TestDb) {
        let made = Timestamp::from_secs(1_700_000_000);
        let keys = keys(&db, made).await;
        let old = keys.with_newest(|key| key.kid().to_owned()).unwrap();

        let replaced = made + ROTATE_AFTER;
        keys.refresh(replaced).await.unwrap();
        assert_ne!(keys.with_newest(|key| key.kid().to_owned()).unwrap(), old);
        assert!(keys.point(&old).is_some());
        keys.refresh(replaced + MAX_LIFETIME).await.unwrap();
        assert!(keys.point(&old).is_some());
        keys.refresh(replaced + KEEP_FOR + Duration::from_secs(1)).await.unwrap();
        assert!(keys.point(&old).is_none());
        assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 1);
    }

    async fn two_processes_end_up_with_each_others_keys(db: TestDb) {
        let now = Timestamp::from_secs(1_700_000_000);
        let (one, two) = (keys(&db, now).await, keys(&db, now).await);
        assert_eq!(one.jwks(), two.jwks());
        one.refresh(now + ROTATE_AFTER).await.unwrap();
        two.refresh(now + ROTATE_AFTER).await.unwrap();
        assert_eq!(one.jwks(), two.jwks());
    }

    async fn a_key_of_another_process_is_found_when_it_is_asked_for(db: TestDb) {
        let now = Timestamp::from_secs(1_700_000_000);
        let (one, two) = (keys(&db, now).await, keys(&db, now).await);
        let later = now + ROTATE_AFTER;
        two.refresh(later).await.unwrap();
        let kid = two.with_newest(|key| key.kid().to_owned()).unwrap();
        assert_eq!(one.point(&kid), None);
        assert!(one.look_for_new(later).await.unwrap());
        assert_eq!(one.point(&kid), two.point(&kid));
        assert!(!one.look_for_new(later + Duration::from_millis(999)).await.unwrap());
        assert!(one.look_for_new(later + Duration::from_secs(1)).await.unwrap());
    }
}
