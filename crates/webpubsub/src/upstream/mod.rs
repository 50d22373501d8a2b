//! Events on their way to the application's event handlers, and the answers on their way back.
//!
//! | module | what |
//! |---|---|
//! | [`settings`], [`template`] | which event goes where |
//! | [`request`], [`signature`], [`cookies`] | from an event to an HTTP request |
//! | [`response`] | from an HTTP answer to what it means |
//! | [`validation`] | the handshake before the first event |
//! | [`hub`], [`context`], `queue` | what is known of a hub and of a connection |
//! | [`dispatcher`] | the only file that waits for anything |
//! | `failing` | handlers that fail, for people |
//!
//! Invariants: the events of one connection reach handlers one after another, in the order they were
//! raised; connections do not wait for one another; a handler gets no event before it has agreed to;
//! no query of a URL, token or payload is ever logged. Nothing here is durable: an event whose
//! retries are used up is gone, as in the service that is emulated.

pub mod context;
pub mod cookies;
pub mod counters;
pub mod dispatcher;
mod failing;
pub mod hub;
mod queue;
pub mod request;
pub mod response;
pub mod settings;
pub mod signature;
pub mod template;
pub mod validation;

#[cfg(test)]
mod tests;

pub use context::{ConnectionContext, SigningKeys};
pub use dispatcher::{Upstream, UpstreamLimits};
pub use failing::Failing;
pub use hub::HubHandlers;
pub use queue::{Pending, QueuedEvent, Reply, UserEvent};
pub use request::ConnectEvent;
pub use response::{Answer, ConnectOutcome, Grant, Refusal, UserOutcome};
pub use settings::{EventHandler, EventName, EventPattern, HandlerAuth, SystemEvents};
pub use template::UrlTemplate;
