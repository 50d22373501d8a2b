//! `summarize` and its relatives `distinct`, `count` and `top-nested`.
//!
//! An expression around aggregates, such as `round(avg(x), 1)`, becomes the aggregates and an
//! expression over their results.

use super::operator::unused;
use super::{Scope, name, whole};
use crate::kql::aggregate::{Aggregate, Kind};
use crate::kql::ast::{Expr, ExprKind, Named, Nest};
use crate::kql::error::{KqlError, Result};
use crate::kql::plan::{Bound, Column, Level, Plan, Step};
use crate::kql::value::{Type, Value};

const AGGREGATES: [&str; 20] = [
    "count",
    "countif",
    "sum",
    "sumif",
    "avg",
    "avgif",
    "min",
    "max",
    "dcount",
    "dcountif",
    "percentile",
    "percentiles",
    "arg_max",
    "arg_min",
    "make_list",
    "make_set",
    "makelist",
    "makeset",
    "any",
    "take_any",
];

pub(super) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// Aggregates found so far, and the columns that they come out in.
struct Found {
    aggregates: Vec<Aggregate>,
    columns: Vec<Column>,
}

impl Found {
    /// Adds one; tells the place of its first column.
    fn add(&mut self, aggregate: Aggregate) -> usize {
        let first = self.columns.len();
        for kind in aggregate.kinds() {
            // A name that cannot be written, so that no column hides it.
            let name = format!("aggregate {}", self.columns.len());
            self.columns.push(Column::new(name, kind));
        }
        self.aggregates.push(aggregate);
        first
    }
}

