//! Who may do what: shared access signatures, the policies that they are checked against, and the
//! connection strings that applications are given.
//!
//! Pure: policies, addresses and the time are arguments; only new keys come from the system's random
//! source. The signature is checked over the bytes that were sent, because every client encodes what
//! it signs in its own way and none of them can be imitated by encoding again.
//!
//! Invariants: nothing that a token claims is told before its signature holds, keys are compared in
//! constant time, and no refusal holds a key or a signature.

mod audience;
mod connection_string;
mod policy;
mod refusal;
#[cfg(test)]
mod tests;
mod token;
mod verify;

pub use connection_string::{ConnectionString, ConnectionStringError};
pub use policy::{DEFAULT_FULL, DEFAULT_LISTEN, Policy, ROOT_MANAGE, Right, Rights, generate_key};
pub use refusal::Refusal;
pub use verify::{Expected, Needed, Policies, Verified, is_signed_with, verify};
