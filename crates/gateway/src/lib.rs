//! The connection engine.
