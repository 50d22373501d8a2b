//! Why a credential does not hold: a closed list, each with its cause and its cure in words.
//!
//! The words go to the caller and to the log. They never hold a token or key, and what a token
//! claims appears in them only for a token whose signature holds.

use std::fmt;

use kernel::{Cause, Error, ErrorKind, Timestamp};

use crate::{CLOCK_SKEW, Endpoints};

/// Why a credential does not hold. [`fmt::Display`] is the sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No token at all.
    Missing,
    /// An `Authorization` header of another scheme, or a token without one.
    OtherScheme {
        /// The scheme, when the first word certainly is one.
        scheme: Option<String>,
    },
    /// Not a JWT.
    Malformed(Malformed),
    /// Signed with something else than HS256.
    Algorithm {
        /// The token's `alg`.
        seen: String,
    },
    /// Neither key of the resource made the signature.
    WrongKey {
        /// The resource's name.
        resource: String,
    },
    /// No `exp`.
    NoExpiry,
    /// `exp` has passed.
    Expired {
        /// By how many seconds.
        by_secs: u64,
        /// The server's time.
        clock: Timestamp,
    },
    /// `nbf` is still to come.
    NotYetValid {
        /// In how many seconds.
        by_secs: u64,
        /// The server's time.
        clock: Timestamp,
    },
    /// No `aud`.
    NoAudience,
    /// A client token of this resource, for another hub.
    OtherHub {
        /// The hub that the token is for.
        token: String,
        /// The hub of the request.
        requested: String,
    },
    /// The audience is none of this resource's addresses.
    OtherResource {
        /// The token's audience.
        audience: String,
        /// This resource's name.
        resource: String,
        /// Its addresses.
        answers_to: Endpoints,
    },
    /// A client token on a REST call.
    ClientTokenForRest {
        /// The hub that the token is for.
        hub: String,
        /// The URL of the request.
        url: String,
    },
    /// A REST token on a client connection.
    RestTokenForClient {
        /// The token's audience.
        audience: String,
        /// The audience that a client token has.
        expected: String,
    },
    /// A REST token for another URL of this resource.
    OtherUrl {
        /// The token's audience.
        audience: String,
        /// The URL of the request.
        expected: String,
    },
}

/// What keeps a text from being a JWT with the claims that we need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not three parts between dots, but this many.
    Parts(usize),
    /// A part is not base64url without padding.
    Base64(Part),
    /// A part is not a JSON object.
    Json(Part),
    /// A field has the wrong type.
    Field {
        /// Its name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

/// A part of a JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header,
    /// The second, which holds the claims.
    Payload,
    /// The third.
    Signature,
}

impl Refusal {
    /// A short stable word for metrics and log filters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::OtherScheme { .. } => "other_scheme",
            Self::Malformed(_) => "malformed",
            Self::Algorithm { .. } => "algorithm",
            Self::WrongKey { .. } => "wrong_key",
            Self::NoExpiry => "no_expiry",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::NoAudience => "no_audience",
            Self::OtherHub { .. } => "other_hub",
            Self::OtherResource { .. } => "other_resource",
            Self::ClientTokenForRest { .. } => "client_token_for_rest",
            Self::RestTokenForClient { .. } => "rest_token_for_client",
            Self::OtherUrl { .. } => "other_url",
        }
    }

    /// Why, in the word of the log tables.
    fn cause(&self) -> Cause {
        match self {
            Self::WrongKey { .. } => Cause::KeyRejected,
            Self::Expired { .. } => Cause::TokenExpired,
            Self::NotYetValid { .. } => Cause::ClockOff,
            Self::NoAudience
            | Self::OtherHub { .. }
            | Self::OtherResource { .. }
            | Self::ClientTokenForRest { .. }
            | Self::RestTokenForClient { .. }
            | Self::OtherUrl { .. } => Cause::TokenElsewhere,
            Self::Missing
            | Self::OtherScheme { .. }
            | Self::Malformed(_)
            | Self::Algorithm { .. }
            | Self::NoExpiry => Cause::TokenMalformed,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorKind::Unauthenticated, "Unauthorized", refusal.to_string())
            .because(refusal.cause())
            .context(format!("access token refused: {}", refusal.reason()))
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str(
                "No access token was sent. Send it in the header 'Authorization: Bearer <token>' \
                 or, for a WebSocket, in the query parameter 'access_token'. The service SDK makes \
                 tokens from the connection string; a client uses the whole URL that its \
                 getClientAccessToken() returns.",
            ),
            Self::OtherScheme { scheme: Some(scheme) } => write!(
                out,
                "The Authorization header has the scheme '{scheme}', but an access token is \
                 expected: 'Authorization: Bearer <token>'."
            ),
            Self::OtherScheme { scheme: None } => out.write_str(
                "The Authorization header does not begin with the word Bearer. Write \
                 'Authorization: Bearer <token>'.",
            ),
            Self::Malformed(problem) => write!(out, "The access token is malformed: {problem}"),
            Self::Algorithm { seen } => write!(
                out,
                "The access token's algorithm is '{seen}', but access keys sign with HS256. Use \
                 the service SDK with the connection string; tokens of an identity provider are \
                 not accepted here."
            ),
            Self::WrongKey { resource } => write!(
                out,
                "The access token's signature matches neither key of the resource '{resource}'. \
                 The key belongs to another resource or was rotated: copy the connection string \
                 again with `tidings connection-string {resource}`."
            ),
            Self::NoExpiry | Self::Expired { .. } | Self::NotYetValid { .. } => self.fmt_time(out),
            _ => self.fmt_audience(out),
        }
    }
}

