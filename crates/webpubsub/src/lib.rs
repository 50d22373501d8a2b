//! Azure Web PubSub: client protocols, REST data plane, roles.
//!
//! | module | what |
//! |---|---|
//! | `connect` | `/client/…`: handshake to connection |
//! | `rest` | `/api/…`: the data plane |
//! | `session` | the state behind a connection, pure |
//! | `protocol` | wire forms, pure |
//! | `message`, `metadata`, `role`, `name` | the nouns |
//! | `resource`, `service` | keys, hosts, and what the entrances share |
//!
//! Invariants: nothing here touches a socket or a clock of its own; data passes through as its
//! sender wrote it; every refusal says what to do.

mod connect;
pub mod filter;
pub mod message;
pub mod metadata;
pub mod name;
pub mod protocol;
mod query;
mod resource;
mod rest;
pub mod role;
mod service;
pub mod session;

use axum::http::{Method, Uri};
use axum::response::Response;

pub use resource::{Resource, Resources};
pub use service::WebPubSub;

impl WebPubSub {
    /// Every route of the service.
    pub fn router(&self) -> axum::Router {
        rest::router(self.clone()).merge(connect::router(self.clone()))
    }

    /// The refusal of a request that has no route but a path of this service; `None` for a path of
    /// somebody else's.
    pub fn refuse_unknown(method: &Method, uri: &Uri) -> Option<Response> {
        uri.path().starts_with("/api/").then(|| rest::unknown(method, uri))
    }
}
