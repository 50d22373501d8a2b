//! The edge: everything between a socket and a service's router.
//!
//! - [`listen`]: binding ports, with errors that name the cure
//! - [`mod@serve`]: the accept loop, TLS, HTTP/1 and HTTP/2, drain
//! - [`tls`]: certificates, their reload, and the development CA
//! - [`request`]: what happens around every request (ids, tidy paths, log line, panics)
//! - [`respond`]: the only place that turns a [`kernel::Error`] into an HTTP answer
//! - [`host`]: who may ask what listens on loopback without credentials
//! - [`body`]: reading a request body within a limit
//! - [`lines`]: answers that go on, a line at a time
//! - [`websocket`]: the handshake that makes a connection a WebSocket
//! - [`upgrade`]: taking the socket out of an upgraded connection
//! - [`outbound`]: the one guarded client for outgoing HTTP
//! - [`admin`]: health, readiness, metrics
//! - [`Tasks`]: the group that every spawned task belongs to
//!
//! Nothing here knows a service, a credential or a store. Nothing is global to the process: several
//! servers, each with its own certificates, can run side by side.

pub mod admin;
pub mod body;
pub mod host;
pub mod lines;
pub mod listen;
pub mod outbound;
mod panics;
pub mod request;
pub mod respond;
pub mod serve;
mod stream;
mod tasks;
pub mod tls;
pub mod upgrade;
pub mod websocket;

#[cfg(test)]
mod socket_tests;
#[cfg(test)]
mod test_client;

pub use listen::Listener;
pub use request::{App, RequestId, layer};
pub use respond::{Envelope, Rejection};
pub use serve::{PeerAddr, Scheme, serve};
pub use stream::Stream;
pub use tasks::{Tasks, Unfinished};
