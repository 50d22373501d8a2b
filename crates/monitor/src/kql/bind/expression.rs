//! Expressions over columns.

use super::{Defined, Scope, no_column, place};
use crate::kql::ast::{Binary, Expr, ExprKind, InKind};
use crate::kql::compare::{self, TextTest};
use crate::kql::error::{KqlError, Result};
use crate::kql::plan::{Bound, Column, Node};
use crate::kql::value::{Type, Value};

impl Scope<'_> {
    pub(super) fn expression(&self, expr: &Expr, columns: &[Column]) -> Result<Bound> {
        match &expr.kind {
            ExprKind::Literal(kind, value) => Ok(Bound::constant(*kind, value.clone())),
            ExprKind::Name(name) => self.name(expr.at, name, columns),
            ExprKind::Call(name, arguments) => self.call(expr.at, name, arguments, columns),
            ExprKind::Binary(operator, left, right) => {
                let (left, right) =
                    (self.expression(left, columns)?, self.expression(right, columns)?);
                binary(expr.at, *operator, left, right)
            }
            ExprKind::Negate(of) => negated(expr.at, self.expression(of, columns)?),
            ExprKind::In(kind, needle, list) => {
                let needle = self.expression(needle, columns)?;
                let list: Vec<Bound> =
                    list.iter().map(|it| self.expression(it, columns)).collect::<Result<_>>()?;
                membership(expr.at, *kind, needle, list)
            }
            ExprKind::Between(not, of, from, to) => {
                let of = self.expression(of, columns)?;
                let from = self.expression(from, columns)?;
                let mut to = self.expression(to, columns)?;
                if from.kind == Type::Datetime && to.kind == Type::Timespan {
                    to = binary(expr.at, Binary::Add, from.clone(), to)?;
                }
                let lower = binary(expr.at, Binary::GreaterOrEqual, of.clone(), from)?;
                let upper = binary(expr.at, Binary::LessOrEqual, of, to)?;
                let both = binary(expr.at, Binary::And, lower, upper)?;
                Ok(if *not { inverted(both) } else { both })
            }
            ExprKind::Field(of, name) => {
                let of = json(expr.at, self.expression(of, columns)?)?;
                let name = name.clone();
                Ok(Bound::apply(Type::Dynamic, vec![of], move |it| match &it[0] {
                    Value::Dynamic(json) => {
                        Value::dynamic(json.get(&name).cloned().unwrap_or_default())
                    }
                    _ => Value::Null,
                }))
            }
            ExprKind::Index(of, index) => {
                let of = json(expr.at, self.expression(of, columns)?)?;
                let index = self.expression(index, columns)?;
                Ok(Bound::apply(Type::Dynamic, vec![of, index], |it| element(&it[0], &it[1])))
            }
            ExprKind::Star => {
                Err(KqlError::semantic(expr.at, "* stands for all columns, which do not fit here."))
            }
        }
    }

    /// An expression that must be true or false.
    pub(super) fn condition(&self, expr: &Expr, columns: &[Column]) -> Result<Bound> {
        let bound = self.expression(expr, columns)?;
        match bound.kind {
            Type::Bool | Type::Dynamic => Ok(bound),
            other => {
                let message = format!("A condition must be a bool, but this is {}.", other.name());
                Err(KqlError::semantic(expr.at, message))
            }
        }
    }

    fn name(&self, at: usize, name: &str, columns: &[Column]) -> Result<Bound> {
        if let Some(place) = place(columns, name) {
            return Ok(Bound::column(columns[place].kind, place));
        }
        match self.lets.get(name) {
            Some(Defined::Scalar(value)) => Ok(value.clone()),
            Some(Defined::Table(_)) => {
                Err(KqlError::semantic(at, format!("{name} is a table; a value is expected here.")))
            }
            None => Err(no_column(at, name, columns)),
        }
    }
}

fn json(at: usize, of: Bound) -> Result<Bound> {
    if of.kind == Type::Dynamic {
        return Ok(of);
    }
    let message = format!(
        "Fields and elements can be taken of dynamic values, but this is {}; convert it with \
         parse_json().",
        of.kind.name()
    );
    Err(KqlError::semantic(at, message))
}

fn element(of: &Value, index: &Value) -> Value {
    let Value::Dynamic(json) = of else { return Value::Null };
    let found = match index {
        Value::Long(index) => json.as_array().and_then(|items| {
            let from_end = items.len().checked_sub(index.unsigned_abs() as usize);
            let place = usize::try_from(*index).ok().or(from_end)?;
            items.get(place)
        }),
        other => json.get(&*other.to_text()),
    };
    Value::dynamic(found.cloned().unwrap_or_default())
}

