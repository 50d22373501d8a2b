//! What a publisher shows: a topic's key, or a token that was signed with one.
//!
//! Pure: keys and time are arguments. Bearer tokens are found here and judged elsewhere.
//!
//! - `refusal`: why a credential does not hold, with the cure
//! - `sas`: shared access signatures, made and checked
//! - `expiry`: the moments in them, which every SDK writes differently
//!
//! Invariants: keys and signatures are compared in constant time; nothing that a token says is told
//! before its signature holds; no refusal contains a credential.

mod expiry;
mod refusal;
mod sas;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use auth::Endpoints;
use aws_lc_rs::constant_time;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use kernel::{Secret, Timestamp};
use percent_encoding::percent_decode_str;

pub use refusal::{Malformed, Refusal};
pub use sas::mint;

const KEY: HeaderName = HeaderName::from_static("aeg-sas-key");
const TOKEN: HeaderName = HeaderName::from_static("aeg-sas-token");

/// What a request shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential<'a> {
    /// One of the topic's keys.
    Key(Cow<'a, str>),
    /// A shared access signature.
    Signature(&'a str),
    /// A bearer token.
    Bearer(&'a str),
}

/// What a key or signature must be for.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// The topic's name, for the words of a refusal.
    pub topic: &'a str,
    /// The topic's two keys, in base64.
    pub keys: [&'a Secret; 2],
    /// The path of the request, as it came.
    pub path: &'a str,
    /// The addresses that a signature may name. `None` compares paths alone, which is what works
    /// behind a proxy that changes the host.
    pub endpoints: Option<&'a Endpoints>,
}

impl<'a> Credential<'a> {
    /// Finds the credential of a request: in its own headers first, then in `Authorization`, then in
    /// the query.
    ///
    /// # Errors
    /// When there is none, or none that can be read.
    pub fn find(headers: &'a HeaderMap, query: Option<&'a str>) -> Result<Self, Refusal> {
        if let Some(key) = text(headers, &KEY)? {
            return Ok(Self::Key(Cow::Borrowed(key)));
        }
        if let Some(token) = text(headers, &TOKEN)? {
            return Ok(Self::Signature(token));
        }
        if let Some(value) = text(headers, &AUTHORIZATION)? {
            return Self::of_authorization(value);
        }
        // A key may hold a plain '+', so this is not the decoding of forms.
        let key = query.and_then(|query| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let mut keys = pairs.filter(|(name, _)| name.eq_ignore_ascii_case(KEY.as_str()));
            keys.next().map(|(_, value)| percent_decode_str(value).decode_utf8_lossy())
        });
        key.filter(|key| !key.is_empty()).map(Self::Key).ok_or(Refusal::Missing)
    }

    fn of_authorization(value: &'a str) -> Result<Self, Refusal> {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = rest.trim();
        let is = |name: &str| scheme.eq_ignore_ascii_case(name) && !rest.is_empty();
        match () {
            () if is("SharedAccessSignature") => Ok(Self::Signature(rest)),
            () if is("SharedAccessKey") => Ok(Self::Key(Cow::Borrowed(rest))),
            () if is("Bearer") => Ok(Self::Bearer(rest)),
            () => Err(Refusal::OtherScheme),
        }
    }

    /// Checks a key or signature. A bearer token is refused: it is for somebody else to judge.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn check(&self, expected: &Expected<'_>, now: Timestamp) -> Result<(), Refusal> {
        match self {
            Self::Key(key) => {
                // Both comparisons are made, whatever the first one says.
                let [one, two] = expected.keys.map(|other| same(key, other));
                let topic = || expected.topic.to_owned();
                if one | two { Ok(()) } else { Err(Refusal::WrongKey { topic: topic() }) }
            }
            Self::Signature(token) => sas::verify(token, expected, now),
            Self::Bearer(_) => Err(Refusal::OtherScheme),
        }
    }
}

/// Hides what must not be printed.
impl fmt::Debug for Credential<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::Signature(_) => "Signature(…)",
            Self::Bearer(_) => "Bearer(…)",
        })
    }
}

fn same(seen: &str, key: &Secret) -> bool {
    let key = key.expose().as_bytes();
    !key.is_empty() && constant_time::verify_slices_are_equal(seen.as_bytes(), key).is_ok()
}

/// The text of a header; one that is empty counts as absent.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Refusal::Malformed(Malformed::Characters))?.trim();
    Ok(Some(text).filter(|text| !text.is_empty()))
}
