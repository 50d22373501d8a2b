//! Registrations of devices, stored with what is secret in them sealed.

use std::fmt;
use std::sync::Arc;

use kernel::{Clock, Result, Timestamp};
use storage::{Db, MasterKey, Migration, Row, Statement, vals};

use super::registration::{Purpose, Registration, Secrets};
use crate::identifier::RawId;
use crate::link::Platform;

/// What `Db::migrate` is given under the name `communication-devices`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "devices",
    sql: "CREATE TABLE communication_devices (
            owner TEXT NOT NULL,
            id TEXT NOT NULL,
            purpose TEXT NOT NULL,
            platform TEXT NOT NULL,
            sealed BLOB NOT NULL,
            expires_at BIGINT NOT NULL,
            PRIMARY KEY (owner, id)
          );
          CREATE INDEX communication_devices_to_expire ON communication_devices (expires_at);",
}];

/// Devices of one user at most; the one that ends first makes room.
const MAX_DEVICES: i64 = 20;

/// The devices of all users. Cheap to clone.
#[derive(Clone)]
pub struct Devices {
    db: Db,
    master: Arc<MasterKey>,
    clock: Arc<dyn Clock>,
}

/// A device as it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) platform: Platform,
    pub(crate) secrets: Secrets,
}

impl Devices {
    /// The devices in `db`, whose table is made where it is missing.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub async fn open(db: Db, master: Arc<MasterKey>, clock: Arc<dyn Clock>) -> Result<Self> {
        db.migrate("communication-devices", MIGRATIONS).await?;
        Ok(Self { db, master, clock })
    }

    /// Registers a device, or renews it.
    pub(crate) async fn put(&self, owner: &RawId, registration: &Registration) -> Result<()> {
        let Registration { id, purpose, platform, ttl, secrets } = registration;
        let secrets = serde_json::to_vec(secrets).expect("texts and bytes are JSON");
        let sealed = self.master.seal(&secrets, &place(owner, id));
        let insert = "INSERT INTO communication_devices
                        (owner, id, purpose, platform, sealed, expires_at)
                      VALUES ($1, $2, $3, $4, $5, $6)
                      ON CONFLICT (owner, id) DO UPDATE SET purpose = excluded.purpose,
                        platform = excluded.platform, sealed = excluded.sealed,
                        expires_at = excluded.expires_at";
        let now = self.clock.now();
        let params = vals![
            owner.as_str(),
            id.as_str(),
            purpose.as_str(),
            platform.format(),
            sealed,
            now + *ttl
        ];
        let expire = "DELETE FROM communication_devices WHERE expires_at <= $1";
        let crowd = "DELETE FROM communication_devices WHERE owner = $1 AND id IN
                       (SELECT id FROM communication_devices WHERE owner = $1
                        ORDER BY expires_at DESC LIMIT 1000 OFFSET $2)";
        let statements = [
            Statement::new(expire, vals![now]),
            Statement::new(insert, params),
            Statement::new(crowd, vals![owner.as_str(), MAX_DEVICES]),
        ];
        self.db.write(statements).await?;
        Ok(())
    }

    /// Forgets a device; one that is not known is forgotten already.
    pub(crate) async fn delete(&self, owner: &RawId, id: &str) -> Result<()> {
        let sql = "DELETE FROM communication_devices WHERE owner = $1 AND id = $2";
        self.db.execute(sql, vals![owner.as_str(), id]).await?;
        Ok(())
    }

    /// Owner and id of the devices of these users that are to be woken.
    pub(crate) async fn of(
        &self,
        owners: &[RawId],
        purpose: Purpose,
    ) -> Result<Vec<(RawId, String)>> {
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> =
            (3..owners.len() + 3).map(|number| format!("${number}")).collect();
        let sql = format!(
            "SELECT owner, id FROM communication_devices
             WHERE purpose = $1 AND expires_at > $2 AND owner IN ({}) ORDER BY owner, id",
            places.join(", ")
        );
        let mut params = vals![purpose.as_str(), self.clock.now()];
        params.extend(owners.iter().map(|owner| owner.as_str().into()));
        let rows = self.db.query(sql, params).await?;
        rows.iter().map(|row| Ok((RawId::new(row.get::<String>(0)?), row.get(1)?))).collect()
    }

    /// A device, if it is still registered.
    pub(crate) async fn get(&self, owner: &RawId, id: &str) -> Result<Option<Device>> {
        let sql = "SELECT platform, sealed, expires_at FROM communication_devices
                   WHERE owner = $1 AND id = $2";
        let rows = self.db.query(sql, vals![owner.as_str(), id]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        if row.get::<Timestamp>(2)? <= self.clock.now() {
            return Ok(None);
        }
        self.opened(row, &place(owner, id))
    }

    fn opened(&self, row: &Row, place: &str) -> Result<Option<Device>> {
        let sealed: Vec<u8> = row.get(1)?;
        let secrets = self.master.open(&sealed, place)?;
        let platform = Platform::of_format(&row.get::<String>(0)?);
        let secrets = serde_json::from_slice(&secrets).ok();
        Ok(platform.zip(secrets).map(|(platform, secrets)| Device { platform, secrets }))
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Devices").finish_non_exhaustive()
    }
}

fn place(owner: &RawId, id: &str) -> String {
    format!("communication-device/{owner}/{id}")
}
