//! Operators over the columns that come in, to the columns that go out.

use super::{Scope, name, no_column, place};
use crate::kql::ast::{JoinKind, Name, Named, Operator, Pipeline, Render, SortKey};
use crate::kql::error::{KqlError, Result};
use crate::kql::plan::{Bound, Column, Join, Key, Plan, Step};
use crate::kql::value::Type;

/// Rows that `take` and `top` may be asked for.
const MAX_ROWS: u64 = 10_000_000;

impl Scope<'_> {
    pub(super) fn operator(
        &self,
        plan: Plan,
        operator: &Operator,
        render: &mut Option<Render>,
    ) -> Result<Plan> {
        match operator {
            Operator::Where(expr) => {
                let condition = self.condition(expr, &plan.columns)?;
                let mut plan = plan;
                self.push_down(&mut plan, expr);
                plan.after(Step::Where(condition), None)
            }
            Operator::Search(expr) => self.search(plan, expr),
            Operator::Project(columns) => self.project(plan, columns),
            Operator::ProjectAway(patterns) => keep(plan, patterns, false),
            Operator::ProjectKeep(patterns) => keep(plan, patterns, true),
            Operator::ProjectRename(pairs) => rename(plan, pairs),
            Operator::Extend(columns) => self.extend(plan, columns),
            Operator::Summarize(aggregates, by) => self.summarize(plan, aggregates, by),
            Operator::Sort(keys) => {
                let keys = self.keys(keys, &plan.columns)?;
                plan.after(Step::Sort(keys), None)
            }
            Operator::Take(count) => plan.after(Step::Take(*count), None),
            Operator::Top(count, keys) => {
                let keys = self.keys(keys, &plan.columns)?;
                plan.after(Step::Top((*count).min(MAX_ROWS), keys), None)
            }
            Operator::TopNested(nests) => self.top_nested(plan, nests),
            Operator::Distinct(columns) => self.distinct(plan, columns),
            Operator::Count => super::summarize::count(plan),
            Operator::Join(kind, right, on) => self.join(plan, *kind, right, on),
            Operator::Union(union) => self.union(Some(plan), union),
            Operator::Render(wanted) => {
                *render = Some(wanted.clone());
                Ok(plan)
            }
        }
    }

    fn project(&self, plan: Plan, wanted: &[Named]) -> Result<Plan> {
        let mut columns = Vec::new();
        let mut bound = Vec::new();
        for named in wanted {
            let one = self.expression(&named.expr, &plan.columns)?;
            let name = match (&named.name, name::of(&named.expr)) {
                (Some(name), _) => unused(name, &columns)?,
                (None, Some(name)) => name::free(&name, &columns),
                (None, None) => name::unnamed(&columns),
            };
            columns.push(Column::new(name, one.kind));
            bound.push(one);
        }
        plan.after(Step::Project(bound), Some(columns))
    }

    fn extend(&self, plan: Plan, wanted: &[Named]) -> Result<Plan> {
        let mut plan = plan;
        for named in wanted {
            // Each sees what the ones before it have added.
            let one = self.expression(&named.expr, &plan.columns)?;
            let mut columns = plan.columns.clone();
            let mut bound = all(&columns);
            let chosen = named.name.as_ref().map(|it| it.text.clone());
            let name = chosen.or_else(|| name::of(&named.expr));
            let name = name.unwrap_or_else(|| name::unnamed(&columns));
            let column = Column::new(name, one.kind);
            match place(&columns, &column.name) {
                Some(place) => {
                    columns[place] = column;
                    bound[place] = one;
                }
                None => {
                    columns.push(column);
                    bound.push(one);
                }
            }
            plan = plan.after(Step::Project(bound), Some(columns))?;
        }
        Ok(plan)
    }

    fn keys(&self, keys: &[SortKey], columns: &[Column]) -> Result<Vec<Key>> {
        let one = |key: &SortKey| {
            let of = self.expression(&key.expr, columns)?;
            if of.kind == Type::Dynamic {
                let message = "Dynamic values have no order; convert them with tostring().";
                return Err(KqlError::semantic(key.expr.at, message));
            }
            Ok(Key { of, ascending: key.ascending, nulls_first: key.nulls_first })
        };
        keys.iter().map(one).collect()
    }

    fn join(
        &self,
        plan: Plan,
        kind: JoinKind,
        right: &Pipeline,
        on: &[(Name, Name)],
    ) -> Result<Plan> {
        let right = self.pipeline(right, &mut None)?;
        let mut places = Vec::new();
        for (one, two) in on {
            let left_place = place(&plan.columns, &one.text)
                .ok_or_else(|| no_column(one.at, &one.text, &plan.columns))?;
            let right_place = place(&right.columns, &two.text)
                .ok_or_else(|| no_column(two.at, &two.text, &right.columns))?;
            let (left_kind, right_kind) =
                (plan.columns[left_place].kind, right.columns[right_place].kind);
            let whole = |kind| matches!(kind, Type::Int | Type::Long);
            if left_kind != right_kind && !(whole(left_kind) && whole(right_kind)) {
                let message = format!(
                    "A join needs columns of one type, but {} is {} on the left and {} on the right.",
                    one.text,
                    left_kind.name(),
                    right_kind.name()
                );
                return Err(KqlError::semantic(one.at, message));
            }
            places.push((left_place, right_place));
        }
        let mut columns = plan.columns.clone();
        if !matches!(kind, JoinKind::LeftSemi | JoinKind::LeftAnti) {
            for column in &right.columns {
                let name = name::free(&column.name, &columns);
                columns.push(Column::new(name, column.kind));
            }
        }
        let size = plan.size + right.size;
        let join = Join { kind, right: Box::new(right), on: places };
        Plan { size, ..plan }.after(Step::Join(join), Some(columns))
    }
}

