//! Functions of texts. Places and lengths are counted in characters.

use serde_json::Value as Json;

use super::Takes::{Any, Number, Text};
use super::{Function, strict, text_of, whole_of};
use crate::kql::value::{Type, Value};

/// The longest text that a function builds.
const MAX_TEXT: usize = 1024 * 1024;

pub(super) const FUNCTIONS: &[Function] = &[
    strict("tolower", &[Text], Type::String, |it| Value::text(text_of(it, 0).to_lowercase())),
    strict("toupper", &[Text], Type::String, |it| Value::text(text_of(it, 0).to_uppercase())),
    strict("strlen", &[Text], Type::Long, |it| length(text_of(it, 0).chars().count())),
    strict("strcat", &[Any], Type::String, |it| joined("", it)).repeats().lenient(),
    strict("strcat_delim", &[Text, Any], Type::String, |it| {
        joined(&text_of(it, 0), it.get(1..).unwrap_or_default())
    })
    .repeats()
    .lenient(),
    strict("substring", &[Text, Number, Number], Type::String, substring).optional(1),
    strict("split", &[Text, Text, Number], Type::Dynamic, split).optional(1),
    strict("indexof", &[Text, Text], Type::Long, index_of),
    strict("replace_string", &[Text, Text, Text], Type::String, replace),
    strict("isempty", &[Any], Type::Bool, |it| Value::Bool(text_of(it, 0).is_empty())).lenient(),
    strict("isnotempty", &[Any], Type::Bool, |it| Value::Bool(!text_of(it, 0).is_empty()))
        .lenient(),
    strict("notempty", &[Any], Type::Bool, |it| Value::Bool(!text_of(it, 0).is_empty())).lenient(),
    strict("countof", &[Text, Text], Type::Long, |it| {
        let needle = text_of(it, 1);
        let count = if needle.is_empty() { 0 } else { text_of(it, 0).matches(&*needle).count() };
        length(count)
    }),
];

fn length(count: usize) -> Value {
    Value::Long(i64::try_from(count).unwrap_or(i64::MAX))
}

fn joined(delimiter: &str, parts: &[Value]) -> Value {
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            text.push_str(delimiter);
        }
        text.push_str(&part.to_text());
        if text.len() > MAX_TEXT {
            return Value::text("");
        }
    }
    Value::text(text)
}

fn substring(values: &[Value]) -> Value {
    let text = text_of(values, 0);
    let (Some(start), taken) = (whole_of(values, 1), whole_of(values, 2)) else {
        return Value::text("");
    };
    let start = match usize::try_from(start) {
        Ok(start) => start,
        // A negative start counts from the end.
        Err(_) => text.chars().count().saturating_sub(start.unsigned_abs() as usize),
    };
    let taken = taken.map_or(usize::MAX, |it| usize::try_from(it).unwrap_or(0));
    Value::text(text.chars().skip(start).take(taken).collect::<String>())
}

fn split(values: &[Value]) -> Value {
    let (text, delimiter) = (text_of(values, 0), text_of(values, 1));
    let parts: Vec<Json> = if delimiter.is_empty() {
        vec![(*text).into()]
    } else {
        text.split(&*delimiter).map(Json::from).collect()
    };
    let Some(index) = whole_of(values, 2) else { return Value::dynamic(Json::Array(parts)) };
    let one = usize::try_from(index).ok().and_then(|it| parts.get(it).cloned());
    Value::dynamic(Json::Array(one.into_iter().collect()))
}

fn index_of(values: &[Value]) -> Value {
    let text = text_of(values, 0);
    match text.find(&*text_of(values, 1)) {
        Some(at) => length(text[..at].chars().count()),
        None => Value::Long(-1),
    }
}

fn replace(values: &[Value]) -> Value {
    let (text, from, to) = (text_of(values, 0), text_of(values, 1), text_of(values, 2));
    if from.is_empty() || text.len().saturating_mul(to.len().max(1)) > MAX_TEXT {
        return Value::Text(text);
    }
    Value::text(text.replace(&*from, &to))
}
