//! Why an outgoing request brought no answer.

use std::net::IpAddr;
use std::time::Duration;

/// Why an outgoing request brought no answer. The texts name scheme, host and port only: paths and
/// queries of webhooks often are secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The URL cannot be called.
    #[error("the URL {0}")]
    BadUrl(&'static str),
    /// The host has an address that must not be called.
    #[error(
        "{place} has {kind} ({address}), and outgoing requests do not go there; if they should, \
         add {address} or its range to outbound.allow, or set outbound.allow_private"
    )]
    Refused {
        /// Scheme, host and port.
        place: String,
        /// What the host's name resolved to.
        address: IpAddr,
        /// What kind of address that is, with its article.
        kind: &'static str,
    },
    /// The host's name has no address.
    #[error(
        "the host name of {place} cannot be resolved ({cause}); check its spelling and the DNS"
    )]
    Resolve {
        /// Scheme, host and port.
        place: String,
        /// What the resolver says.
        cause: String,
    },
    /// Nobody answers at the address.
    #[error(
        "{place} cannot be connected to ({cause}); check that it is up and reachable from here"
    )]
    Connect {
        /// Scheme, host and port.
        place: String,
        /// What the system says of the last address tried.
        cause: String,
    },
    /// The TLS handshake failed.
    #[error(
        "the TLS handshake with {place} failed ({cause}); a certificate of a private CA needs that \
         CA in outbound.extra_ca_file"
    )]
    Tls {
        /// Scheme, host and port.
        place: String,
        /// What was wrong.
        cause: String,
    },
    /// The answer was not there, whole, in time.
    #[error("{place} did not answer within {} seconds", limit.as_secs_f32())]
    Timeout {
        /// Scheme, host and port.
        place: String,
        /// The time that it had.
        limit: Duration,
    },
    /// The answer is larger than what is wanted.
    #[error("the {part} of the answer from {place} has more than {limit} bytes")]
    TooLarge {
        /// Scheme, host and port.
        place: String,
        /// "headers" or "body".
        part: &'static str,
        /// How many bytes it may have.
        limit: usize,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the conversation with {place} broke off ({cause})")]
    Broken {
        /// Scheme, host and port.
        place: String,
        /// What happened.
        cause: String,
    },
}
