//! A publication in, its events or a refusal out.
//!
//! The topic decides the schema, never the request; a Content-Type that says otherwise is refused.
//! One that says nothing of use (`curl -d` announces a form) is overlooked, and the body speaks.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use kernel::Timestamp;

use super::refusal::{BadPublication, Problem};
use super::schema::{InputSchema, Shape};
use super::{Attributes, Event, binary, cloud_events, event_grid, range_of};
use crate::json::{Members, Token, elements};

/// A request to publish.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The request's headers: `Content-Type` and, in binary mode, `ce-…`.
    pub headers: &'a HeaderMap,
    /// The request's body.
    pub body: &'a Bytes,
}

/// What a publication is judged by.
#[derive(Clone, Copy)]
pub struct Intake<'a> {
    /// The topic's resource id.
    pub topic: &'a Arc<str>,
    /// The topic's input schema.
    pub schema: &'a InputSchema,
    /// How much may come at once.
    pub limits: &'a Limits,
    /// The present moment; custom events without a time get it.
    pub now: Timestamp,
    /// Makes ids for custom events that have none.
    pub new_id: &'a dyn Fn() -> String,
}

/// How much may be published at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body. The documented limit is 1 MB; users have measured this one.
    pub request_bytes: usize,
    /// Bytes of one event.
    pub event_bytes: usize,
    /// Events in one request. None is documented; this is a second's share of a topic.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request_bytes: 1_536_000, event_bytes: 1024 * 1024, events: 5_000 }
    }
}

/// Accepts all events of a publication, or none.
///
/// # Errors
/// The first thing that is wrong, with the event that it is wrong with.
pub fn accept(
    publication: &Publication<'_>,
    intake: &Intake<'_>,
) -> Result<Vec<Event>, BadPublication> {
    let shape = intake.schema.shape();
    let refuse = |problem| BadPublication { schema: shape, index: None, problem };
    let (bytes, limit) = (publication.body.len(), intake.limits.request_bytes);
    if bytes > limit {
        return Err(refuse(Problem::RequestTooLarge { bytes, limit }));
    }
    let announced = Announced::by(publication.headers);
    if shape != Shape::CloudEvents {
        if let Some(seen) = announced.cloud_events() {
            return Err(refuse(Problem::ContentType { seen }));
        }
    } else if announced == Announced::Other && binary::is_binary(publication.headers) {
        let event = binary::read(publication, intake).map_err(refuse)?;
        return Ok(vec![event]);
    }
    let text = std::str::from_utf8(publication.body)
        .map_err(|error| refuse(Problem::Encoding { valid: error.valid_up_to() }))?;
    let body = Body { bytes: publication.body, text: text.trim_ascii() };
    match expected(shape, announced, body.text) {
        Token::Object => body.single(intake).map(|event| vec![event]).map_err(refuse),
        _ => body.array(intake),
    }
}

/// What the content type says about the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    Single,
    Batch,
    Other,
}

impl Announced {
    fn by(headers: &HeaderMap) -> Self {
        let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = value.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        match () {
            () if is("application/cloudevents+json") => Self::Single,
            () if is("application/cloudevents-batch+json") => Self::Batch,
            () => Self::Other,
        }
    }

    fn cloud_events(self) -> Option<&'static str> {
        match self {
            Self::Single => Some("a CloudEvent (application/cloudevents+json)"),
            Self::Batch => Some("CloudEvents (application/cloudevents-batch+json)"),
            Self::Other => None,
        }
    }
}

/// The token that the body should begin with.
fn expected(shape: Shape, announced: Announced, body: &str) -> Token {
    match (shape, announced) {
        (Shape::CloudEvents, Announced::Single) => Token::Object,
        (Shape::CloudEvents, Announced::Other) if body.starts_with('{') => Token::Object,
        _ => Token::Array,
    }
}

struct Body<'a> {
    bytes: &'a Bytes,
    text: &'a str,
}

impl Body<'_> {
    fn single(&self, intake: &Intake<'_>) -> Result<Event, Problem> {
        // Checked as a whole first, so that broken JSON is told from JSON of another kind.
        check_kind(self.text, Token::Object)?;
        self.event(self.text, intake)
    }

    fn array(&self, intake: &Intake<'_>) -> Result<Vec<Event>, BadPublication> {
        let schema = intake.schema.shape();
        let refuse = |problem| BadPublication { schema, index: None, problem };
        check_kind(self.text, Token::Array).map_err(refuse)?;
        let items = elements(self.text).map_err(|error| refuse(syntax(&error)))?;
        let limit = intake.limits.events;
        if items.len() > limit {
            return Err(refuse(Problem::TooMany { events: items.len(), limit }));
        }
        let read = |(index, item)| {
            let event = check_kind(item, Token::Object).and_then(|()| self.event(item, intake));
            event.map_err(|problem| BadPublication { schema, index: Some(index), problem })
        };
        items.into_iter().enumerate().map(read).collect()
    }

    fn event(&self, item: &str, intake: &Intake<'_>) -> Result<Event, Problem> {
        let limit = intake.limits.event_bytes;
        if item.len() > limit {
            return Err(Problem::EventTooLarge { bytes: item.len(), limit });
        }
        let original = self.bytes.slice_ref(item.as_bytes());
        read(item, original, intake)
    }
}

/// Applies the rules of the topic's schema to one object.
pub(super) fn read(item: &str, original: Bytes, intake: &Intake<'_>) -> Result<Event, Problem> {
    let members = Members::parse(item).map_err(|error| syntax(&error))?;
    let (attributes, data) = match intake.schema {
        InputSchema::EventGrid => event_grid::read(members, intake.topic)?,
        InputSchema::CloudEvents => cloud_events::read(members)?,
        InputSchema::Custom(mapping) => (custom(mapping, &members, intake), Some(item)),
    };
    let data = data.map(|data| range_of(data, item));
    let topic = Arc::clone(intake.topic);
    let shape = intake.schema.shape();
    Ok(Event { shape, topic, accepted: intake.now, attributes, original, data })
}

/// A custom event has no rules; what its mapping does not find is made up or left empty.
fn custom(
    mapping: &super::InputSchemaMapping,
    members: &Members<'_>,
    intake: &Intake<'_>,
) -> Attributes {
    let mapped = mapping.apply(members);
    let text = |value: Option<String>| value.unwrap_or_default().into_boxed_str();
    let time = mapped.event_time.unwrap_or_else(|| crate::calendar::rfc3339(intake.now));
    Attributes {
        id: mapped.id.unwrap_or_else(|| (intake.new_id)()).into(),
        event_type: text(mapped.event_type),
        subject: Some(text(mapped.subject)),
        time: Some(time.into()),
        data_version: text(mapped.data_version),
        source: None,
    }
}

fn check_kind(json: &str, expected: Token) -> Result<(), Problem> {
    let first_matches = !json.is_empty() && Token::of(json) == expected;
    if first_matches {
        return Ok(());
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(json) {
        Ok(_) => Err(Problem::Kind { expected, seen: Token::of(json) }),
        Err(error) => Err(syntax(&error)),
    }
}

pub(super) fn syntax(error: &serde_json::Error) -> Problem {
    Problem::Syntax(error.to_string())
}
