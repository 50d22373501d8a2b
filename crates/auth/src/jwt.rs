//! The outer form of an access token: three base64url parts and an HS256 signature.
//!
//! Nothing here reads claims; [`signed_payload`] gives them out only after the signature held.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use kernel::Secret;
use serde_json::{Map, Value};

use crate::refusal::{Malformed, Part, Refusal};
use crate::{AccessKeys, KeySlot};

/// The decoded payload of a token that one of `keys` signed; `resource` is for the refusal.
pub(crate) fn signed_payload(
    token: &str,
    keys: &AccessKeys,
    resource: &str,
) -> Result<Vec<u8>, Refusal> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        return Err(Refusal::Malformed(Malformed::Parts(parts.len())));
    };
    check_algorithm(&decode(Part::Header, header)?)?;
    let claims = decode(Part::Payload, payload)?;
    decode(Part::Signature, signature)?;

    let message = &token[..token.len() - signature.len() - 1];
    let signed_by = |slot| {
        let key = DecodingKey::from_secret(keys.get(slot).expose().as_bytes());
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256)
            .unwrap_or(false)
    };
    if signed_by(KeySlot::Primary) || signed_by(KeySlot::Secondary) {
        Ok(claims)
    } else {
        Err(Refusal::WrongKey { resource: resource.to_owned() })
    }
}

/// Signs `claims`.
pub(crate) fn sign(key: &Secret, claims: &Map<String, Value>) -> Secret {
    let header = Header::new(Algorithm::HS256);
    let key = EncodingKey::from_secret(key.expose().as_bytes());
    let token = jsonwebtoken::encode(&header, claims, &key);
    Secret::new(token.expect("a JSON object can always be signed with HMAC"))
}

fn decode(part: Part, text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Malformed(Malformed::Base64(part)))
}

/// The header is only looked at to explain; the algorithm used never depends on it.
fn check_algorithm(header: &[u8]) -> Result<(), Refusal> {
    let header: Map<String, Value> = serde_json::from_slice(header)
        .map_err(|_| Refusal::Malformed(Malformed::Json(Part::Header)))?;
    match header.get("alg") {
        Some(Value::String(alg)) if alg == "HS256" => Ok(()),
        Some(Value::String(alg)) => Err(Refusal::Algorithm { seen: printable(alg, 32) }),
        _ => Err(Refusal::Malformed(Malformed::Field { name: "alg", expected: "\"HS256\"" })),
    }
}

/// Text of a token made fit for one line of an error: control characters escaped, at most `limit`
/// characters.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut printable: String = text.chars().take(limit).flat_map(char::escape_debug).collect();
    if text.chars().nth(limit).is_some() {
        printable.push('…');
    }
    printable
}
