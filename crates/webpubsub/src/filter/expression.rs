//! The predicate of a filter: one type for each type of the language, so that a tree that exists is
//! well typed. Evaluation is total and borrows wherever the text is not changed.

use std::borrow::Cow;
use std::ops::Range;

use super::Subject;

/// What is true or false. Never null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Predicate {
    Literal(bool),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    /// Values of different types are not equal; null equals null.
    Equal(Box<(Scalar, Scalar)>),
    /// False when a side is null.
    Ordered(Box<(Number, Order, Number)>),
    /// False when the text is null.
    InGroups(Text),
    OneOf(Box<Scalar>, Vec<Scalar>),
    /// The common form of `OneOf`: sorted, so that a long list costs a connection little.
    OneOfTexts(Text, Box<[Box<str>]>),
    /// False when a text is null.
    Search(Search, Text, Text),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    Contains,
    StartsWith,
    EndsWith,
}

/// A whole number or null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Null,
    Literal(i64),
    /// Of a text, in UTF-16 units.
    Length(Box<Text>),
    GroupCount,
    /// In UTF-16 units; -1 when there is none or a text is null.
    IndexOf(Box<(Text, Text)>),
}

/// A text or null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Null,
    Literal(Box<str>),
    UserId,
    ConnectionId,
    Protocol,
    Lower(Box<Self>),
    Upper(Box<Self>),
    Trim(Box<Self>),
    /// Start and length in UTF-16 units; null when they are out of range.
    Substring(Box<(Self, Number, Option<Number>)>),
    /// Null is as good as empty.
    Concat(Box<(Self, Self)>),
}

/// Anything that has one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Null,
    Bool(Predicate),
    Number(Number),
    Text(Text),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(i64),
    Text(Cow<'a, str>),
}

impl Predicate {
    pub(super) fn holds(&self, subject: &dyn Subject) -> bool {
        match self {
            Self::Literal(value) => *value,
            Self::Not(inner) => !inner.holds(subject),
            Self::All(inner) => inner.iter().all(|it| it.holds(subject)),
            Self::Any(inner) => inner.iter().any(|it| it.holds(subject)),
            Self::Equal(sides) => sides.0.value(subject) == sides.1.value(subject),
            Self::Ordered(sides) => {
                let (left, order, right) = &**sides;
                let values = left.value(subject).zip(right.value(subject));
                values.is_some_and(|(left, right)| order.holds(left, right))
            }
            Self::InGroups(group) => group.value(subject).is_some_and(|it| subject.in_group(&it)),
            Self::OneOf(item, list) => {
                let value = item.value(subject);
                list.iter().any(|it| it.value(subject) == value)
            }
            Self::OneOfTexts(item, list) => item
                .value(subject)
                .is_some_and(|value| list.binary_search_by(|it| (**it).cmp(&value)).is_ok()),
            Self::Search(search, text, part) => {
                let values = text.value(subject).zip(part.value(subject));
                values.is_some_and(|(text, part)| search.holds(&text, &part))
            }
        }
    }
}

impl Order {
    fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
        }
    }
}

impl Search {
    fn holds(self, text: &str, part: &str) -> bool {
        match self {
            Self::Contains => text.contains(part),
            Self::StartsWith => text.starts_with(part),
            Self::EndsWith => text.ends_with(part),
        }
    }
}

impl Number {
    fn value(&self, subject: &dyn Subject) -> Option<i64> {
        match self {
            Self::Null => None,
            Self::Literal(value) => Some(*value),
            Self::Length(text) => text.value(subject).map(|text| utf16_len(&text)),
            Self::GroupCount => Some(number(subject.group_count())),
            Self::IndexOf(texts) => {
                let values = texts.0.value(subject).zip(texts.1.value(subject));
                let found = values
                    .and_then(|(text, part)| text.find(&*part).map(|at| utf16_len(&text[..at])));
                Some(found.unwrap_or(-1))
            }
        }
    }
}

impl Text {
    fn value<'a>(&'a self, subject: &'a dyn Subject) -> Option<Cow<'a, str>> {
        match self {
            Self::Null => None,
            Self::Literal(text) => Some(Cow::Borrowed(text)),
            Self::UserId => subject.user_id().map(Cow::Borrowed),
            Self::ConnectionId => Some(Cow::Borrowed(subject.connection_id())),
            Self::Protocol => subject.protocol().map(Cow::Borrowed),
            Self::Lower(text) => text.value(subject).map(lower),
            Self::Upper(text) => text.value(subject).map(upper),
            Self::Trim(text) => text.value(subject).map(|text| {
                let start = text.len() - text.trim_start().len();
                let end = start + text.trim().len();
                slice(text, start..end)
            }),
            Self::Substring(parts) => {
                let (text, start, len) = &**parts;
                let text = text.value(subject)?;
                let start = byte_at(&text, start.value(subject)?)?;
                let end = match len {
                    Some(len) => start + byte_at(&text[start..], len.value(subject)?)?,
                    None => text.len(),
                };
                Some(slice(text, start..end))
            }
            Self::Concat(texts) => {
                let mut text = texts.0.value(subject).unwrap_or_default();
                text.to_mut().push_str(&texts.1.value(subject).unwrap_or_default());
                Some(text)
            }
        }
    }
}

impl Scalar {
    fn value<'a>(&'a self, subject: &'a dyn Subject) -> Value<'a> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(predicate) => Value::Bool(predicate.holds(subject)),
            Self::Number(number) => number.value(subject).map_or(Value::Null, Value::Number),
            Self::Text(text) => text.value(subject).map_or(Value::Null, Value::Text),
        }
    }

    /// The name of the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "int",
            Self::Text(_) => "string",
        }
    }

    /// The name of the type for an anonymous connection: what may be null is null then. The service
    /// checks a filter by asking it of such a connection, which shows in its messages.
    pub(super) fn type_name_for_nobody(&self) -> &'static str {
        match self.value(&Nobody) {
            Value::Null => "null",
            _ => self.type_name(),
        }
    }
}

struct Nobody;

impl Subject for Nobody {
    fn user_id(&self) -> Option<&str> {
        None
    }

    fn connection_id(&self) -> &str {
        ""
    }

    fn protocol(&self) -> Option<&str> {
        None
    }

    fn in_group(&self, _: &str) -> bool {
        false
    }

    fn group_count(&self) -> usize {
        0
    }
}

fn lower(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.bytes().any(|b| b.is_ascii_uppercase() || !b.is_ascii()) {
        true => text.to_lowercase().into(),
        false => text,
    }
}

fn upper(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.bytes().any(|b| b.is_ascii_lowercase() || !b.is_ascii()) {
        true => text.to_uppercase().into(),
        false => text,
    }
}

fn slice(text: Cow<'_, str>, range: Range<usize>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

fn utf16_len(text: &str) -> i64 {
    number(if text.is_ascii() { text.len() } else { text.encode_utf16().count() })
}

/// The byte where a UTF-16 unit begins, or the end; `None` outside or in the middle of a character.
fn byte_at(text: &str, unit: i64) -> Option<usize> {
    let mut units = 0;
    let starts = text.char_indices().map(|(at, c)| (at, c.len_utf16()));
    for (at, len) in starts.chain([(text.len(), 1)]) {
        if units >= unit {
            return (units == unit).then_some(at);
        }
        units += number(len);
    }
    None
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
