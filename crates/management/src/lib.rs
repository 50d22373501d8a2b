//! Resource manager calls over the services' own interfaces.
//!
//! What `az`, Terraform and the management SDKs of Azure send to create topics, read keys and the
//! like. Nothing is kept here: a namespace translates calls into the few methods of its port, and the
//! program implements the port over the service. Every call is finished when it is answered, so no
//! long-running operation exists.
//!
//! - [`Management`]: the routes, and what every call goes through
//! - [`Authority`]: who may call
//! - [`Namespace`]: what a resource provider is; [`eventgrid`] and [`notificationhubs`] are two
//! - [`Envelope`]: what surrounds the properties of a resource
//!
//! The way of a call: `service` (credential, version, body) → `address` (what does the path name) →
//! `directory` (subscriptions, groups, providers) or a namespace → its port.

mod address;
mod authority;
mod call;
mod directory;
mod envelope;
pub mod eventgrid;
mod fault;
mod filter;
mod metadata;
mod namespace;
pub mod notificationhubs;
mod page;
mod query;
mod service;
mod version;

#[cfg(test)]
mod tests;

pub use address::ProviderPath;
pub use authority::{Authority, Principal, TokenCheck};
pub use call::{Answer, Call};
pub use envelope::{Envelope, GLOBAL};
pub use namespace::{Namespace, Pending};
pub use query::Query;
pub use service::Management;
