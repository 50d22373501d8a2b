//! The vocabulary of Tidings: the few types that every other crate speaks.
//!
//! A type lives here when two tiers need it, it has no behaviour beyond itself and its name means
//! the same in both places. Nothing here does IO, reads a clock on its own or knows a protocol.
//!
//! - [`Error`] and [`ErrorKind`]: one taxonomy for every refusal
//! - [`Timestamp`] and [`Clock`]: time as a value, handed in
//! - [`Secret`]: text that cannot be printed by accident

mod error;
mod secret;
mod time;

pub use error::{Error, ErrorKind, Result};
pub use secret::Secret;
pub use time::{Clock, SystemClock, Timestamp};
