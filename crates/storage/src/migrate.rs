//! Numbered schema changes, each applied once, in order, remembered with a checksum.
//!
//! Every component (a service, usually) numbers its own migrations from 1 by their place in its list.
//! All missing ones run in one transaction: a start-up succeeds or changes nothing. There is no way
//! back down.

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{Error, Result};

/// One step of a component's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// What it does, in a few words; may be reworded later.
    pub name: &'static str,
    /// One or more statements; never edited once released.
    pub sql: &'static str,
}

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS applied_migrations (
    component TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (component, number)
) WITHOUT ROWID";

/// Brings `component` up to date. Looks before it locks, so an up-to-date database costs two reads.
pub(crate) fn migrate(
    connection: &mut Connection,
    component: &str,
    migrations: &[Migration],
) -> Result<()> {
    if missing(connection, component, migrations)?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(LEDGER)?;
    // Another process may have been faster.
    let missing = missing(&transaction, component, migrations)?;
    let first = migrations.len() - missing.len() + 1;
    for (number, migration) in (first..).zip(missing) {
        let failed = |reason: String| Error::MigrationFailed {
            component: component.to_owned(),
            number,
            name: migration.name.to_owned(),
            reason,
        };
        transaction.execute_batch(migration.sql).map_err(|e| failed(e.to_string()))?;
        if transaction.is_autocommit() {
            return Err(failed("it ends the transaction that it runs in".to_owned()));
        }
        let position = i64::try_from(number).expect("a program has few migrations");
        let row = params![component, position, migration.name, checksum(migration)];
        transaction.execute("INSERT INTO applied_migrations VALUES (?, ?, ?, ?)", row)?;
    }
    Ok(transaction.commit()?)
}

/// The migrations still to apply, after checking that the applied ones are those of this program.
fn missing<'a>(
    connection: &Connection,
    component: &str,
    migrations: &'a [Migration],
) -> Result<&'a [Migration]> {
    let applied = applied_checksums(connection, component)?;
    if applied.len() > migrations.len() {
        return Err(Error::Newer {
            component: component.to_owned(),
            found: applied.len(),
            known: migrations.len(),
        });
    }
    for (index, (checksum_then, migration)) in applied.iter().zip(migrations).enumerate() {
        if *checksum_then != checksum(migration) {
            return Err(Error::MigrationChanged {
                component: component.to_owned(),
                number: index + 1,
                name: migration.name.to_owned(),
            });
        }
    }
    Ok(&migrations[applied.len()..])
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

fn checksum(migration: &Migration) -> Vec<u8> {
    digest(&SHA256, migration.sql.as_bytes()).as_ref().to_vec()
}
