//! The Notification Hubs service: devices, tags, templates, push.
//!
//! | module | what |
//! |---|---|
//! | [`credential`] | who may do what: shared access signatures, policies, connection strings |
//! | [`tag`] | who is meant: tags and tag expressions |
//! | [`template`] | what a device has asked to be sent |
//! | [`registration`], [`installation`] | a device, in the two forms that clients know |
//! | [`entry`] | the XML on the wire |
//! | [`push`] | senders to Apple, Google and browsers; [`fake`], those services for development |
//! | [`store`] | everything that must outlive the process; who a send is for |
//! | [`send`] | sends: accepted, carried out page by page, settled |
//! | `rest` | the data plane over HTTP |
//! | [`pns_credentials`], `route`, `registry` | credentials of hubs, the ways to devices, all hubs at one moment |
//! | [`control`] | namespaces, hubs, policies and credentials, for management and configuration |
//! | [`metrics`] | what is counted of each hub |
//! | `operator`, `trial` | what people see, and try |
//! | `service`, `settings` | what every entrance shares; what the program decides |
//!
//! Invariants: whatever a stranger sends is a value or a refusal, never a panic; no key or handle is
//! in a refusal; the XML that goes out has the order of members that the official clients rely on.

pub mod control;
pub mod credential;
pub mod entry;
pub mod fake;
pub mod installation;
pub mod metrics;
pub mod notification;
pub mod pns_credentials;
pub mod push;
pub mod registration;
pub mod send;
pub mod store;
pub mod tag;
pub mod template;

pub mod date;

mod handle;
mod operator;
mod platform;
mod refusal;
mod registry;
mod rest;
mod route;
mod service;
mod settings;
#[cfg(test)]
mod tests;
mod trial;
mod xml;

pub use handle::{BrowserKeys, Handle, lookup_candidates};
pub use platform::Platform;
pub use service::{Foundations, NotificationHubs};
pub use settings::Settings;
pub use trial::Trial;
