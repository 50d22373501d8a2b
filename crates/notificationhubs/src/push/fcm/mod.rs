//! Firebase Cloud Messaging, HTTP v1.
//!
//! - [`credential`]: the service account and its project
//! - [`access_token`]: the signed assertion that is traded for an access token, and its answer
//! - [`message`]: the hub's body as Google's, with a place for the registration token
//! - [`legacy`]: the same from a body of the retired API
//! - [`answer`]: what Google's answers mean
//! - [`sender`]: the driver

pub mod access_token;
pub mod answer;
pub mod credential;
pub mod legacy;
pub mod message;
pub mod sender;

pub use credential::{FcmCredential, FcmEndpoints, FcmFields};
pub use message::Message;
pub use sender::{Channel, FcmSender};
