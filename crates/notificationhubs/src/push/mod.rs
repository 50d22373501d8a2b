//! Senders: one notification to one handle of a platform's push service, and what came of it.
//!
//! - [`apns`], [`fcm`], [`webpush`]: one folder a platform. Building the request and reading the
//!   answer are pure; a thin driver performs it
//! - [`outcome`]: what every answer becomes, under the names that Notification Hubs has for it
//! - [`breaker`]: whether a handle may be removed for it, so that a wrong environment wipes no hub
//! - [`pause`]: a credential that is refused is not knocked with a million times
//! - [`jws`], [`key_text`]: signed tokens, and keys as people paste them
//!
//! A sender makes one attempt. It stores nothing and knows no registration; when to try again is the
//! business of delivery. The only repetitions are those that cannot deliver twice: a request that
//! the service says it has not processed, and one that was refused for the age of our token.

pub mod apns;
pub mod breaker;
pub mod fcm;
pub mod jws;
pub mod key_text;
pub mod outcome;
pub mod pause;
pub mod webpush;

use std::sync::Arc;

use edge::Tasks;
use edge::outbound::Outbound;
use kernel::Clock;

pub use breaker::{Breaker, Ruling};
pub use outcome::{Outcome, OutcomeName};
pub use pause::Pause;

/// The senders of all platforms. Clones share connections and tokens.
#[derive(Clone)]
pub struct Senders {
    /// Apple.
    pub apns: apns::ApnsSender,
    /// Google.
    pub fcm: fcm::FcmSender,
    /// Browsers.
    pub webpush: webpush::WebPushSender,
}

impl Senders {
    /// Senders that reach out through `outbound` and keep their connections in `tasks`.
    pub fn new(outbound: &Outbound, clock: &Arc<dyn Clock>, tasks: &Tasks) -> Self {
        let limits = apns::ConnectionLimits::default();
        let (reach, clock) = (|| outbound.clone(), || Arc::clone(clock));
        Self {
            apns: apns::ApnsSender::new(reach(), clock(), tasks.clone(), limits),
            fcm: fcm::FcmSender::new(reach(), clock()),
            webpush: webpush::WebPushSender::new(reach(), clock()),
        }
    }
}

/// As much of a handle as may stand in a log line.
pub fn handle_prefix(handle: &str) -> &str {
    let end = handle.char_indices().nth(8).map_or(handle.len(), |(at, _)| at);
    &handle[..end]
}
