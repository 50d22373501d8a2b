//! All SQL of the service: topics with their keys, event subscriptions with their settings.
//!
//! Keys and settings are sealed: URLs of webhooks and delivery attributes hold secrets. Ids are
//! stored in lower case as keys and as written beside them. Reading is done whole, into the
//! snapshot that everything else works from; there are few rows. Every change of them begins with the
//! next revision, whose row lets one change in at a time, whichever process makes it; who has that
//! revision has nothing to read again.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel::{Error, ErrorKind, Result, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::{Db, MasterKey, Migration, Row, Statement, vals};

use crate::subscription::{EventSubscription, Properties, State};
use crate::topic::{Topic, TopicKey, TopicKeys, TopicKind};
use crate::unreadable::{Kind, Unreadable};
use wire::ResourceId;

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "topics and event subscriptions",
        sql: "CREATE TABLE eventgrid_topics (
            id TEXT NOT NULL PRIMARY KEY,
            shown_id TEXT NOT NULL,
            custom_name TEXT UNIQUE,
            document TEXT NOT NULL,
            key1 BLOB,
            key2 BLOB,
            owned_by_file INTEGER NOT NULL,
            created INTEGER NOT NULL,
            changed INTEGER NOT NULL
          );
          CREATE TABLE eventgrid_subscriptions (
            scope TEXT NOT NULL,
            name TEXT NOT NULL,
            shown_scope TEXT NOT NULL,
            shown_name TEXT NOT NULL,
            properties BLOB NOT NULL,
            state TEXT NOT NULL,
            reason TEXT,
            code TEXT,
            until INTEGER,
            allowed_rate INTEGER,
            owned_by_file INTEGER NOT NULL,
            created INTEGER NOT NULL,
            changed INTEGER NOT NULL,
            PRIMARY KEY (scope, name)
          );",
    },
    Migration {
        name: "a revision of the definitions",
        sql: "CREATE TABLE eventgrid_revision (number INTEGER NOT NULL);
          INSERT INTO eventgrid_revision (number) VALUES (0);",
    },
];

/// The store of topics and event subscriptions.
#[derive(Clone)]
pub(crate) struct Store {
    db: Db,
    master: Arc<MasterKey>,
}

/// Everything that is stored.
#[derive(Default)]
pub(crate) struct Stored {
    /// Of which at least this is; changes that came while it was read may be in it, too.
    pub(crate) revision: i64,
    pub(crate) topics: Vec<(Topic, Option<TopicKeys>)>,
    pub(crate) subscriptions: Vec<EventSubscription>,
    /// What else is there.
    pub(crate) unreadable: Vec<Unreadable>,
}

/// What of a topic needs no column of its own.
#[derive(Deserialize, Serialize)]
struct TopicDocument {
    location: String,
    tags: BTreeMap<String, String>,
    properties: Value,
}

impl Store {
    /// The store over a database, after bringing its schema up to date.
    pub(crate) async fn open(db: Db, master: Arc<MasterKey>) -> Result<Self> {
        db.migrate("eventgrid", MIGRATIONS).await?;
        Ok(Self { db, master })
    }

    /// Reads everything. One row that cannot be read is no reason to do without the others.
    pub(crate) async fn load(&self) -> Result<Stored> {
        let mut stored = Stored { revision: self.revision().await?, ..Stored::default() };
        let sql = "SELECT shown_id, document, key1, key2, owned_by_file, created, changed, id
                   FROM eventgrid_topics ORDER BY id";
        for row in &self.db.query(sql, vals![]).await? {
            match self.topic(row) {
                Ok(topic) => stored.topics.push(topic),
                Err(error) => {
                    let (key, owned) = (row.get(7)?, row.get(4)?);
                    stored.unreadable.push(Unreadable::new(Kind::Topic, key, owned, &error));
                }
            }
        }
        let sql = "SELECT shown_scope, shown_name, properties, state, reason, code,
                     until, allowed_rate, owned_by_file, created, changed, scope, name
                   FROM eventgrid_subscriptions ORDER BY scope, name";
        for row in &self.db.query(sql, vals![]).await? {
            match self.subscription(row) {
                Ok(subscription) => stored.subscriptions.push(subscription),
                Err(error) => {
                    let (scope, name): (String, String) = (row.get(11)?, row.get(12)?);
                    let (key, owned) = (format!("{scope}|{name}"), row.get(8)?);
                    let unreadable = Unreadable::new(Kind::EventSubscription, key, owned, &error);
                    stored.unreadable.push(unreadable);
                }
            }
        }
        Ok(stored)
    }

    /// A number that grows with every change of a topic or an event subscription.
    pub(crate) async fn revision(&self) -> Result<i64> {
        let rows = self.db.query("SELECT number FROM eventgrid_revision", []).await?;
        Ok(rows.first().map(|row| row.get(0)).transpose()?.unwrap_or_default())
    }

