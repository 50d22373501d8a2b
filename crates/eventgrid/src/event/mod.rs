//! An accepted event.
//!
//! What the publisher sent is kept byte for byte: `data` is never parsed and written again, so
//! numbers, text and times reach the subscriber as they were. Beside it stand the few attributes
//! that every event has.
//!
//! | module | what |
//! |---|---|
//! | `accept` | a publication in, its events or a refusal out |
//! | `event_grid`, `cloud_events`, `binary`, `mapping` | the rules of each way in |
//! | `schema` | names of forms, and which leads to which |
//! | `encode` | the ways out |
//! | `stored` | how an event waits in the store |
//! | `system` | events that this program publishes itself |
//!
//! Invariants: an event exists only after all rules of its schema hold; one bad event refuses the
//! whole publication; no refusal repeats what was in an event.

mod accept;
mod binary;
mod cloud_events;
mod encode;
mod event_grid;
mod mapping;
mod refusal;
#[cfg(test)]
pub(crate) mod samples;
mod schema;
mod stored;
mod system;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use kernel::Timestamp;

pub use accept::{Intake, Limits, Publication, accept};
pub(crate) use encode::Object;
pub use encode::array_of;
pub use mapping::InputSchemaMapping;
pub use refusal::BadPublication;
pub use schema::{DeliverySchema, InputSchema, Shape};
pub use stored::Damaged;

/// An event that a topic has accepted. Cloning it copies no data of the publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    shape: Shape,
    topic: Arc<str>,
    accepted: Timestamp,
    attributes: Attributes,
    /// The event as it was published: one JSON object. Binary mode is put into its structured form.
    original: Bytes,
    /// Where in `original` the data is.
    data: Option<Range<usize>>,
}

/// What every event has. Absent text is empty, except where absence means something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Attributes {
    id: Box<str>,
    event_type: Box<str>,
    subject: Option<Box<str>>,
    /// As the publisher wrote it. A CloudEvent may have none.
    time: Option<Box<str>>,
    data_version: Box<str>,
    /// The source of a CloudEvent.
    source: Option<Box<str>>,
}

impl Event {
    /// The form it was published in.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The resource id of the topic that accepted it.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// When it was accepted.
    pub fn accepted(&self) -> Timestamp {
        self.accepted
    }

    /// Its id, as the publisher chose it; unique for one source at best.
    pub fn id(&self) -> &str {
        &self.attributes.id
    }

    /// `eventType`, or a CloudEvent's `type`.
    pub fn event_type(&self) -> &str {
        &self.attributes.event_type
    }

    /// The subject; a CloudEvent may have none.
    pub fn subject(&self) -> Option<&str> {
        self.attributes.subject.as_deref()
    }

    /// When it happened, as the publisher wrote it; a CloudEvent may have no time.
    pub fn time(&self) -> Option<&str> {
        self.attributes.time.as_deref()
    }

    /// The version of its data's form; empty for a CloudEvent and when the publisher gave none.
    pub fn data_version(&self) -> &str {
        &self.attributes.data_version
    }

    /// A CloudEvent's source, else the topic.
    pub fn source(&self) -> &str {
        self.attributes.source.as_deref().unwrap_or(&self.topic)
    }

    /// The event as it was published, one JSON object.
    pub fn original(&self) -> &Bytes {
        &self.original
    }

    /// The data as JSON text; for a custom event the whole original. A CloudEvent with
    /// `data_base64` has none.
    pub fn data(&self) -> Option<&str> {
        self.data.clone().and_then(|range| self.original_text().get(range))
    }

    fn original_text(&self) -> &str {
        std::str::from_utf8(&self.original).expect("an event's original was read as UTF-8")
    }
}

/// Where `part` lies in `whole`, which it is a slice of.
fn range_of(part: &str, whole: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}
