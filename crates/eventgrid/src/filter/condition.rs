//! The operators: what each makes of a value, of a missing one, and of an array.
//!
//! Source: the public description of event filtering. Where it is silent, one rule decides: a value
//! of another JSON type than the operator is about counts as missing, and so does an array in which
//! no element has that type.

use std::cmp::Ordering;

use serde_json::Number;

use super::fold::{Folded, folded};
use crate::json::{Node, Value};

/// An operator with what it compares to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Numbers { operator: NumberOperator, values: Vec<Number> },
    Ranges { negated: bool, ranges: Vec<[Number; 2]> },
    Bool(bool),
    Strings { operator: StringOperator, negated: bool, values: Vec<Folded> },
    IsNullOrUndefined,
    IsNotNull,
}

/// How numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberOperator {
    In,
    NotIn,
    LessThan,
    LessThanOrEquals,
    GreaterThan,
    GreaterThanOrEquals,
}

/// How strings compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StringOperator {
    In,
    BeginsWith,
    EndsWith,
    Contains,
}

/// What a key leads to in an event.
#[derive(Clone, Copy)]
pub(crate) enum Found<'n, 'e> {
    Missing,
    Text(&'n str),
    Node(&'n Node<'e>),
}

/// A value that is neither object nor array.
enum Scalar<'v> {
    Bool(bool),
    Number(&'v Number),
    String(&'v str),
}

impl Found<'_, '_> {
    /// The text of a string, number or truth value.
    pub(super) fn scalar(&self) -> Option<String> {
        match self {
            Self::Missing => None,
            Self::Text(text) => Some((*text).to_owned()),
            Self::Node(node) => match node.value() {
                Value::String(text) => Some(text.clone().into_owned()),
                Value::Number(_) | Value::Bool(_) => Some(node.json().to_owned()),
                Value::Null | Value::Array(_) | Value::Object(_) | Value::Unreadable => None,
            },
        }
    }
}

impl Condition {
    /// Whether the condition holds for what was found; `arrays` is the subscription's
    /// `enableAdvancedFilteringOnArrays`.
    pub(super) fn holds(&self, found: Found<'_, '_>, arrays: bool) -> bool {
        let hit = match found {
            Found::Missing => return self.holds_for_missing(),
            Found::Text(text) => self.hit(&Scalar::String(text)),
            Found::Node(node) => match node.value() {
                Value::Null => return self.holds_for_missing(),
                _ if matches!(self, Self::IsNotNull) => return true,
                _ if matches!(self, Self::IsNullOrUndefined) => return false,
                Value::Array(_) if !arrays => return false,
                Value::Array(elements) => self.hit_among(elements),
                value => scalar(value).and_then(|scalar| self.hit(&scalar)),
            },
        };
        hit.map_or_else(|| self.holds_for_missing(), |hit| hit != self.is_negated())
    }

    /// The documentation's asymmetry: of the negated operators, only the two `NotIn` hold for what
    /// is not there. `NumberNotInRange` is not described; it goes with its positive form.
    fn holds_for_missing(&self) -> bool {
        matches!(
            self,
            Self::IsNullOrUndefined
                | Self::Numbers { operator: NumberOperator::NotIn, .. }
                | Self::Strings { operator: StringOperator::In, negated: true, .. }
        )
    }

    fn is_negated(&self) -> bool {
        match self {
            Self::Numbers { operator, .. } => *operator == NumberOperator::NotIn,
            Self::Ranges { negated, .. } | Self::Strings { negated, .. } => *negated,
            Self::Bool(_) | Self::IsNullOrUndefined | Self::IsNotNull => false,
        }
    }

    /// Whether any element is one of the values; `None` when none has the right type.
    fn hit_among(&self, elements: &[Node<'_>]) -> Option<bool> {
        let hits = elements
            .iter()
            .filter_map(|element| scalar(element.value()).and_then(|scalar| self.hit(&scalar)));
        hits.reduce(|one, other| one || other)
    }

    /// Whether the value is one of those that the operator names, before negation; `None` when it
    /// has another type.
    fn hit(&self, value: &Scalar<'_>) -> Option<bool> {
        match (self, value) {
            (Self::Numbers { operator, values }, Scalar::Number(number)) => {
                Some(values.iter().any(|value| operator.accepts(compare(number, value))))
            }
            (Self::Ranges { ranges, .. }, Scalar::Number(number)) => {
                let within = |[low, high]: &[Number; 2]| {
                    compare(number, low).is_some_and(Ordering::is_ge)
                        && compare(number, high).is_some_and(Ordering::is_le)
                };
                Some(ranges.iter().any(within))
            }
            (Self::Bool(expected), Scalar::Bool(value)) => Some(expected == value),
            (Self::Strings { operator, values, .. }, Scalar::String(text)) => {
                let text = folded(text);
                Some(values.iter().any(|value| operator.accepts(&text, value.as_folded())))
            }
            (Self::IsNotNull, _) => Some(true),
            (Self::IsNullOrUndefined, _) => Some(false),
            _ => None,
        }
    }
}

impl NumberOperator {
    fn accepts(self, order: Option<Ordering>) -> bool {
        order.is_some_and(|order| match self {
            Self::In | Self::NotIn => order.is_eq(),
            Self::LessThan => order.is_lt(),
            Self::LessThanOrEquals => order.is_le(),
            Self::GreaterThan => order.is_gt(),
            Self::GreaterThanOrEquals => order.is_ge(),
        })
    }
}

impl StringOperator {
    /// Both texts are folded.
    fn accepts(self, text: &str, value: &str) -> bool {
        match self {
            Self::In => text == value,
            Self::BeginsWith => text.starts_with(value),
            Self::EndsWith => text.ends_with(value),
            Self::Contains => text.contains(value),
        }
    }
}

fn scalar<'v>(value: &'v Value<'_>) -> Option<Scalar<'v>> {
    match value {
        Value::Bool(value) => Some(Scalar::Bool(*value)),
        Value::Number(number) => Some(Scalar::Number(number)),
        Value::String(text) => Some(Scalar::String(text)),
        Value::Null | Value::Array(_) | Value::Object(_) | Value::Unreadable => None,
    }
}

/// Whole numbers compare exactly, others as floating point.
fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}
