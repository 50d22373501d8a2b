//! The Event Grid service.

mod calendar;
pub mod credential;
pub mod dead_letter;
pub mod event;
pub mod filter;
mod json;
pub mod outcome;
pub mod request;
pub mod system;
