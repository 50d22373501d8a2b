//! Access keys that the server keeps itself: generated once, encrypted at rest, replaced on demand.
//!
//! Keys that the configuration gives are never stored. The store also remembers the address under
//! which each resource was last served, so that `tidings connection-string` tells the true port.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use auth::{AccessKeys, KeySlot, generate_key};
use aws_lc_rs::digest::{SHA256, digest};
use kernel::Secret;
use storage::{Db, MasterKey, Migration, Options, PostgresOptions, Val, vals};

use crate::config::{Config, Data, Database, Durability, KeySource, Resource};

const MIGRATIONS: &[Migration] = &[Migration {
    name: "access keys and addresses",
    sql: "CREATE TABLE access_keys (
            resource TEXT NOT NULL,
            slot TEXT NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (resource, slot)
          );
          CREATE TABLE addresses (
            resource TEXT NOT NULL PRIMARY KEY,
            endpoint TEXT NOT NULL
          );",
}];

/// Whose keys are meant.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    name: &'a str,
    primary: &'a KeySource,
    secondary: &'a KeySource,
}

impl Owner<'_> {
    /// The server itself: these keys open its management calls. No resource can have this name.
    pub const MANAGEMENT: Owner<'static> =
        Owner { name: ":management", primary: &KeySource::Kept, secondary: &KeySource::Kept };

    /// The Communication Services.
    pub const COMMUNICATION: Owner<'static> =
        Owner { name: ":communication", primary: &KeySource::Kept, secondary: &KeySource::Kept };
}

impl<'a> From<&'a Resource> for Owner<'a> {
    fn from(resource: &'a Resource) -> Self {
        let Resource { name, primary_key, secondary_key, .. } = resource;
        Self { name, primary: primary_key, secondary: secondary_key }
    }
}

/// The store of one server, or of several that share a PostgreSQL database.
pub struct KeyStore {
    db: Db,
    master: Arc<MasterKey>,
}

