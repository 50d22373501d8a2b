//! The operators of the language on values, where null is unknown.
//!
//! Equality of null with a value is false and of two nulls unknown; every other comparison with null
//! is unknown, as the language's documentation has it. A filter keeps what is true.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::ast::Binary;
use super::value::Value;

/// What `==` says.
pub(crate) fn equals(one: &Value, two: &Value) -> Value {
    match (one.is_null(), two.is_null()) {
        (true, true) => Value::Null,
        (true, false) | (false, true) => Value::Bool(false),
        (false, false) => Value::Bool(compare(one, two) == Some(Ordering::Equal)),
    }
}

/// What `not(…)` says.
pub(crate) fn not(truth: &Value) -> Value {
    match truth {
        Value::Bool(truth) => Value::Bool(!truth),
        _ => Value::Null,
    }
}

/// What an ordering operator says.
pub(crate) fn ordered(operator: Binary, one: &Value, two: &Value) -> Value {
    let Some(order) = compare(one, two) else { return Value::Null };
    Value::Bool(match operator {
        Binary::Less => order.is_lt(),
        Binary::LessOrEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        _ => order.is_ge(),
    })
}

/// The order of two values that can be compared; texts by their bytes.
pub(crate) fn compare(one: &Value, two: &Value) -> Option<Ordering> {
    match (one, two) {
        (Value::Long(one), Value::Long(two))
        | (Value::Moment(one), Value::Moment(two))
        | (Value::Span(one), Value::Span(two)) => Some(one.cmp(two)),
        (Value::Real(one), Value::Real(two)) => one.partial_cmp(two),
        (Value::Long(one), Value::Real(two)) => (*one as f64).partial_cmp(two),
        (Value::Real(one), Value::Long(two)) => one.partial_cmp(&(*two as f64)),
        (Value::Text(one), Value::Text(two)) => Some(one.cmp(two)),
        (Value::Bool(one), Value::Bool(two)) => Some(one.cmp(two)),
        (Value::Dynamic(one), Value::Dynamic(two)) => match (scalar(one), scalar(two)) {
            (Some(one), Some(two)) => compare(&one, &two),
            _ => (one == two).then_some(Ordering::Equal),
        },
        (Value::Dynamic(one), two) => compare(&scalar(one)?, two),
        (one, Value::Dynamic(two)) => compare(one, &scalar(two)?),
        _ => None,
    }
}

/// JSON that is neither array nor object, as a value of its own.
pub(crate) fn scalar(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(truth) => Some(Value::Bool(*truth)),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Some(Value::Long(whole)),
            None => number.as_f64().map(Value::Real),
        },
        Json::String(text) => Some(Value::text(text.as_str())),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// A total order for sorting, nulls first. Doubles that are no number come before the others.
pub(crate) fn total(one: &Value, two: &Value) -> Ordering {
    match (one.is_null(), two.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => compare(one, two).unwrap_or_else(|| match (one, two) {
            (Value::Real(one), Value::Real(two)) => two.is_nan().cmp(&one.is_nan()),
            _ => one.to_text().cmp(&two.to_text()),
        }),
    }
}

/// A test of one text for another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextTest {
    how: How,
    cased: bool,
    negated: bool,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Equal,
    Term,
    TermPrefix,
    TermSuffix,
    Inside,
    Start,
    End,
}

impl TextTest {
    /// The test behind an operator; none when it is of another kind.
    pub(crate) fn of(operator: Binary) -> Option<Self> {
        let (how, cased, negated) = match operator {
            Binary::EqualText => (How::Equal, false, false),
            Binary::NotEqualText => (How::Equal, false, true),
            Binary::Has => (How::Term, false, false),
            Binary::NotHas => (How::Term, false, true),
            Binary::HasCs => (How::Term, true, false),
            Binary::NotHasCs => (How::Term, true, true),
            Binary::HasPrefix => (How::TermPrefix, false, false),
            Binary::HasSuffix => (How::TermSuffix, false, false),
            Binary::Contains => (How::Inside, false, false),
            Binary::NotContains => (How::Inside, false, true),
            Binary::ContainsCs => (How::Inside, true, false),
            Binary::NotContainsCs => (How::Inside, true, true),
            Binary::StartsWith => (How::Start, false, false),
            Binary::NotStartsWith => (How::Start, false, true),
            Binary::StartsWithCs => (How::Start, true, false),
            Binary::EndsWith => (How::End, false, false),
            Binary::NotEndsWith => (How::End, false, true),
            Binary::EndsWithCs => (How::End, true, false),
            _ => return None,
        };
        Some(Self { how, cased, negated })
    }

    /// What is looked for, as [`TextTest::test`] wants it.
    pub(crate) fn needle(self, text: &str) -> String {
        if self.cased { text.to_owned() } else { text.to_lowercase() }
    }

    /// Whether `text` passes.
    pub(crate) fn test(self, text: &str, needle: &str) -> bool {
        let found = if self.cased {
            self.how.holds(text, needle)
        } else {
            self.how.holds(&text.to_lowercase(), needle)
        };
        found != self.negated
    }
}

impl How {
    fn holds(self, text: &str, needle: &str) -> bool {
        match self {
            Self::Equal => text == needle,
            Self::Inside => text.contains(needle),
            Self::Start => text.starts_with(needle),
            Self::End => text.ends_with(needle),
            Self::Term => term(text, needle, true, true),
            Self::TermPrefix => term(text, needle, true, false),
            Self::TermSuffix => term(text, needle, false, true),
        }
    }
}

/// Whether `needle` stands in `text` and begins or ends where a term does. Terms are runs of letters
/// and digits.
fn term(text: &str, needle: &str, begins: bool, ends: bool) -> bool {
    text.match_indices(needle).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + needle.len()..].chars().next();
        let inside = |it: Option<char>| it.is_some_and(char::is_alphanumeric);
        !(begins && inside(before) || ends && inside(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_whole_words() {
        let has = TextTest::of(Binary::Has).unwrap();
        for (text, needle, found) in [
            ("Message count reaches limit", "COUNT", true),
            ("accounts", "count", false),
            ("a-b.c", "b", true),
            ("/chat/threads/19:x", "chat/threads", true),
            ("", "", true),
        ] {
            assert_eq!(has.test(text, &has.needle(needle)), found, "{text} has {needle}");
        }
    }

    #[test]
    fn null_equals_nothing_but_is_not_known_to_differ_from_null() {
        let five = Value::Long(5);
        assert_eq!(equals(&Value::Null, &five), Value::Bool(false));
        assert_eq!(equals(&Value::Null, &Value::Null), Value::Null);
        assert_eq!(not(&equals(&Value::Null, &five)), Value::Bool(true));
        assert_eq!(ordered(Binary::Less, &Value::Null, &five), Value::Null);
        assert_eq!(equals(&five, &Value::Real(5.0)), Value::Bool(true));
        assert_eq!(equals(&Value::dynamic(5.into()), &five), Value::Bool(true));
    }
}
