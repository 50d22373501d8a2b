//! A part of a filter whose type is known, and its conversion to what stands around it.

use std::ops::Range;

use super::expression::{Number, Predicate, Scalar, Text};
use super::problem::{Problem, Result};

/// A part of the text whose type is known.
pub(super) struct Term {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

pub(super) enum Kind {
    Scalar(Scalar),
    Groups,
}

/// Conversions to what an expression (`within`) needs.
impl Term {
    pub(super) fn predicate(self, within: &Range<usize>, cure: &str) -> Result<Predicate> {
        match self.kind {
            Kind::Scalar(Scalar::Bool(predicate)) => Ok(predicate),
            _ => Err(self.mistyped(within, "bool", cure)),
        }
    }

    pub(super) fn number(self, within: &Range<usize>) -> Result<Number> {
        match self.kind {
            Kind::Scalar(Scalar::Number(number)) => Ok(number),
            Kind::Scalar(Scalar::Null) => Ok(Number::Null),
            _ => Err(self.mistyped(within, "int", "Expected a number, such as length(userId).")),
        }
    }

    pub(super) fn text(self, within: &Range<usize>) -> Result<Text> {
        match self.kind {
            Kind::Scalar(Scalar::Text(text)) => Ok(text),
            Kind::Scalar(Scalar::Null) => Ok(Text::Null),
            _ => {
                Err(self.mistyped(within, "string", "Expected userId or a text in single quotes."))
            }
        }
    }

    pub(super) fn scalar(self, within: &Range<usize>) -> Result<Scalar> {
        match self.kind {
            Kind::Scalar(scalar) => Ok(scalar),
            Kind::Groups => {
                let cure = "Ask for membership, as in 'a' in groups, or for length(groups).";
                Err(self.mistyped(within, "string", cure))
            }
        }
    }

    pub(super) fn mistyped(&self, within: &Range<usize>, expected: &str, cure: &str) -> Problem {
        let found = match &self.kind {
            Kind::Groups => "collection",
            Kind::Scalar(scalar) if expected == "bool" => scalar.type_name_for_nobody(),
            // Null would do in these places, so it is not what is wrong.
            Kind::Scalar(scalar) => scalar.type_name(),
        };
        let detail = format!("Type '{found}', expect '{expected}'.");
        Problem { within: within.clone(), at: self.span.start, detail, cure: cure.into() }
    }
}

impl From<Predicate> for Kind {
    fn from(predicate: Predicate) -> Self {
        Self::Scalar(Scalar::Bool(predicate))
    }
}
