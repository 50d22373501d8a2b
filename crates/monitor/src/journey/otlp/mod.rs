//! OpenTelemetry: journeys as spans, sent by OTLP over HTTP (`http/protobuf`, OTLP 1.x) to whatever the
//! operator collects them with.
//!
//! - `wire`: the messages of OTLP that are used; pure
//! - `span`: a milestone as a span; pure
//! - `export`: the task that sends them
//!
//! A request is a span from its begin to its answer; every other milestone is a span within it, of the
//! length that it took. Sending is best effort: what the collector does not take is dropped, and said.

mod export;
mod span;
mod wire;

pub use export::{Collector, Exporter};
#[cfg(test)]
pub(crate) use wire::ExportRequest;
