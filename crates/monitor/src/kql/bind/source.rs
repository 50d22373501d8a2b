//! Sources: tables, unions, searches, and rows that stand in the query.

use std::sync::Arc;

use super::{Defined, Scope};
use crate::kql::ast::{Binary, Expr, ExprKind, Name, Named, Pipeline, Render, Source, Union};
use crate::kql::error::{KqlError, Result};
use crate::kql::plan::{Bound, Column, Member, Node, Origin, Plan, Scan, Step};
use crate::kql::value::{Row, Type, Value};

/// The column in which `search` names the table of a row.
const TABLE: &str = "$table";

impl Scope<'_> {
    pub(super) fn pipeline(
        &self,
        pipeline: &Pipeline,
        render: &mut Option<Render>,
    ) -> Result<Plan> {
        let mut plan = self.source(&pipeline.source)?;
        for operator in &pipeline.operators {
            plan = self.operator(plan, operator, render)?;
        }
        Ok(plan)
    }

    fn source(&self, source: &Source) -> Result<Plan> {
        match source {
            Source::Table(name) => {
                self.table(&name.text).ok_or_else(|| self.no_table(name.at, &name.text))
            }
            Source::Nested(pipeline) => self.pipeline(pipeline, &mut None),
            Source::Union(union) => self.union(None, union),
            Source::Search(tables, expr) => self.search_tables(tables, expr),
            Source::Print(values) => self.print(values),
            Source::Datatable(columns, values) => self.datatable(columns, values),
        }
    }

    /// A table or a defined name.
    pub(super) fn table(&self, name: &str) -> Option<Plan> {
        match self.lets.get(name) {
            Some(Defined::Table(plan)) => return Some(plan.clone()),
            Some(Defined::Scalar(_)) => return None,
            None => {}
        }
        let columns = self.catalogue.columns(name)?;
        let scan = Scan { table: name.to_owned(), ..Scan::default() };
        Some(Plan { columns, origin: Origin::Scan(scan), steps: Vec::new(), size: 1 })
    }

    fn no_table(&self, at: usize, name: &str) -> KqlError {
        let names = self.catalogue.names();
        let near = names.iter().find(|it| it.eq_ignore_ascii_case(name));
        let message = match near {
            Some(near) => format!("There is no table {name}, but there is {near}; case matters."),
            None => format!("There is no table {name}. There are: {}.", names.join(", ")),
        };
        KqlError::semantic(at, message)
    }

    fn print(&self, values: &[Named]) -> Result<Plan> {
        let mut columns: Vec<Column> = Vec::new();
        let mut row = Row::new();
        for (index, named) in values.iter().enumerate() {
            let bound = self.constant(&named.expr)?;
            let name = match &named.name {
                Some(name) => name.text.clone(),
                None => format!("print_{index}"),
            };
            columns.push(Column::new(name, bound.kind));
            row.push(bound.as_constant().cloned().unwrap_or(Value::Null));
        }
        Ok(Plan { columns, origin: Origin::Rows(vec![row]), steps: Vec::new(), size: 1 })
    }

    fn datatable(&self, columns: &[(Name, Type)], values: &[Expr]) -> Result<Plan> {
        let mut rows = Vec::new();
        for chunk in values.chunks(columns.len().max(1)) {
            let mut row = Row::new();
            for (expr, (name, kind)) in chunk.iter().zip(columns) {
                row.push(self.cell(expr, name, *kind)?);
            }
            rows.push(row);
        }
        let columns = columns.iter().map(|(name, kind)| Column::new(name.text.as_str(), *kind));
        let (columns, origin) = (columns.collect(), Origin::Rows(rows));
        Ok(Plan { columns, origin, steps: Vec::new(), size: 1 })
    }

    fn cell(&self, expr: &Expr, name: &Name, kind: Type) -> Result<Value> {
        let bound = self.constant(expr)?;
        let value = bound.as_constant().cloned().unwrap_or(Value::Null);
        let whole = |kind| matches!(kind, Type::Int | Type::Long);
        match (&value, kind) {
            (Value::Null, kind) => Ok(kind.nothing()),
            (Value::Long(number), Type::Real) => Ok(Value::Real(*number as f64)),
            (_, Type::Dynamic) => Ok(Value::dynamic(value.to_json())),
            _ if bound.kind == kind || (whole(bound.kind) && whole(kind)) => Ok(value),
            _ => {
                let message = format!(
                    "The column {} is {}, but this is {}.",
                    name.text,
                    kind.name(),
                    bound.kind.name()
                );
                Err(KqlError::semantic(expr.at, message))
            }
        }
    }

    pub(super) fn union(&self, first: Option<Plan>, union: &Union) -> Result<Plan> {
        let mut plans = Vec::new();
        if let Some(first) = first {
            plans.push(("union_arg0".to_owned(), first));
        }
        for member in &union.members {
            match &member.source {
                Source::Table(name) if name.text.ends_with('*') && member.operators.is_empty() => {
                    plans.extend(self.tables_like(name)?);
                }
                Source::Table(name) => {
                    plans.push((name.text.clone(), self.pipeline(member, &mut None)?));
                }
                _ => {
                    let name = format!("union_arg{}", plans.len());
                    plans.push((name, self.pipeline(member, &mut None)?));
                }
            }
        }
        let tag = union.with_source.as_ref().map(|name| name.text.as_str());
        joined(plans, tag, union.inner)
    }

    /// The tables whose names start so.
    fn tables_like(&self, pattern: &Name) -> Result<Vec<(String, Plan)>> {
        let prefix = pattern.text.trim_end_matches('*');
        let names = self.catalogue.names().into_iter().filter(|name| name.starts_with(prefix));
        let found: Vec<(String, Plan)> =
            names.filter_map(|name| Some((name.clone(), self.table(&name)?))).collect();
        if found.is_empty() {
            return Err(self.no_table(pattern.at, &pattern.text));
        }
        Ok(found)
    }

    fn search_tables(&self, tables: &[Name], expr: &Expr) -> Result<Plan> {
        let all = vec![Name { at: expr.at, text: "*".to_owned() }];
        let mut plans = Vec::new();
        for name in if tables.is_empty() { &all } else { tables } {
            let found = if name.text.ends_with('*') {
                self.tables_like(name)?
            } else {
                let plan =
                    self.table(&name.text).ok_or_else(|| self.no_table(name.at, &name.text))?;
                vec![(name.text.clone(), plan)]
            };
            plans.extend(found);
        }
        let mut matching = Vec::new();
        for (name, plan) in plans {
            // A table without a column that the search names has no such rows.
            match self.search(plan, expr) {
                Ok(plan) => matching.push((name, plan)),
                Err(error)
                    if tables.is_empty() && error.message.starts_with("There is no column") => {}
                Err(error) => return Err(error),
            }
        }
        if matching.is_empty() {
            return Err(KqlError::semantic(expr.at, "No table has all columns of this search."));
        }
        joined(matching, Some(TABLE), false)
    }

    /// Keeps the rows that a search finds.
    pub(super) fn search(&self, mut plan: Plan, expr: &Expr) -> Result<Plan> {
        let condition = self.sought(expr, &plan.columns)?;
        plan.steps.push(Step::Where(condition));
        plan.size = Self::within_size(expr.at, plan.size + 1)?;
        Ok(plan)
    }

    /// The condition of a search: a bare text may stand in any column.
    fn sought(&self, expr: &Expr, columns: &[Column]) -> Result<Bound> {
        match &expr.kind {
            ExprKind::Literal(Type::String, Value::Text(text)) => Ok(anywhere(text, columns)),
            ExprKind::Star => Ok(Bound::constant(Type::Bool, Value::Bool(true))),
            ExprKind::Binary(operator @ (Binary::And | Binary::Or), left, right) => {
                let left = Box::new(self.sought(left, columns)?);
                let right = Box::new(self.sought(right, columns)?);
                let node = match operator {
                    Binary::And => Node::And(left, right),
                    _ => Node::Or(left, right),
                };
                Ok(Bound { kind: Type::Bool, node })
            }
            _ => self.condition(expr, columns),
        }
    }
}

