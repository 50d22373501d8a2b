//! JSON bodies: an expression is the whole of a string value.

use std::fmt;

use kernel::Error;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Expression, Properties, TooLarge, push};
use crate::refusal::bad_request;

/// A compiled body. Members keep their order, so that a payload looks as its template does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Text(Expression),
    /// A number, truth value or null, as it is written.
    Other(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// The same before its texts are known to be expressions.
enum Raw {
    Text(String),
    Other(String),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    pub(super) fn compile(body: &str) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_str(body).map_err(|error| {
            bad_request(format!(
                "The template's body is not JSON: {error}. Check quotes and commas."
            ))
        })?;
        match raw {
            Raw::Object(_) => Self::from_raw(raw, "the body"),
            _ => Err(bad_request("The template's body is JSON, but no object; begin it with {.")),
        }
    }

    /// As deep as the parser of JSON allows, which is 128.
    fn from_raw(raw: Raw, place: &str) -> Result<Self, Error> {
        Ok(match raw {
            Raw::Text(text) => {
                Self::Text(Expression::parse(&text).map_err(|problem| problem.within(place))?)
            }
            Raw::Other(text) => Self::Other(text),
            Raw::Array(items) => {
                let items = items.into_iter().map(|item| Self::from_raw(item, place));
                Self::Array(items.collect::<Result<_, Error>>()?)
            }
            Raw::Object(members) => {
                let member = |(name, value): (String, Raw)| {
                    let value = Self::from_raw(value, &name)?;
                    Ok((name, value))
                };
                Self::Object(members.into_iter().map(member).collect::<Result<_, Error>>()?)
            }
        })
    }

    pub(super) fn render(
        &self,
        properties: &Properties<'_>,
        out: &mut String,
    ) -> Result<(), TooLarge> {
        match self {
            Self::Text(expression) => match expression.number(properties) {
                Some(number) => push(out, &number),
                None => quoted(&expression.evaluate(properties), out),
            },
            Self::Other(text) => push(out, text),
            Self::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    push(out, if index == 0 { "[" } else { "," })?;
                    item.render(properties, out)?;
                }
                push(out, if items.is_empty() { "[]" } else { "]" })
            }
            Self::Object(members) => {
                for (index, (name, value)) in members.iter().enumerate() {
                    push(out, if index == 0 { "{" } else { "," })?;
                    quoted(name, out)?;
                    push(out, ":")?;
                    value.render(properties, out)?;
                }
                push(out, if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn quoted(text: &str, out: &mut String) -> Result<(), TooLarge> {
    push(out, &serde_json::Value::from(text).to_string())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        Ok(Raw::Other("null".to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Other(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Other(serde_json::Value::from(value).to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Raw::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Raw, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Raw::Object(object))
    }
}
