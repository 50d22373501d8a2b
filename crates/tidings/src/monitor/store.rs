//! Where the rows are, and journeys: with SQLite in a file of their own, so that they never stand in the
//! way of the services' writes, and can be deleted without harm; with PostgreSQL in the one database.

use storage::{Db, Options};

use crate::config::{Data, Database};
use crate::key_store::KeyStore;

/// The file in the data folder.
const FILE: &str = "logs.db";

/// The database of the log tables and of journeys.
pub(super) fn database(data: &Data, keys: &KeyStore) -> anyhow::Result<Db> {
    match data.database {
        Database::File => {
            // A power cut may cost the last moments of a log.
            let durability = storage::Durability::Relaxed;
            let options = Options { durability, ..Options::default() };
            Ok(Db::open(data.folder.join(FILE), &options)?)
        }
        Database::Postgres { .. } => Ok(keys.db().clone()),
    }
}

/// Closes what [`database`] has opened; the shared database is closed by its owner.
pub(super) async fn close(db: &Db) {
    if db.server().is_none() {
        db.close().await;
    }
}
