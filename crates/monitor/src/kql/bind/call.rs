//! Calls of functions: those of the table, and those that need more than values.

use regex::{Regex, RegexBuilder};

use super::Scope;
use crate::kql::ast::Expr;
use crate::kql::compare;
use crate::kql::error::{KqlError, Result};
use crate::kql::functions::{self, Function, Gives, Takes};
use crate::kql::moment;
use crate::kql::plan::{Bound, Column};
use crate::kql::value::{Type, Value};

/// Memory that a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

impl Scope<'_> {
    pub(super) fn call(
        &self,
        at: usize,
        name: &str,
        arguments: &[Expr],
        columns: &[Column],
    ) -> Result<Bound> {
        let bound: Vec<Bound> =
            arguments.iter().map(|it| self.expression(it, columns)).collect::<Result<_>>()?;
        match name {
            "now" => self.now(at, &bound),
            "ago" => match &bound[..] {
                [Bound { kind: Type::Timespan, .. }] => {
                    let now = self.now;
                    Ok(Bound::apply(Type::Datetime, bound, move |it| match &it[0] {
                        Value::Span(ticks) => Value::Moment(now.saturating_sub(*ticks)),
                        _ => Value::Null,
                    }))
                }
                _ => Err(takes(at, "ago() takes one timespan, such as ago(1h)")),
            },
            "not" => match &bound[..] {
                [Bound { kind: Type::Bool, .. }] => {
                    Ok(Bound::apply(Type::Bool, bound, |it| compare::not(&it[0])))
                }
                _ => Err(takes(at, "not() takes one condition")),
            },
            "iff" | "iif" | "case" => branches(at, name, bound),
            "coalesce" => coalesce(at, bound),
            "bin" | "floor" => bin(at, bound),
            "extract" => extract(at, bound),
            _ => {
                let function = functions::find(name).ok_or_else(|| unknown(at, name))?;
                check(at, function, arguments, &bound)?;
                Ok(apply(function, bound))
            }
        }
    }

    fn now(&self, at: usize, arguments: &[Bound]) -> Result<Bound> {
        let offset = match arguments {
            [] => 0,
            [one] => match one.as_constant() {
                Some(Value::Span(ticks)) => *ticks,
                _ => return Err(takes(at, "now() takes nothing, or one timespan")),
            },
            _ => return Err(takes(at, "now() takes nothing, or one timespan")),
        };
        Ok(Bound::constant(Type::Datetime, Value::Moment(self.now.saturating_add(offset))))
    }
}

fn takes(at: usize, what: &str) -> KqlError {
    KqlError::semantic(at, format!("{what}."))
}

fn unknown(at: usize, name: &str) -> KqlError {
    if super::summarize::is_aggregate(name) {
        let message = format!("{name}() works on many rows at once; use it in summarize.");
        return KqlError::semantic(at, message);
    }
    let near = functions::similar(name);
    let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}()?"));
    let message = format!("The function {name}() is not supported by this server.{hint}");
    KqlError::semantic(at, message)
}

fn check(at: usize, function: &Function, written: &[Expr], bound: &[Bound]) -> Result<()> {
    let most = function.takes.len();
    let least = most - function.optional;
    if bound.len() < least || (bound.len() > most && !function.repeats) {
        let count = match (function.repeats, least == most) {
            (true, _) => format!("{least} or more"),
            (false, true) => most.to_string(),
            (false, false) => format!("{least} to {most}"),
        };
        let message = format!("{}() takes {count} argument(s), not {}", function.name, bound.len());
        return Err(takes(at, &message));
    }
    for (index, argument) in bound.iter().enumerate() {
        let wanted = function.takes.get(index).or(function.takes.last()).unwrap_or(&Takes::Any);
        if !wanted.accepts(argument.kind) {
            let message = format!(
                "{}() takes {} as argument {}, but this is {}",
                function.name,
                wanted.name(),
                index + 1,
                argument.kind.name()
            );
            return Err(takes(written.get(index).map_or(at, |it| it.at), &message));
        }
    }
    Ok(())
}

fn apply(function: &'static Function, arguments: Vec<Bound>) -> Bound {
    let kind = match function.gives {
        Gives::Always(kind) => kind,
        Gives::First => arguments.first().map_or(Type::Dynamic, |it| it.kind),
    };
    let (run, strict) = (function.run, function.strict);
    Bound::apply(kind, arguments, move |values| {
        if strict && values.iter().any(Value::is_null) { kind.nothing() } else { run(values) }
    })
}

/// The one type that all of these can be.
fn united(at: usize, name: &str, of: &[&Bound]) -> Result<Type> {
    let mut kind = None;
    for bound in of {
        kind = Some(match kind {
            None => bound.kind,
            Some(kind) if kind == bound.kind => kind,
            Some(kind) if kind.is_number() && bound.kind.is_number() => {
                if kind == Type::Real || bound.kind == Type::Real { Type::Real } else { Type::Long }
            }
            Some(Type::Dynamic) => Type::Dynamic,
            Some(kind) => {
                let message = format!(
                    "The results of {name}() must be of one type, but there are {} and {}; convert \
                     one",
                    kind.name(),
                    bound.kind.name()
                );
                return Err(takes(at, &message));
            }
        });
    }
    Ok(kind.unwrap_or(Type::Dynamic))
}

