//! Apple's push service as a sender sees it.
//!
//! - [`check`]: what Apple checks of a request, pure
//! - [`server`]: HTTP/2 over TLS, and nothing else

mod check;
mod server;

pub use server::{ApnsServer, ApnsSettings};

/// The reasons that Apple documents, with their statuses, and what else can go wrong.
const REASONS: [(&str, u16); 30] = [
    ("BadCollapseId", 400),
    ("BadDeviceToken", 400),
    ("BadExpirationDate", 400),
    ("BadMessageId", 400),
    ("BadPriority", 400),
    ("BadTopic", 400),
    ("DeviceTokenNotForTopic", 400),
    ("DuplicateHeaders", 400),
    ("IdleTimeout", 400),
    ("InvalidPushType", 400),
    ("MissingDeviceToken", 400),
    ("MissingTopic", 400),
    ("PayloadEmpty", 400),
    ("TopicDisallowed", 400),
    ("BadCertificate", 403),
    ("BadCertificateEnvironment", 403),
    ("BadEnvironmentKeyIdInToken", 403),
    ("ExpiredProviderToken", 403),
    ("Forbidden", 403),
    ("InvalidProviderToken", 403),
    ("MissingProviderToken", 403),
    ("UnrelatedKeyIdInToken", 403),
    ("BadPath", 404),
    ("MethodNotAllowed", 405),
    ("ExpiredToken", 410),
    ("Unregistered", 410),
    ("PayloadTooLarge", 413),
    ("TooManyProviderTokenUpdates", 429),
    ("TooManyRequests", 429),
    ("InternalServerError", 500),
];

/// Those of 503.
const UNAVAILABLE: [&str; 2] = ["ServiceUnavailable", "Shutdown"];

/// GOAWAY while the request is under way: it was looked at, and never answered.
const GO_AWAY: &str = "GoAway";
/// RST_STREAM that says the request was not looked at.
const REFUSE_STREAM: &str = "RefuseStream";
/// RST_STREAM that says nothing.
const RESET_STREAM: &str = "ResetStream";

/// The ways to fail.
pub(super) fn failures() -> impl Iterator<Item = &'static str> {
    let transport = [GO_AWAY, REFUSE_STREAM, RESET_STREAM, super::failure::STALL];
    REASONS.iter().map(|(reason, _)| *reason).chain(UNAVAILABLE).chain(transport)
}

/// The status of a reason.
fn status_of(reason: &str) -> u16 {
    REASONS.iter().find(|(name, _)| *name == reason).map_or(503, |(_, status)| *status)
}