fn negated(at: usize, of: Bound) -> Result<Bound> {
    let kind = of.kind;
    if !kind.is_number() && kind != Type::Timespan {
        let message = format!("A minus does not fit before {}.", kind.name());
        return Err(KqlError::semantic(at, message));
    }
    Ok(Bound::apply(kind, vec![of], |it| match &it[0] {
        Value::Long(number) => Value::Long(number.saturating_neg()),
        Value::Real(number) => Value::Real(-number),
        Value::Span(ticks) => Value::Span(ticks.saturating_neg()),
        _ => Value::Null,
    }))
}

fn inverted(of: Bound) -> Bound {
    Bound::apply(Type::Bool, vec![of], |it| compare::not(&it[0]))
}

pub(super) fn binary(at: usize, operator: Binary, left: Bound, right: Bound) -> Result<Bound> {
    if let Some(test) = TextTest::of(operator) {
        return text_test(at, operator, test, left, right);
    }
    match operator {
        Binary::And | Binary::Or => connective(at, operator, left, right),
        Binary::Equal | Binary::NotEqual => {
            comparable(at, operator, &left, &right)?;
            let equal =
                Bound::apply(Type::Bool, vec![left, right], |it| compare::equals(&it[0], &it[1]));
            Ok(if operator == Binary::NotEqual { inverted(equal) } else { equal })
        }
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
            comparable(at, operator, &left, &right)?;
            Ok(Bound::apply(Type::Bool, vec![left, right], move |it| {
                compare::ordered(operator, &it[0], &it[1])
            }))
        }
        Binary::MatchesRegex => super::call::matches_regex(at, left, &right),
        _ => arithmetic(at, operator, left, right),
    }
}

fn connective(at: usize, operator: Binary, left: Bound, right: Bound) -> Result<Bound> {
    for side in [&left, &right] {
        if !matches!(side.kind, Type::Bool | Type::Dynamic) {
            let message = format!(
                "{} joins conditions, but one side is {}.",
                operator.sign(),
                side.kind.name()
            );
            return Err(KqlError::semantic(at, message));
        }
    }
    let (left, right) = (Box::new(left), Box::new(right));
    let node = if operator == Binary::And { Node::And(left, right) } else { Node::Or(left, right) };
    Ok(Bound { kind: Type::Bool, node })
}

fn comparable(at: usize, operator: Binary, left: &Bound, right: &Bound) -> Result<()> {
    let text = |kind| matches!(kind, Type::String | Type::Guid);
    let fits = |one: Type, two: Type| {
        one == two
            || (one.is_number() && two.is_number())
            || (text(one) && text(two))
            || one == Type::Dynamic
            || two == Type::Dynamic
    };
    if fits(left.kind, right.kind) {
        return Ok(());
    }
    let hint = match (left.kind, right.kind) {
        (Type::Datetime, _) | (_, Type::Datetime) => "; write datetime(2026-01-31) or todatetime()",
        (Type::Timespan, _) | (_, Type::Timespan) => "; write a timespan such as 5m",
        (Type::String, _) => "; convert the string, or write the value in quotes",
        (_, Type::String) => "; convert it with tostring()",
        _ => "",
    };
    let message = format!(
        "{} cannot compare {} with {}{hint}.",
        operator.sign(),
        left.kind.name(),
        right.kind.name()
    );
    Err(KqlError::semantic(at, message))
}

fn text_test(
    at: usize,
    operator: Binary,
    test: TextTest,
    left: Bound,
    right: Bound,
) -> Result<Bound> {
    for side in [&left, &right] {
        if !matches!(side.kind, Type::String | Type::Dynamic | Type::Guid) {
            let message = format!(
                "{} works on strings, but one side is {}; convert it with tostring().",
                operator.sign(),
                side.kind.name()
            );
            return Err(KqlError::semantic(at, message));
        }
    }
    if let Some(needle) = right.as_constant() {
        let needle = test.needle(&needle.to_text());
        return Ok(Bound::apply(Type::Bool, vec![left], move |it| {
            Value::Bool(test.test(&it[0].to_text(), &needle))
        }));
    }
    Ok(Bound::apply(Type::Bool, vec![left, right], move |it| {
        Value::Bool(test.test(&it[0].to_text(), &test.needle(&it[1].to_text())))
    }))
}