impl Scope<'_> {
    pub(super) fn summarize(&self, plan: Plan, wanted: &[Named], by: &[Named]) -> Result<Plan> {
        let mut columns: Vec<Column> = Vec::new();
        let mut groups = Vec::new();
        for named in by {
            let bound = self.expression(&named.expr, &plan.columns)?;
            let name = match (&named.name, name::of(&named.expr)) {
                (Some(name), _) => unused(name, &columns)?,
                (None, Some(name)) => name::free(&name, &columns),
                (None, None) => name::unnamed(&columns),
            };
            columns.push(Column::new(name, bound.kind));
            groups.push(bound);
        }
        let found_columns = columns.iter().enumerate();
        // Groups come first, under names that no expression can reach.
        let found_columns =
            found_columns.map(|(place, it)| Column::new(format!("group {place}"), it.kind));
        let mut found = Found { aggregates: Vec::new(), columns: found_columns.collect() };
        let mut bound: Vec<Bound> = super::operator::all(&columns);
        for named in wanted {
            self.result(named, &plan.columns, &mut found, &mut columns, &mut bound)?;
        }
        let step = Step::Summarize { by: groups, aggregates: found.aggregates };
        plan.after(step, Some(found.columns))?.after(Step::Project(bound), Some(columns))
    }

    /// One result: its columns and what they are computed from.
    fn result(
        &self,
        named: &Named,
        input: &[Column],
        found: &mut Found,
        columns: &mut Vec<Column>,
        bound: &mut Vec<Bound>,
    ) -> Result<()> {
        if let ExprKind::Call(function, arguments) = &named.expr.kind
            && is_aggregate(function)
        {
            let aggregate = self.aggregate(named.expr.at, function, arguments, input)?;
            let names = names(function, arguments, named, input, &aggregate);
            let first = found.add(aggregate);
            for (offset, name) in names.into_iter().enumerate() {
                let kind = found.columns[first + offset].kind;
                let name = name::free(&name, columns);
                columns.push(Column::new(name, kind));
                bound.push(Bound::column(kind, first + offset));
            }
            return Ok(());
        }
        let rewritten = self.lift(&named.expr, input, found)?;
        let one = self.expression(&rewritten, &found.columns).map_err(|error| {
            if error.message.starts_with("There is no column") {
                let message = "Outside of aggregates such as count() or max(), summarize knows no \
                               columns; group by it instead.";
                return KqlError::semantic(error.at, message);
            }
            error
        })?;
        let name = match &named.name {
            Some(name) => unused(name, columns)?,
            None => name::unnamed(columns),
        };
        columns.push(Column::new(name, one.kind));
        bound.push(one);
        Ok(())
    }

    /// The expression with every aggregate replaced by the column that it comes out in.
    fn lift(&self, expr: &Expr, input: &[Column], found: &mut Found) -> Result<Expr> {
        let mut lift = |it: &Expr| self.lift(it, input, found);
        let kind = match &expr.kind {
            ExprKind::Call(function, arguments) if is_aggregate(function) => {
                let aggregate = self.aggregate(expr.at, function, arguments, input)?;
                let first = found.add(aggregate);
                ExprKind::Name(found.columns[first].name.as_ref().to_owned())
            }
            ExprKind::Call(function, arguments) => {
                let arguments = arguments.iter().map(lift).collect::<Result<_>>()?;
                ExprKind::Call(function.clone(), arguments)
            }
            ExprKind::Binary(operator, left, right) => {
                ExprKind::Binary(*operator, Box::new(lift(left)?), Box::new(lift(right)?))
            }
            ExprKind::Negate(of) => ExprKind::Negate(Box::new(lift(of)?)),
            ExprKind::Field(of, name) => ExprKind::Field(Box::new(lift(of)?), name.clone()),
            ExprKind::Index(of, index) => {
                ExprKind::Index(Box::new(lift(of)?), Box::new(lift(index)?))
            }
            other => other.clone(),
        };
        Ok(Expr { at: expr.at, kind })
    }

    fn aggregate(
        &self,
        at: usize,
        function: &str,
        arguments: &[Expr],
        input: &[Column],
    ) -> Result<Aggregate> {
        let wrong = |what: &str| KqlError::semantic(at, format!("{function}() takes {what}."));
        let mut bound = Vec::new();
        for argument in arguments {
            if argument.kind == ExprKind::Star {
                if !matches!(function, "arg_max" | "arg_min" | "take_any" | "any") {
                    return Err(wrong("no *"));
                }
                let taken = arguments.first().and_then(name::of);
                let rest = super::operator::all(input).into_iter().zip(input);
                let rest = rest.filter(|(_, column)| Some(&*column.name) != taken.as_deref());
                bound.extend(rest.map(|(bound, _)| bound));
            } else {
                bound.push(self.expression(argument, input)?);
            }
        }
        let number = |it: &Bound| it.kind.is_number() || it.kind == Type::Timespan;
        let truth = |it: &Bound| it.kind == Type::Bool;
        let kind = match (function, &bound[..]) {
            ("count", []) => Kind::Count,
            ("count", _) => return Err(wrong("nothing; to count some rows, use countif()")),
            ("countif", [one]) if truth(one) => Kind::CountIf,
            ("countif", _) => return Err(wrong("one condition")),
            ("sum", [one]) if number(one) => Kind::Sum(one.kind),
            ("avg", [one]) if number(one) => Kind::Avg(one.kind),
            ("sum" | "avg", _) => return Err(wrong("one number or timespan")),
            ("sumif", [one, two]) if number(one) && truth(two) => Kind::SumIf(one.kind),
            ("avgif", [one, two]) if number(one) && truth(two) => Kind::AvgIf(one.kind),
            ("sumif" | "avgif", _) => return Err(wrong("a number and a condition")),
            ("min", [_]) => Kind::Min,
            ("max", [_]) => Kind::Max,
            ("min" | "max", _) => return Err(wrong("one value")),
            ("dcount", [_] | [_, _]) => Kind::Dcount,
            ("dcountif", [_, two] | [_, two, _]) if truth(two) => Kind::DcountIf,
            ("dcount" | "dcountif", _) => return Err(wrong("a value (and a condition)")),
            ("percentile", [_, _]) | ("percentiles", [_, _, ..]) => {
                Kind::Percentiles(percents(at, &bound[1..])?)
            }
            ("percentile" | "percentiles", _) => return Err(wrong("a value and percentages")),
            ("arg_max", [_, ..]) => Kind::ArgMax,
            ("arg_min", [_, ..]) => Kind::ArgMin,
            ("arg_max" | "arg_min", _) => return Err(wrong("a value and columns, or *")),
            ("make_list" | "makelist", [_]) => Kind::list(None),
            ("make_list" | "makelist", [_, limit]) => Kind::list(Some(whole(limit, at)?)),
            ("make_set" | "makeset", [_]) => Kind::set(None),
            ("make_set" | "makeset", [_, limit]) => Kind::set(Some(whole(limit, at)?)),
            ("take_any" | "any", [_, ..]) => Kind::TakeAny,
            _ => return Err(wrong("other arguments")),
        };
        if let Kind::Percentiles(_) | Kind::MakeList(_) | Kind::MakeSet(_) | Kind::Dcount = kind {
            bound.truncate(1);
        }
        Ok(Aggregate { kind, arguments: bound })
    }

    pub(super) fn distinct(&self, plan: Plan, wanted: &[Named]) -> Result<Plan> {
        if !wanted.is_empty() {
            return self.summarize(plan, &[], wanted);
        }
        let by = super::operator::all(&plan.columns);
        plan.after(Step::Summarize { by, aggregates: Vec::new() }, None)
    }

    pub(super) fn top_nested(&self, plan: Plan, nests: &[Nest]) -> Result<Plan> {
        let mut columns: Vec<Column> = Vec::new();
        let mut levels = Vec::new();
        for nest in nests {
            let of = self.expression(&nest.of.expr, &plan.columns)?;
            let of_name = nest.of.name.as_ref().map(|it| it.text.clone());
            let of_name = of_name.or_else(|| name::of(&nest.of.expr));
            let of_name = of_name.unwrap_or_else(|| name::unnamed(&columns));
            let by = match &nest.by.expr.kind {
                ExprKind::Call(function, arguments) if is_aggregate(function) => {
                    self.aggregate(nest.by.expr.at, function, arguments, &plan.columns)?
                }
                _ => {
                    let message = "After by comes one aggregate, such as count().";
                    return Err(KqlError::semantic(nest.by.expr.at, message));
                }
            };
            let by_name = nest.by.name.as_ref().map(|it| it.text.clone());
            let by_name = by_name.unwrap_or_else(|| format!("aggregated_{of_name}"));
            let by_kind = by.kinds().first().copied().unwrap_or(Type::Long);
            columns.push(Column::new(name::free(&of_name, &columns), of.kind));
            columns.push(Column::new(name::free(&by_name, &columns), by_kind));
            levels.push(Level { count: nest.count, of, by, ascending: nest.ascending });
        }
        plan.after(Step::TopNested(levels), Some(columns))
    }
}

