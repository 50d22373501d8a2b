//! How users stand, for people who look for the reason why a notification did not arrive: who should
//! have been told, what is registered, who is in a thread, why a token is refused.
//!
//! It reads rows of chat, signaling and push, and changes nothing. Who is connected is known to
//! [`crate::push::Presence`].

use std::collections::{BTreeMap, HashMap};

use kernel::{ErrorKind, Result, Timestamp};
use storage::{Db, Row, Val, vals};

use crate::identifier::RawId;
use crate::identity::{Identities, TokenRefusal};
use crate::resource::Resource;
use crate::time;

/// Users that are told of at a time.
const MAX_USERS: usize = 200;

/// Whom a question is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whom {
    /// This user, whether messages came or not.
    pub user: Option<RawId>,
    /// Messages of this thread only.
    pub thread: Option<String>,
}

/// How one user stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub user: RawId,
    /// Whether the identity exists.
    pub exists: bool,
    /// Messages of others in the window, in threads that the user is in.
    pub messages: u64,
    /// When the latest registration for real-time notifications ends, or has ended.
    pub registered_until: Option<Timestamp>,
    /// Devices for pushes, also those whose registration has ended.
    pub devices: Vec<RegisteredDevice>,
}

/// A device for pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredDevice {
    /// Its own name.
    pub id: String,
    /// As hubs call its platform.
    pub platform: String,
    /// When its registration ends, or has ended.
    pub expires: Timestamp,
}

/// Whether somebody is in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// There is no such thread, or it was deleted.
    NoThread,
    /// Never was.
    Never,
    /// Is.
    Present,
    /// Was, until then.
    Left(Timestamp),
}

/// Those for whom messages came since `since`, the ones with most messages first; with the user asked
/// about in any case. Also returns whether there are more.
///
/// # Errors
/// When the store fails.
pub async fn standings(db: &Db, whom: &Whom, since: Timestamp) -> Result<(Vec<Standing>, bool)> {
    let mut sql = "SELECT p.participant, COUNT(*) FROM chat_threads t
                   JOIN chat_messages m ON m.thread = t.id AND m.id >= $1
                   JOIN chat_participants p ON p.thread = t.id AND p.visible_to IS NULL
                   WHERE t.last_message >= $1 AND m.sender IS NOT NULL
                     AND m.sender <> p.participant AND m.kind IN ('text', 'html')"
        .to_owned();
    let mut params = vals![time::to_millis(since)];
    for (column, text) in
        [("p.participant", whom.user.as_ref().map(RawId::as_str)), ("t.id", whom.thread.as_deref())]
    {
        let Some(text) = text else { continue };
        params.push(text.into());
        sql.push_str(&format!(" AND {column} = ${}", params.len()));
    }
    let limit = MAX_USERS + 1;
    sql.push_str(&format!(
        " GROUP BY p.participant ORDER BY COUNT(*) DESC, p.participant LIMIT {limit}"
    ));
    let mut users: Vec<(RawId, u64)> = Vec::new();
    for row in &db.query(sql, params).await? {
        let count: i64 = row.get(1)?;
        users.push((RawId::new(row.get::<String>(0)?), count.unsigned_abs()));
    }
    let more = users.len() > MAX_USERS;
    users.truncate(MAX_USERS);
    if let Some(user) = &whom.user
        && users.is_empty()
    {
        users.push((user.clone(), 0));
    }
    Ok((with_registrations(db, users).await?, more))
}

