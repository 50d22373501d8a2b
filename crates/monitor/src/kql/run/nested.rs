//! `top-nested`: the best groups, and in each of them the best groups again.

use super::Groups;
use crate::kql::aggregate::State;
use crate::kql::compare::total;
use crate::kql::plan::Level;
use crate::kql::value::{Row, Value};

/// The groups of all levels, one row a path from the first level to the last.
pub(super) fn top(levels: &[Level], rows: &[Row]) -> Vec<Row> {
    let mut out = Vec::new();
    let all: Vec<&Row> = rows.iter().collect();
    descend(levels, &all, &mut Row::new(), &mut out);
    out
}

struct Group<'a> {
    of: Value,
    state: State,
    rows: Vec<&'a Row>,
}

fn descend(levels: &[Level], rows: &[&Row], path: &mut Row, out: &mut Vec<Row>) {
    let Some((level, below)) = levels.split_first() else {
        out.push(path.clone());
        return;
    };
    let mut groups: Vec<(Value, Value, Vec<&Row>)> = grouped(level, rows)
        .into_iter()
        .map(|it| {
            let by = level.by.finish(it.state).into_iter().next();
            (it.of, by.unwrap_or(Value::Null), it.rows)
        })
        .collect();
    groups.sort_by(
        |(_, one, _), (_, two, _)| {
            if level.ascending { total(one, two) } else { total(two, one) }
        },
    );
    let count = level.count.map_or(usize::MAX, |it| usize::try_from(it).unwrap_or(usize::MAX));
    for (of, by, rows) in groups.into_iter().take(count) {
        path.extend([of, by]);
        descend(below, &rows, path, out);
        path.truncate(path.len() - 2);
    }
}

fn grouped<'a>(level: &Level, rows: &[&'a Row]) -> Vec<Group<'a>> {
    let mut places: Groups<usize> = Groups::new();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for row in rows {
        let of = level.of.eval(row);
        let place = *places.entry(vec![of.clone()]).or_insert_with(|| {
            groups.push(Group { of, state: level.by.start(), rows: Vec::new() });
            groups.len() - 1
        });
        let group = &mut groups[place];
        level.by.feed(&mut group.state, row);
        group.rows.push(row);
    }
    groups
}
