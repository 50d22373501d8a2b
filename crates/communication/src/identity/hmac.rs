//! HMAC-SHA256 request signatures: a request in, or a reasoned refusal out. Pure.
//!
//! ```text
//! string to sign = METHOD \n path-and-query \n x-ms-date ; host ; x-ms-content-sha256
//! Authorization: HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=<base64>
//! ```
//!
//! What is signed is the request target as it was sent. Three deviations of official clients are
//! allowed for: a path signed before `:` was percent-encoded (Python's asynchronous transport), a host
//! signed with a `/` behind it (Python with an endpoint that ends in one), and a path that began with
//! two slashes, which are made one before a request gets here. None of them makes two different
//! requests have one signature, since a host holds no slash and the target still names one operation.

use auth::{AccessKeys, KeySlot};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use kernel::{Cause, Secret, Timestamp};
use std::time::Duration;

/// The parts of a request that a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// Path and query as they arrived.
    pub target: &'a str,
    /// The `Host` that the client sent, with the port if it is unusual.
    pub host: &'a str,
    /// `x-ms-date`.
    pub date: Option<&'a str>,
    /// `x-ms-content-sha256`.
    pub content_hash: Option<&'a str>,
    /// `Authorization`.
    pub authorization: &'a str,
    /// The whole body.
    pub body: &'a [u8],
}

/// Why a signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HmacRefusal {
    /// Not the form that clients write.
    #[error(
        "the Authorization header is not of the form HMAC-SHA256 \
         SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=<base64>"
    )]
    Form,
    /// A header that is signed is not there.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// The date is not a date.
    #[error("the header x-ms-date is not an RFC 1123 date such as Mon, 02 Jan 2026 15:04:05 GMT")]
    Date,
    /// The date is too far from the server's.
    #[error(
        "the request was signed {off} s {direction} the server's time, at most {allowed} s are \
         allowed; set the clock of the machine that signs"
    )]
    Skew {
        /// How far, in seconds.
        off: u64,
        /// `before` or `after`.
        direction: &'static str,
        /// The tolerance, in seconds.
        allowed: u64,
    },
    /// The body is not the one that was signed.
    #[error(
        "x-ms-content-sha256 is not the SHA-256 of the body that arrived; something on the way \
         has changed the body, or the signer hashed another one"
    )]
    Content,
    /// Neither key makes this signature.
    #[error(
        "neither access key of the resource makes this signature; check that the connection \
         string is the current one, and that a proxy passes on path, query and Host unchanged \
         (signed were x-ms-date;host;x-ms-content-sha256, the host that arrived is '{host}')"
    )]
    WrongKey {
        /// The host that arrived.
        host: String,
    },
}

impl HmacRefusal {
    /// Why, as far as it is told apart from others.
    pub(crate) const fn cause(&self) -> Option<Cause> {
        match self {
            Self::Skew { .. } => Some(Cause::ClockOff),
            Self::WrongKey { .. } => Some(Cause::KeyRejected),
            Self::Form | Self::Missing(_) | Self::Date | Self::Content => None,
        }
    }
}

/// The headers that must be signed, in this order.
const SIGNED: &str = "x-ms-date;host;x-ms-content-sha256";

/// Checks a signature against both keys, and says which one made it.
///
/// # Errors
/// Why it does not hold; never a key or signature.
pub fn verify(
    request: &SignedRequest<'_>,
    keys: &AccessKeys,
    skew: Duration,
    now: Timestamp,
) -> Result<KeySlot, HmacRefusal> {
    let signature = signature(request.authorization).ok_or(HmacRefusal::Form)?;
    let date = request.date.ok_or(HmacRefusal::Missing("x-ms-date"))?;
    let hash = request.content_hash.ok_or(HmacRefusal::Missing("x-ms-content-sha256"))?;
    check_date(date, skew, now)?;
    if hash != content_hash(request.body) {
        return Err(HmacRefusal::Content);
    }
    let slots = [KeySlot::Primary, KeySlot::Secondary];
    let hmac_keys = slots.map(|slot| (slot, signing_key(keys.get(slot))));
    for text in candidates(request, date, hash) {
        for (slot, key) in &hmac_keys {
            let Some(key) = key else { continue };
            if hmac::verify(key, text.as_bytes(), &signature).is_ok() {
                return Ok(*slot);
            }
        }
    }
    Err(HmacRefusal::WrongKey { host: request.host.escape_debug().to_string() })
}

/// Whether an access key can sign: it must be base64.
pub fn is_usable_key(key: &Secret) -> bool {
    signing_key(key).is_some()
}

/// The `x-ms-content-sha256` of a body.
pub fn content_hash(body: &[u8]) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, body))
}