impl KeyStore {
    /// Opens the store, creating the data folder if need be.
    ///
    /// # Errors
    /// When the folder, the database or the master key cannot be used; says which and why.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let folder = &config.data.folder;
        create_private(folder)?;
        let db = database(&config.data).await?;
        db.migrate("keys", MIGRATIONS).await?;
        let master = Arc::new(master_key(&config.data)?);
        Ok(Self { db, master })
    }

    /// The database, for services that keep rows of their own in it.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The key that seals secrets in it.
    pub fn master(&self) -> &Arc<MasterKey> {
        &self.master
    }

    /// The keys of an owner; what does not exist yet is made now.
    ///
    /// # Errors
    /// When the store fails or a stored key cannot be decrypted.
    pub async fn keys<'a>(&self, owner: impl Into<Owner<'a>>) -> anyhow::Result<AccessKeys> {
        let owner = owner.into();
        let primary = self.key(owner, KeySlot::Primary).await?;
        let secondary = self.key(owner, KeySlot::Secondary).await?;
        AccessKeys::new(primary, secondary)
            .with_context(|| format!("the keys of '{}' cannot be used", owner.name))
    }

    /// Replaces one key by a new random one and returns it. A running server takes it over within
    /// about a second.
    ///
    /// # Errors
    /// When the configuration owns the key, or the store fails.
    pub async fn rotate<'a>(
        &self,
        owner: impl Into<Owner<'a>>,
        slot: KeySlot,
    ) -> anyhow::Result<Secret> {
        let owner = owner.into();
        if let KeySource::Given { origin, .. } = source(owner, slot) {
            bail!(
                "the {} key of '{}' comes from {origin}: replace it there and restart the server",
                slot_name(slot),
                owner.name
            );
        }
        let key = generate_key();
        let sealed = self.master.seal(key.expose().as_bytes(), &place(owner, slot));
        let sql = "INSERT INTO access_keys (resource, slot, sealed) VALUES ($1, $2, $3)
                   ON CONFLICT (resource, slot) DO UPDATE SET sealed = excluded.sealed";
        self.db.execute(sql, vals![owner.name, slot_name(slot), sealed]).await?;
        Ok(key)
    }

    /// Remembers where a resource is served.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember_address(&self, resource: &str, endpoint: &str) -> anyhow::Result<()> {
        let sql = "INSERT INTO addresses (resource, endpoint) VALUES ($1, $2)
                   ON CONFLICT (resource) DO UPDATE SET endpoint = excluded.endpoint
                   WHERE addresses.endpoint <> excluded.endpoint";
        self.db.execute(sql, vals![resource, endpoint]).await?;
        Ok(())
    }

    /// Where a resource was last served.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn last_address(&self, resource: &str) -> anyhow::Result<Option<String>> {
        let sql = "SELECT endpoint FROM addresses WHERE resource = $1";
        let rows = self.db.query(sql, vals![resource]).await?;
        Ok(rows.first().map(|row| row.get(0)).transpose()?)
    }

    /// Which engine keeps the rows and, for a server, where it is; never a password.
    pub fn engine(&self) -> String {
        match self.db.server() {
            None => "SQLite".to_owned(),
            Some(server) => format!("PostgreSQL at {server}"),
        }
    }

    /// Whatever keys there are, sealed: the same until one is made or replaced. Costs one small
    /// reading.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sealed(&self) -> anyhow::Result<Vec<Vec<Val>>> {
        let sql = "SELECT resource, slot, sealed FROM access_keys ORDER BY resource, slot";
        let rows = self.db.query(sql, []).await?;
        Ok(rows.into_iter().map(storage::Row::into_values).collect())
    }

    /// A number that changes when another process has written to the store, and perhaps without
    /// that.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn change_counter(&self) -> anyhow::Result<i64> {
        Ok(self.db.change_counter().await?)
    }

    /// Closes the store; everything acknowledged is on disk.
    pub async fn close(&self) {
        self.db.close().await;
    }

    async fn key(&self, owner: Owner<'_>, slot: KeySlot) -> anyhow::Result<Secret> {
        let first = match source(owner, slot) {
            KeySource::Given { secret, .. } => return Ok(secret.clone()),
            KeySource::Seeded(secret) => secret.clone(),
            KeySource::Kept => generate_key(),
        };
        let read = "SELECT sealed FROM access_keys WHERE resource = $1 AND slot = $2";
        let params = vals![owner.name, slot_name(slot)];
        let mut rows = self.db.query(read, params.clone()).await?;
        if rows.is_empty() {
            // Another process may do the same at this moment: whoever comes first decides.
            let sealed = self.master.seal(first.expose().as_bytes(), &place(owner, slot));
            let insert = "INSERT INTO access_keys (resource, slot, sealed) VALUES ($1, $2, $3)
                          ON CONFLICT (resource, slot) DO NOTHING";
            let values = vals![owner.name, slot_name(slot), sealed];
            self.db.execute(insert, values).await?;
            rows = self.db.query(read, params).await?;
        }
        let row = rows.first().context("a key that was just stored is not there")?;
        let sealed: Vec<u8> = row.get(0)?;
        let key = self.master.open(&sealed, &place(owner, slot)).with_context(|| {
            format!(
                "the stored {} key of '{}' cannot be read; servers that share a database need the \
                 same master key, see `tidings config explain data.master_key_file`",
                slot_name(slot),
                owner.name
            )
        })?;
        Ok(Secret::new(String::from_utf8(key).context("a stored key is not text")?))
    }
}

/// Where sealed keys belong: a sealed text that was moved to another row does not open.
fn place(owner: Owner<'_>, slot: KeySlot) -> String {
    format!("access-key/{}/{}", owner.name, slot_name(slot))
}

fn source(owner: Owner<'_>, slot: KeySlot) -> &KeySource {
    match slot {
        KeySlot::Primary => owner.primary,
        KeySlot::Secondary => owner.secondary,
    }
}

fn slot_name(slot: KeySlot) -> &'static str {
    match slot {
        KeySlot::Primary => "primary",
        KeySlot::Secondary => "secondary",
    }
}