impl Refusal {
    fn fmt_time(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let skew = CLOCK_SKEW.as_secs();
        match self {
            Self::Expired { by_secs, clock } => write!(
                out,
                "The access token expired {by_secs} seconds ago; the server's clock says {} (a \
                 difference of {skew} seconds is allowed for). Get a new token; if this one is \
                 new, correct the clock of the machine that signed it.",
                rfc3339(*clock)
            ),
            Self::NotYetValid { by_secs, clock } => write!(
                out,
                "The access token is valid only in {by_secs} seconds; the server's clock says {} \
                 (a difference of {skew} seconds is allowed for). Correct the clock of the machine \
                 that signed it, or its 'nbf' claim.",
                rfc3339(*clock)
            ),
            _ => out.write_str(
                "The access token has no expiry. Sign it with an 'exp' claim, in seconds since \
                 1970; the service SDK does so.",
            ),
        }
    }

    fn fmt_audience(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherHub { token, requested } => write!(
                out,
                "The access token is for the hub '{token}', but the connection is to the hub \
                 '{requested}'. Use the same hub name in the service client that makes the token \
                 and in the URL."
            ),
            Self::OtherResource { audience, resource, answers_to } => write!(
                out,
                "The access token is for '{audience}', but the resource '{resource}' answers to \
                 {answers_to}. Use its own connection string (`tidings connection-string \
                 {resource}`), or add the address that clients use to its public endpoints."
            ),
            Self::ClientTokenForRest { hub, url } => write!(
                out,
                "This is a client access token for the hub '{hub}'; it opens a WebSocket and cannot \
                 call REST. A REST call needs a token signed for '{url}': use the service SDK, \
                 which signs each call."
            ),
            Self::RestTokenForClient { audience, expected } => write!(
                out,
                "The access token is for '{audience}', but a client connection needs one for \
                 '{expected}'. Make it with getClientAccessToken() of the service SDK."
            ),
            Self::OtherUrl { audience, expected } => write!(
                out,
                "The access token is for '{audience}', but the request is for '{expected}'. Sign \
                 each call for its own URL, with or without its query; the service SDK does so."
            ),
            _ => out.write_str(
                "The access token names no audience. Sign it with an 'aud' claim that holds the URL \
                 it is for; the service SDK does so.",
            ),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parts(found) => write!(
                out,
                "it has {found} part(s), but a JWT has three between dots. Send the whole token, \
                 and not an access key."
            ),
            Self::Base64(part) => write!(
                out,
                "its {part} is not base64url without padding. Send the token as the service SDK \
                 returned it."
            ),
            Self::Json(part) => write!(
                out,
                "its {part} is not a JSON object. Send the token as the service SDK returned it."
            ),
            Self::Field { name, expected } => {
                write!(out, "its '{name}' should be {expected}. Correct the code that signs it.")
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Header => "header",
            Self::Payload => "payload",
            Self::Signature => "signature",
        })
    }
}

/// To the second; a moment outside the calendar's years is told in seconds since 1970.
fn rfc3339(moment: Timestamp) -> String {
    match jiff::Timestamp::from_second(moment.as_secs()) {
        Ok(calendar) => calendar.to_string(),
        Err(_) => format!("{} s after 1970", moment.as_secs()),
    }
}
