//! A join at work: the right side is held, the left side passes by.

use std::collections::HashSet;

use super::{Groups, Held, weight};
use crate::kql::ast::JoinKind;
use crate::kql::error::Result;
use crate::kql::plan::Join;
use crate::kql::value::{Row, Value};

pub(super) struct Joining<'a> {
    join: &'a Join,
    partners: Groups<Vec<Row>>,
    /// Keys of the left side so far, where only the first row of each counts.
    seen: HashSet<Row>,
}

impl<'a> Joining<'a> {
    pub(super) fn new(join: &'a Join, right: Vec<Row>) -> Self {
        let mut partners: Groups<Vec<Row>> = Groups::new();
        for row in right {
            let places = join.on.iter().map(|(_, right)| *right);
            if let Some(key) = key(&row, places) {
                partners.entry(key).or_default().push(row);
            }
        }
        Self { join, partners, seen: HashSet::new() }
    }

    pub(super) fn feed(&mut self, rows: Vec<Row>, held: &mut Held) -> Result<Vec<Row>> {
        let mut out = Vec::new();
        let mut bytes = 0;
        for row in rows {
            let key = key(&row, self.join.on.iter().map(|(left, _)| *left));
            if self.join.kind == JoinKind::InnerUnique
                && let Some(key) = &key
            {
                if self.seen.contains(key) {
                    continue;
                }
                held.take(weight(key))?;
                self.seen.insert(key.clone());
            }
            let partners = key.and_then(|key| self.partners.get(&key));
            match (self.join.kind, partners) {
                (JoinKind::LeftSemi, Some(_)) | (JoinKind::LeftAnti, None) => out.push(row),
                (JoinKind::LeftOuter, None) => out.push(self.alone(row)),
                (JoinKind::Inner | JoinKind::InnerUnique | JoinKind::LeftOuter, Some(partners)) => {
                    for partner in partners {
                        let both: Row = row.iter().chain(partner).cloned().collect();
                        bytes += weight(&both);
                        // Many rows of one key on both sides make very many pairs.
                        Held { bytes: held.bytes + bytes, limit: held.limit, read: 0 }.take(0)?;
                        out.push(both);
                    }
                }
                _ => {}
            }
        }
        Ok(out)
    }

    /// A left row without partner.
    fn alone(&self, mut row: Row) -> Row {
        row.extend(self.join.right.columns.iter().map(|column| column.kind.nothing()));
        row
    }
}

/// What is compared; none when a part is null, which equals nothing.
fn key(row: &[Value], places: impl Iterator<Item = usize>) -> Option<Row> {
    let parts = places.map(|place| row.get(place).filter(|it| !it.is_null()).cloned());
    parts.collect()
}
