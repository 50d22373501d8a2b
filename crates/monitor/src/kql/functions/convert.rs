//! From one type to another: what cannot be converted is null, never an error.

use super::Takes::Any;
use super::{Function, strict};
use crate::kql::compare::scalar;
use crate::kql::moment;
use crate::kql::value::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    strict("tostring", &[Any], Type::String, |it| Value::Text(it[0].to_text())).lenient(),
    strict("toint", &[Any], Type::Int, |it| match to_long(&it[0]) {
        Value::Long(number) => i32::try_from(number).map_or(Value::Null, |_| Value::Long(number)),
        _ => Value::Null,
    }),
    strict("tolong", &[Any], Type::Long, |it| to_long(&it[0])),
    strict("todouble", &[Any], Type::Real, |it| to_real(&it[0])),
    strict("toreal", &[Any], Type::Real, |it| to_real(&it[0])),
    strict("tobool", &[Any], Type::Bool, |it| to_bool(&it[0])),
    strict("toboolean", &[Any], Type::Bool, |it| to_bool(&it[0])),
    strict("todatetime", &[Any], Type::Datetime, |it| match &it[0] {
        same @ Value::Moment(_) => same.clone(),
        other => moment::parse(&other.to_text()).map_or(Value::Null, Value::Moment),
    }),
    strict("totimespan", &[Any], Type::Timespan, |it| match &it[0] {
        same @ Value::Span(_) => same.clone(),
        other => moment::parse_span(&other.to_text()).map_or(Value::Null, Value::Span),
    }),
    strict("toguid", &[Any], Type::Guid, |it| {
        crate::kql::parse::guid(&it[0].to_text()).map_or(Value::Null, Value::text)
    }),
    strict("isnull", &[Any], Type::Bool, |it| Value::Bool(it[0].is_null())).lenient(),
    strict("isnotnull", &[Any], Type::Bool, |it| Value::Bool(!it[0].is_null())).lenient(),
    strict("gettype", &[Any], Type::String, |it| {
        Value::text(match &it[0] {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Long(_) => "long",
            Value::Real(_) => "real",
            Value::Text(_) => "string",
            Value::Moment(_) => "datetime",
            Value::Span(_) => "timespan",
            Value::Dynamic(json) if json.is_array() => "array",
            Value::Dynamic(_) => "dictionary",
        })
    })
    .lenient(),
];

pub(super) fn to_long(value: &Value) -> Value {
    match value {
        Value::Long(_) => value.clone(),
        Value::Bool(truth) => Value::Long(i64::from(*truth)),
        // `as` saturates and has 0 for what is no number.
        Value::Real(number) if number.is_finite() => Value::Long(*number as i64),
        Value::Moment(ticks) | Value::Span(ticks) => Value::Long(*ticks),
        Value::Text(text) => {
            let text = text.trim();
            let whole = text.parse().ok();
            let real = || text.parse::<f64>().ok().filter(|it| it.is_finite()).map(|it| it as i64);
            whole.or_else(real).map_or(Value::Null, Value::Long)
        }
        Value::Dynamic(json) => scalar(json).map_or(Value::Null, |it| to_long(&it)),
        Value::Real(_) | Value::Null => Value::Null,
    }
}

pub(super) fn to_real(value: &Value) -> Value {
    match value {
        Value::Real(_) => value.clone(),
        Value::Long(number) => Value::Real(*number as f64),
        Value::Bool(truth) => Value::Real(f64::from(u8::from(*truth))),
        Value::Text(text) => text.trim().parse().map_or(Value::Null, Value::Real),
        Value::Dynamic(json) => scalar(json).map_or(Value::Null, |it| to_real(&it)),
        Value::Moment(_) | Value::Span(_) | Value::Null => Value::Null,
    }
}

fn to_bool(value: &Value) -> Value {
    match value {
        Value::Bool(_) => value.clone(),
        Value::Long(number) => Value::Bool(*number != 0),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        Value::Text(text) => text.parse::<i64>().map_or(Value::Null, |it| Value::Bool(it != 0)),
        Value::Dynamic(json) => scalar(json).map_or(Value::Null, |it| to_bool(&it)),
        _ => Value::Null,
    }
}
