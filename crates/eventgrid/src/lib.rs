//! The Event Grid service.
