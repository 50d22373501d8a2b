//! Queries over rows in memory: the documentation's samples, and what every query must keep to.

mod properties;
mod samples;

use std::collections::BTreeMap;

use super::*;

/// Tables in memory.
#[derive(Default)]
pub(super) struct Memory(pub BTreeMap<String, (Vec<Column>, Vec<Row>)>);

pub(super) struct Once(Option<Vec<Row>>);

impl Catalogue for Memory {
    fn columns(&self, table: &str) -> Option<Vec<Column>> {
        self.0.get(table).map(|(columns, _)| columns.clone())
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl Tables for Memory {
    fn scan(&self, scan: &Scan) -> impl Batches {
        let (columns, rows) = &self.0[&scan.table];
        let place = |name: &str| columns.iter().position(|it| *it.name == *name).unwrap();
        let mut rows = rows.clone();
        // As the store does: only what the scan asks for.
        if scan.from.is_some() || scan.to.is_some() {
            let time = place("TimeGenerated");
            rows.retain(|row| match &row[time] {
                Value::Moment(at) => {
                    scan.from.is_none_or(|from| *at >= from) && scan.to.is_none_or(|to| *at <= to)
                }
                _ => false,
            });
        }
        for (name, text) in &scan.equals {
            let place = place(name);
            rows.retain(|row| row[place] == Value::Text(text.clone()));
        }
        Once(Some(rows))
    }
}

impl Batches for Once {
    async fn next(&mut self) -> kernel::Result<Option<Vec<Row>>> {
        Ok(self.0.take())
    }
}

/// 2026-11-22T12:00:00Z
pub(super) fn now() -> i64 {
    moment::parse("2026-11-22T12:00:00Z").unwrap()
}

pub(super) fn prepare(tables: &Memory, text: &str) -> Prepared {
    let query = parse(text).unwrap_or_else(|error| panic!("{}", error.explain(text)));
    bind(&query, tables, now()).unwrap_or_else(|error| panic!("{}", error.explain(text)))
}

/// Runs a future that waits for nothing.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("tables in memory make nobody wait"),
    }
}

pub(super) fn answer(tables: &Memory, text: &str) -> Answer {
    ready(run(&prepare(tables, text).plan, tables, Limits::default())).unwrap()
}

/// Column names, then rows, each as one line of texts.
pub(super) fn lines(tables: &Memory, text: &str) -> Vec<String> {
    let answer = answer(tables, text);
    let names: Vec<&str> = answer.columns.iter().map(|it| &*it.name).collect();
    let rows = answer.rows.iter().map(|row| {
        let cells: Vec<String> = row
            .iter()
            .map(|it| match it.to_answer() {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            })
            .collect();
        cells.join(",")
    });
    std::iter::once(names.join(",")).chain(rows).collect()
}

pub(super) fn refusal(tables: &Memory, text: &str) -> String {
    match parse(text).and_then(|query| bind(&query, tables, now())) {
        Ok(_) => panic!("{text} is no refusal"),
        Err(error) => error.explain(text).message().to_owned(),
    }
}
