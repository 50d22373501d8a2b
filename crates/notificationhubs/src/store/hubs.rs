//! Notification hubs, their policies and credentials.
//!
//! Keys and credentials are sealed: with them one sends in the name of an app. What credentials look
//! like is the business of management and the senders; here they are one text.

use kernel::{Error, ErrorKind, Result, Secret, Timestamp};
use storage::{Row, Statement, vals};

use super::{ATTEMPTS, HubKey, Store, is_race, row, too_many_writers};
use crate::credential::{Policy, Rights};
use crate::refusal::{bad_request, shown};

const MAX_NAME: usize = 260;

/// A notification hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Its place in the store.
    pub key: HubKey,
    /// The namespace, in lower case.
    pub namespace: String,
    /// The name as it was first written; hubs are matched ignoring case.
    pub name: String,
    /// What management keeps of it, as JSON without secrets.
    pub document: String,
    /// Credentials of push services, as JSON.
    pub credentials: Secret,
    /// How long a registration lives without being renewed, in microseconds; for ever without.
    pub registration_ttl: Option<i64>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// What of a hub can be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubChange {
    /// What management keeps of it, as JSON without secrets.
    pub document: String,
    /// Credentials of push services, as JSON.
    pub credentials: Secret,
    /// As in [`Hub`].
    pub registration_ttl: Option<i64>,
}

const COLUMNS: &str =
    "hub, namespace, shown_name, document, credentials, registration_ttl, created, changed, name";

impl Store {
    /// Makes a hub with its policies.
    ///
    /// # Errors
    /// `Invalid` for a name that cannot be one, `Conflict` when the namespace has one of this name.
    pub async fn create_hub(
        &self,
        namespace: &str,
        name: &str,
        change: &HubChange,
        policies: &[Policy],
        now: Timestamp,
    ) -> Result<HubKey> {
        check_hub_name(name)?;
        let (namespace, lower) = (namespace.to_ascii_lowercase(), name.to_ascii_lowercase());
        for _ in 0..ATTEMPTS {
            if self.hub(&namespace, name).await?.is_some() {
                let message = format!("The notification hub '{name}' exists already.");
                return Err(Error::new(ErrorKind::Conflict, "40900", message));
            }
            // Never one that a hub had before: something of it may still be written by a server that
            // has not heard of its end.
            let key = HubKey(self.keys.next(now).0);
            let place = credentials_place(&namespace, &lower);
            let mut statements = vec![Statement::new(
                "INSERT INTO push_hubs (hub, namespace, name, shown_name, document, credentials,
                   registration_ttl, created, changed)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
                vals![
                    key.0,
                    namespace.as_str(),
                    lower.as_str(),
                    name,
                    change.document.as_str(),
                    self.master.seal(change.credentials.expose().as_bytes(), &place),
                    change.registration_ttl,
                    now
                ],
            )];
            let policies = policies.iter().map(|it| self.insert_policy(&namespace, key, it, now));
            statements.extend(policies);
            match self.db.write(statements).await {
                Ok(_) => return Ok(key),
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_writers())
    }

