//! Scalar functions: what each takes, what it gives, how it is computed.
//!
//! A function is one line in the table of its group. What needs more than its arguments' values (the
//! present moment, a pattern to compile, types to unite) is in `bind/call.rs`.

mod convert;
mod dynamic;
mod number;
mod text;
mod time;

use super::value::{Type, Value};

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Any,
    Text,
    Number,
    Moment,
    Span,
    Json,
}

impl Takes {
    pub(super) fn accepts(self, kind: Type) -> bool {
        // What is inside JSON shows only with each row.
        match self {
            Self::Any => true,
            Self::Text => matches!(kind, Type::String | Type::Guid | Type::Dynamic),
            Self::Number => kind.is_number() || kind == Type::Dynamic,
            Self::Moment => kind == Type::Datetime,
            Self::Span => kind == Type::Timespan,
            Self::Json => matches!(kind, Type::Dynamic | Type::String),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Any => "any value",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Moment => "a datetime",
            Self::Span => "a timespan",
            Self::Json => "a dynamic value",
        }
    }
}

/// What comes out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gives {
    Always(Type),
    /// The type of the first argument.
    First,
}

/// A scalar function.
pub(super) struct Function {
    pub name: &'static str,
    pub takes: &'static [Takes],
    /// How many of them may be left out.
    pub optional: usize,
    /// Whether the last may be repeated.
    pub repeats: bool,
    pub gives: Gives,
    /// Whether null in means null out.
    pub strict: bool,
    pub run: fn(&[Value]) -> Value,
}

const fn strict(
    name: &'static str,
    takes: &'static [Takes],
    gives: Type,
    run: fn(&[Value]) -> Value,
) -> Function {
    let gives = Gives::Always(gives);
    Function { name, takes, optional: 0, repeats: false, gives, strict: true, run }
}

impl Function {
    const fn optional(self, optional: usize) -> Self {
        Self { optional, ..self }
    }

    const fn repeats(self) -> Self {
        Self { repeats: true, ..self }
    }

    /// It is asked about nulls too.
    const fn lenient(self) -> Self {
        Self { strict: false, ..self }
    }

    const fn like_first(self) -> Self {
        Self { gives: Gives::First, ..self }
    }
}

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

/// The name that is nearest to a wrong one, if one is near.
pub(super) fn similar(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    all().map(|it| it.name).find(|it| *it == lower || it.replace('_', "") == lower.replace('_', ""))
}

fn all() -> impl Iterator<Item = &'static Function> {
    [text::FUNCTIONS, number::FUNCTIONS, time::FUNCTIONS, convert::FUNCTIONS, dynamic::FUNCTIONS]
        .into_iter()
        .flatten()
}

/// The text of an argument.
fn text_of(values: &[Value], index: usize) -> std::sync::Arc<str> {
    values.get(index).unwrap_or(&Value::Null).to_text()
}

/// The whole number of an argument.
fn whole_of(values: &[Value], index: usize) -> Option<i64> {
    match convert::to_long(values.get(index)?) {
        Value::Long(number) => Some(number),
        _ => None,
    }
}