/// The type of a sum, difference, product or quotient; none when there is no such thing.
fn arithmetic_type(operator: Binary, left: Type, right: Type) -> Option<Type> {
    use Type::{Datetime, Int, Long, Real, Timespan};
    let number = |one: Type, two: Type| match (one, two) {
        (Real, _) | (_, Real) => Real,
        (Int, Int) => Int,
        _ => Long,
    };
    Some(match (operator, left, right) {
        (_, one, two) if one.is_number() && two.is_number() => number(one, two),
        (Binary::Add, Datetime, Timespan) | (Binary::Add, Timespan, Datetime) => Datetime,
        (Binary::Subtract, Datetime, Timespan) => Datetime,
        (Binary::Subtract, Datetime, Datetime) => Timespan,
        (Binary::Add | Binary::Subtract | Binary::Modulo, Timespan, Timespan) => Timespan,
        (Binary::Divide, Timespan, Timespan) => Real,
        (Binary::Multiply | Binary::Divide, Timespan, number) if number.is_number() => Timespan,
        (Binary::Multiply, number, Timespan) if number.is_number() => Timespan,
        _ => return None,
    })
}

fn arithmetic(at: usize, operator: Binary, left: Bound, right: Bound) -> Result<Bound> {
    let Some(kind) = arithmetic_type(operator, left.kind, right.kind) else {
        let hint = match (left.kind, right.kind) {
            (Type::String, _) | (_, Type::String) => "; join texts with strcat(), convert others",
            (Type::Dynamic, _) | (_, Type::Dynamic) => "; convert dynamic values with tolong()",
            _ => "",
        };
        let message = format!(
            "{} does not work on {} and {}{hint}.",
            operator.sign(),
            left.kind.name(),
            right.kind.name()
        );
        return Err(KqlError::semantic(at, message));
    };
    Ok(Bound::apply(kind, vec![left, right], move |it| compute(operator, kind, &it[0], &it[1])))
}

fn compute(operator: Binary, kind: Type, left: &Value, right: &Value) -> Value {
    let wrap = |number: Option<i64>| match (number, kind) {
        (None, _) => Value::Null,
        (Some(ticks), Type::Datetime) => Value::Moment(ticks),
        (Some(ticks), Type::Timespan) => Value::Span(ticks),
        (Some(number), _) => Value::Long(number),
    };
    match (left, right) {
        (Value::Span(one), Value::Span(two)) if operator == Binary::Divide => {
            Value::Real(*one as f64 / *two as f64)
        }
        (
            Value::Long(one) | Value::Moment(one) | Value::Span(one),
            Value::Long(two) | Value::Moment(two) | Value::Span(two),
        ) => wrap(match operator {
            Binary::Add => one.checked_add(*two),
            Binary::Subtract => one.checked_sub(*two),
            Binary::Multiply => one.checked_mul(*two),
            Binary::Divide => one.checked_div(*two),
            _ => one.checked_rem_euclid(*two),
        }),
        _ => {
            let (Some(one), Some(two)) = (double(left), double(right)) else { return Value::Null };
            let number = match operator {
                Binary::Add => one + two,
                Binary::Subtract => one - two,
                Binary::Multiply => one * two,
                Binary::Divide => one / two,
                _ => one.rem_euclid(two),
            };
            match kind {
                Type::Timespan => Value::Span(number as i64),
                _ => Value::Real(number),
            }
        }
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Long(number) | Value::Span(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        _ => None,
    }
}

fn membership(at: usize, kind: InKind, needle: Bound, list: Vec<Bound>) -> Result<Bound> {
    // A single dynamic array is the list itself.
    if let [Bound { kind: Type::Dynamic, .. }] = &list[..]
        && let Some(Value::Dynamic(json)) = list[0].as_constant()
        && let Some(items) = json.as_array()
    {
        let items =
            items.iter().map(|it| Bound::constant(Type::Dynamic, Value::dynamic(it.clone())));
        let items: Vec<Bound> = items.collect();
        if items.len() > 1 {
            return membership(at, kind, needle, items);
        }
    }
    let (one, all) = match kind {
        InKind::In | InKind::NotIn => (Binary::Equal, false),
        InKind::InText | InKind::NotInText => (Binary::EqualText, false),
        InKind::HasAny => (Binary::Has, false),
        InKind::HasAll => (Binary::Has, true),
    };
    let tests: Vec<Bound> =
        list.into_iter().map(|it| binary(at, one, needle.clone(), it)).collect::<Result<_>>()?;
    let found = Bound::apply(Type::Bool, tests, move |it| {
        let holds = |it: &Value| *it == Value::Bool(true);
        Value::Bool(if all { it.iter().all(holds) } else { it.iter().any(holds) })
    });
    Ok(if matches!(kind, InKind::NotIn | InKind::NotInText) { inverted(found) } else { found })
}
