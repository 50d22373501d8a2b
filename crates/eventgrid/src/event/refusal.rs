//! Why a publication is refused: which event, what is wrong with it, what was expected.
//!
//! The words name fields and kinds of values, never what a publisher put into them.

use std::fmt;

use kernel::{Error, ErrorKind};

use super::schema::Shape;
use crate::json::Token;

/// A refusal of a whole publication; nothing of it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPublication {
    /// The input schema that the topic is configured for.
    pub(super) schema: Shape,
    /// The first event at fault, counted from zero, when it is one of several.
    pub(super) index: Option<usize>,
    pub(super) problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// More bytes than a request may have.
    RequestTooLarge { bytes: usize, limit: usize },
    /// More bytes than an event may have.
    EventTooLarge { bytes: usize, limit: usize },
    /// More events than a request may have.
    TooMany { events: usize, limit: usize },
    /// A content type of another schema.
    ContentType { seen: &'static str },
    /// Not UTF-8, from this byte on.
    Encoding { valid: usize },
    /// Not JSON; what the parser says.
    Syntax(String),
    /// Another kind of value than expected.
    Kind { expected: Token, seen: Token },
    /// A field that must be there is missing, null or empty.
    Missing(&'static str),
    /// A field with another kind of value.
    Field { name: &'static str, expected: &'static str },
    /// A name that occurs twice, so that receivers may disagree about the value.
    Twice(String),
    /// `data` beside `data_base64`.
    TwoData,
    /// A `ce-` header that is no percent-encoded UTF-8.
    Header(String),
    /// A body in binary mode whose content type promises JSON.
    BinaryData(String),
}

impl BadPublication {
    /// The code of the refusal's detail.
    pub fn code(&self) -> &'static str {
        if self.is_too_large() { "RequestEntityTooLarge" } else { "InputJsonInvalid" }
    }

    /// The event at fault, counted from zero, when one of several is.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    fn is_too_large(&self) -> bool {
        matches!(
            self.problem,
            Problem::RequestTooLarge { .. }
                | Problem::EventTooLarge { .. }
                | Problem::TooMany { .. }
        )
    }
}

/// The error's code is that of the detail; the code around it follows from the kind.
impl From<BadPublication> for Error {
    fn from(refusal: BadPublication) -> Self {
        let kind = if refusal.is_too_large() { ErrorKind::TooLarge } else { ErrorKind::Invalid };
        let error = Self::new(kind, refusal.code(), refusal.to_string());
        match refusal.index {
            Some(index) => error.target(format!("[{index}]")),
            None => error,
        }
    }
}

impl std::error::Error for BadPublication {}

impl fmt::Display for BadPublication {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_too_large() {
            write!(
                out,
                "This topic is configured to receive events in the schema '{}', and what was sent \
                 does not conform to it. ",
                self.schema.name()
            )?;
        }
        if let Some(index) = self.index {
            write!(out, "Event [{index}]: ")?;
        }
        self.problem.fmt(out)?;
        match self.index {
            Some(_) => out.write_str(" None of the events of this request was accepted."),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestTooLarge { bytes, limit } => write!(
                out,
                "The request has {bytes} bytes, the limit is {limit}. Publish fewer events at a \
                 time."
            ),
            Self::EventTooLarge { bytes, limit } => write!(
                out,
                "The event has {bytes} bytes, the limit is {limit}. Put large data into storage \
                 and its address into the event."
            ),
            Self::TooMany { events, limit } => write!(
                out,
                "The request has {events} events, the limit is {limit}. Publish fewer at a time."
            ),
            Self::ContentType { seen } => write!(
                out,
                "The Content-Type announces {seen}. Publish in the topic's schema, or to a topic \
                 whose input schema is the one that was sent."
            ),
            Self::Encoding { valid } => {
                write!(out, "The body is not UTF-8 after byte {valid}. Encode it as UTF-8.")
            }
            Self::Syntax(problem) => write!(out, "The body is not JSON: {problem}."),
            Self::Kind { expected, seen } => {
                write!(out, "Token expected: {expected}, token received: {seen}.")
            }
            Self::Missing(name) => {
                write!(out, "The field '{name}' is required and must not be empty.")
            }
            Self::Field { name, expected } => {
                write!(out, "The field '{name}' is wrong: expected {expected}.")
            }
            Self::Twice(name) => write!(out, "The field '{}' is there twice.", shown(name)),
            Self::TwoData => {
                out.write_str("There are both 'data' and 'data_base64'. Send one of them.")
            }
            Self::Header(name) => {
                write!(out, "The header '{name}' is not percent-encoded UTF-8.")
            }
            Self::BinaryData(problem) => write!(
                out,
                "The Content-Type promises JSON data, but the body is not JSON: {problem}."
            ),
        }
    }
}

/// A field name of a stranger, fit for one line.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
