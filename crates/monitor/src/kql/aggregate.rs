//! Functions that make one value of many rows. Nulls do not count.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::compare::total;
use super::plan::Bound;
use super::value::{Type, Value};

/// Elements that `make_list` and `make_set` keep unless they are told.
const LIST_LIMIT: usize = 1_048_576;

/// What is computed of a group.
#[derive(Clone, Debug)]
pub(super) struct Aggregate {
    pub kind: Kind,
    /// What is computed on: nothing for `count()`, the value and what goes with it for `arg_max`.
    pub arguments: Vec<Bound>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Count,
    CountIf,
    Sum(Type),
    SumIf(Type),
    Avg(Type),
    AvgIf(Type),
    Min,
    Max,
    Dcount,
    DcountIf,
    Percentiles(Vec<f64>),
    ArgMax,
    ArgMin,
    MakeList(usize),
    MakeSet(usize),
    TakeAny,
}

impl Kind {
    pub(super) fn list(limit: Option<usize>) -> Self {
        Self::MakeList(limit.unwrap_or(LIST_LIMIT))
    }

    pub(super) fn set(limit: Option<usize>) -> Self {
        Self::MakeSet(limit.unwrap_or(LIST_LIMIT))
    }
}

/// A computation under way.
#[derive(Debug)]
pub(super) enum State {
    Count(i64),
    Sum { whole: i128, real: f64, count: u64 },
    Best(Option<Vec<Value>>),
    Distinct(HashSet<Value>),
    Values(Vec<Value>),
    Set(Vec<Value>, HashSet<Value>),
}

impl Aggregate {
    pub(super) fn start(&self) -> State {
        match &self.kind {
            Kind::Count | Kind::CountIf => State::Count(0),
            Kind::Sum(_) | Kind::SumIf(_) | Kind::Avg(_) | Kind::AvgIf(_) => {
                State::Sum { whole: 0, real: 0.0, count: 0 }
            }
            Kind::Min | Kind::Max | Kind::ArgMax | Kind::ArgMin | Kind::TakeAny => {
                State::Best(None)
            }
            Kind::Dcount | Kind::DcountIf => State::Distinct(HashSet::new()),
            Kind::Percentiles(_) | Kind::MakeList(_) => State::Values(Vec::new()),
            Kind::MakeSet(_) => State::Set(Vec::new(), HashSet::new()),
        }
    }

    /// Takes a row in; tells by how many bytes the state has grown.
    pub(super) fn feed(&self, state: &mut State, row: &[Value]) -> usize {
        let first = self.arguments.first().map(|it| it.eval(row));
        let chosen = match &self.kind {
            Kind::SumIf(_) | Kind::AvgIf(_) | Kind::DcountIf => {
                self.arguments.get(1).and_then(|it| it.truth(row)) == Some(true)
            }
            Kind::CountIf => first == Some(Value::Bool(true)),
            _ => true,
        };
        if !chosen {
            return 0;
        }
        match state {
            State::Count(count) => {
                *count += 1;
                0
            }
            State::Sum { whole, real, count } => {
                match first {
                    Some(Value::Long(number) | Value::Span(number)) => *whole += i128::from(number),
                    Some(Value::Real(number)) => *real += number,
                    _ => return 0,
                }
                *count += 1;
                0
            }
            State::Best(best) => self.feed_best(best, first.unwrap_or(Value::Null), row),
            State::Distinct(seen) => match first {
                Some(value) if !value.is_null() => {
                    let weight = value.weight();
                    if seen.insert(value) { weight } else { 0 }
                }
                _ => 0,
            },
            State::Values(values) => match first {
                Some(value) if !value.is_null() && self.has_room(values.len()) => {
                    let weight = value.weight();
                    values.push(value);
                    weight
                }
                _ => 0,
            },
            State::Set(values, seen) => match first {
                Some(value) if !value.is_null() && self.has_room(values.len()) => {
                    if !seen.insert(value.clone()) {
                        return 0;
                    }
                    let weight = value.weight() * 2;
                    values.push(value);
                    weight
                }
                _ => 0,
            },
        }
    }

    fn has_room(&self, length: usize) -> bool {
        match self.kind {
            Kind::MakeList(limit) | Kind::MakeSet(limit) => length < limit,
            _ => true,
        }
    }

