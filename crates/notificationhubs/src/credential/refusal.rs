//! Why a credential does not hold: a closed list, each with its sub-code, cause and cure.

use std::fmt;

use kernel::{Error, ErrorKind};

use super::{Needed, Right};

/// Why a credential does not hold. [`fmt::Display`] is the sentence for the caller; it begins as the
/// service's own does, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No `Authorization` header.
    Missing,
    /// Not a shared access signature.
    Malformed(Malformed),
    /// No policy has the token's name.
    UnknownPolicy {
        /// The name in the token.
        policy: String,
        /// The notification hub of the request.
        hub: String,
    },
    /// Neither key of the policy made the signature.
    WrongKey {
        /// The policy.
        policy: String,
        /// The notification hub of the request.
        hub: String,
    },
    /// The token's time is over.
    Expired {
        /// For how many seconds.
        by_secs: u64,
    },
    /// The token is for another host or path.
    OtherAudience {
        /// Host and path of the token.
        audience: String,
        /// Host and path of the request.
        request: String,
    },
    /// The policy does not permit this.
    MissingRight {
        /// What would.
        needed: Needed,
        /// The policy.
        policy: String,
    },
}

/// What keeps a text from being a shared access signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It begins with another word.
    Scheme,
    /// A field is missing or empty.
    Field(&'static str),
    /// `se` is no number.
    Expiry,
}

impl Refusal {
    /// The service's sub-code.
    pub fn sub_code(&self) -> &'static str {
        match self {
            Self::Missing => "40102",
            Self::UnknownPolicy { .. } | Self::WrongKey { .. } => "40103",
            Self::OtherAudience { .. } => "40104",
            Self::Malformed(Malformed::Field("se")) => "40108",
            Self::Malformed(Malformed::Field("sig")) => "40110",
            Self::Malformed(_) => "40105",
            Self::Expired { .. } => "40106",
            Self::MissingRight { .. } if self.is_forbidden() => "40300",
            Self::MissingRight { .. } => "40100",
        }
    }

    /// Devices take 403 for "slow down" and try again for ever, so only senders, which are backends,
    /// get one.
    fn is_forbidden(&self) -> bool {
        matches!(self, Self::MissingRight { needed, .. } if needed.first() == Right::Send)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind =
            if refusal.is_forbidden() { ErrorKind::Forbidden } else { ErrorKind::Unauthenticated };
        Self::new(kind, refusal.sub_code(), refusal.to_string())
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => out.write_str(
                "MissingToken: No Authorization header was sent. Expected 'SharedAccessSignature \
                 sr=…&sig=…&se=…&skn=…'; the SDK makes it from the connection string.",
            ),
            Self::Malformed(problem) => write!(out, "MalformedToken: {problem}"),
            Self::UnknownPolicy { policy, hub } => write!(
                out,
                "InvalidSignature: The token has an invalid signature. Neither the notification hub \
                 '{hub}' nor its namespace has a policy named '{policy}'; check SharedAccessKeyName \
                 in the connection string."
            ),
            Self::WrongKey { policy, hub } => write!(
                out,
                "InvalidSignature: The token has an invalid signature. It was made with neither key \
                 of the policy '{policy}': the key was regenerated or belongs to another notification \
                 hub than '{hub}'. Copy the connection string again."
            ),
            Self::Expired { by_secs } => write!(
                out,
                "ExpiredToken: The token is expired. It ended {by_secs} seconds ago by the server's \
                 clock; make a new one, and compare the two clocks if it was new."
            ),
            Self::OtherAudience { audience, request } => write!(
                out,
                "InvalidAudience: The token is for '{audience}', the request was made to \
                 '{request}'. Use the Endpoint of this server's connection string."
            ),
            Self::MissingRight { needed, policy } => write!(
                out,
                "{needed} is required for this operation. The policy '{policy}' does not have it; \
                 use the connection string of one that has."
            ),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => out.write_str(
                "The Authorization header does not begin with the word SharedAccessSignature; no \
                 other kind of token is accepted here.",
            ),
            Self::Field(name) => write!(
                out,
                "The token has no field '{name}'. Expected 'SharedAccessSignature \
                 sr=…&sig=…&se=…&skn=…'."
            ),
            Self::Expiry => out.write_str(
                "The token's field 'se' is no number; expected the seconds since 1970-01-01T00:00:00Z \
                 at which the token ends.",
            ),
        }
    }
}
