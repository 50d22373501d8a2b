//! What of a filter the store can use to read less: bounds of `TimeGenerated`, and columns that equal
//! a text. The filter itself stays, so this may only ever let too much through.

use super::Scope;
use crate::kql::ast::{Binary, Expr, ExprKind};
use crate::kql::plan::{Bound, Column, Origin, Plan, Step};
use crate::kql::value::{Type, Value};

/// The column by which rows are kept.
const TIME: &str = "TimeGenerated";

impl Scope<'_> {
    /// Takes what can be taken of a filter that nothing but filters stands before.
    pub(super) fn push_down(&self, plan: &mut Plan, expr: &Expr) {
        if !plan.steps.iter().all(|step| matches!(step, Step::Where(_))) {
            return;
        }
        let columns = plan.columns.clone();
        let Origin::Scan(scan) = &mut plan.origin else { return };
        let mut parts = vec![expr];
        while let Some(part) = parts.pop() {
            match &part.kind {
                ExprKind::Binary(Binary::And, left, right) => parts.extend([&**left, &**right]),
                ExprKind::Binary(operator, left, right) => {
                    for (operator, name, value) in
                        [(*operator, left, right), (mirrored(*operator), right, left)]
                    {
                        let ExprKind::Name(name) = &name.kind else { continue };
                        let Some(value) = self.fixed(value, &columns) else { continue };
                        match (operator, value) {
                            (_, Value::Moment(ticks)) if name == TIME => {
                                narrow(scan, operator, ticks);
                            }
                            (Binary::Equal, Value::Text(text)) if is_text(&columns, name) => {
                                scan.equals.push((name.clone(), text));
                            }
                            _ => {}
                        }
                    }
                }
                ExprKind::Between(false, of, from, to) => {
                    if of.kind != ExprKind::Name(TIME.to_owned()) {
                        continue;
                    }
                    let from = self.fixed(from, &columns);
                    if let Some(Value::Moment(from)) = &from {
                        narrow(scan, Binary::GreaterOrEqual, *from);
                    }
                    match (from, self.fixed(to, &columns)) {
                        (_, Some(Value::Moment(to))) => narrow(scan, Binary::LessOrEqual, to),
                        (Some(Value::Moment(from)), Some(Value::Span(span))) => {
                            narrow(scan, Binary::LessOrEqual, from.saturating_add(span));
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }

    /// The value of an expression that no column has a part in.
    fn fixed(&self, expr: &Expr, columns: &[Column]) -> Option<Value> {
        self.expression(expr, columns).ok().as_ref().and_then(Bound::as_constant).cloned()
    }
}

fn is_text(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|it| *it.name == *name && it.kind == Type::String)
}

/// The operator with its sides exchanged.
fn mirrored(operator: Binary) -> Binary {
    match operator {
        Binary::Less => Binary::Greater,
        Binary::LessOrEqual => Binary::GreaterOrEqual,
        Binary::Greater => Binary::Less,
        Binary::GreaterOrEqual => Binary::LessOrEqual,
        other => other,
    }
}

fn narrow(scan: &mut crate::kql::plan::Scan, operator: Binary, ticks: i64) {
    if matches!(operator, Binary::Greater | Binary::GreaterOrEqual | Binary::Equal) {
        scan.from = Some(scan.from.map_or(ticks, |from| from.max(ticks)));
    }
    if matches!(operator, Binary::Less | Binary::LessOrEqual | Binary::Equal) {
        scan.to = Some(scan.to.map_or(ticks, |to| to.min(ticks)));
    }
}