/// A value as it is in the united type.
fn widened(value: &Value, kind: Type) -> Value {
    match (value, kind) {
        (Value::Long(number), Type::Real) => Value::Real(*number as f64),
        _ => value.clone(),
    }
}

/// `iff(condition, then, else)` and `case(condition, then, …, else)`.
fn branches(at: usize, name: &str, arguments: Vec<Bound>) -> Result<Bound> {
    let odd = arguments.len() % 2 == 1;
    if arguments.len() < 3 || !odd || (name != "case" && arguments.len() != 3) {
        let message =
            format!("{name}() takes a condition and a result, then a result for the rest");
        return Err(takes(at, &message));
    }
    let last = arguments.len() - 1;
    let conditions = arguments[..last].iter().step_by(2);
    if conditions.clone().any(|it| !matches!(it.kind, Type::Bool | Type::Dynamic)) {
        return Err(takes(at, &format!("The conditions of {name}() must be bool")));
    }
    let mut results: Vec<&Bound> = arguments[..last].iter().skip(1).step_by(2).collect();
    results.push(&arguments[last]);
    let kind = united(at, name, &results)?;
    Ok(Bound::apply(kind, arguments, move |values| {
        let (branches, rest) = values.split_at(values.len() - 1);
        let taken = branches.chunks_exact(2).find(|it| it[0] == Value::Bool(true));
        widened(taken.map_or(&rest[0], |it| &it[1]), kind)
    }))
}

fn coalesce(at: usize, arguments: Vec<Bound>) -> Result<Bound> {
    let all: Vec<&Bound> = arguments.iter().collect();
    let kind = united(at, "coalesce", &all)?;
    if arguments.is_empty() {
        return Err(takes(at, "coalesce() takes one argument or more"));
    }
    Ok(Bound::apply(kind, arguments, move |values| {
        let given = |it: &&Value| match it {
            Value::Null => false,
            Value::Text(text) => !text.is_empty(),
            _ => true,
        };
        values.iter().find(given).map_or(kind.nothing(), |it| widened(it, kind))
    }))
}

fn bin(at: usize, arguments: Vec<Bound>) -> Result<Bound> {
    let fits = match &arguments[..] {
        [of, size] => match of.kind {
            Type::Datetime | Type::Timespan => size.kind == Type::Timespan,
            kind => kind.is_number() && size.kind.is_number(),
        },
        _ => false,
    };
    if !fits {
        let what = "bin() takes a value and the size of a bin: a datetime and a timespan, as in \
                    bin(TimeGenerated, 1h), or two numbers";
        return Err(takes(at, what));
    }
    let kind = match (arguments[0].kind, arguments[1].kind) {
        (_, Type::Real) => Type::Real,
        (kind, _) => kind,
    };
    Ok(Bound::apply(kind, arguments, |it| match (&it[0], &it[1]) {
        (Value::Moment(ticks), Value::Span(size)) if *size > 0 => {
            Value::Moment(moment::bin(*ticks, *size))
        }
        (Value::Span(ticks), Value::Span(size)) if *size > 0 => {
            Value::Span(ticks.div_euclid(*size).saturating_mul(*size))
        }
        (Value::Long(number), Value::Long(size)) if *size > 0 => {
            Value::Long(number.div_euclid(*size).saturating_mul(*size))
        }
        (number, size) => match (as_double(number), as_double(size)) {
            (Some(number), Some(size)) if size > 0.0 => Value::Real((number / size).floor() * size),
            _ => Value::Null,
        },
    }))
}

fn as_double(value: &Value) -> Option<f64> {
    match value {
        Value::Long(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        _ => None,
    }
}

/// The pattern that an argument must be.
fn pattern(at: usize, bound: &Bound) -> Result<Regex> {
    let Some(Value::Text(text)) = bound.as_constant() else {
        return Err(takes(at, "A regular expression must be the same for every row"));
    };
    let built = RegexBuilder::new(text).size_limit(MAX_PATTERN_BYTES).build();
    built.map_err(|error| takes(at, &format!("The regular expression cannot be used: {error}")))
}

pub(super) fn matches_regex(at: usize, of: Bound, with: &Bound) -> Result<Bound> {
    let pattern = pattern(at, with)?;
    if !Takes::Text.accepts(of.kind) {
        return Err(takes(at, "matches regex works on strings; convert with tostring()"));
    }
    Ok(Bound::apply(Type::Bool, vec![of], move |it| {
        Value::Bool(pattern.is_match(&it[0].to_text()))
    }))
}

fn extract(at: usize, arguments: Vec<Bound>) -> Result<Bound> {
    let mut arguments = arguments.into_iter();
    let (Some(with), Some(group), Some(of), None) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(takes(at, "extract() takes a regular expression, a group number and a string"));
    };
    let (pattern, group) = (pattern(at, &with)?, super::whole(&group, at)?);
    Ok(Bound::apply(Type::String, vec![of], move |it| {
        let text = it[0].to_text();
        let found = pattern.captures(&text).and_then(|it| it.get(group));
        Value::text(found.map_or("", |it| it.as_str()))
    }))
}
