//! Why a credential does not hold: a closed list, each with its cause and its cure in words.

use std::fmt;

use auth::CLOCK_SKEW;
use kernel::{Cause, Error, ErrorKind, Timestamp};

use crate::calendar::rfc3339;

/// Why a credential does not hold. [`fmt::Display`] is the sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credential at all.
    Missing,
    /// An `Authorization` header of a scheme that is of no use here.
    OtherScheme,
    /// A key that is neither of the topic's.
    WrongKey {
        /// The topic's name.
        topic: String,
    },
    /// A signature that cannot be read.
    Malformed(Malformed),
    /// Neither key of the topic made the signature.
    WrongSignature {
        /// The topic's name.
        topic: String,
    },
    /// The signature's time is over.
    Expired {
        /// By how many seconds.
        by_secs: u64,
        /// The server's time.
        clock: Timestamp,
    },
    /// The signature is for something else.
    OtherResource {
        /// What it is for.
        resource: String,
        /// What the request is for.
        expected: String,
    },
}

/// What keeps a text from being a shared access signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A header holds something else than visible ASCII.
    Characters,
    /// A part is missing.
    Missing(&'static str),
    /// A part is not percent-encoded UTF-8.
    Encoding(&'static str),
    /// The signature is not base64.
    Base64,
    /// The expiry is in no known form.
    Expiry,
    /// The resource is no URL.
    Resource,
}

impl Refusal {
    /// A short stable word for metrics and log filters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::OtherScheme => "other_scheme",
            Self::WrongKey { .. } => "wrong_key",
            Self::Malformed(_) => "malformed",
            Self::WrongSignature { .. } => "wrong_signature",
            Self::Expired { .. } => "expired",
            Self::OtherResource { .. } => "other_resource",
        }
    }

    fn cause(&self) -> Cause {
        match self {
            Self::Missing | Self::WrongKey { .. } | Self::WrongSignature { .. } => {
                Cause::KeyRejected
            }
            Self::Expired { .. } => Cause::TokenExpired,
            Self::OtherResource { .. } => Cause::TokenElsewhere,
            Self::OtherScheme | Self::Malformed(_) => Cause::TokenMalformed,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(ErrorKind::Unauthenticated, "Unauthorized", refusal.to_string())
            .because(refusal.cause())
            .context(format!("publishing credential refused: {}", refusal.reason()))
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str(
                "The request carries no credential. Send one of the topic's keys in the header \
                 'aeg-sas-key', or a token signed with one in 'aeg-sas-token'.",
            ),
            Self::OtherScheme => out.write_str(
                "The Authorization header begins with none of SharedAccessSignature, \
                 SharedAccessKey and Bearer. Send one of these, or a key of the topic in the \
                 header 'aeg-sas-key'.",
            ),
            Self::WrongKey { topic } => write!(
                out,
                "The key is neither of the two keys of the topic '{topic}'. It belongs to another \
                 topic or was regenerated: copy a key of this topic again."
            ),
            Self::Malformed(problem) => {
                write!(out, "The shared access signature cannot be read: {problem}")
            }
            Self::WrongSignature { topic } => write!(
                out,
                "The shared access signature was made with neither of the two keys of the topic \
                 '{topic}'. Sign the text before '&s=' with HMAC-SHA256, the key decoded from \
                 base64; if you do, the key belongs to another topic or was regenerated."
            ),
            Self::Expired { by_secs, clock } => write!(
                out,
                "The shared access signature expired {by_secs} seconds ago; the server's clock \
                 says {} (a difference of {} seconds is allowed for). Make a new one; if this one \
                 is new, correct the clock of the machine that signed it, or its time zone.",
                rfc3339(*clock),
                CLOCK_SKEW.as_secs()
            ),
            Self::OtherResource { resource, expected } => write!(
                out,
                "The shared access signature is for '{}', but the request is for '{}'. Sign the \
                 address that is published to, or a part of it from its beginning.",
                shown(resource),
                shown(expected)
            ),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Characters => {
                out.write_str("the header holds a character that is not visible ASCII.")
            }
            Self::Missing(part) => write!(
                out,
                "it has no part '{part}'. It looks like 'r=<resource>&e=<expiry>&s=<signature>'."
            ),
            Self::Encoding(part) => {
                write!(out, "its part '{part}' is not percent-encoded UTF-8.")
            }
            Self::Base64 => {
                out.write_str("its signature is not base64. Percent-encode it after 's='.")
            }
            Self::Expiry => out.write_str(
                "its expiry is in no known form. Write it like '2027-01-02T03:04:05Z', or as \
                 month/day/year with AM or PM.",
            ),
            Self::Resource => out.write_str(
                "its resource is no URL. Sign the address that is published to, percent-encoded.",
            ),
        }
    }
}

/// A text of a caller, fit for one line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(256).collect()
}
