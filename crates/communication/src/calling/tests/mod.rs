//! Calls: what can happen to one, and what is written, told and pushed of it.

mod journeys;
mod machine;
mod rings;
mod service;
