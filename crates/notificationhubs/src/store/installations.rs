//! Installations, with the registrations that are made from them.

use std::collections::HashMap;

use kernel::{Result, Timestamp};
use storage::{Row, Statement, vals};

use super::{ATTEMPTS, HubKey, Store, is_race, row, too_many_writers};
use crate::installation::{Installation, Patch};
use crate::refusal::not_found;
use crate::registration::{Key, Registration, RegistrationId};

impl Store {
    /// Creates or replaces an installation; its registrations follow in the same transaction.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn put_installation(
        &self,
        hub: HubKey,
        installation: &Installation,
        now: Timestamp,
    ) -> Result<()> {
        self.change_installation(hub, &installation.id, now, |_| Ok(installation.clone())).await
    }

    /// Changes a part of an installation.
    ///
    /// # Errors
    /// `NotFound`, or `Invalid` with the operation that is wrong.
    pub async fn patch_installation(
        &self,
        hub: HubKey,
        id: &str,
        patch: &Patch,
        now: Timestamp,
    ) -> Result<()> {
        self.change_installation(hub, id, now, |found| {
            found.filter(|it| it.expires_at > now).ok_or_else(unknown)?.patched(patch)
        })
        .await
    }

    /// One installation.
    ///
    /// # Errors
    /// `NotFound`, also when it has expired.
    pub async fn installation(
        &self,
        hub: HubKey,
        id: &str,
        now: Timestamp,
    ) -> Result<Installation> {
        let found = self.find_installation(hub, id).await?.map(|(it, _)| it);
        found.filter(|it| it.expires_at > now).ok_or_else(unknown)
    }

    /// Takes an installation and its registrations away; tells whether it was there.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn delete_installation(&self, hub: HubKey, id: &str) -> Result<bool> {
        // Another server may replace the installation between the two statements: then it stays, with
        // its registrations, and is deleted the next time.
        let registrations = "DELETE FROM push_registrations WHERE hub = $1 AND installation = $2
             AND NOT EXISTS (SELECT 1 FROM push_installations WHERE hub = $1 AND id = $2)";
        let document = "DELETE FROM push_installations WHERE hub = $1 AND id = $2";
        for _ in 0..ATTEMPTS {
            let statements =
                [document, registrations].map(|sql| Statement::new(sql, vals![hub.0, id]));
            let outcomes = self.db.write(statements).await?;
            if outcomes[0].affected == 1 {
                return Ok(true);
            }
            if self.find_installation(hub, id).await?.is_none() {
                return Ok(false);
            }
        }
        Err(too_many_writers())
    }

    async fn change_installation(
        &self,
        hub: HubKey,
        id: &str,
        now: Timestamp,
        change: impl Fn(Option<&Installation>) -> Result<Installation>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let found = self.find_installation(hub, id).await?;
            let changed = change(found.as_ref().map(|(it, _)| it))?;
            let version = found.map_or(0, |(_, version)| version);
            let mut statements = replace_document(hub, &changed, version, now);
            statements.push(delete_registrations(hub, id));
            statements.extend(self.derive(hub, &changed, now).await?);
            match self.db.write(statements).await {
                Ok(_) => return Ok(()),
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_writers())
    }

    /// The statements that insert the registrations of an installation. Those that it had before keep
    /// their keys, so that a send that is under way neither misses nor repeats one.
    async fn derive(
        &self,
        hub: HubKey,
        installation: &Installation,
        now: Timestamp,
    ) -> Result<Vec<Statement>> {
        let sql = "SELECT part, place, id, etag FROM push_registrations
                   WHERE hub = $1 AND installation = $2";
        let rows = self.db.query(sql, vals![hub.0, installation.id.as_str()]).await?;
        let entry = |row: &Row| {
            let old = (Key(row.get(1)?), RegistrationId::stored(row.get(2)?), row.get::<i64>(3)?);
            Ok((row.get::<Option<String>>(0)?.unwrap_or_default(), old))
        };
        let mut old = rows.iter().map(entry).collect::<Result<HashMap<_, _>>>()?;
        let mut statements = Vec::new();
        if installation.channel_expired {
            return Ok(statements);
        }
        for (index, derived) in installation.registrations().into_iter().enumerate() {
            let (key, id, etag) = old.remove(&derived.part).unwrap_or_else(|| {
                let key = self.keys.next(now);
                (key, RegistrationId::issue(key, index + 1), 0)
            });
            let registration = Registration {
                key,
                id,
                etag: etag + 1,
                expires_at: installation.expires_at,
                installation: Some(installation.id.clone()),
                description: derived.description,
            };
            statements.extend(row::insert(hub, &registration, Some(&derived.part), now));
        }
        Ok(statements)
    }

    async fn find_installation(
        &self,
        hub: HubKey,
        id: &str,
    ) -> Result<Option<(Installation, i64)>> {
        let sql = "SELECT document, channel_expired, updated_at, version FROM push_installations
                   WHERE hub = $1 AND id = $2";
        let rows = self.db.query(sql, vals![hub.0, id]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let document: String = row.get(0)?;
        let mut installation = Installation::parse(document.as_bytes(), id)
            .map_err(|error| row::damaged("an installation").context(error.message().to_owned()))?;
        installation.channel_expired = row.get(1)?;
        installation.updated_at = Some(row.get(2)?);
        Ok(Some((installation, row.get(3)?)))
    }
}

/// Replaces exactly version `version`; 0 is none.
fn replace_document(
    hub: HubKey,
    installation: &Installation,
    version: i64,
    now: Timestamp,
) -> Vec<Statement> {
    let id = installation.id.as_str();
    let delete = "DELETE FROM push_installations WHERE hub = $1 AND id = $2 AND version = $3";
    let insert = Statement::new(
        "INSERT INTO push_installations
           (hub, id, version, document, channel_expired, expires_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        vals![
            hub.0,
            id,
            version + 1,
            installation.to_json(),
            installation.channel_expired,
            installation.expires_at,
            now
        ],
    );
    vec![Statement::new(delete, vals![hub.0, id, version]), insert]
}

fn delete_registrations(hub: HubKey, id: &str) -> Statement {
    let sql = "DELETE FROM push_registrations WHERE hub = $1 AND installation = $2";
    Statement::new(sql, vals![hub.0, id])
}

fn unknown() -> kernel::Error {
    not_found("Installation not found.")
}
