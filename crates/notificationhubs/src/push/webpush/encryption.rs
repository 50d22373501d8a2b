//! A payload that only the browser can read: RFC 8291 over the content coding `aes128gcm` (RFC 8188).
//!
//! One record a message. Sender and receiver derive the same key from an agreement on P-256, the
//! secret of the subscription and a salt; the body begins with salt, record size and the sender's
//! public key.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hmac;

const SALT: usize = 16;
const POINT: usize = 65;
const TAG: usize = 16;
const RECORD_SIZE: u32 = 4096;
/// Salt, record size, length of the key id, key id.
const HEADER: usize = SALT + 4 + 1 + POINT;
/// What ends the plaintext of the last record.
const LAST_RECORD: u8 = 2;
/// The largest payload that fits into a body of 4096 bytes, the least that push services take.
pub const PAYLOAD_BYTES: usize = RECORD_SIZE as usize - HEADER - 1 - TAG;

/// Why a body cannot be read; also what an encryption fails with when a key is no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// Shorter than its header, a record of another size, or several records.
    #[error("the body is not one record of aes128gcm with a P-256 key as its key id")]
    Form,
    /// A public key is no point of the curve.
    #[error("a public key is no point of P-256")]
    Key,
    /// The tag does not match: other keys, or a body that was changed.
    #[error("the body does not decrypt with the keys of the subscription")]
    Tag,
    /// The decrypted record does not end as the last one has to.
    #[error("the decrypted record has no valid padding")]
    Padding,
    /// More than [`PAYLOAD_BYTES`].
    #[error("the payload is larger than a push service has to take")]
    Size,
}

/// Encrypts `payload` for the browser with `public_key` and `auth`. `own` must be fresh for each
/// message, and so must `salt`.
///
/// # Errors
/// [`EncryptionError::Size`], and [`EncryptionError::Key`] for a key that was not checked.
pub fn encrypt(
    payload: &[u8],
    public_key: &[u8; POINT],
    auth: &[u8; 16],
    own: &PrivateKey,
    salt: [u8; SALT],
) -> Result<Vec<u8>, EncryptionError> {
    if payload.len() > PAYLOAD_BYTES {
        return Err(EncryptionError::Size);
    }
    let own_public = own.compute_public_key().map_err(|_| EncryptionError::Key)?;
    let parties = Parties { receiver: public_key, sender: own_public.as_ref() };
    let (key, nonce) = derive(own, public_key, &parties, auth, &salt)?;
    let mut body = Vec::with_capacity(HEADER + payload.len() + 1 + TAG);
    body.extend_from_slice(&salt);
    body.extend_from_slice(&RECORD_SIZE.to_be_bytes());
    body.push(POINT as u8);
    body.extend_from_slice(own_public.as_ref());
    body.extend_from_slice(payload);
    body.push(LAST_RECORD);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::empty(), &mut body[HEADER..])
        .map_err(|_| EncryptionError::Size)?;
    body.extend_from_slice(tag.as_ref());
    Ok(body)
}

/// Decrypts a body for the browser that has `own` and `auth`.
///
/// # Errors
/// [`EncryptionError`] says what is wrong with it.
pub fn decrypt(body: &[u8], own: &PrivateKey, auth: &[u8; 16]) -> Result<Vec<u8>, EncryptionError> {
    let (header, record) = body.split_at_checked(HEADER).ok_or(EncryptionError::Form)?;
    let (salt, rest) = header.split_at(SALT);
    let size = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
    if usize::from(rest[4]) != POINT || record.len() <= TAG || record.len() > size as usize {
        return Err(EncryptionError::Form);
    }
    let sender = &rest[5..];
    let own_public = own.compute_public_key().map_err(|_| EncryptionError::Key)?;
    let parties = Parties { receiver: own_public.as_ref(), sender };
    let (key, nonce) = derive(own, sender, &parties, auth, salt)?;
    let mut record = record.to_vec();
    let opened = key.open_in_place(nonce, Aad::empty(), &mut record);
    let plain = opened.map_err(|_| EncryptionError::Tag)?;
    let end = plain.iter().rposition(|byte| *byte != 0).ok_or(EncryptionError::Padding)?;
    if plain[end] != LAST_RECORD {
        return Err(EncryptionError::Padding);
    }
    Ok(plain[..end].to_vec())
}

