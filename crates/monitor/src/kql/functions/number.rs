//! Functions of numbers.

use super::Takes::{Any, Number};
use super::{Function, strict, whole_of};
use crate::kql::compare::total;
use crate::kql::value::{Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    strict("round", &[Number, Number], Type::Real, round).optional(1),
    strict("abs", &[Any], Type::Long, |it| match &it[0] {
        Value::Long(number) => Value::Long(number.saturating_abs()),
        Value::Span(ticks) => Value::Span(ticks.saturating_abs()),
        Value::Real(number) => Value::Real(number.abs()),
        _ => Value::Null,
    })
    .like_first(),
    strict("ceiling", &[Number], Type::Real, |it| real(&it[0], f64::ceil)),
    strict("sqrt", &[Number], Type::Real, |it| real(&it[0], f64::sqrt)),
    strict("exp", &[Number], Type::Real, |it| real(&it[0], f64::exp)),
    strict("log", &[Number], Type::Real, |it| real(&it[0], f64::ln)),
    strict("log10", &[Number], Type::Real, |it| real(&it[0], f64::log10)),
    strict("pow", &[Number, Number], Type::Real, |it| match (double(&it[0]), double(&it[1])) {
        (Some(base), Some(power)) => Value::Real(base.powf(power)),
        _ => Value::Null,
    }),
    strict("isnan", &[Number], Type::Bool, |it| {
        Value::Bool(double(&it[0]).is_some_and(f64::is_nan))
    }),
    strict("min_of", &[Any], Type::Long, |it| {
        it.iter().min_by(|one, two| total(one, two)).cloned().unwrap_or(Value::Null)
    })
    .repeats()
    .like_first(),
    strict("max_of", &[Any], Type::Long, |it| {
        it.iter().max_by(|one, two| total(one, two)).cloned().unwrap_or(Value::Null)
    })
    .repeats()
    .like_first(),
];

fn double(value: &Value) -> Option<f64> {
    match super::convert::to_real(value) {
        Value::Real(number) => Some(number),
        _ => None,
    }
}

fn real(value: &Value, run: fn(f64) -> f64) -> Value {
    double(value).map_or(Value::Null, |number| Value::Real(run(number)))
}

fn round(values: &[Value]) -> Value {
    let Some(number) = double(&values[0]) else { return Value::Null };
    let places = whole_of(values, 1).unwrap_or(0).clamp(-300, 300);
    let scale = 10_f64.powi(i32::try_from(places).unwrap_or(0));
    let rounded = (number * scale).round() / scale;
    // So large that it has no such places.
    Value::Real(if rounded.is_finite() { rounded } else { number })
}
