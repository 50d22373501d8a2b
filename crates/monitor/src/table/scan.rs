//! Reading a table: newest rows first, page by page, so that a query that has enough stops early.

use std::sync::Arc;

use kernel::Result;
use serde_json::Value as Json;
use storage::Val;

use super::schema::Schema;
use super::store::{OPERATION, Store, failed};
use crate::kql::{Batches, Row, Scan, Type, Value};

/// Rows of a page.
const PAGE: i64 = 1_000;

/// What of a scan the store can use.
pub(super) struct Wanted {
    from: i64,
    to: i64,
    operation: Option<Arc<str>>,
    resource: Option<Arc<str>>,
    under: Option<Arc<str>>,
}

impl Wanted {
    pub(super) fn of(scan: &Scan) -> Self {
        let equal = |wanted: &str| {
            let found = scan.equals.iter().find(|(name, _)| name == wanted);
            found.map(|(_, text)| Arc::clone(text))
        };
        // Rows have microseconds, ten ticks each; the filter itself is exact.
        Self {
            from: scan.from.map_or(i64::MIN, |ticks| ticks.div_euclid(10)),
            to: scan.to.map_or(i64::MAX, |ticks| ticks.div_euclid(10)),
            operation: equal(OPERATION),
            resource: equal("_ResourceId"),
            under: scan.under.clone(),
        }
    }

    /// The page of rows before a place.
    fn page(&self, table: &str, before: (i64, i64)) -> (String, Vec<Val>) {
        let mut sql =
            "SELECT id, time, resource, bytes, cells FROM monitor_rows WHERE log_table = $1 \
                       AND time >= $2 AND time <= $3 AND (time, id) < ($4, $5)"
                .to_owned();
        let mut params = storage::vals![table, self.from, self.to, before.0, before.1];
        let mut narrow = |condition: &str, text: &Arc<str>| {
            params.push(Val::from(text.replace('\0', "")));
            sql.push_str(&condition.replace('?', &format!("${}", params.len())));
        };
        if let Some(operation) = &self.operation {
            narrow(" AND operation = ?", operation);
        }
        if let Some(resource) = &self.resource {
            narrow(" AND resource = ?", resource);
        }
        if let Some(under) = &self.under {
            // The resource itself, and what starts with it and a slash.
            narrow(" AND (resource = ? OR (resource > ? || '/' AND resource < ? || '0'))", under);
        }
        sql.push_str(&format!(" ORDER BY time DESC, id DESC LIMIT {PAGE}"));
        (sql, params)
    }
}

/// A table being read.
pub(super) struct Reading {
    store: Store,
    wanted: Wanted,
    table: Option<&'static Schema>,
    before: (i64, i64),
}

impl Reading {
    pub(super) fn new(store: Store, wanted: Wanted, table: Option<&'static Schema>) -> Self {
        Self { store, wanted, table, before: (i64::MAX, i64::MAX) }
    }

    fn row(&self, table: &Schema, row: &storage::Row) -> storage::Result<Row> {
        let time: i64 = row.get(1)?;
        let resource: String = row.get(2)?;
        let bytes: i64 = row.get(3)?;
        let cells: String = row.get(4)?;
        let cells: Vec<Json> = serde_json::from_str(&cells).unwrap_or_default();
        let mut out = Row::with_capacity(table.columns.len() + 8);
        out.push(Value::text(self.store.workspace()));
        out.push(Value::Moment(time.saturating_mul(10)));
        let mut cells = cells.into_iter();
        for (_, kind) in table.columns {
            // A row from before the column was added has none.
            out.push(value(*kind, cells.next().unwrap_or_default()));
        }
        let subscription = subscription(&resource).to_owned();
        out.push(Value::text("Azure"));
        out.push(Value::text(table.name));
        out.push(Value::text(resource));
        out.push(Value::text(subscription));
        out.push(Value::Real(bytes as f64));
        out.push(Value::text("True"));
        Ok(out)
    }
}

impl Batches for Reading {
    async fn next(&mut self) -> Result<Option<Vec<Row>>> {
        let Some(table) = self.table else { return Ok(None) };
        let (sql, params) = self.wanted.page(table.name, self.before);
        let page = self.store.db().query(sql, params).await.map_err(|error| failed(&error))?;
        let Some(last) = page.last() else { return Ok(None) };
        let place = last.get(1).and_then(|time| Ok((time, last.get(0)?)));
        self.before = place.map_err(|error| failed(&error))?;
        let rows: storage::Result<Vec<Row>> = page.iter().map(|row| self.row(table, row)).collect();
        rows.map(Some).map_err(|error| failed(&error))
    }
}

/// A cell as a value of its column's type.
fn value(kind: Type, cell: Json) -> Value {
    match (kind, cell) {
        (Type::String, Json::String(text)) => Value::text(text),
        (Type::Int | Type::Long, Json::Number(number)) => {
            number.as_i64().map_or(Value::Null, Value::Long)
        }
        (Type::Real, Json::Number(number)) => number.as_f64().map_or(Value::Null, Value::Real),
        (Type::Dynamic, cell) => Value::dynamic(cell),
        (kind, _) => kind.nothing(),
    }
}

/// The subscription in a resource's id.
fn subscription(resource: &str) -> &str {
    let rest = resource.strip_prefix("/subscriptions/").unwrap_or_default();
    rest.split('/').next().unwrap_or_default()
}
