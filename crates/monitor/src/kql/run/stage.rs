//! One step at work.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;

use super::join::Joining;
use super::{Groups, Held, nested, weight};
use crate::kql::aggregate::{Aggregate, State};
use crate::kql::compare::total;
use crate::kql::error::Result;
use crate::kql::plan::{Bound, Key, Level, Step};
use crate::kql::value::{Row, Value};

/// Rows that are gathered above what `top` keeps before the rest is dropped.
const TOP_SLACK: usize = 4_096;

pub(super) enum Stage<'a> {
    Where(&'a Bound),
    Project(&'a [Bound]),
    Summarize(Grouping<'a>),
    Sort { keys: &'a [Key], rows: Vec<(Row, Row)> },
    Top { count: usize, keys: &'a [Key], rows: Vec<(Row, Row)> },
    Take { left: u64 },
    Nested { levels: &'a [Level], rows: Vec<Row> },
    Join(Joining<'a>),
}

/// Groups in the order in which they were first seen.
pub(super) struct Grouping<'a> {
    by: &'a [Bound],
    aggregates: &'a [Aggregate],
    places: Groups<usize>,
    groups: Vec<(Row, Vec<State>)>,
}

impl<'a> Stage<'a> {
    pub(super) fn of(step: &'a Step, right: Option<Vec<Row>>) -> Self {
        match step {
            Step::Where(condition) => Self::Where(condition),
            Step::Project(columns) => Self::Project(columns),
            Step::Summarize { by, aggregates } => {
                let mut grouping =
                    Grouping { by, aggregates, places: Groups::new(), groups: Vec::new() };
                if by.is_empty() && !aggregates.is_empty() {
                    // Without groups there is a result even of no rows.
                    grouping.groups.push(grouping.fresh(Row::new()));
                    grouping.places.insert(Row::new(), 0);
                }
                Self::Summarize(grouping)
            }
            Step::Sort(keys) => Self::Sort { keys, rows: Vec::new() },
            Step::Top(count, keys) => {
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                Self::Top { count, keys, rows: Vec::new() }
            }
            Step::Take(count) => Self::Take { left: *count },
            Step::TopNested(levels) => Self::Nested { levels, rows: Vec::new() },
            Step::Join(join) => Self::Join(Joining::new(join, right.unwrap_or_default())),
        }
    }

    /// Whether nothing that comes can change what goes out.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Take { left: 0 } | Self::Top { count: 0, .. })
    }

    /// Takes rows in; gives what can go on at once.
    pub(super) fn feed(&mut self, mut rows: Vec<Row>, held: &mut Held) -> Result<Vec<Row>> {
        match self {
            Self::Where(condition) => {
                rows.retain(|row| condition.truth(row) == Some(true));
                return Ok(rows);
            }
            Self::Project(columns) => {
                for row in &mut rows {
                    *row = columns.iter().map(|it| it.eval(row)).collect();
                }
                return Ok(rows);
            }
            Self::Take { left } => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rows.len());
                rows.truncate(taken);
                *left -= taken as u64;
                return Ok(rows);
            }
            Self::Join(joining) => return joining.feed(rows, held),
            Self::Summarize(grouping) => {
                for row in &rows {
                    held.take(grouping.feed(row))?;
                }
            }
            Self::Sort { keys, rows: kept } => {
                for row in rows {
                    held.take(weight(&row))?;
                    kept.push((keys.iter().map(|key| key.of.eval(&row)).collect(), row));
                }
            }
            Self::Top { count, keys, rows: kept } => {
                for row in rows {
                    held.take(weight(&row))?;
                    kept.push((keys.iter().map(|key| key.of.eval(&row)).collect(), row));
                }
                if kept.len() > count.saturating_add(TOP_SLACK) {
                    let before: usize = kept.iter().map(|(_, row)| weight(row)).sum();
                    sort(keys, kept);
                    kept.truncate(*count);
                    let after: usize = kept.iter().map(|(_, row)| weight(row)).sum();
                    held.bytes = held.bytes.saturating_sub(before - after);
                }
            }
            Self::Nested { rows: kept, .. } => {
                for row in rows {
                    held.take(weight(&row))?;
                    kept.push(row);
                }
            }
        }
        Ok(Vec::new())
    }

    /// What was held back.
    pub(super) fn finish(&mut self) -> Vec<Row> {
        match self {
            Self::Where(_) | Self::Project(_) | Self::Take { .. } | Self::Join(_) => Vec::new(),
            Self::Summarize(grouping) => grouping.finish(),
            Self::Sort { keys, rows } => {
                sort(keys, rows);
                rows.drain(..).map(|(_, row)| row).collect()
            }
            Self::Top { count, keys, rows } => {
                sort(keys, rows);
                rows.truncate(*count);
                rows.drain(..).map(|(_, row)| row).collect()
            }
            Self::Nested { levels, rows } => nested::top(levels, &std::mem::take(rows)),
        }
    }
}

impl Grouping<'_> {
    fn fresh(&self, key: Row) -> (Row, Vec<State>) {
        (key, self.aggregates.iter().map(Aggregate::start).collect())
    }

    /// Takes a row in; tells by how many bytes it has grown.
    fn feed(&mut self, row: &[Value]) -> usize {
        let key: Row = self.by.iter().map(|it| it.eval(row)).collect();
        let mut grown = 0;
        let fresh = self.groups.len();
        let place = match self.places.entry(key) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                grown = weight(entry.key()) * 2 + 128 * (1 + self.aggregates.len());
                let states = self.aggregates.iter().map(Aggregate::start).collect();
                self.groups.push((entry.key().clone(), states));
                *entry.insert(fresh)
            }
        };
        if let Some((_, states)) = self.groups.get_mut(place) {
            for (aggregate, state) in self.aggregates.iter().zip(states) {
                grown += aggregate.feed(state, row);
            }
        }
        grown
    }

    fn finish(&mut self) -> Vec<Row> {
        let one = |(mut key, states): (Row, Vec<State>)| {
            for (aggregate, state) in self.aggregates.iter().zip(states) {
                key.extend(aggregate.finish(state));
            }
            key
        };
        std::mem::take(&mut self.groups).into_iter().map(one).collect()
    }
}

/// Sorts by the keys; rows of equal keys keep their order.
fn sort(keys: &[Key], rows: &mut [(Row, Row)]) {
    rows.sort_by(|(one, _), (two, _)| {
        let pairs = keys.iter().zip(one.iter().zip(two));
        let orders = pairs.map(|(key, (one, two))| match (one.is_null(), two.is_null()) {
            (true, false) if key.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if key.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ if key.ascending => total(one, two),
            _ => total(two, one),
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
}