fn signing_key(key: &Secret) -> Option<hmac::Key> {
    let text = key.expose().trim_end_matches('=');
    let bytes = STANDARD_NO_PAD.decode(text).ok().filter(|bytes| !bytes.is_empty())?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn signature(authorization: &str) -> Option<Vec<u8>> {
    let rest = authorization.strip_prefix("HMAC-SHA256 ")?.trim();
    let (headers, signature) = rest.split_once('&')?;
    let headers = headers.strip_prefix("SignedHeaders=")?;
    let signature = signature.strip_prefix("Signature=")?;
    headers.eq_ignore_ascii_case(SIGNED).then(|| STANDARD.decode(signature).ok())?
}

fn check_date(date: &str, skew: Duration, now: Timestamp) -> Result<(), HmacRefusal> {
    let date = jiff::fmt::rfc2822::parse(date).map_err(|_| HmacRefusal::Date)?;
    let signed = Timestamp::from_secs(date.timestamp().as_second());
    let (off, direction) = match signed > now {
        true => (signed.since(now), "after"),
        false => (now.since(signed), "before"),
    };
    if off > skew {
        return Err(HmacRefusal::Skew { off: off.as_secs(), direction, allowed: skew.as_secs() });
    }
    Ok(())
}

/// The texts that official clients may have signed for this request, the right one first.
fn candidates<'a>(
    request: &SignedRequest<'a>,
    date: &'a str,
    hash: &'a str,
) -> impl Iterator<Item = String> + use<'a> {
    let SignedRequest { method, target, host, .. } = *request;
    let targets =
        [target.to_owned(), target.replace("%3A", ":").replace("%3a", ":"), format!("/{target}")];
    let hosts = [host.to_owned(), format!("{host}/")];
    let pairs = hosts.into_iter().flat_map(move |host| {
        targets.clone().into_iter().map(move |target| (target, host.clone()))
    });
    pairs.map(move |(target, host)| format!("{method}\n{target}\n{date};{host};{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);
    const DATE: &str = "Fri, 02 Jan 2026 15:04:05 GMT";
    const SKEW: Duration = Duration::from_mins(15);
    const PRIMARY: &str = "tidingsDevelopmentKeyPrimaryNotASecret00000=";
    const SECONDARY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv";

    fn keys() -> AccessKeys {
        AccessKeys::new(Secret::new(PRIMARY), Secret::new(SECONDARY)).unwrap()
    }

    fn authorization(key: &str, target: &str, host: &str, body: &[u8]) -> String {
        let text = format!("POST\n{target}\n{DATE};{host};{}", content_hash(body));
        let key = signing_key(&Secret::new(key)).unwrap();
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        format!("HMAC-SHA256 SignedHeaders={SIGNED}&Signature={signature}")
    }

    fn judge(authorization: &str, target: &str, now: Timestamp) -> Result<KeySlot, HmacRefusal> {
        let hash = content_hash(b"{}");
        let request = SignedRequest {
            method: "POST",
            target,
            host: "localhost:8443",
            date: Some(DATE),
            content_hash: Some(&hash),
            authorization,
            body: b"{}",
        };
        verify(&request, &keys(), SKEW, now)
    }

    #[test]
    fn either_key_signs() {
        for (key, slot) in [(PRIMARY, KeySlot::Primary), (SECONDARY, KeySlot::Secondary)] {
            let signed = authorization(key, "/identities?api-version=1", "localhost:8443", b"{}");
            assert_eq!(judge(&signed, "/identities?api-version=1", NOW), Ok(slot));
        }
    }

    #[test]
    fn the_known_deviations_of_clients_hold() {
        let arrived = "/identities/8%3Aacs%3Ax/:issueAccessToken?api-version=1";
        for (target, host) in [
            ("/identities/8:acs:x/:issueAccessToken?api-version=1", "localhost:8443"),
            (arrived, "localhost:8443/"),
            ("//identities/8%3Aacs%3Ax/:issueAccessToken?api-version=1", "localhost:8443"),
        ] {
            let signed = authorization(PRIMARY, target, host, b"{}");
            assert_eq!(judge(&signed, arrived, NOW), Ok(KeySlot::Primary), "{target} {host}");
        }
    }

    #[test]
    fn every_part_is_covered() {
        let target = "/identities?api-version=1";
        let wrong = |signed: String| judge(&signed, target, NOW).unwrap_err();
        let host = "localhost:8443";
        for signed in [
            authorization(PRIMARY, "/identities?api-version=2", host, b"{}"),
            authorization(PRIMARY, target, "localhost", b"{}"),
            authorization("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=", target, host, b"{}"),
            authorization(PRIMARY, target, host, b"{ }"),
        ] {
            assert!(matches!(wrong(signed), HmacRefusal::WrongKey { .. }));
        }
        let signed = authorization(PRIMARY, target, host, b"{}");
        let request = SignedRequest {
            method: "POST",
            target,
            host,
            date: Some(DATE),
            content_hash: Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
            authorization: &signed,
            body: b"{}",
        };
        assert_eq!(verify(&request, &keys(), SKEW, NOW), Err(HmacRefusal::Content));
        let request = SignedRequest { date: None, ..request };
        assert_eq!(verify(&request, &keys(), SKEW, NOW), Err(HmacRefusal::Missing("x-ms-date")));
    }

    #[test]
    fn clocks_may_differ_by_the_tolerance_and_no_more() {
        let signed = authorization(PRIMARY, "/i", "localhost:8443", b"{}");
        let second = Duration::from_secs(1);
        for now in [NOW + SKEW, NOW - SKEW] {
            assert_eq!(judge(&signed, "/i", now), Ok(KeySlot::Primary));
        }
        let late = judge(&signed, "/i", NOW + SKEW + second).unwrap_err();
        assert_eq!(late, HmacRefusal::Skew { off: 901, direction: "before", allowed: 900 });
        let early = judge(&signed, "/i", NOW - SKEW - second).unwrap_err();
        assert_eq!(early, HmacRefusal::Skew { off: 901, direction: "after", allowed: 900 });
    }

    #[test]
    fn other_forms_are_told_the_right_one() {
        for text in [
            "",
            "Bearer x",
            "HMAC-SHA256 Signature=AAAA",
            "HMAC-SHA256 SignedHeaders=host&Signature=AAAA",
            "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=*",
        ] {
            assert_eq!(judge(text, "/i", NOW), Err(HmacRefusal::Form), "{text}");
        }
    }

    #[test]
    fn an_empty_body_has_the_documented_hash() {
        assert_eq!(content_hash(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