async fn database(data: &Data) -> anyhow::Result<Db> {
    let durability = match data.durability {
        Durability::Full => storage::Durability::Full,
        Durability::Relaxed => storage::Durability::Relaxed,
    };
    Ok(match &data.database {
        Database::File => {
            let options = Options { durability, ..Options::default() };
            Db::open(data.folder.join("tidings.db"), &options)?
        }
        Database::Postgres { url, extra_ca } => {
            let extra_ca = extra_ca.clone();
            let options = PostgresOptions { durability, extra_ca, ..PostgresOptions::default() };
            Db::connect(url, &options).await?
        }
    })
}

fn master_key(data: &Data) -> anyhow::Result<MasterKey> {
    match &data.master_key {
        // The configuration takes any text of 32 characters or more, so the key is its digest.
        KeySource::Given { secret, .. } => {
            let digest = digest(&SHA256, secret.expose().as_bytes());
            let bytes = digest.as_ref().try_into().context("SHA-256 has 32 bytes")?;
            Ok(MasterKey::from_bytes(bytes))
        }
        KeySource::Kept | KeySource::Seeded(_) => {
            Ok(MasterKey::load_or_create(&data.folder.join("master.key"))?)
        }
    }
}

fn create_private(folder: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(folder).with_context(|| {
        format!("cannot create the data folder {}; choose another with --data", folder.display())
    })?;
    // A data folder holds keys. Inside a checkout, git must not see it; a failure costs only that.
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        let _ = std::fs::write(ignore, "*\n");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use storage::testing::TestDb;

    use super::*;

    storage::conformance!(
        keys_are_made_once_whoever_comes_first,
        a_rotated_key_is_seen_by_others_and_changes_what_is_sealed,
        keys_of_another_master_key_are_refused_with_the_cure,
        addresses_are_remembered,
    );

    async fn store(db: &TestDb, master: u8) -> KeyStore {
        db.migrate("keys", MIGRATIONS).await.unwrap();
        let master = Arc::new(MasterKey::from_bytes(&[master; 32]));
        KeyStore { db: db.another_handle().await, master }
    }

    async fn keys_are_made_once_whoever_comes_first(db: TestDb) {
        let (one, other) = (store(&db, 7).await, store(&db, 7).await);
        let both = tokio::join!(one.keys(Owner::MANAGEMENT), other.keys(Owner::MANAGEMENT));
        let (first, second) = (both.0.unwrap(), both.1.unwrap());
        assert_eq!(first, second);
        assert_ne!(first.primary(), first.secondary());
    }

    async fn a_rotated_key_is_seen_by_others_and_changes_what_is_sealed(db: TestDb) {
        let (one, other) = (store(&db, 7).await, store(&db, 7).await);
        let before = one.keys(Owner::MANAGEMENT).await.unwrap();
        let (sealed, counter) = (one.sealed().await.unwrap(), one.change_counter().await.unwrap());
        other.remember_address("chat", "http://localhost:1").await.unwrap();
        assert_eq!(one.sealed().await.unwrap(), sealed, "no key has changed");
        let fresh = other.rotate(Owner::MANAGEMENT, KeySlot::Primary).await.unwrap();
        assert_ne!(one.change_counter().await.unwrap(), counter);
        assert_ne!(one.sealed().await.unwrap(), sealed);
        let after = one.keys(Owner::MANAGEMENT).await.unwrap();
        assert_eq!((after.primary(), after.secondary()), (&fresh, before.secondary()));
    }

    async fn keys_of_another_master_key_are_refused_with_the_cure(db: TestDb) {
        store(&db, 7).await.keys(Owner::MANAGEMENT).await.unwrap();
        let refused = store(&db, 8).await.keys(Owner::MANAGEMENT).await.unwrap_err();
        assert!(format!("{refused:#}").contains("need the same master key"), "{refused:#}");
    }

    async fn addresses_are_remembered(db: TestDb) {
        let store = store(&db, 7).await;
        assert_eq!(store.last_address("chat").await.unwrap(), None);
        for endpoint in ["http://localhost:1", "http://localhost:2", "http://localhost:2"] {
            store.remember_address("chat", endpoint).await.unwrap();
        }
        let last = store.last_address("chat").await.unwrap();
        assert_eq!(last.as_deref(), Some("http://localhost:2"));
    }
}
