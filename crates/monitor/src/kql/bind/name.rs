//! Names of columns that follow from an expression, and names that are taken already.

use crate::kql::ast::{Expr, ExprKind};
use crate::kql::plan::Column;

/// Functions whose result is still the column, by name.
const KEEP: [&str; 24] = [
    "bin",
    "floor",
    "tostring",
    "toint",
    "tolong",
    "todouble",
    "toreal",
    "tobool",
    "todatetime",
    "totimespan",
    "todynamic",
    "parse_json",
    "startofday",
    "startofweek",
    "startofmonth",
    "startofyear",
    "endofday",
    "endofweek",
    "endofmonth",
    "endofyear",
    "toguid",
    "tolower",
    "toupper",
    "round",
];

/// The name that an expression gives its column.
pub(super) fn of(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name.clone()),
        ExprKind::Field(parent, name) => Some(match of(parent) {
            Some(parent) => format!("{parent}_{name}"),
            None => name.clone(),
        }),
        ExprKind::Index(parent, _) => of(parent),
        ExprKind::Call(function, arguments) if KEEP.contains(&function.as_str()) => {
            of(arguments.first()?)
        }
        _ => None,
    }
}

/// The name, or the name with the first number that makes it free.
pub(super) fn free(name: &str, taken: &[Column]) -> String {
    let is_taken = |name: &str| taken.iter().any(|column| *column.name == *name);
    if !is_taken(name) {
        return name.to_owned();
    }
    let mut candidates = (1..).map(|number: u32| format!("{name}{number}"));
    candidates.find(|it| !is_taken(it)).unwrap_or_else(|| name.to_owned())
}

/// The name of a column that no expression names: `Column1`, `Column2`, …
pub(super) fn unnamed(taken: &[Column]) -> String {
    let mut candidates = (1..).map(|number: u32| format!("Column{number}"));
    let found = candidates.find(|it| taken.iter().all(|column| *column.name != **it));
    found.unwrap_or_else(|| "Column".to_owned())
}
