//! The Logs query API: a query and a time range in, tables out.
//!
//! Endpoints stand at the root of a host, since the official clients drop any path before them; one
//! of them drops the version too. There is one workspace. Where the service documents an empty 204 for
//! an empty workspace, we answer 200 with no rows: clients read JSON from every answer.

mod answer;
mod batch;
mod bearer;
mod by_resource;
mod request;
mod rest;
mod service;
pub(crate) mod timespan;

#[cfg(test)]
mod tests;

pub use bearer::{AnyBearer, BearerCheck, NoBearer};
pub use service::{Logs, Settings};
