//! The decision: does this token hold, here and now?
//!
//! In this order: form, algorithm, signature, times, audience. A stranger without a key learns
//! nothing beyond "neither key signed this"; everything more precise is told to holders of a key.
//!
//! Sources: the audience rules are those of the service's public emulator, as wide as needed for the
//! JavaScript SDK (which signs the URL with its query), the Python SDK (which keeps the host's case)
//! and the documentation (which signs the URL without its query).

use std::time::Duration;

use kernel::Timestamp;

use crate::audience::{Audience, Place, client_hub, same_path, same_query, split_query};
use crate::claims::RawClaims;
use crate::jwt::{printable, signed_payload};
use crate::{AccessKeys, Claims, Endpoints, Refusal};

/// How far the signer's clock may be off, for `exp` and `nbf`; the emulated service allows as much.
pub const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// An audience in a message is cut after this many characters.
const SHOWN: usize = 300;

/// What a token must be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The resource's name, for messages.
    pub resource: &'a str,
    /// Every address that the resource has.
    pub endpoints: &'a Endpoints,
    /// What the caller is about to do.
    pub purpose: Purpose<'a>,
}

/// What the bearer is about to do.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// Open a client connection to a hub: the audience is `{endpoint}/client/hubs/{hub}`.
    Client {
        /// The hub's name, URL-decoded.
        hub: &'a str,
    },
    /// Make a REST call: the audience is the URL called, with or without its query.
    Rest {
        /// Path and query as they came, without an endpoint's base path.
        path_and_query: &'a str,
    },
}

/// Checks an access token.
///
/// # Errors
/// The first reason why it does not hold; see the module for the order.
pub fn verify(
    token: &str,
    keys: &AccessKeys,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Claims, Refusal> {
    let payload = signed_payload(token, keys, expected.resource)?;
    let claims = RawClaims::parse(&payload)?;
    let expires_at = check_times(&claims, now)?;
    check_audience(&claims.texts("aud")?, expected)?;
    claims.into_claims(expires_at)
}

pub(crate) fn check_times(claims: &RawClaims, now: Timestamp) -> Result<Timestamp, Refusal> {
    let expires_at = claims.moment("exp")?.ok_or(Refusal::NoExpiry)?;
    if now >= expires_at + CLOCK_SKEW {
        return Err(Refusal::Expired { by_secs: now.since(expires_at).as_secs(), clock: now });
    }
    match claims.moment("nbf")? {
        Some(start) if now + CLOCK_SKEW < start => {
            // Rounded up, so that waiting as long as told is enough.
            let by_secs = start.since(now).as_micros().div_ceil(1_000_000);
            let by_secs = u64::try_from(by_secs).unwrap_or(u64::MAX);
            Err(Refusal::NotYetValid { by_secs, clock: now })
        }
        _ => Ok(expires_at),
    }
}

fn check_audience(audiences: &[String], expected: &Expected<'_>) -> Result<(), Refusal> {
    let mut refusal = Refusal::NoAudience;
    for text in audiences {
        match check_one(text, expected) {
            Ok(()) => return Ok(()),
            // What an audience of this very resource lacks is the better explanation.
            Err(Refusal::OtherResource { .. }) if refusal != Refusal::NoAudience => {}
            Err(other) => refusal = other,
        }
    }
    Err(refusal)
}

fn check_one(text: &str, expected: &Expected<'_>) -> Result<(), Refusal> {
    let audience = Audience::parse(text);
    let places = audience.as_ref().map(|it| expected.endpoints.locate(it)).unwrap_or_default();
    let (Some(audience), Some(place)) = (&audience, places.first()) else {
        return Err(Refusal::OtherResource {
            audience: printable(text, SHOWN),
            resource: expected.resource.to_owned(),
            answers_to: expected.endpoints.clone(),
        });
    };
    let query = audience.query.as_deref();
    if places.iter().any(|place| expected.purpose.accepts(place.path, query)) {
        Ok(())
    } else {
        Err(expected.purpose.explain(text, place))
    }
}

impl Purpose<'_> {
    fn accepts(&self, path: &str, query: Option<&str>) -> bool {
        match self {
            Self::Client { hub } => same_path(path, &client_path(hub)),
            Self::Rest { path_and_query } => {
                let (called, called_query) = split_query(path_and_query);
                let query_fits = match query {
                    None | Some("") => true,
                    Some(query) => same_query(query, called_query.unwrap_or_default()),
                };
                same_path(path, called) && query_fits
            }
        }
    }

    /// Why an audience on this resource's own address, at `place`, is still not the right one.
    fn explain(&self, audience: &str, place: &Place<'_>) -> Refusal {
        let audience = printable(audience, SHOWN);
        let url = |path: &str| printable(&format!("{}{path}", place.endpoint), SHOWN);
        match (self, client_hub(place.path)) {
            (Self::Client { hub }, Some(token_hub)) => Refusal::OtherHub {
                token: printable(&token_hub, SHOWN),
                requested: printable(hub, SHOWN),
            },
            (Self::Client { hub }, None) => {
                Refusal::RestTokenForClient { audience, expected: url(&client_path(hub)) }
            }
            (Self::Rest { path_and_query }, Some(token_hub)) => Refusal::ClientTokenForRest {
                hub: printable(&token_hub, SHOWN),
                url: url(path_and_query),
            },
            (Self::Rest { path_and_query }, None) => {
                Refusal::OtherUrl { audience, expected: url(path_and_query) }
            }
        }
    }
}

/// The path of a hub's clients; a client token's audience ends in it.
pub(crate) fn client_path(hub: &str) -> String {
    format!("/client/hubs/{hub}")
}
