//! The vocabulary of Tidings: the few types that every other crate speaks.
//!
//! A type lives here when two tiers need it, it has no behaviour beyond itself and its name means
//! the same in both places. Nothing here does IO, reads a clock on its own or knows a protocol.
//!
//! - [`Error`] and [`ErrorKind`]: one taxonomy for every refusal; [`Cause`]: why, for programs
//! - [`Timestamp`] and [`Clock`]: time as a value, handed in
//! - [`Secret`]: text that cannot be printed by accident
//! - [`trace`]: the ids by which a notification is known everywhere
//! - [`milestone`], [`journey`]: one step of a notification, and how it is recorded

mod cause;
mod error;
pub mod journey;
pub mod milestone;
mod secret;
mod time;
pub mod trace;

pub use cause::Cause;
pub use error::{Error, ErrorKind, Result};
pub use journey::{Journey, Milestones};
pub use milestone::{Milestone, Note, Stage};
pub use secret::Secret;
pub use time::{Clock, SystemClock, Timestamp};
pub use trace::{TraceContext, TraceId};
