//! Shared access signatures: `r=<resource>&e=<expiry>&s=<signature>`, each part percent-encoded.
//!
//! The signature is the HMAC-SHA256 of everything before `&s=`, as it came: producers encode
//! differently, so nothing is ever encoded again to check it. The key is decoded from base64.

use auth::CLOCK_SKEW;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, PAD, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use kernel::{Secret, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use wire::Endpoint;

use super::refusal::{Malformed, Refusal};
use super::{Expected, expiry};
use crate::calendar;

/// What JavaScript's `encodeURIComponent` leaves as it is.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Padding is often lost on the way.
const LENIENT: GeneralPurpose = {
    let padding = DecodePaddingMode::Indifferent;
    let config: GeneralPurposeConfig = PAD.with_decode_padding_mode(padding);
    GeneralPurpose::new(&ALPHABET, config)
};

/// Signs `resource`, the address that is published to, until `expires`. `None` when the key is not
/// base64.
pub fn mint(key: &Secret, resource: &str, expires: Timestamp) -> Option<Secret> {
    let expiry = calendar::rfc3339(Timestamp::from_secs(expires.as_secs()));
    let encode = |text: &str| utf8_percent_encode(text, &ESCAPED).to_string();
    let signed = format!("r={}&e={}", encode(resource), encode(&expiry));
    let tag = hmac::sign(&hmac_key(key)?, signed.as_bytes());
    Some(Secret::new(format!("{signed}&s={}", encode(&STANDARD.encode(tag.as_ref())))))
}

/// Checks a token: its form, its signature, then what it says.
pub(super) fn verify(token: &str, expected: &Expected<'_>, now: Timestamp) -> Result<(), Refusal> {
    let malformed = |problem| Err(Refusal::Malformed(problem));
    let Some((signed, signature)) = token.rsplit_once("&s=") else {
        return malformed(Malformed::Missing("s"));
    };
    // What looks like a space was a plus sign that nobody encoded.
    let signature = percent_decode(signature.as_bytes()).decode_utf8_lossy().replace(' ', "+");
    let Ok(signature) = LENIENT.decode(signature) else { return malformed(Malformed::Base64) };
    let made_with = |key: &Secret| {
        let key = hmac_key(key);
        key.is_some_and(|key| hmac::verify(&key, signed.as_bytes(), &signature).is_ok())
    };
    let [one, two] = expected.keys.map(made_with);
    if !(one | two) {
        return Err(Refusal::WrongSignature { topic: expected.topic.to_owned() });
    }
    let Some(expires) = expiry::parse(&part(signed, "e")?) else {
        return malformed(Malformed::Expiry);
    };
    if now > expires + CLOCK_SKEW {
        return Err(Refusal::Expired { by_secs: now.since(expires).as_secs(), clock: now });
    }
    check_resource(&part(signed, "r")?, expected)
}

fn hmac_key(key: &Secret) -> Option<hmac::Key> {
    let bytes = LENIENT.decode(key.expose()).ok().filter(|bytes| !bytes.is_empty())?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// A part of the signed text, decoded as a form is: producers write a space as `+` or `%20`.
fn part(signed: &str, name: &'static str) -> Result<String, Refusal> {
    let mut parts = signed.split('&').filter_map(|part| part.split_once('='));
    let found = parts.find(|(other, _)| *other == name).map(|(_, value)| value);
    let value = found.ok_or(Refusal::Malformed(Malformed::Missing(name)))?.replace('+', " ");
    let decoded = percent_decode(value.as_bytes()).decode_utf8().map(Into::into);
    decoded.map_err(|_| Refusal::Malformed(Malformed::Encoding(name)))
}

/// The resource may be the whole address or a part of it from its beginning. Its query says which
/// version of the interface the producer had in mind, and means nothing.
fn check_resource(resource: &str, expected: &Expected<'_>) -> Result<(), Refusal> {
    let base = resource.split(['?', '#']).next().unwrap_or_default();
    let Ok(signed) = Endpoint::parse(base) else {
        return Err(Refusal::Malformed(Malformed::Resource));
    };
    let path = signed.base();
    let begins = expected.path.get(..path.len());
    let covers = begins.is_some_and(|begin| begin.eq_ignore_ascii_case(path))
        && matches!(expected.path.as_bytes().get(path.len()), None | Some(b'/'));
    let is_ours = |endpoint: &Endpoint| {
        endpoint.scheme() == signed.scheme() && endpoint.authority() == signed.authority()
    };
    let at_home = expected.endpoints.is_none_or(|ours| ours.iter().any(is_ours));
    if covers && at_home {
        return Ok(());
    }
    let ours = expected.endpoints.and_then(|ours| ours.iter().next());
    let ours = ours.map(|ours| format!("{}://{}", ours.scheme().as_str(), ours.authority()));
    let expected = format!("{}{}", ours.unwrap_or_default(), expected.path);
    Err(Refusal::OtherResource { resource: base.to_owned(), expected })
}
