//! `$filter` of a registration listing, in the handful of forms that clients send.
//!
//! Expects the text after one query decoding. The JavaScript client forgets the opening quote of a
//! Baidu channel and encodes URIs once more; both are taken.

use kernel::{Error, Result};

use crate::handle::lookup_candidates;
use crate::refusal::{bad_request, shown};
use crate::tag::Tag;

const MAX_BYTES: usize = 16 * 1024;

/// What a listing is narrowed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListFilter {
    /// Registrations of a handle with any of these addresses.
    Addresses(Vec<String>),
    /// Registrations with a tag.
    Tag(Tag),
}

impl ListFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `Invalid` for anything but handles and one tag.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            return Err(unknown(text));
        }
        let mut terms = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (term, after) = term(rest).ok_or_else(|| unknown(text))?;
            terms.push(term);
            rest = after;
        }
        let of = |name: &str| {
            let found = terms.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        match &terms[..] {
            // The keys of a browser add nothing: its endpoint is its own.
            _ if terms.len() <= 3 && of("Endpoint").is_some() => {
                Ok(Self::Addresses(lookup_candidates(of("Endpoint").unwrap_or_default())))
            }
            [_, _] => match (of("BaiduUserId"), of("BaiduChannelId")) {
                (Some(user), Some(channel)) => {
                    Ok(Self::Addresses(vec![format!("{user}-{channel}")]))
                }
                _ => Err(unknown(text)),
            },
            [(name, value)] if name.eq_ignore_ascii_case("Tags") => {
                Tag::parse_any(value).map(Self::Tag)
            }
            [(name, value)] if HANDLES.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                Ok(Self::Addresses(lookup_candidates(value)))
            }
            _ => Err(unknown(text)),
        }
    }
}

/// The names of a handle; some clients use `ChannelUri` for all platforms.
const HANDLES: [&str; 6] = [
    "DeviceToken",
    "GcmRegistrationId",
    "FcmV1RegistrationId",
    "AdmRegistrationId",
    "XiaomiRegistrationId",
    "ChannelUri",
];

/// `name eq 'value'` and what follows it and an `and`.
fn term(text: &str) -> Option<((String, String), &str)> {
    let (name, rest) = text.split_once(char::is_whitespace)?;
    let rest = keyword(rest, "eq")?;
    let mut rest = rest.strip_prefix('\'').unwrap_or(rest);
    let mut value = String::new();
    loop {
        let (before, after) = rest.split_once('\'')?;
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(after) => rest = after,
            None => {
                let after = after.trim_start();
                let rest = if after.is_empty() { after } else { keyword(after, "and")? };
                return Some(((name.to_owned(), value), rest));
            }
        }
        value.push('\'');
    }
}

/// What follows a word and white space.
fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (own, rest) = text.trim_start().split_once(char::is_whitespace)?;
    own.eq_ignore_ascii_case(word).then_some(rest.trim_start())
}

fn unknown(text: &str) -> Error {
    bad_request(format!(
        "The $filter '{}' is not supported. Expected a handle, such as DeviceToken eq '62BC…', or \
         Tags eq 'tag'.",
        shown(text)
    ))
}