async fn with_registrations(db: &Db, users: Vec<(RawId, u64)>) -> Result<Vec<Standing>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Val> = users.iter().map(|(user, _)| user.as_str().into()).collect();
    let places: Vec<String> = (1..=ids.len()).map(|number| format!("${number}")).collect();
    let of = |sql: &str| db.query(format!("{sql} IN ({})", places.join(", ")), ids.clone());
    let existing = of("SELECT raw_id FROM identities WHERE raw_id").await?;
    let pages = "SELECT participant, expires_at FROM signaling_registrations WHERE participant";
    let pages = of(pages).await?;
    let pages = by_user(&pages)?;
    let phones = "SELECT owner, expires_at, id, platform FROM communication_devices WHERE owner";
    let phones = of(phones).await?;
    let phones = by_user(&phones)?;
    let existing: Vec<String> =
        existing.iter().map(|row| row.get(0)).collect::<storage::Result<_>>()?;
    users
        .into_iter()
        .map(|(user, messages)| {
            let pages = pages.get(user.as_str()).map(Vec::as_slice).unwrap_or_default();
            let phones = phones.get(user.as_str()).map(Vec::as_slice).unwrap_or_default();
            let mut standing = Standing {
                exists: existing.iter().any(|it| it == user.as_str()),
                user,
                messages,
                registered_until: None,
                devices: Vec::new(),
            };
            for row in pages {
                standing.registered_until = standing.registered_until.max(Some(row.get(1)?));
            }
            for row in phones {
                let (expires, id, platform) = (row.get(1)?, row.get(2)?, row.get(3)?);
                standing.devices.push(RegisteredDevice { id, platform, expires });
            }
            Ok(standing)
        })
        .collect()
}

fn by_user(rows: &[Row]) -> Result<HashMap<String, Vec<&Row>>> {
    let mut users: HashMap<String, Vec<&Row>> = HashMap::new();
    for row in rows {
        users.entry(row.get(0)?).or_default().push(row);
    }
    Ok(users)
}

/// Whether a user is in a thread.
///
/// # Errors
/// When the store fails.
pub async fn membership(db: &Db, thread: &str, user: &RawId) -> Result<Membership> {
    let sql = "SELECT t.deleted_at, p.participant, p.visible_to FROM chat_threads t
               LEFT JOIN chat_participants p ON p.thread = t.id AND p.participant = $2
               WHERE t.id = $1";
    let rows = db.query(sql, vals![thread, user.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(Membership::NoThread) };
    if row.get::<Option<Timestamp>>(0)?.is_some() {
        return Ok(Membership::NoThread);
    }
    Ok(match (row.get::<Option<String>>(1)?, row.get::<Option<i64>>(2)?) {
        (None, _) => Membership::Never,
        (Some(_), None) => Membership::Present,
        (Some(_), Some(left)) => Membership::Left(time::from_millis(left)),
    })
}

/// How many devices are registered for pushes at `now`, by platform.
///
/// # Errors
/// When the store fails.
pub async fn devices(db: &Db, now: Timestamp) -> Result<BTreeMap<String, u64>> {
    let sql = "SELECT platform, COUNT(*) FROM communication_devices WHERE expires_at > $1
               GROUP BY platform";
    let rows = db.query(sql, vals![now]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get::<i64>(1)?.unsigned_abs()))).collect()
}

/// Whose a registered device is.
///
/// # Errors
/// When the store fails.
pub async fn owner(db: &Db, device: &str) -> Result<Option<RawId>> {
    let sql =
        "SELECT owner FROM communication_devices WHERE id = $1 ORDER BY expires_at DESC LIMIT 1";
    let rows = db.query(sql, vals![device]).await?;
    rows.first().map(|row| Ok(RawId::new(row.get::<String>(0)?))).transpose()
}

