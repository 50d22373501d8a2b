//! User access tokens: the claims, and the outer form of a JWT signed with ES256. Pure.
//!
//! The claims are those that the official clients read, and two of our own: `gen`, which a
//! revocation makes stale, and `key`, a mark of the access key that the token was issued with, since
//! replacing that key ends its tokens.
//!
//! Python's client decodes the payload with the standard base64 alphabet, so its text must not lead to
//! the two characters in which the URL-safe alphabet differs. In ASCII only `>`, `?`, `~` and DEL do,
//! and no claim can hold one: [`Claims::encode`] asserts it.

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Cause, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::scope::Scopes;
use super::signing::SigningKey;
use crate::identifier::RawId;

/// Where the service says that it is. Some clients choose a telemetry address by it.
const LOCATION: &str = "local";

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user without the leading `8:`.
    skypeid: String,
    /// A figure that real tokens carry; clients do not read it.
    scp: u32,
    csi: String,
    exp: i64,
    rgn: String,
    #[serde(rename = "acsScope")]
    acs_scope: String,
    #[serde(rename = "resourceId")]
    resource_id: String,
    #[serde(rename = "resourceLocation")]
    resource_location: String,
    iat: i64,
    /// Of the identity, when the token was issued.
    #[serde(rename = "gen")]
    generation: i64,
    /// The mark of the access key that the token was issued with.
    key: String,
}

/// What a token is issued for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) user: &'a RawId,
    pub(crate) resource_id: &'a str,
    pub(crate) scopes: Scopes,
    pub(crate) generation: i64,
    pub(crate) key_mark: &'a str,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
}

/// Why a token does not hold. Rendered into the challenge of a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// No `Authorization: Bearer`.
    #[error("the request has no user access token; send the header Authorization: Bearer <token>")]
    Absent,
    /// Not three parts of base64url, or not JSON inside.
    #[error(
        "the token is not a user access token of this service; create one with the identity client"
    )]
    Malformed,
    /// A key that this server does not have (any more).
    #[error(
        "the token was signed by another server, or with a signing key that is no longer known"
    )]
    UnknownKey,
    /// The signature is wrong.
    #[error("the signature of the token does not hold; it was changed on its way")]
    Signature,
    /// Its time is over.
    #[error("the token has expired {0} s ago; issue a new one")]
    Expired(u64),
    /// Issued for another resource.
    #[error("the token was issued by another Communication Services resource")]
    OtherResource,
    /// Revoked since.
    #[error("the token was revoked; issue a new one")]
    Revoked,
    /// The access key that it was issued with is no longer in force.
    #[error("the access key that issued the token was replaced; issue a new token")]
    KeyReplaced,
    /// The identity is gone.
    #[error("the identity of the token was deleted")]
    IdentityDeleted,
}

impl TokenRefusal {
    /// Why, in the word of the log tables.
    pub(crate) const fn cause(self) -> Cause {
        match self {
            Self::Expired(_) => Cause::TokenExpired,
            Self::UnknownKey | Self::OtherResource => Cause::TokenElsewhere,
            Self::Revoked | Self::KeyReplaced | Self::IdentityDeleted => Cause::TokenRevoked,
            Self::Absent | Self::Malformed | Self::Signature => Cause::TokenMalformed,
        }
    }
}

impl Claims {
    pub(crate) fn of(grant: &Grant<'_>) -> Self {
        let iat = grant.issued.as_secs();
        Self {
            skypeid: grant.user.without_network().to_owned(),
            scp: 1792,
            csi: iat.to_string(),
            exp: grant.expires.as_secs(),
            rgn: LOCATION.to_owned(),
            acs_scope: grant.scopes.to_string(),
            resource_id: grant.resource_id.to_owned(),
            resource_location: LOCATION.to_owned(),
            iat,
            generation: grant.generation,
            key: grant.key_mark.to_owned(),
        }
    }

    pub(crate) fn user(&self) -> RawId {
        RawId::new(format!("8:{}", self.skypeid))
    }

    pub(crate) fn scopes(&self) -> Scopes {
        Scopes::of_claim(&self.acs_scope)
    }

    pub(crate) fn expires(&self) -> Timestamp {
        Timestamp::from_secs(self.exp)
    }

    pub(crate) fn resource_id(&self) -> &str {
        &self.resource_id
    }

    pub(crate) fn generation(&self) -> i64 {
        self.generation
    }

    pub(crate) fn key_mark(&self) -> &str {
        &self.key
    }

    /// The payload part of the token.
    fn encode(&self) -> String {
        let text = serde_json::to_string(self).expect("claims are text and numbers");
        debug_assert!(text.bytes().all(|b| b.is_ascii() && !b">?~\x7f".contains(&b)), "{text}");
        URL_SAFE_NO_PAD.encode(text)
    }
}

/// The token that says `claims`.
pub(crate) fn sign(claims: &Claims, key: &SigningKey) -> Secret {
    signed(&claims.encode(), key)
}