/// The number of rows, in a column `Count`.
pub(super) fn count(plan: Plan) -> Result<Plan> {
    let count = Aggregate { kind: Kind::Count, arguments: Vec::new() };
    let step = Step::Summarize { by: Vec::new(), aggregates: vec![count] };
    plan.after(step, Some(vec![Column::new("Count", Type::Long)]))
}

fn percents(at: usize, bound: &[Bound]) -> Result<Vec<f64>> {
    let one = |it: &Bound| match it.as_constant() {
        Some(Value::Long(number)) if (0..=100).contains(number) => Ok(*number as f64),
        Some(Value::Real(number)) if (0.0..=100.0).contains(number) => Ok(*number),
        _ => Err(KqlError::semantic(at, "A percentage is a number from 0 to 100.")),
    };
    bound.iter().map(one).collect()
}

/// The names of an aggregate's columns.
fn names(
    function: &str,
    arguments: &[Expr],
    named: &Named,
    input: &[Column],
    aggregate: &Aggregate,
) -> Vec<String> {
    let of = arguments.first().and_then(name::of).unwrap_or_default();
    let chosen = named.name.as_ref().map(|it| it.text.clone());
    match &aggregate.kind {
        Kind::Percentiles(percents) => {
            let name = |percent: &f64| {
                let percent = percent.to_string().replace('.', "_");
                format!("percentile_{of}_{percent}")
            };
            match (chosen, percents.len()) {
                (Some(chosen), 1) => vec![chosen],
                _ => percents.iter().map(name).collect(),
            }
        }
        Kind::ArgMax | Kind::ArgMin | Kind::TakeAny => {
            let prefix = if aggregate.kind == Kind::ArgMax { "max_" } else { "min_" };
            let first = chosen.or_else(|| arguments.first().and_then(name::of));
            let mut names: Vec<String> = Vec::new();
            for (index, argument) in arguments.iter().enumerate() {
                if argument.kind == ExprKind::Star {
                    let rest = input.iter().map(|column| column.name.as_ref().to_owned());
                    names.extend(rest.filter(|it| Some(it) != name::of(&arguments[0]).as_ref()));
                } else if index == 0 {
                    names.push(first.clone().unwrap_or_else(|| prefix.to_owned()));
                } else {
                    names.push(name::of(argument).unwrap_or_else(|| format!("{prefix}{index}")));
                }
            }
            names
        }
        Kind::MakeList(_) => vec![chosen.unwrap_or_else(|| format!("list_{of}"))],
        Kind::MakeSet(_) => vec![chosen.unwrap_or_else(|| format!("set_{of}"))],
        Kind::Count | Kind::CountIf => vec![chosen.unwrap_or_else(|| format!("{function}_"))],
        _ => vec![chosen.unwrap_or_else(|| format!("{function}_{of}"))],
    }
}