/// Both public keys, in the order of the derivation.
struct Parties<'a> {
    receiver: &'a [u8],
    sender: &'a [u8],
}

fn derive(
    own: &PrivateKey,
    peer: &[u8],
    parties: &Parties<'_>,
    auth: &[u8; 16],
    salt: &[u8],
) -> Result<(LessSafeKey, Nonce), EncryptionError> {
    let peer = UnparsedPublicKey::new(&ECDH_P256, peer);
    let input = agree(own, peer, EncryptionError::Key, |shared| {
        let extracted = mac(auth, &[shared]);
        Ok(mac(extracted.as_ref(), &[b"WebPush: info\0", parties.receiver, parties.sender, &[1]]))
    })?;
    let extracted = mac(salt, &[input.as_ref()]);
    let key = mac(extracted.as_ref(), &[b"Content-Encoding: aes128gcm\0", &[1]]);
    let nonce = mac(extracted.as_ref(), &[b"Content-Encoding: nonce\0", &[1]]);
    let key =
        UnboundKey::new(&AES_128_GCM, &key.as_ref()[..16]).map_err(|_| EncryptionError::Key)?;
    let nonce = Nonce::try_assume_unique_for_key(&nonce.as_ref()[..12]);
    Ok((LessSafeKey::new(key), nonce.map_err(|_| EncryptionError::Key)?))
}

fn mac(key: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::subscription::tests::{AUTH, P256DH};
    use super::*;
    use crate::push::key_text::{from_base64, to_base64url};

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        from_base64(text).unwrap().try_into().unwrap()
    }

    fn private(text: &str) -> PrivateKey {
        PrivateKey::from_private_key(&ECDH_P256, &from_base64(text).unwrap()).unwrap()
    }

    /// The example of RFC 8291 section 5 and appendix A.
    const SENDER: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    const RECEIVER: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    const BODY: &str = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
    const PLAIN: &[u8] = b"When I grow up, I want to be a watermelon";

    #[test]
    fn the_example_of_the_standard_is_encrypted_byte_for_byte() {
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw");
        let body = encrypt(PLAIN, &bytes(P256DH), &bytes(AUTH), &private(SENDER), salt).unwrap();
        assert_eq!(to_base64url(&body), BODY);
    }

    #[test]
    fn the_example_of_the_standard_is_decrypted() {
        let body = from_base64(BODY).unwrap();
        assert_eq!(decrypt(&body, &private(RECEIVER), &bytes(AUTH)).unwrap(), PLAIN);
    }

    #[test]
    fn the_largest_payload_makes_a_body_of_4096_bytes() {
        let encrypt = |size: usize| {
            let payload = vec![7; size];
            encrypt(&payload, &bytes(P256DH), &bytes(AUTH), &private(SENDER), [1; 16])
        };
        assert_eq!(PAYLOAD_BYTES, 3993);
        assert_eq!(encrypt(PAYLOAD_BYTES).unwrap().len(), 4096);
        assert_eq!(encrypt(PAYLOAD_BYTES + 1), Err(EncryptionError::Size));
    }

    #[test]
    fn a_body_for_somebody_else_does_not_open() {
        let body = from_base64(BODY).unwrap();
        let (receiver, auth) = (private(RECEIVER), bytes(AUTH));
        assert_eq!(decrypt(&body, &private(SENDER), &auth), Err(EncryptionError::Tag));
        assert_eq!(decrypt(&body, &receiver, &[0; 16]), Err(EncryptionError::Tag));
        let mut changed = body.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(decrypt(&changed, &receiver, &auth), Err(EncryptionError::Tag));
        assert_eq!(decrypt(&body[..100], &receiver, &auth), Err(EncryptionError::Form));
    }

    proptest! {
        #[test]
        fn what_is_encrypted_decrypts(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            salt in any::<[u8; 16]>(),
        ) {
            let auth = bytes(AUTH);
            let body = encrypt(&payload, &bytes(P256DH), &auth, &private(SENDER), salt).unwrap();
            prop_assert_eq!(decrypt(&body, &private(RECEIVER), &auth).unwrap(), payload);
        }

        #[test]
        fn no_body_is_too_odd_to_be_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decrypt(&body, &private(RECEIVER), &[0; 16]).is_err());
        }
    }
}
