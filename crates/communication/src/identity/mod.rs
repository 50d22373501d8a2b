//! Identities and their access tokens.
//!
//! | module | what |
//! |---|---|
//! | `hmac` | signatures of requests made with an access key, pure |
//! | `scope` | what a token permits |
//! | `token` | claims and form of user access tokens, pure |
//! | `signing` | the keys that sign tokens |
//! | `store` | rows |
//! | `service` | create, issue, revoke, delete; who a token belongs to |
//! | `rest` | `/identities`, `/access` |
//!
//! Invariants: a token holds only while its identity, its generation and the access key that issued it
//! do; a revocation is on disk before it is answered and in force when it is answered.

pub mod hmac;
pub(crate) mod rest;
pub mod scope;
mod service;
pub(crate) mod signing;
pub(crate) mod store;
mod token;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use rest::Granted;
pub use scope::{Scope, Scopes};
pub use service::{Caller, Ended, Ending, Identities, Issued};
pub use store::resource_id;
pub use token::TokenRefusal;

/// The shortest life of a token that can be asked for.
pub const MIN_LIFETIME: Duration = Duration::from_hours(1);
/// The longest life of a token, and the one that is given unless asked otherwise.
pub const MAX_LIFETIME: Duration = Duration::from_hours(24);
