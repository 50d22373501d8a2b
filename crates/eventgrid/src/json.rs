//! JSON that is read only as far as somebody asks, and never copied.
//!
//! A [`Node`] is a piece of JSON text. Its first level is read when it is looked at for the first
//! time and kept, so many filters share the work for one event. Nothing here recurses: the depth of
//! a stranger's JSON costs nothing.
//!
//! Where an object repeats a name, the last one counts, as in most receivers' parsers.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;
use serde_json::value::RawValue;

/// What a value is, named after the token that it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// `{`
    Object,
    /// `[`
    Array,
    /// Text in quotes.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
}

impl Token {
    /// The token that valid JSON without leading white space begins with.
    pub(crate) fn of(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Object => "StartObject",
            Self::Array => "StartArray",
            Self::String => "String",
            Self::Number => "Number",
            Self::Boolean => "Boolean",
            Self::Null => "Null",
        })
    }
}

/// The members of an object, in order, as sent.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Reads the first level of an object; what lies deeper is checked for syntax alone.
    pub(crate) fn parse(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// The value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(candidate, _)| candidate == name).map(|(_, value)| *value)
    }

    /// The value of `name`, else of a name that differs in the case of letters alone.
    pub(crate) fn get_ignoring_case(&self, name: &str) -> Option<&'a str> {
        let same = |candidate: &str| candidate.eq_ignore_ascii_case(name);
        let similar = || self.0.iter().rev().find(|(other, _)| same(other)).map(|(_, v)| *v);
        self.get(name).or_else(similar)
    }

    /// A name that occurs more than once.
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// All members, in order.
    pub(crate) fn into_iter(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        self.0.into_iter()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    members.push((name.0, value.get()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A JSON string; borrowed when it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text of a JSON string, or `None` for another value or one that is no Unicode.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0)
}

/// The elements of a JSON array, as sent.
pub(crate) fn elements(json: &str) -> serde_json::Result<Vec<&str>> {
    let elements = serde_json::from_str::<Vec<&RawValue>>(json)?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}

/// The JSON form of a text, in quotes.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text can always be written as JSON")
}

/// A value whose first level is read on demand.
pub(crate) struct Node<'a> {
    json: &'a str,
    value: OnceCell<Value<'a>>,
}

/// The first level of a value.
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// Valid JSON that has no value here: half a surrogate pair, or a number beyond all numbers.
    Unreadable,
}

impl<'a> Node<'a> {
    /// A node of valid JSON text.
    pub(crate) fn new(json: &'a str) -> Self {
        Self { json, value: OnceCell::new() }
    }

    /// Its text, as sent.
    pub(crate) fn json(&self) -> &'a str {
        self.json
    }

    /// Its first level.
    pub(crate) fn value(&self) -> &Value<'a> {
        self.value.get_or_init(|| read(self.json).unwrap_or(Value::Unreadable))
    }

    /// The member of an object that is called `name`, or failing that the one whose name differs
    /// in the case of letters alone.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Value::Object(members) = self.value() else { return None };
        let exact = members.iter().rev().find(|(candidate, _)| candidate == name);
        let similar = || members.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name));
        exact.or_else(similar).map(|(_, node)| node)
    }
}

fn read(json: &str) -> serde_json::Result<Value<'_>> {
    Ok(match Token::of(json) {
        Token::Null => Value::Null,
        Token::Boolean => Value::Bool(json == "true"),
        Token::Number => Value::Number(serde_json::from_str(json)?),
        Token::String => Value::String(serde_json::from_str::<Text<'_>>(json)?.0),
        Token::Array => Value::Array(elements(json)?.into_iter().map(Node::new).collect()),
        Token::Object => {
            let members = Members::parse(json)?.into_iter();
            Value::Object(members.map(|(name, value)| (name, Node::new(value))).collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_keep_the_text_that_was_sent() {
        let members = Members::parse(r#"{"n": 1.50e+2, "s":"\u00e9", "o": { "a" :1}}"#).unwrap();
        assert_eq!(members.get("n"), Some("1.50e+2"));
        assert_eq!(members.get("s"), Some(r#""\u00e9""#));
        assert_eq!(members.get("o"), Some(r#"{ "a" :1}"#));
    }

    #[test]
    fn the_exact_name_wins_over_a_similar_one_and_the_last_over_the_first() {
        let members = Members::parse(r#"{"a":1,"A":2,"a":3,"B":4}"#).unwrap();
        assert_eq!(members.get_ignoring_case("a"), Some("3"));
        assert_eq!(members.get_ignoring_case("b"), Some("4"));
        assert_eq!(members.get("b"), None);
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(Node::new(&deep).value(), Value::Array(inner) if inner.len() == 1));
    }

    #[test]
    fn what_has_no_value_is_told_apart() {
        for json in [r#""\ud800""#, "1e999", r#"{"\ud800":1}"#] {
            assert!(matches!(Node::new(json).value(), Value::Unreadable), "{json}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(json in ".*") {
            let _ = (Members::parse(&json).is_ok(), elements(&json).is_ok());
            let _ = Node::new(&json).value();
        }
    }
}