impl Plan {
    /// The plan with one more step; its columns stay unless new ones are given.
    pub(super) fn after(mut self, step: Step, columns: Option<Vec<Column>>) -> Result<Self> {
        self.size = Scope::within_size(0, self.size + 1)?;
        self.steps.push(step);
        self.columns = columns.unwrap_or(self.columns);
        Ok(self)
    }
}

/// Every column as it is.
pub(super) fn all(columns: &[Column]) -> Vec<Bound> {
    columns.iter().enumerate().map(|(place, it)| Bound::column(it.kind, place)).collect()
}

/// A chosen name that no column of the operator has yet.
pub(super) fn unused(name: &Name, columns: &[Column]) -> Result<String> {
    if place(columns, &name.text).is_none() {
        return Ok(name.text.clone());
    }
    let message = format!("There would be two columns {}; rename one.", name.text);
    Err(KqlError::semantic(name.at, message))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}

/// Keeps the columns that a pattern names, or those that none does.
fn keep(plan: Plan, patterns: &[Name], named: bool) -> Result<Plan> {
    for pattern in patterns {
        if !plan.columns.iter().any(|it| matches(&pattern.text, &it.name))
            && !pattern.text.ends_with('*')
        {
            return Err(no_column(pattern.at, &pattern.text, &plan.columns));
        }
    }
    let kept = |column: &Column| {
        patterns.iter().any(|pattern| matches(&pattern.text, &column.name)) == named
    };
    let (columns, bound) = plan
        .columns
        .iter()
        .zip(all(&plan.columns))
        .filter(|(column, _)| kept(column))
        .map(|(column, bound)| (column.clone(), bound))
        .unzip();
    plan.after(Step::Project(bound), Some(columns))
}

fn rename(plan: Plan, pairs: &[(Name, Name)]) -> Result<Plan> {
    let mut columns = plan.columns.clone();
    for (new, old) in pairs {
        let place =
            place(&columns, &old.text).ok_or_else(|| no_column(old.at, &old.text, &columns))?;
        let name = unused(new, &columns)?;
        columns[place] = Column::new(name, columns[place].kind);
    }
    Ok(Plan { columns, ..plan })
}
