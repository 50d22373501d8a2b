//! What a table is: its name, its own columns, and those that every table has.

use kernel::Timestamp;
use serde_json::Value as Json;

use crate::kql::{Column, Type};

/// A table. New columns are added at the end only: rows on disk have their cells in this order.
#[derive(Debug)]
pub struct Schema {
    /// Its name.
    pub name: &'static str,
    /// Its own columns.
    pub columns: &'static [(&'static str, Type)],
}

/// A row on its way into the store.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub table: &'static Schema,
    pub time: Timestamp,
    pub resource: String,
    pub cells: Vec<Json>,
}

/// A row of one table.
pub trait TableRow {
    /// Its table.
    const SCHEMA: &'static Schema;

    /// When it happened, to which resource, and a cell a column.
    fn into_cells(self) -> (Timestamp, String, Vec<Json>);
}

/// The columns that come before a table's own.
pub(crate) const FIRST: [(&str, Type); 2] =
    [("TenantId", Type::Guid), ("TimeGenerated", Type::Datetime)];
/// The columns that come after a table's own.
pub(crate) const LAST: [(&str, Type); 6] = [
    ("SourceSystem", Type::String),
    ("Type", Type::String),
    ("_ResourceId", Type::String),
    ("_SubscriptionId", Type::String),
    ("_BilledSize", Type::Real),
    // A text in the service too.
    ("_IsBillable", Type::String),
];

impl Schema {
    /// All columns, in the order of a row.
    pub(crate) fn all_columns(&self) -> Vec<Column> {
        let all = FIRST.iter().chain(self.columns).chain(&LAST);
        all.map(|(name, kind)| Column::new(*name, *kind)).collect()
    }
}

/// A cell of a row type.
pub(crate) trait Cell {
    fn into_json(self) -> Json;
}

impl Cell for String {
    fn into_json(self) -> Json {
        Json::String(self)
    }
}

impl Cell for Option<i64> {
    fn into_json(self) -> Json {
        self.into()
    }
}

impl Cell for Option<f64> {
    fn into_json(self) -> Json {
        self.into()
    }
}

impl Cell for Json {
    fn into_json(self) -> Json {
        self
    }
}
