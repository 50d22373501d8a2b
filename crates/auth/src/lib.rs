//! A credential in, verified claims or a reasoned refusal out.
//!
//! Pure: keys, the resource's addresses and the time are arguments. Two things here are not values:
//! [`KeyRing`], which holds the keys that a rotation replaces, and [`generate_key`], which draws from
//! the system's random source.
//!
//! - [`verify`] checks an access token; [`Expected`] says what it must be for
//! - [`Refusal`] says why one does not hold, for the caller and with the cure
//! - [`bearer`] and [`client_token`] find the token in a request
//! - [`Provider::verify`] checks an access token of an identity provider, [`IdToken::verify`] one that
//!   says who has signed in; [`ProviderMetadata`] is what a provider says of itself
//! - [`mint_client_token`] and [`mint_rest_token`] sign new ones
//!
//! Invariants: the algorithm belongs to the key whatever the token says, nothing of a token's claims is read
//! or told before its signature holds, and no refusal contains a token or key.

mod audience;
mod bearer;
mod claims;
mod id_token;
mod jwt;
mod keys;
mod metadata;
mod mint;
mod provider;
mod refusal;
#[cfg(test)]
mod signer;
#[cfg(test)]
mod tests;
mod verify;

pub use audience::Endpoints;
pub use bearer::{bearer, client_token};
pub use claims::Claims;
pub use id_token::{IdToken, IdTokenRefusal};
pub use keys::{AccessKeys, KeyProblem, KeyRing, KeySlot, check_key, generate_key, is_well_known};
pub use metadata::{ProviderMetadata, is_safe_url};
pub use mint::{ClientGrant, mint_client_token, mint_rest_token};
pub use provider::{Identity, Provider, ProviderKeys, ProviderRefusal};
pub use refusal::{Malformed, Part, Refusal};
pub use verify::{CLOCK_SKEW, Expected, Purpose, verify};
