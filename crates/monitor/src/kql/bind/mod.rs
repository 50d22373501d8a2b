//! From a query as written to a [`Plan`]: names to columns, types checked, definitions put in.

mod call;
mod expression;
mod name;
mod operator;
mod pushdown;
mod source;
mod summarize;

use std::collections::HashMap;

use super::ast::{Expr, ExprKind, Let, Meaning, Query, Render};
use super::error::{KqlError, Result};
use super::plan::{Bound, Catalogue, Column, Plan};
use super::value::Value;

/// Scans and steps that a plan may have, with definitions put in wherever they are named.
const MAX_SIZE: usize = 512;

/// A query that can be run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is done.
    pub plan: Plan,
    /// How the result wants to be drawn.
    pub render: Option<Render>,
}

/// Resolves a query over the tables of `catalogue`; `now` is in ticks.
///
/// # Errors
/// A semantic error with its place.
pub fn bind(query: &Query, catalogue: &dyn Catalogue, now: i64) -> Result<Prepared> {
    let mut scope = Scope { catalogue, now, lets: HashMap::new() };
    for definition in &query.lets {
        scope.define(definition)?;
    }
    let mut render = None;
    let plan = scope.pipeline(&query.body, &mut render)?;
    Ok(Prepared { plan, render })
}

/// What names mean.
struct Scope<'a> {
    catalogue: &'a dyn Catalogue,
    now: i64,
    lets: HashMap<String, Defined>,
}

enum Defined {
    Scalar(Bound),
    Table(Plan),
}

impl Scope<'_> {
    fn define(&mut self, definition: &Let) -> Result<()> {
        let defined = match &definition.value {
            Meaning::Table(pipeline) => Defined::Table(self.pipeline(pipeline, &mut None)?),
            Meaning::Scalar(expr) => match self.bare_table(expr) {
                Some(plan) => Defined::Table(plan),
                None => Defined::Scalar(self.constant(expr)?),
            },
        };
        self.lets.insert(definition.name.text.clone(), defined);
        Ok(())
    }

    /// The table that an expression is the bare name of.
    fn bare_table(&self, expr: &Expr) -> Option<Plan> {
        let ExprKind::Name(name) = &expr.kind else { return None };
        self.table(name)
    }

    /// An expression that is the same for every row.
    fn constant(&self, expr: &Expr) -> Result<Bound> {
        let bound = self.expression(expr, &[])?;
        if bound.as_constant().is_some() {
            return Ok(bound);
        }
        Err(KqlError::semantic(expr.at, "This must be the same for every row."))
    }

    fn within_size(at: usize, size: usize) -> Result<usize> {
        if size <= MAX_SIZE {
            return Ok(size);
        }
        let message = format!(
            "The query reads or changes tables more than {MAX_SIZE} times once its definitions are \
             put in; simplify it."
        );
        Err(KqlError::semantic(at, message))
    }
}

/// The place of a column.
fn place(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| *column.name == *name)
}

/// The refusal of a name that no column has.
fn no_column(at: usize, name: &str, columns: &[Column]) -> KqlError {
    let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
    if let Some(near) = names.iter().find(|it| it.eq_ignore_ascii_case(name)) {
        let message = format!("There is no column {name}, but there is {near}; case matters.");
        return KqlError::semantic(at, message);
    }
    let shown = names.get(..40).map_or_else(|| names.join(", "), |it| it.join(", ") + ", …");
    KqlError::semantic(at, format!("There is no column {name} here. There are: {shown}."))
}

/// The whole number that an argument must be.
fn whole(bound: &Bound, at: usize) -> Result<usize> {
    match bound.as_constant() {
        Some(Value::Long(number)) => Ok(usize::try_from(*number).unwrap_or(0)),
        _ => Err(KqlError::semantic(at, "This must be a whole number.")),
    }
}