    /// Replaces what can be set of a hub; tells whether it is there.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn update_hub(&self, hub: &Hub, change: &HubChange, now: Timestamp) -> Result<bool> {
        let place = credentials_place(&hub.namespace, &hub.name.to_ascii_lowercase());
        let sql = "UPDATE push_hubs SET document = $1, credentials = $2, registration_ttl = $3,
                     changed = $4 WHERE hub = $5";
        let sealed = self.master.seal(change.credentials.expose().as_bytes(), &place);
        let params =
            vals![change.document.as_str(), sealed, change.registration_ttl, now, hub.key.0];
        Ok(self.db.execute(sql, params).await?.affected == 1)
    }

    /// A hub by its name, whatever the case.
    ///
    /// # Errors
    /// Errors of the store, also when its credentials cannot be opened.
    pub async fn hub(&self, namespace: &str, name: &str) -> Result<Option<Hub>> {
        let sql = format!("SELECT {COLUMNS} FROM push_hubs WHERE namespace = $1 AND name = $2");
        let params = vals![namespace.to_ascii_lowercase(), name.to_ascii_lowercase()];
        let rows = self.db.query(sql, params).await?;
        rows.first().map(|row| self.read_hub(row)).transpose()
    }

    /// All hubs, by namespace and name.
    ///
    /// # Errors
    /// As [`Store::hub`].
    pub async fn hubs(&self) -> Result<Vec<Hub>> {
        let sql = format!("SELECT {COLUMNS} FROM push_hubs ORDER BY namespace, name");
        self.db.query(sql, []).await?.iter().map(|row| self.read_hub(row)).collect()
    }

    /// Takes a hub away with everything in it; tells whether it was there.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn delete_hub(&self, hub: HubKey) -> Result<bool> {
        let tables = [
            "push_registrations",
            "push_installations",
            "push_notifications",
            "push_outcomes",
            "push_feedback",
            "push_policies",
            "push_hubs",
        ];
        let delete = |table| format!("DELETE FROM {table} WHERE hub = $1");
        let statements = tables.map(|table| Statement::new(delete(table), vals![hub.0]));
        let outcomes = self.db.write(statements).await?;
        Ok(outcomes.last().is_some_and(|outcome| outcome.affected == 1))
    }

    /// The policies of a hub, or of the namespace itself without one, by name.
    ///
    /// # Errors
    /// Errors of the store, also when a key cannot be opened.
    pub async fn policies(&self, namespace: &str, hub: Option<HubKey>) -> Result<Vec<Policy>> {
        let namespace = namespace.to_ascii_lowercase();
        let hub = hub.unwrap_or(OF_NAMESPACE);
        let sql = "SELECT name, rights, primary_key, secondary_key FROM push_policies
                   WHERE namespace = $1 AND hub = $2 ORDER BY name";
        let rows = self.db.query(sql, vals![namespace.as_str(), hub.0]).await?;
        let policy = |row: &Row| {
            let name: String = row.get(0)?;
            let open = |index, slot| {
                let sealed: Vec<u8> = row.get(index)?;
                self.unseal(&sealed, &key_place(&namespace, hub, &name, slot))
            };
            let (primary, secondary) = (open(2, "primary")?, open(3, "secondary")?);
            let rights = Rights::from_list(&row.get::<String>(1)?);
            Ok(Policy { rights, primary, secondary, name: name.clone() })
        };
        rows.iter().map(policy).collect()
    }

    /// Creates a policy or replaces it, keys included.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn put_policy(
        &self,
        namespace: &str,
        hub: Option<HubKey>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<()> {
        let hub = hub.unwrap_or(OF_NAMESPACE);
        let insert = self.insert_policy(&namespace.to_ascii_lowercase(), hub, policy, now);
        self.db.write([insert]).await?;
        Ok(())
    }

    /// Takes a policy away; tells whether it was there.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn delete_policy(
        &self,
        namespace: &str,
        hub: Option<HubKey>,
        name: &str,
    ) -> Result<bool> {
        let sql = "DELETE FROM push_policies WHERE namespace = $1 AND hub = $2 AND name = $3";
        let hub = hub.unwrap_or(OF_NAMESPACE);
        let params = vals![namespace.to_ascii_lowercase(), hub.0, name];
        Ok(self.db.execute(sql, params).await?.affected == 1)
    }

    fn insert_policy(
        &self,
        namespace: &str,
        hub: HubKey,
        policy: &Policy,
        now: Timestamp,
    ) -> Statement {
        let seal = |key: &Secret, slot| {
            let place = key_place(namespace, hub, &policy.name, slot);
            self.master.seal(key.expose().as_bytes(), &place)
        };
        Statement::new(
            "INSERT INTO push_policies
               (namespace, hub, name, rights, primary_key, secondary_key, created, changed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
             ON CONFLICT (namespace, hub, name) DO UPDATE SET rights = excluded.rights,
               primary_key = excluded.primary_key, secondary_key = excluded.secondary_key,
               changed = excluded.changed",
            vals![
                namespace,
                hub.0,
                policy.name.as_str(),
                policy.rights.to_list(),
                seal(&policy.primary, "primary"),
                seal(&policy.secondary, "secondary"),
                now
            ],
        )
    }

    fn read_hub(&self, row: &Row) -> Result<Hub> {
        let namespace: String = row.get(1)?;
        let place = credentials_place(&namespace, &row.get::<String>(8)?);
        let sealed: Vec<u8> = row.get(4)?;
        Ok(Hub {
            key: HubKey(row.get(0)?),
            name: row.get(2)?,
            document: row.get(3)?,
            credentials: self.unseal(&sealed, &place)?,
            registration_ttl: row.get(5)?,
            created: row.get(6)?,
            changed: row.get(7)?,
            namespace,
        })
    }

    fn unseal(&self, sealed: &[u8], place: &str) -> Result<Secret> {
        let bytes = self.master.open(sealed, place)?;
        String::from_utf8(bytes)
            .map(Secret::new)
            .map_err(|_| row::damaged("a secret that is no text"))
    }
}

/// The hub of policies that belong to a namespace.
const OF_NAMESPACE: HubKey = HubKey(0);

fn credentials_place(namespace: &str, hub: &str) -> String {
    format!("notificationhubs/{namespace}/{hub}/credentials")
}

fn key_place(namespace: &str, hub: HubKey, policy: &str, slot: &str) -> String {
    format!("notificationhubs/{namespace}/{}/{policy}/{slot}", hub.0)
}

/// Whether a hub can have this name.
///
/// # Errors
/// `Invalid`, telling the rule.
pub(crate) fn check_hub_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && name.len() <= MAX_NAME && name.chars().all(allowed) {
        return Ok(());
    }
    Err(bad_request(format!(
        "The notification hub name '{}' is invalid. A name begins with a letter and has at most \
         {MAX_NAME} letters, digits, '-', '.' and '_'; clients cannot use one with a slash.",
        shown(name)
    )))
}
