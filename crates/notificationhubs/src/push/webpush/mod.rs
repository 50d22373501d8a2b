//! Web Push: browsers, and whatever else takes messages as RFC 8030 has it.
//!
//! - [`credential`]: the VAPID key pair of the hub (RFC 8292)
//! - [`subscription`]: where a browser is reached, and its keys
//! - [`encryption`]: the payload, which only that browser can read (RFC 8291)
//! - [`message`]: one notification with its headers
//! - [`answer`]: what push services answer
//! - [`sender`]: the driver

pub mod answer;
pub mod credential;
pub mod encryption;
pub mod message;
pub mod sender;
pub mod subscription;

pub use credential::{VapidCredential, VapidFields};
pub use message::{Message, Urgency};
pub use sender::WebPushSender;
pub use subscription::Subscription;
