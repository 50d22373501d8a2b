//! Applying migrations to a PostgreSQL database that several nodes may start on at once.

use deadpool_postgres::{Client, GenericClient};

use super::dialect::schema_statements;
use super::failure::{Failure, Remedy};
use crate::migrate::missing;
use crate::{Migration, Result};

/// The key of the lock that migrating nodes pass one at a time: "tidings" in ASCII.
const LOCK: i64 = 0x0074_6964_696e_6773;

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS applied_migrations (
    component TEXT COLLATE \"C\" NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    checksum BYTEA NOT NULL,
    PRIMARY KEY (component, number)
)";

/// Brings `component` up to date. Looks before it locks, so an up-to-date database costs two reads.
/// May be repeated after any failure: what was committed is found in the ledger.
pub(super) async fn migrate(
    client: &mut Client,
    component: &str,
    migrations: &[Migration],
) -> Result<(), Failure> {
    let other = |e: tokio_postgres::Error| Failure::other(&e);
    if missing(&applied_checksums(client, component).await?, component, migrations)?.is_empty() {
        return Ok(());
    }
    let transaction = client.transaction().await.map_err(other)?;
    // Another node may take its time.
    let lock = format!("SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})");
    transaction.batch_execute(&lock).await.map_err(other)?;
    transaction.batch_execute(LEDGER).await.map_err(other)?;
    // That node may have done it all.
    let applied = applied_checksums(&transaction, component).await?;
    for (number, migration) in missing(&applied, component, migrations)? {
        let failed = |reason| Failure::from(migration.failed(component, number, reason));
        for sql in schema_statements(migration.sql).map_err(failed)? {
            transaction.batch_execute(&sql).await.map_err(|e| match Failure::other(&e) {
                failure if failure.remedy == Remedy::None => failed(failure.error.to_string()),
                failure => failure,
            })?;
        }
        let position = i64::try_from(number).expect("a program has few migrations");
        let row = "INSERT INTO applied_migrations VALUES ($1, $2, $3, $4)";
        transaction
            .execute(row, &[&component, &position, &migration.name, &migration.checksum()])
            .await
            .map_err(other)?;
    }
    transaction.commit().await.map_err(other)
}

async fn applied_checksums(
    client: &impl GenericClient,
    component: &str,
) -> Result<Vec<Vec<u8>>, Failure> {
    let other = |e: tokio_postgres::Error| Failure::other(&e);
    let ledger = "SELECT to_regclass('applied_migrations') IS NOT NULL";
    let exists: bool = client.query_one(ledger, &[]).await.map_err(other)?.get(0);
    if !exists {
        return Ok(Vec::new());
    }
    let applied = "SELECT checksum FROM applied_migrations WHERE component = $1 ORDER BY number";
    let rows = client.query(applied, &[&component]).await.map_err(other)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
