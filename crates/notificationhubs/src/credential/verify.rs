//! The check of a request's credential.

use std::fmt;
use std::time::Duration;

use kernel::Timestamp;
use percent_encoding::percent_decode_str;

use super::audience::{Audience, host_of};
use super::refusal::Malformed;
use super::token::Token;
use super::{Policy, Refusal, Right, Rights};
use crate::refusal::shown;

/// How far the clocks of a client and this server may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The rights of which a caller needs one; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed(&'static [Right]);

impl Needed {
    /// To register one device, or read or delete it.
    pub const LISTEN: Self = Self(&[Right::Listen]);
    /// To send, schedule and cancel.
    pub const SEND: Self = Self(&[Right::Send]);
    /// To list devices, and to change the notification hub.
    pub const MANAGE: Self = Self(&[Right::Manage]);
    /// To read what became of a send. Documents ask for Manage; a backend that may send may also ask.
    pub const TELEMETRY: Self = Self(&[Right::Manage, Right::Send]);

    /// The right that is asked for first.
    pub(super) fn first(self) -> Right {
        self.0[0]
    }

    fn met_by(self, rights: Rights) -> bool {
        self.0.iter().any(|right| rights.has(*right))
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|right| right.as_str()).collect();
        write!(out, "{} claim", names.join(" or "))
    }
}

/// The policies in force: those of the notification hub are asked first.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// Of the notification hub that the request is for.
    pub hub: &'a [Policy],
    /// Of its namespace.
    pub namespace: &'a [Policy],
    /// Whether a policy of the namespace may send. The documents contradict one another.
    pub namespace_may_send: bool,
}

/// What a credential must be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The notification hub, for sentences.
    pub hub: &'a str,
    /// Names of this server, lower case and without ports.
    pub hosts: &'a [String],
    /// The `Host` header of the request.
    pub host: Option<&'a str>,
    /// The path of the request, encoded or not.
    pub path: &'a str,
    /// What the operation asks for.
    pub needed: Needed,
}

/// A credential that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The policy that was used.
    pub policy: String,
    /// What it permits here.
    pub rights: Rights,
}

/// Checks the `Authorization` header of a request.
///
/// # Errors
/// The first thing that is wrong: form, policy, signature, time, audience, right.
pub fn verify(
    header: Option<&str>,
    expected: &Expected<'_>,
    policies: &Policies<'_>,
    now: Timestamp,
) -> Result<Verified, Refusal> {
    let token = Token::parse(header)?;
    let expiry = token.expiry.parse().map_err(|_| Refusal::Malformed(Malformed::Expiry))?;
    let (policy, rights) = find(&token, expected.hub, policies)?;
    check_time(Timestamp::from_secs(expiry), now)?;
    check_audience(&token, expected)?;
    if !expected.needed.met_by(rights) {
        let policy = policy.name.clone();
        return Err(Refusal::MissingRight { needed: expected.needed, policy });
    }
    Ok(Verified { policy: policy.name.clone(), rights })
}

/// Whether a key of these policies made the token, whatever it is for and however old it is.
pub fn is_signed_with(header: Option<&str>, policies: &Policies<'_>) -> bool {
    Token::parse(header).is_ok_and(|token| find(&token, "", policies).is_ok())
}

/// The policy whose key made the token. Hub and namespace may each have one of the same name, and a
/// name with a percent sign may have been sent encoded or not.
fn find<'a>(
    token: &Token<'_>,
    hub: &str,
    policies: &Policies<'a>,
) -> Result<(&'a Policy, Rights), Refusal> {
    let decoded = percent_decode_str(token.policy).decode_utf8_lossy();
    let named = |it: &&Policy| it.name == decoded || it.name == token.policy;
    let of_hub = policies.hub.iter().filter(named).map(|it| (it, it.rights));
    let of_namespace = policies.namespace.iter().filter(named).map(|it| {
        let all = policies.namespace_may_send;
        (it, if all { it.rights } else { it.rights.without_send() })
    });
    let mut known = false;
    for (policy, rights) in of_hub.chain(of_namespace) {
        known = true;
        if token.is_signed_with(&policy.primary) || token.is_signed_with(&policy.secondary) {
            return Ok((policy, rights));
        }
    }
    let (policy, hub) = (shown(&decoded), shown(hub));
    Err(if known {
        Refusal::WrongKey { policy, hub }
    } else {
        Refusal::UnknownPolicy { policy, hub }
    })
}

fn check_time(expiry: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    if expiry + CLOCK_SKEW > now {
        return Ok(());
    }
    Err(Refusal::Expired { by_secs: now.since(expiry).as_secs() })
}

fn check_audience(token: &Token<'_>, expected: &Expected<'_>) -> Result<(), Refusal> {
    let audience = Audience::parse(token.resource);
    let host = expected.host.map(host_of);
    let ours = expected.hosts.contains(&audience.host) || host.as_ref() == Some(&audience.host);
    if ours && audience.covers(expected.path) {
        return Ok(());
    }
    Err(Refusal::OtherAudience {
        audience: shown(&format!("{}{}", audience.host, audience.path)),
        request: shown(&format!("{}{}", host.unwrap_or_default(), expected.path)),
    })
}
