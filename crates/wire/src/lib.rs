//! Formats that several services share, as pure functions from text to values and back.
//!
//! A format lives here when a second crate needs it. Nothing here does IO, reads a clock or knows
//! what a service does with the value.
//!
//! - [`Endpoint`]: the address under which a resource is reached
//! - [`ConnectionString`]: what an application is given to reach and prove itself to a resource
//! - [`ResourceId`]: the long name of a resource in resource manager calls
//! - [`shared_access_signature`]: the token that opens a notification hub

mod connection_string;
mod endpoint;
mod resource_id;
mod shared_access_signature;

pub use connection_string::{ConnectionString, ConnectionStringError};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use resource_id::ResourceId;
pub use shared_access_signature::shared_access_signature;