    /// Changes topics and event subscriptions in one transaction. Returns how many rows each
    /// statement has changed.
    pub(crate) async fn change(&self, statements: Vec<Statement>) -> Result<Vec<u64>> {
        let next = Statement::new("UPDATE eventgrid_revision SET number = number + 1", []);
        let statements: Vec<_> = std::iter::once(next).chain(statements).collect();
        let outcomes = self.db.write(statements).await?;
        Ok(outcomes.iter().skip(1).map(|outcome| outcome.affected).collect())
    }

    /// Carries out statements in one transaction that change no topic and no event subscription.
    pub(crate) async fn write(&self, statements: Vec<Statement>) -> Result<()> {
        self.db.write(statements).await?;
        Ok(())
    }

    /// Creates or replaces a topic. One that has keys keeps them, whatever `keys` are: another process
    /// may have made them just now. Without `keys`, they go.
    pub(crate) fn put_topic(&self, topic: &Topic, keys: Option<&TopicKeys>) -> Statement {
        let document = TopicDocument {
            location: topic.location.clone(),
            tags: topic.tags.clone(),
            properties: topic.kind.to_json(),
        };
        let document = serde_json::to_string(&document).expect("a topic is plain JSON");
        let custom_name = topic.custom().map(|_| topic.id.name().to_ascii_lowercase());
        let seal = |key: &Secret, slot| {
            self.master.seal(key.expose().as_bytes(), &key_place(&topic.id, slot))
        };
        Statement::new(
            "INSERT INTO eventgrid_topics
               (id, shown_id, custom_name, document, key1, key2, owned_by_file, created, changed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (id) DO UPDATE SET document = excluded.document,
               key1 = CASE WHEN excluded.key1 IS NOT NULL
                 THEN COALESCE(eventgrid_topics.key1, excluded.key1) END,
               key2 = CASE WHEN excluded.key2 IS NOT NULL
                 THEN COALESCE(eventgrid_topics.key2, excluded.key2) END,
               owned_by_file = excluded.owned_by_file, changed = excluded.changed",
            vals![
                topic.id.key(),
                topic.id.as_str(),
                custom_name,
                document,
                keys.map(|keys| seal(&keys.key1, "key1")),
                keys.map(|keys| seal(&keys.key2, "key2")),
                topic.owned_by_file,
                topic.created,
                topic.changed,
            ],
        )
    }

    /// Replaces one key of a topic.
    pub(crate) fn put_key(&self, id: &ResourceId, which: TopicKey, keys: &TopicKeys) -> Statement {
        let (column, key) = match which {
            TopicKey::First => ("key1", &keys.key1),
            TopicKey::Second => ("key2", &keys.key2),
        };
        let sealed = self.master.seal(key.expose().as_bytes(), &key_place(id, column));
        let sql = format!("UPDATE eventgrid_topics SET {column} = $2 WHERE id = $1");
        Statement::new(sql, vals![id.key(), sealed])
    }

    /// Deletes the topic with this key and its event subscriptions.
    pub(crate) fn delete_topic(key: &str) -> Vec<Statement> {
        vec![
            Statement::new("DELETE FROM eventgrid_subscriptions WHERE scope = $1", vals![key]),
            Statement::new("DELETE FROM eventgrid_topics WHERE id = $1", vals![key]),
        ]
    }

    /// Creates or replaces an event subscription.
    pub(crate) fn put_subscription(&self, subscription: &EventSubscription) -> Statement {
        let EventSubscription { scope, name, properties, state, .. } = subscription;
        let StateColumns { reason, code, until } = StateColumns::of(state);
        let properties = properties.to_json().to_string();
        let sealed = self.master.seal(properties.as_bytes(), &properties_place(scope, name));
        Statement::new(
            "INSERT INTO eventgrid_subscriptions
               (scope, name, shown_scope, shown_name, properties, state, reason, code, until,
                allowed_rate, owned_by_file, created, changed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
             ON CONFLICT (scope, name) DO UPDATE SET properties = excluded.properties, state = excluded.state,
               reason = excluded.reason, code = excluded.code, until = excluded.until,
               allowed_rate = excluded.allowed_rate, owned_by_file = excluded.owned_by_file,
               changed = excluded.changed",
            vals![
                scope.key(),
                name.to_ascii_lowercase(),
                scope.as_str(),
                name.as_str(),
                sealed,
                state.as_str(),
                reason,
                code,
                until,
                subscription.allowed_rate.map(i64::from),
                subscription.owned_by_file,
                subscription.created,
                subscription.changed,
            ],
        )
    }

    /// Writes what came of a validation, unless the event subscription was changed or deleted while
    /// its webhook was asked, or is no longer in the state `before`: another server may have asked at
    /// the same time, and the first one counts.
    pub(crate) fn put_state(subscription: &EventSubscription, before: &State) -> Statement {
        let StateColumns { reason, code, until } = StateColumns::of(&subscription.state);
        let code_before = StateColumns::of(before).code.unwrap_or_default();
        Statement::new(
            "UPDATE eventgrid_subscriptions SET state = $1, reason = $2, code = $3, until = $4,
               allowed_rate = $5 WHERE scope = $6 AND name = $7 AND changed = $8
               AND state = $9 AND COALESCE(code, '') = $10",
            vals![
                subscription.state.as_str(),
                reason,
                code,
                until,
                subscription.allowed_rate.map(i64::from),
                subscription.scope.key(),
                subscription.name.to_ascii_lowercase(),
                subscription.changed,
                before.as_str(),
                code_before,
            ],
        )
    }

    /// Deletes an event subscription as it is known, not one that was changed meanwhile.
    pub(crate) fn delete_unchanged(subscription: &EventSubscription) -> Statement {
        Statement::new(
            "DELETE FROM eventgrid_subscriptions WHERE scope = $1 AND name = $2 AND changed = $3",
            vals![
                subscription.scope.key(),
                subscription.name.to_ascii_lowercase(),
                subscription.changed,
            ],
        )
    }

    /// Deletes the event subscription with this key.
    pub(crate) fn delete_subscription(key: &str) -> Statement {
        let (scope, name) = key.split_once('|').unwrap_or((key, ""));
        Statement::new(
            "DELETE FROM eventgrid_subscriptions WHERE scope = $1 AND name = $2",
            vals![scope, name],
        )
    }

    fn topic(&self, row: &Row) -> Result<(Topic, Option<TopicKeys>)> {
        let id = ResourceId::parse(&row.get::<String>(0)?)?;
        let document: String = row.get(1)?;
        let document: TopicDocument = serde_json::from_str(&document)
            .map_err(|cause| damaged(id.as_str(), &cause.to_string()))?;
        let key = |index, slot| -> Result<Option<Secret>> {
            let sealed: Option<Vec<u8>> = row.get(index)?;
            sealed
                .map(|sealed| self.unseal(&sealed, &key_place(&id, slot)).map(Secret::new))
                .transpose()
        };
        let keys = match (key(2, "key1")?, key(3, "key2")?) {
            (Some(key1), Some(key2)) => Some(TopicKeys { key1, key2 }),
            _ => None,
        };
        let topic = Topic {
            location: document.location,
            tags: document.tags,
            kind: TopicKind::parse(&id, document.properties)?,
            owned_by_file: row.get(4)?,
            created: row.get(5)?,
            changed: row.get(6)?,
            id,
        };
        Ok((topic, keys))
    }

    fn subscription(&self, row: &Row) -> Result<EventSubscription> {
        let scope = ResourceId::parse(&row.get::<String>(0)?)?;
        let name: String = row.get(1)?;
        let sealed: Vec<u8> = row.get(2)?;
        let text = self.unseal(&sealed, &properties_place(&scope, &name))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|cause| damaged(&name, &cause.to_string()))?;
        let rate: Option<i64> = row.get(7)?;
        Ok(EventSubscription {
            properties: Properties::read_back(&value)?,
            state: state(row)?,
            allowed_rate: rate.and_then(|rate| u32::try_from(rate).ok()),
            owned_by_file: row.get(8)?,
            created: row.get(9)?,
            changed: row.get(10)?,
            scope,
            name,
        })
    }

    fn unseal(&self, sealed: &[u8], place: &str) -> Result<String> {
        let bytes = self.master.open(sealed, place)?;
        String::from_utf8(bytes).map_err(|_| damaged(place, "it is not text"))
    }
}

/// What a state has besides its name.
struct StateColumns {
    reason: Option<String>,
    code: Option<String>,
    until: Option<Timestamp>,
}

impl StateColumns {
    fn of(state: &State) -> Self {
        let (reason, code, until) = match state {
            State::Creating { reason } => (reason.clone(), None, None),
            State::AwaitingManualAction { code, until } => (None, Some(code.clone()), Some(*until)),
            State::Succeeded => (None, None, None),
            State::Failed { reason } => (Some(reason.clone()), None, None),
        };
        Self { reason, code, until }
    }
}

fn state(row: &Row) -> Result<State> {
    let (word, reason): (String, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok(match (word.as_str(), row.get::<Option<String>>(5)?, row.get(6)?) {
        ("Succeeded", ..) => State::Succeeded,
        ("AwaitingManualAction", Some(code), Some(until)) => {
            State::AwaitingManualAction { code, until }
        }
        ("Creating", ..) => State::Creating { reason },
        _ => State::Failed { reason: reason.unwrap_or_default() },
    })
}

/// Where sealed texts belong: one that was moved to another row does not open.
fn key_place(id: &ResourceId, slot: &str) -> String {
    format!("eventgrid-key/{}/{slot}", id.key())
}

fn properties_place(scope: &ResourceId, name: &str) -> String {
    format!("eventgrid-subscription/{}/{}", scope.key(), name.to_ascii_lowercase())
}

fn damaged(what: &str, cause: &str) -> Error {
    let message = "The server cannot read one of its stored topics or event subscriptions.";
    Error::new(ErrorKind::Internal, "InternalServerError", message)
        .context(format!("{what} is stored in a form that cannot be read: {cause}"))
}