/// Whether any column has the text; stars at its ends loosen what must be a whole term.
fn anywhere(text: &str, columns: &[Column]) -> Bound {
    use crate::kql::compare::TextTest;
    let operator = match (text.starts_with('*'), text.ends_with('*')) {
        (true, true) => Binary::Contains,
        (true, false) => Binary::HasSuffix,
        (false, true) => Binary::HasPrefix,
        (false, false) => Binary::Has,
    };
    let all = columns.iter().enumerate().map(|(place, it)| Bound::column(it.kind, place)).collect();
    let Some(test) = TextTest::of(operator) else {
        return Bound::constant(Type::Bool, Value::Bool(false));
    };
    let needle = test.needle(text.trim_matches('*'));
    Bound::apply(Type::Bool, all, move |values| {
        Value::Bool(values.iter().any(|value| test.test(&value.to_text(), &needle)))
    })
}

/// The rows of all plans, in the columns that any (or every) one has.
fn joined(plans: Vec<(String, Plan)>, tag: Option<&str>, inner: bool) -> Result<Plan> {
    let mut columns: Vec<Column> =
        tag.map(|name| Column::new(name, Type::String)).into_iter().collect();
    let tags = columns.len();
    for (_, plan) in &plans {
        for column in &plan.columns {
            let everywhere = || plans.iter().all(|(_, plan)| plan.columns.contains(column));
            if !columns[tags..].contains(column) && (!inner || everywhere()) {
                columns.push(column.clone());
            }
        }
    }
    let size = plans.iter().map(|(_, plan)| plan.size).sum::<usize>() + 1;
    let size = Scope::within_size(0, size)?;
    let members = plans.into_iter().map(|(name, plan)| {
        let source = |column: &Column| match plan.columns.iter().position(|it| it == column) {
            Some(place) => Bound::column(column.kind, place),
            None => Bound::constant(column.kind, column.kind.nothing()),
        };
        let mut bound: Vec<Bound> = columns[tags..].iter().map(source).collect();
        if tags > 0 {
            bound.insert(0, Bound::constant(Type::String, Value::text(name)));
        }
        Member { plan, columns: bound }
    });
    let members = members.collect();
    Ok(Plan {
        columns: distinct_names(columns),
        origin: Origin::All(members),
        steps: Vec::new(),
        size,
    })
}

/// Columns of one name and several types are told apart by the type.
fn distinct_names(columns: Vec<Column>) -> Vec<Column> {
    let names: Vec<Arc<str>> = columns.iter().map(|column| Arc::clone(&column.name)).collect();
    let several = |name: &Arc<str>| names.iter().filter(|it| *it == name).count() > 1;
    let tell = |column: Column| match several(&column.name) {
        true => Column::new(format!("{}_{}", column.name, column.kind.name()), column.kind),
        false => column,
    };
    columns.into_iter().map(tell).collect()
}
