//! Azure Event Grid: topics, event subscriptions, and deliveries to webhooks and browsers.
//!
//! | module | what |
//! |---|---|
//! | `service` | what every entrance shares, and how the service begins |
//! | `rest`, `access`, `publish` | a publication in, deliveries on disk |
//! | `courier` | deliveries out |
//! | `control`, `configured` | topics and event subscriptions: by calls, by the configuration file |
//! | `validation`, `expiration` | the handshake before a webhook gets events; the end of its time |
//! | `watch`, `operator` | what people see and do |
//! | `registry`, `store`, `catalogue` | the snapshot that publishing reads, all SQL, topics for commands |
//! | `unreadable` | what of the store cannot be read |
//! | `topic`, `subscription` | the nouns |
//! | `event`, `filter`, `request`, `outcome`, `dead_letter`, `credential`, `system` | decisions and codecs, pure |
//! | `realtime`, `bearer`, `settings` | what the program gives |
//!
//! Invariants: 200 to a publisher means that every delivery is on disk; no event goes to a
//! destination that has not consented; secrets of URLs and attributes are shown only to the calls
//! that ask for them by name; outgoing requests go through `edge::outbound` alone.

mod access;
mod bearer;
mod calendar;
mod catalogue;
mod configured;
mod control;
mod courier;
pub mod credential;
pub mod dead_letter;
pub mod event;
mod expiration;
pub mod filter;
mod journeys;
mod json;
mod operator;
pub mod outcome;
mod publish;
mod realtime;
mod registry;
pub mod request;
mod rest;
mod service;
mod settings;
mod store;
pub mod subscription;
pub mod system;
#[cfg(test)]
mod tests;
pub mod topic;
mod unreadable;
mod validation;
mod watch;

use axum::http::{Method, Uri};
use axum::response::Response;

pub use bearer::{AnyBearer, BearerCheck, NoBearer};
pub use catalogue::Catalogue;
pub use configured::{Configured, ConfiguredSubscription, ConfiguredTopic};
pub use publish::SystemBatch;
pub use realtime::{NoRealtime, Realtime};
pub use service::{EventGrid, Foundations, QUEUE};
pub use settings::Settings;
pub use watch::{Health, Traffic, Watch};

/// A moment as events carry it: RFC 3339 in UTC.
pub fn time_text(moment: kernel::Timestamp) -> String {
    calendar::rfc3339(moment)
}

impl EventGrid {
    /// Every public route of the service; [`EventGrid::operator_router`] has those for people.
    pub fn router(&self) -> axum::Router {
        rest::router(self.clone())
    }

    /// The refusal of a request that has no route but a path of this service; `None` for a path of
    /// somebody else's.
    pub fn refuse_unknown(method: &Method, uri: &Uri) -> Option<Response> {
        let ours = ["/topics/", "/eventsubscriptions/"];
        let is_ours = ours.iter().any(|start| uri.path().starts_with(start));
        is_ours.then(|| rest::unknown(method, uri))
    }
}
