//! Azure Web PubSub: client protocols, REST data plane, roles.
//!
//! | module | what |
//! |---|---|
//! | `connect` | `/client/…`: handshake to connection |
//! | `rest` | `/api/…`: the data plane |
//! | `session` | the state behind a connection, pure |
//! | `protocol` | wire forms, pure |
//! | `upstream`, `events` | events to the application's event handlers, and their answers |
//! | `filter`, `receivers` | the OData subset, and what it is asked about |
//! | `message`, `metadata`, `role`, `name` | the nouns |
//! | `resource`, `hub`, `service` | keys, hosts, settings, and what the entrances share |
//! | `inside` | what other parts of the program do with clients |
//! | `operator`, `live_trace` | what people at the server see |
//! | `recovery` | who may come back to a reliable connection |
//!
//! Invariants: nothing here touches a socket or a clock of its own; data passes through as its
//! sender wrote it; every refusal says what to do.

mod connect;
mod events;
pub mod filter;
mod hub;
mod inside;
mod live_trace;
pub mod message;
pub mod metadata;
pub mod name;
mod operator;
pub mod protocol;
mod query;
mod receivers;
mod recovery;
mod resource;
mod rest;
pub mod role;
mod service;
pub mod session;
pub mod upstream;

use axum::http::{Method, Uri};
use axum::response::Response;

pub use hub::HubSettings;
pub use inside::{ConnectionObserver, Observed, Receiver};
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
