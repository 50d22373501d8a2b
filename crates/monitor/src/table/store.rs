//! Rows on disk. The one place with SQL of the log tables.

use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::Value as Json;
use storage::{Db, Migration, Statement, Val, vals};

use super::rows::{TABLES, find};
use super::scan::{Reading, Wanted};
use super::schema::Record;
use crate::kql::{Batches, Catalogue, Column, Scan, Tables};

/// The schema, as the component `monitor`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "rows of the log tables",
    sql: "CREATE TABLE monitor_rows (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            log_table TEXT NOT NULL,
            time INTEGER NOT NULL,
            operation TEXT NOT NULL,
            resource TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            cells TEXT NOT NULL
        ) STRICT;
        CREATE INDEX monitor_rows_by_time ON monitor_rows (log_table, time, id);",
}];

const INSERT: &str = "INSERT INTO monitor_rows (log_table, time, operation, resource, bytes, cells) \
                      VALUES ($1, $2, $3, $4, $5, $6)";
/// Rows that are forgotten in one transaction.
const FORGET: i64 = 2_000;
/// Bytes that a row takes beside its cells, about.
const OVERHEAD: usize = 100;
/// The column whose values the store keeps apart, since most queries ask for one.
pub(super) const OPERATION: &str = "OperationName";

/// The rows on disk.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    workspace: String,
}

impl Store {
    /// Prepares the database. `workspace` is the id that every row names as its `TenantId`.
    ///
    /// # Errors
    /// When the schema cannot be brought up to date.
    pub async fn open(db: Db, workspace: impl Into<String>) -> Result<Self> {
        db.migrate("monitor", MIGRATIONS).await.map_err(|error| failed(&error))?;
        Ok(Self { db, workspace: workspace.into() })
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// The id that rows name as their workspace.
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// Writes rows in one transaction.
    pub(super) async fn append(&self, rows: &[Record]) -> Result<()> {
        let statements: Vec<Statement> = rows.iter().map(insertion).collect();
        self.db.write(statements).await.map(|_| ()).map_err(|error| failed(&error))
    }

    /// Forgets rows before `oldest`, then the oldest until all take no more than `bytes`. Tells how
    /// many are gone.
    ///
    /// # Errors
    /// When the store fails; what is gone by then stays so.
    pub async fn forget(&self, oldest: Timestamp, bytes: u64) -> Result<u64> {
        let mut gone = 0;
        for table in TABLES {
            loop {
                let sql = "DELETE FROM monitor_rows WHERE id IN (SELECT id FROM monitor_rows WHERE \
                           log_table = $1 AND time < $2 ORDER BY time LIMIT $3)";
                let outcome = self.db.execute(sql, vals![table.name, oldest, FORGET]).await;
                let affected = outcome.map_err(|error| failed(&error))?.affected;
                gone += affected;
                if affected == 0 {
                    break;
                }
            }
        }
        let (mut left, count) = self.size().await?;
        let each = (left / count.max(1)).max(1);
        while left > bytes {
            let sql = "DELETE FROM monitor_rows WHERE id IN (SELECT id FROM monitor_rows ORDER BY id \
                       LIMIT $1) RETURNING bytes";
            // As many as are too many if all are of one size, so that no more goes than must.
            let many = (left - bytes).div_ceil(each);
            let count = i64::try_from(many).unwrap_or(FORGET).min(FORGET);
            let outcome = self.db.execute(sql, vals![count]).await;
            let rows = outcome.map_err(|error| failed(&error))?.rows;
            if rows.is_empty() {
                break;
            }
            gone += rows.len() as u64;
            for row in rows {
                let freed: i64 = row.get(0).map_err(|error| failed(&error))?;
                left = left.saturating_sub(u64::try_from(freed).unwrap_or(0));
            }
        }
        Ok(gone)
    }

    /// Bytes and number of all rows.
    async fn size(&self) -> Result<(u64, u64)> {
        let sql = "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT), count(*) FROM monitor_rows";
        let rows = self.db.query(sql, []).await.map_err(|error| failed(&error))?;
        let Some(row) = rows.first() else { return Ok((0, 0)) };
        let number = |index| -> Result<u64> {
            let number: i64 = row.get(index).map_err(|error| failed(&error))?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        Ok((number(0)?, number(1)?))
    }
}

fn insertion(row: &Record) -> Statement {
    let place = row.table.columns.iter().position(|(name, _)| *name == OPERATION);
    let operation = place.and_then(|place| row.cells.get(place)).and_then(Json::as_str);
    let resource = row.resource.to_lowercase();
    let cells = Json::Array(row.cells.clone()).to_string();
    let bytes = i64::try_from(cells.len() + resource.len() + OVERHEAD).unwrap_or(i64::MAX);
    let params: Vec<Val> = vals![
        row.table.name,
        row.time,
        storable(operation.unwrap_or_default()),
        storable(&resource),
        bytes,
        cells
    ];
    Statement::new(INSERT, params)
}

/// Without the one character that the store cannot hold; in cells JSON escapes it.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

pub(super) fn failed(error: &storage::Error) -> Error {
    let message = "The log tables cannot be read or written now. Try again later.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message).context(error.to_string())
}

impl Catalogue for Store {
    fn columns(&self, table: &str) -> Option<Vec<Column>> {
        find(table).map(super::Schema::all_columns)
    }

    fn names(&self) -> Vec<String> {
        TABLES.iter().map(|table| table.name.to_owned()).collect()
    }
}

impl Tables for Store {
    fn scan(&self, scan: &Scan) -> impl Batches {
        Reading::new(self.clone(), Wanted::of(scan), find(&scan.table))
    }
}
