//! The Communication Services.
