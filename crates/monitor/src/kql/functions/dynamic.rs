//! Functions of JSON.

use serde_json::Value as Json;

use super::Takes::{Any, Json as Dynamic, Text};
use super::{Function, strict, text_of};
use crate::kql::compare::{equals, scalar};
use crate::kql::value::{Type, Value};

/// The longest text that is read as JSON.
const MAX_JSON: usize = 1024 * 1024;

pub(super) const FUNCTIONS: &[Function] = &[
    strict("parse_json", &[Any], Type::Dynamic, |it| parse(&it[0])),
    strict("todynamic", &[Any], Type::Dynamic, |it| parse(&it[0])),
    strict("array_length", &[Dynamic], Type::Long, |it| match as_json(&it[0]).as_array() {
        Some(items) => Value::Long(i64::try_from(items.len()).unwrap_or(i64::MAX)),
        None => Value::Null,
    }),
    strict("bag_keys", &[Dynamic], Type::Dynamic, |it| match as_json(&it[0]).as_object() {
        Some(fields) => {
            Value::dynamic(Json::Array(fields.keys().map(|key| key.as_str().into()).collect()))
        }
        None => Value::Null,
    }),
    strict("bag_pack", &[Text, Any], Type::Dynamic, pack).repeats().lenient(),
    strict("pack", &[Text, Any], Type::Dynamic, pack).repeats().lenient(),
    strict("pack_array", &[Any], Type::Dynamic, |it| {
        Value::dynamic(Json::Array(it.iter().map(Value::to_json).collect()))
    })
    .repeats()
    .lenient(),
    strict("array_index_of", &[Dynamic, Any], Type::Long, |it| {
        let list = as_json(&it[0]);
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let same = |item: &Json| {
            scalar(item).is_some_and(|item| equals(&item, &it[1]) == Value::Bool(true))
        };
        let place = items.iter().position(same).and_then(|place| i64::try_from(place).ok());
        Value::Long(place.unwrap_or(-1))
    }),
    strict("strcat_array", &[Dynamic, Text], Type::String, |it| {
        let list = as_json(&it[0]);
        let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let parts: Vec<_> =
            items.iter().map(|item| Value::dynamic(item.clone()).to_text()).collect();
        Value::text(parts.join(&text_of(it, 1)))
    }),
];

/// JSON of a text, or the text itself when it is none.
fn parse(value: &Value) -> Value {
    match value {
        Value::Dynamic(_) => value.clone(),
        Value::Text(text) if text.is_empty() => Value::Null,
        Value::Text(text) if text.len() <= MAX_JSON => {
            Value::dynamic(serde_json::from_str(text).unwrap_or_else(|_| (**text).into()))
        }
        Value::Text(_) => Value::Null,
        other => Value::dynamic(other.to_json()),
    }
}

fn as_json(value: &Value) -> Json {
    parse(value).to_json()
}

fn pack(values: &[Value]) -> Value {
    let pairs = values.chunks_exact(2);
    let fields = pairs.map(|pair| (pair[0].to_text().as_ref().to_owned(), pair[1].to_json()));
    Value::dynamic(Json::Object(fields.collect()))
}