/// A token that says something else. It is no user access token, since it names no user.
pub(crate) fn attest(claims: &Value, key: &SigningKey) -> Secret {
    signed(&URL_SAFE_NO_PAD.encode(claims.to_string()), key)
}

fn signed(payload: &str, key: &SigningKey) -> Secret {
    let header = json!({ "alg": "ES256", "kid": key.kid(), "typ": "JWT" });
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    token.push_str(payload);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Secret::new(token)
}

/// The claims of a token whose signature holds. `key` finds the public point of a key id.
pub(crate) fn verify(
    token: &str,
    key: impl FnOnce(&str) -> Option<Vec<u8>>,
) -> Result<Claims, TokenRefusal> {
    #[derive(Deserialize)]
    struct Header<'a> {
        alg: &'a str,
        kid: &'a str,
    }

    let (message, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(TokenRefusal::Malformed)?;
    let decode = |part| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed);
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header: Header<'_> =
        serde_json::from_slice(&header).map_err(|_| TokenRefusal::Malformed)?;
    if header.alg != "ES256" {
        return Err(TokenRefusal::UnknownKey);
    }
    let point = key(header.kid).ok_or(TokenRefusal::UnknownKey)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(message.as_bytes(), &signature)
        .map_err(|_| TokenRefusal::Signature)?;
    serde_json::from_slice(&payload).map_err(|_| TokenRefusal::Malformed)
}

/// What a token remembers of the access key that issued it: enough to notice a replacement, and far
/// too little to tell the key.
pub(crate) fn key_mark(key: &Secret) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(b"tidings access key mark\0");
    hash.update(key.expose().as_bytes());
    hash.finish().as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use proptest::prelude::*;

    use super::*;

    fn claims(user: &RawId, issued: i64, scopes: &str) -> Claims {
        Claims::of(&Grant {
            user,
            resource_id: "1b5cc06b-f352-4571-b1e6-d9b259b7c776",
            scopes: Scopes::of_claim(scopes),
            generation: 3,
            key_mark: "01234567",
            issued: Timestamp::from_secs(issued),
            expires: Timestamp::from_secs(issued + 3600),
        })
    }

    fn key() -> SigningKey {
        SigningKey::generate(Timestamp::from_secs(0))
    }

    #[test]
    fn a_signed_token_gives_its_claims_back() {
        let (key, user) = (key(), RawId::user("r", "u"));
        let claims = claims(&user, 1_700_000_000, "chat,voip");
        let token = sign(&claims, &key);
        let read = verify(token.expose(), |kid| (kid == key.kid()).then(|| key.point().to_vec()));
        assert_eq!(read.as_ref(), Ok(&claims));
        assert_eq!(read.unwrap().user(), user);
    }

    #[test]
    fn an_attestation_is_no_user_access_token() {
        let key = key();
        let claims = json!({ "iss": "https://here", "aud": "r", "exp": 4_000_000_000_i64 });
        let token = attest(&claims, &key);
        let read = verify(token.expose(), |_| Some(key.point().to_vec()));
        assert_eq!(read, Err(TokenRefusal::Malformed));
    }

    #[test]
    fn refusals_tell_the_reasons_apart() {
        let (mine, user) = (key(), RawId::user("r", "u"));
        let token = sign(&claims(&user, 1, "chat"), &mine);
        let token = token.expose();
        let point = || mine.point().to_vec();
        assert_eq!(verify(token, |_| None), Err(TokenRefusal::UnknownKey));
        assert_eq!(verify(token, |_| Some(key().point().to_vec())), Err(TokenRefusal::Signature));
        let cut = &token[..token.len() - 2];
        assert_eq!(verify(cut, |_| Some(point())), Err(TokenRefusal::Signature));
        for text in ["", "a.b", "a.b.c", "....", "{}.{}.{}"] {
            assert_eq!(verify(text, |_| Some(point())), Err(TokenRefusal::Malformed), "{text}");
        }
        let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"x"}"#);
        let forged = format!("{unsigned}.{}.", token.split('.').nth(1).unwrap());
        assert_eq!(verify(&forged, |_| Some(point())), Err(TokenRefusal::UnknownKey));
    }

    #[test]
    fn a_mark_follows_its_key() {
        let (one, two) = (key_mark(&Secret::new("one")), key_mark(&Secret::new("two")));
        assert_ne!(one, two);
        assert_eq!(one.len(), 8);
    }

    proptest! {
        #[test]
        fn payloads_decode_with_the_standard_alphabet(
            user in "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            issued in 0_i64..4_000_000_000,
            scopes in "(chat|voip|chat.join|chat.join.limited|voip.join)(,voip)?",
        ) {
            let claims = claims(&RawId::user("1b5cc06b", &user), issued, &scopes);
            let payload = claims.encode();
            let text = STANDARD_NO_PAD.decode(&payload).unwrap();
            prop_assert!(text.is_ascii());
            prop_assert_eq!(serde_json::from_slice::<Claims>(&text).unwrap(), claims);
        }

        #[test]
        fn arbitrary_tokens_never_panic(token in ".*") {
            prop_assert!(verify(&token, |_| None).is_err());
        }
    }
}
