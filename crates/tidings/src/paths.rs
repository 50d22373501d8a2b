//! The first segments of all paths that the server gives to a service, in one place.
//!
//! A notification hub is reached below its own name, so no hub may be named like one of these.

/// Every first segment in lower case, in order; some are of services that are still to come.
pub const FIRST_SEGMENTS: &[&str] = &[
    "access",
    "api",
    "calling",
    "chat",
    "client",
    "clients",
    "console",
    "eventgrid",
    "eventsubscriptions",
    "fake-push",
    "identities",
    "journeys",
    "metadata",
    "providers",
    "registrar",
    "socket.io",
    "subscriptions",
    "teamsuser",
    "tenants",
    "topics",
    "v1",
    "v2",
    "v4",
    "workspaces",
];

/// Whether paths that begin with `name` are another service's.
pub fn is_taken(name: &str) -> bool {
    FIRST_SEGMENTS.iter().any(|segment| segment.eq_ignore_ascii_case(name))
}
