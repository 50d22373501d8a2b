//! Values and their types.
//!
//! A text is never null: what is missing is empty. Equality and hash are those of grouping (null is
//! null); the operators of the language, where null is unknown, are in `compare.rs`.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value as Json;

use super::moment;

/// The type of a column or an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// True or false.
    Bool,
    /// A moment.
    Datetime,
    /// JSON.
    Dynamic,
    /// An id, kept as text.
    Guid,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A double.
    Real,
    /// Text.
    String,
    /// A span of time.
    Timespan,
}

impl Type {
    /// As the language and the answers spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Datetime => "datetime",
            Self::Dynamic => "dynamic",
            Self::Guid => "guid",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::String => "string",
            Self::Timespan => "timespan",
        }
    }

    /// The type that a word of the language means.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" | "boolean" => Self::Bool,
            "datetime" | "date" => Self::Datetime,
            "dynamic" => Self::Dynamic,
            "guid" => Self::Guid,
            "int" => Self::Int,
            "long" => Self::Long,
            "real" | "double" => Self::Real,
            "string" => Self::String,
            "timespan" | "time" => Self::Timespan,
            _ => return None,
        })
    }

    /// Whether it is `int`, `long` or `real`.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Long | Self::Real)
    }

    /// What stands where nothing is.
    pub fn nothing(self) -> Value {
        match self {
            Self::String => Value::text(""),
            _ => Value::Null,
        }
    }
}

/// A value. Whole numbers of both widths are one here; their type tells them apart.
#[derive(Clone, Debug)]
pub enum Value {
    /// Unknown.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int` or `long`.
    Long(i64),
    /// `real`.
    Real(f64),
    /// `string` or `guid`.
    Text(Arc<str>),
    /// `datetime`, in ticks since 1970.
    Moment(i64),
    /// `timespan`, in ticks.
    Span(i64),
    /// `dynamic`.
    Dynamic(Arc<Json>),
}

/// One row, a value a column.
pub type Row = Vec<Value>;

impl Value {
    /// Text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// JSON; its null is the null of the language.
    pub fn dynamic(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            json => Self::Dynamic(Arc::new(json)),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Bytes of memory, about.
    pub fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) => text.len(),
                Self::Dynamic(json) => json_weight(json),
                _ => 0,
            }
    }

    /// As `tostring()` writes it; null is empty.
    pub fn to_text(&self) -> Arc<str> {
        match self {
            Self::Null => "".into(),
            Self::Bool(truth) => truth.to_string().into(),
            Self::Long(number) => number.to_string().into(),
            Self::Real(number) => real_text(*number).into(),
            Self::Text(text) => Arc::clone(text),
            Self::Moment(ticks) => moment::full(*ticks).into(),
            Self::Span(ticks) => moment::span_text(*ticks).into(),
            Self::Dynamic(json) => match &**json {
                Json::String(text) => text.as_str().into(),
                json => json.to_string().into(),
            },
        }
    }

    /// As it stands in an answer: JSON text for `dynamic`, texts for moments and spans.
    pub fn to_answer(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(truth) => (*truth).into(),
            Self::Long(number) => (*number).into(),
            Self::Real(number) => match serde_json::Number::from_f64(*number) {
                Some(number) => Json::Number(number),
                // JSON has no such numbers; the service writes them as text.
                None => real_text(*number).into(),
            },
            Self::Text(text) => (**text).into(),
            Self::Moment(ticks) => moment::iso(*ticks).into(),
            Self::Span(ticks) => moment::span_text(*ticks).into(),
            Self::Dynamic(json) => json.to_string().into(),
        }
    }

    /// As an element of JSON that is built from values.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Dynamic(json) => (**json).clone(),
            other => other.to_answer(),
        }
    }
}

fn json_weight(json: &Json) -> usize {
    size_of::<Json>()
        + match json {
            Json::String(text) => text.len(),
            Json::Array(items) => items.iter().map(json_weight).sum(),
            Json::Object(fields) => {
                fields.iter().map(|(name, value)| name.len() + json_weight(value)).sum()
            }
            _ => 0,
        }
}

fn real_text(number: f64) -> String {
    match number {
        it if it.is_nan() => "NaN".to_owned(),
        it if it.is_infinite() => if it > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        it => it.to_string(),
    }
}

/// One spelling of each double, so that equal numbers are one group.
fn bits(number: f64) -> u64 {
    if number == 0.0 { 0 } else { number.to_bits() }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Long(one), Self::Long(two))
            | (Self::Moment(one), Self::Moment(two))
            | (Self::Span(one), Self::Span(two)) => one == two,
            (Self::Real(one), Self::Real(two)) => bits(*one) == bits(*two),
            (Self::Text(one), Self::Text(two)) => one == two,
            (Self::Dynamic(one), Self::Dynamic(two)) => one == two,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(truth) => truth.hash(state),
            Self::Long(number) | Self::Moment(number) | Self::Span(number) => number.hash(state),
            Self::Real(number) => bits(*number).hash(state),
            Self::Text(text) => text.hash(state),
            Self::Dynamic(json) => json.to_string().hash(state),
        }
    }
}
