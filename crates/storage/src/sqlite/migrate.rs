//! Applying migrations to a SQLite file, which any number of processes may open at once.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::migrate::missing;
use crate::{Migration, Result};

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS applied_migrations (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (component, number)
) WITHOUT ROWID";

/// Brings `component` up to date. Looks before it locks, so an up-to-date database costs two reads.
pub(super) fn migrate(
    connection: &mut Connection,
    component: &str,
    migrations: &[Migration],
) -> Result<()> {
    if missing(&applied_checksums(connection, component)?, component, migrations)?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(LEDGER)?;
    // Another process may have been faster.
    let applied = applied_checksums(&transaction, component)?;
    for (number, migration) in missing(&applied, component, migrations)? {
        let ran = transaction.execute_batch(migration.sql);
        ran.map_err(|e| migration.failed(component, number, e.to_string()))?;
        if transaction.is_autocommit() {
            let reason = "it ends the transaction that it runs in".to_owned();
            return Err(migration.failed(component, number, reason));
        }
        let position = i64::try_from(number).expect("a program has few migrations");
        let row = params![component, position, migration.name, migration.checksum()];
        transaction.execute("INSERT INTO applied_migrations VALUES (?, ?, ?, ?)", row)?;
    }
    Ok(transaction.commit()?)
}

fn applied_checksums(connection: &Connection, component: &str) -> Result<Vec<Vec<u8>>> {
    let ledger = "SELECT 1 FROM sqlite_schema WHERE name = 'applied_migrations'";
    if connection.query_row(ledger, [], |_| Ok(())).optional()?.is_none() {
        return Ok(Vec::new());
    }
    let applied = "SELECT checksum FROM applied_migrations WHERE component = ? ORDER BY number";
    let mut applied = connection.prepare(applied)?;
    Ok(applied.query_map([component], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
