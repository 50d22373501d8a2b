//! Apple Push Notification service, with token authentication over HTTP/2.
//!
//! - [`credential`]: the signing key, team and app, and which environment they are for
//! - [`topic`]: push types, and the topic that each asks for
//! - [`message`]: one notification as headers and payload, shared by all its devices
//! - [`answer`]: what Apple's answers mean
//! - [`provider_token`]: the signed token, renewed within Apple's limits
//! - `connection`, [`sender`]: the driver: HTTP/2 connections, one pool a key

pub mod answer;
mod connection;
pub mod credential;
pub mod message;
pub mod provider_token;
pub mod sender;
pub mod topic;

pub use connection::ConnectionLimits;
pub use credential::{ApnsCredential, ApnsFields};
pub use message::{Message, Options};
pub use sender::{ApnsSender, Channel};
pub use topic::PushType;