    fn feed_best(&self, best: &mut Option<Vec<Value>>, value: Value, row: &[Value]) -> usize {
        if value.is_null() {
            return 0;
        }
        let better = match best.as_ref().and_then(|it| it.first()) {
            None => true,
            Some(held) => match self.kind {
                Kind::Max | Kind::ArgMax => total(&value, held).is_gt(),
                Kind::Min | Kind::ArgMin => total(&value, held).is_lt(),
                _ => false,
            },
        };
        if !better {
            return 0;
        }
        let rest = self.arguments.iter().skip(1).map(|it| it.eval(row));
        let values: Vec<Value> = std::iter::once(value).chain(rest).collect();
        let weight = values.iter().map(Value::weight).sum();
        *best = Some(values);
        weight
    }

    /// The result, one value a column.
    pub(super) fn finish(&self, state: State) -> Vec<Value> {
        match (state, &self.kind) {
            (State::Count(count), _) => vec![Value::Long(count)],
            (State::Sum { whole, real, count }, kind) => vec![sum(kind, whole, real, count)],
            (State::Best(best), _) => {
                best.unwrap_or_else(|| self.arguments.iter().map(|it| it.kind.nothing()).collect())
            }
            (State::Distinct(seen), _) => {
                vec![Value::Long(i64::try_from(seen.len()).unwrap_or(i64::MAX))]
            }
            (State::Values(mut values), Kind::Percentiles(percents)) => {
                values.sort_by(total);
                percents.iter().map(|percent| nearest_rank(&values, *percent)).collect()
            }
            (State::Values(values) | State::Set(values, _), _) => {
                vec![Value::dynamic(Json::Array(values.iter().map(Value::to_json).collect()))]
            }
        }
    }

    /// The types of the result's columns.
    pub(super) fn kinds(&self) -> Vec<Type> {
        let first = self.arguments.first().map_or(Type::Long, |it| it.kind);
        match &self.kind {
            Kind::Count | Kind::CountIf | Kind::Dcount | Kind::DcountIf => vec![Type::Long],
            Kind::Sum(kind) | Kind::SumIf(kind) => vec![match kind {
                Type::Int => Type::Long,
                kind => *kind,
            }],
            Kind::Avg(kind) | Kind::AvgIf(kind) => vec![match kind {
                Type::Timespan => Type::Timespan,
                _ => Type::Real,
            }],
            Kind::Min | Kind::Max | Kind::TakeAny | Kind::ArgMax | Kind::ArgMin => {
                self.arguments.iter().map(|it| it.kind).collect()
            }
            Kind::Percentiles(percents) => vec![first; percents.len()],
            Kind::MakeList(_) | Kind::MakeSet(_) => vec![Type::Dynamic],
        }
    }
}

fn sum(kind: &Kind, whole: i128, real: f64, count: u64) -> Value {
    if count == 0 {
        return Value::Null;
    }
    let clamp = |it: i128| {
        let end = if it < 0 { i64::MIN } else { i64::MAX };
        i64::try_from(it).unwrap_or(end)
    };
    match kind {
        Kind::Avg(Type::Timespan) | Kind::AvgIf(Type::Timespan) => {
            Value::Span(clamp(whole / i128::from(count)))
        }
        Kind::Avg(_) | Kind::AvgIf(_) => Value::Real((whole as f64 + real) / count as f64),
        Kind::Sum(Type::Timespan) | Kind::SumIf(Type::Timespan) => Value::Span(clamp(whole)),
        Kind::Sum(Type::Real) | Kind::SumIf(Type::Real) => Value::Real(whole as f64 + real),
        _ => Value::Long(clamp(whole)),
    }
}

/// The smallest value that so many percent of all are not above. The service estimates; this is exact.
fn nearest_rank(sorted: &[Value], percent: f64) -> Value {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).or(sorted.last()).cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<Value> = (1..=10).map(Value::Long).collect();
        assert_eq!(nearest_rank(&values, 90.0), Value::Long(9));
        assert_eq!(nearest_rank(&values, 0.0), Value::Long(1));
        assert_eq!(nearest_rank(&values, 100.0), Value::Long(10));
        assert_eq!(nearest_rank(&[], 50.0), Value::Null);
    }
}