/// Why a resource refuses a token now; `None` when it does not.
///
/// # Errors
/// When the store fails.
pub async fn refusal(
    identities: &Identities,
    resource: &Resource,
    token: &str,
) -> Result<Option<TokenRefusal>> {
    let error = match identities.authenticate(resource, token).await {
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::Unauthenticated => error,
        Err(error) => return Err(error),
    };
    let kinds = [
        TokenRefusal::Malformed,
        TokenRefusal::UnknownKey,
        TokenRefusal::Signature,
        TokenRefusal::OtherResource,
        TokenRefusal::Revoked,
        TokenRefusal::KeyReplaced,
        TokenRefusal::IdentityDeleted,
    ];
    let found = kinds.into_iter().find(|it| it.to_string() == error.message());
    // The only one that differs from token to token.
    Ok(Some(found.unwrap_or(TokenRefusal::Expired(0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;

    const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);

    async fn db() -> Db {
        let db = Db::in_memory().unwrap();
        db.migrate("communication", MIGRATIONS).await.unwrap();
        db.migrate("communication-devices", crate::push::MIGRATIONS).await.unwrap();
        let at = time::to_millis(NOW);
        for sql in [
            "INSERT INTO chat_threads (id, resource, topic, metadata, created_by, created_at, revision,
               last_sequence, last_message, changed_at) VALUES ('t', 'r', '', '{}', 'ann', 0, 0, 2, $1, 0)",
            "INSERT INTO chat_participants (thread, participant, position, metadata, visible_from,
               visible_to) VALUES ('t', 'ann', 1, '{}', 0, NULL), ('t', 'bob', 2, '{}', 0, NULL),
               ('t', 'eve', 3, '{}', 0, $1)",
            "INSERT INTO chat_messages (thread, id, sequence, version, kind, sender, metadata)
               VALUES ('t', $1, 2, $1, 'text', 'ann', '{}'), ('t', 5, 1, 5, 'text', 'ann', '{}')",
            "INSERT INTO signaling_registrations (participant, name, app, transports, expires_at)
               VALUES ('bob', 'd', 'AcsWeb', '{}', $1)",
            "INSERT INTO communication_devices (owner, id, purpose, platform, sealed, expires_at)
               VALUES ('bob', 'd', 'chat', 'apple', '', $1)",
            "INSERT INTO identities (raw_id, resource, generation, created_at)
               VALUES ('bob', 'r', 0, $1)",
        ] {
            db.execute(sql, vals![at]).await.unwrap();
        }
        db
    }

    #[tokio::test]
    async fn those_are_told_of_for_whom_messages_came() {
        let db = db().await;
        let (found, more) = standings(&db, &Whom::default(), NOW).await.unwrap();
        assert_eq!((found.len(), more), (1, false), "{found:?}");
        let bob = &found[0];
        assert_eq!((bob.user.as_str(), bob.messages, bob.exists), ("bob", 1, true));
        let millis = Timestamp::from_micros(time::to_millis(NOW));
        assert_eq!((bob.registered_until, bob.devices.len()), (Some(millis), 1));
        let (all, _) = standings(&db, &Whom::default(), Timestamp::default()).await.unwrap();
        assert_eq!(all[0].messages, 2);
    }

    #[tokio::test]
    async fn a_user_who_is_asked_about_needs_no_message() {
        let db = db().await;
        let whom = Whom { user: Some(RawId::new("ann")), thread: None };
        let (found, _) = standings(&db, &whom, NOW).await.unwrap();
        assert_eq!((found.len(), found[0].messages, found[0].exists), (1, 0, false));
    }

    #[tokio::test]
    async fn membership_is_told_with_its_end() {
        let db = db().await;
        for (thread, user, expected) in [
            ("t", "bob", Membership::Present),
            ("t", "eve", Membership::Left(NOW)),
            ("t", "dan", Membership::Never),
            ("x", "bob", Membership::NoThread),
        ] {
            let found = membership(&db, thread, &RawId::new(user)).await.unwrap();
            assert_eq!(found, expected, "{user} in {thread}");
        }
        assert_eq!(devices(&db, Timestamp::default()).await.unwrap()["apple"], 1);
        assert!(devices(&db, NOW).await.unwrap().is_empty());
        assert_eq!(owner(&db, "d").await.unwrap(), Some(RawId::new("bob")));
        assert_eq!(owner(&db, "e").await.unwrap(), None);
    }
}
