//! The Event Grid service.

mod calendar;
pub mod event;
pub mod filter;
mod json;
pub mod outcome;
