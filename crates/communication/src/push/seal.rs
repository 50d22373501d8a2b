//! The encryption that native clients ask for when they register. Pure.
//!
//! ```text
//! e = base64( 0x70 | IV (16) | AES-256-CBC-PKCS7(aesKey, text) | HMAC-SHA256(SHA-256(authKey), all before) )
//! ```

use std::fmt;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The one method there is: AES-256 in CBC mode, authenticated.
const METHOD: u8 = 0x70;
/// How a registration names it.
pub(crate) const METHOD_NAME: &str = "0x70";
const KEY_BYTES: usize = 32;
/// What encryption adds before base64: method, IV, at most a block of padding, MAC.
const OVERHEAD: usize = 1 + 16 + 16 + 32;

/// The keys of a device.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct ContentKeys {
    aes: [u8; KEY_BYTES],
    auth: Vec<u8>,
}

impl ContentKeys {
    /// From base64; `None` when they are no keys.
    pub(crate) fn parse(aes: &str, auth: &str) -> Option<Self> {
        let aes = STANDARD.decode(aes).ok()?.try_into().ok()?;
        let auth = STANDARD.decode(auth).ok().filter(|key| (1..=64).contains(&key.len()))?;
        Some(Self { aes, auth })
    }

    /// Encrypts with a random IV.
    pub(crate) fn seal(&self, text: &[u8]) -> String {
        let mut iv = [0; 16];
        aws_lc_rs::rand::fill(&mut iv).expect("the system's random source answers");
        self.seal_with(text, iv)
    }

    fn seal_with(&self, text: &[u8], iv: [u8; 16]) -> String {
        let key = UnboundCipherKey::new(&AES_256, &self.aes).expect("the key has 32 bytes");
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).expect("AES-256 has a CBC mode");
        let mut body = text.to_vec();
        key.less_safe_encrypt(&mut body, EncryptionContext::Iv128(FixedLength::from(iv)))
            .expect("padding makes every length fit");
        let mut sealed = vec![METHOD];
        sealed.extend_from_slice(&iv);
        sealed.extend_from_slice(&body);
        let mac_key = digest(&SHA256, &self.auth);
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, mac_key.as_ref()), &sealed);
        sealed.extend_from_slice(mac.as_ref());
        STANDARD.encode(sealed)
    }
}

/// How long a text may be that is to have at most `limit` characters when it is sealed.
pub(crate) const fn room(limit: usize) -> usize {
    (limit / 4 * 3).saturating_sub(OVERHEAD)
}

impl fmt::Debug for ContentKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ContentKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 0 to 31, 32 to 63, and 64 to 79; computed with Python's `cryptography` and `hmac`.
    #[test]
    fn it_is_what_another_implementation_computes() {
        let aes = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let auth = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
        let keys = ContentKeys::parse(aes, auth).unwrap();
        let iv: Vec<u8> = (64..80).collect();
        let text = "{\"messageBody\":\"hello ☃\"}";
        assert_eq!(keys.seal_with(text.as_bytes(), iv.try_into().unwrap()), VECTOR);
    }

    const VECTOR: &str = "cEBBQkNERUZHSElKS0xNTk/sBRLknypChXv/uOkJPcFW7FBVGyJtdddWZj5wQVKPkw3ezshISA/pSZrgziz2e6IlOXp3FjuDKzd4jasVZNGs";

    #[test]
    fn what_has_room_fits_and_no_two_are_alike() {
        let keys = ContentKeys { aes: [1; 32], auth: vec![2; 32] };
        for limit in [100, 1000, 3000] {
            let sealed = keys.seal(&vec![b'x'; room(limit)]);
            assert!(sealed.len() <= limit, "{} of {limit}", sealed.len());
        }
        assert_ne!(keys.seal(b"a"), keys.seal(b"a"));
    }

    #[test]
    fn other_lengths_are_no_keys() {
        let key = STANDARD.encode([0; 32]);
        assert!(ContentKeys::parse(&key, &key).is_some());
        for (aes, auth) in [("AAAA", &*key), (&*key, ""), ("*", "*")] {
            assert_eq!(ContentKeys::parse(aes, auth), None);
        }
    }
}
