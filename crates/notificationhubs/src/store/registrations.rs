//! Registrations: writing, finding, listing, taking away.

use kernel::{Result, Timestamp};
use storage::{Row, Statement, Val, vals};

use super::{ATTEMPTS, HubKey, Store, is_race, row, too_many_writers};
use crate::Platform;
use crate::entry::Submission;
use crate::refusal::{bad_request, not_found};
use crate::registration::{IfMatch, Key, ListFilter, Registration, RegistrationId};

/// The most registrations of one page.
pub const MAX_PAGE: usize = 100;

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// In the order of their keys.
    pub registrations: Vec<Registration>,
    /// Where the next page begins, in characters that need no encoding anywhere.
    pub continuation: Option<String>,
}

/// When a registration is written, and when it is to be taken for gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// The present moment.
    pub from: Timestamp,
    /// [`crate::date::NEVER`], unless the hub has a time to live.
    pub until: Timestamp,
}

/// A registration that was taken away because its push service does not know the device any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its id.
    pub id: RegistrationId,
    /// The installation that it was made from.
    pub installation: Option<String>,
}

impl Store {
    /// A new registration under a new id.
    ///
    /// # Errors
    /// `Invalid` when the submission has system tags; errors of the store.
    pub async fn create_registration(
        &self,
        hub: HubKey,
        submission: Submission,
        lifetime: Lifetime,
    ) -> Result<Registration> {
        let Lifetime { from: now, until: expires_at } = lifetime;
        let mut description = submission.description;
        description.keep_system_tags(&submission.system_tags, None)?;
        for _ in 0..ATTEMPTS {
            let key = self.keys.next(now);
            let (id, description) = (RegistrationId::issue(key, 1), description.clone());
            let registration =
                Registration { key, id, etag: 1, expires_at, installation: None, description };
            match self.db.write(row::insert(hub, &registration, None, now)).await {
                Ok(_) => return Ok(registration),
                // Another server may have made the same key, however seldom.
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_writers())
    }

    /// Creates a registration or replaces it; with `if_match`, replaces only.
    ///
    /// # Errors
    /// `Gone` for an id of old that nobody has any more, `NotFound` and `PreconditionFailed` as
    /// `if_match` says, `Invalid` for invented system tags.
    pub async fn put_registration(
        &self,
        hub: HubKey,
        id: &RegistrationId,
        submission: &Submission,
        if_match: Option<IfMatch>,
        lifetime: Lifetime,
    ) -> Result<Registration> {
        let Lifetime { from: now, until: expires_at } = lifetime;
        for _ in 0..ATTEMPTS {
            let found = self.find(hub, id).await?;
            let found = found.filter(|(it, _)| it.expires_at > now || if_match.is_none());
            let mut description = submission.description.clone();
            let stored = found.as_ref().map(|(it, _)| &it.description.tags);
            description.keep_system_tags(&submission.system_tags, stored)?;
            let (statements, part, registration) = match found {
                None if if_match.is_some() => return Err(unknown(id)),
                None => {
                    id.check_usable(now)?;
                    let key = self.keys.next(now);
                    let (id, installation) = (id.clone(), None);
                    let new =
                        Registration { key, id, etag: 1, expires_at, installation, description };
                    (Vec::new(), None, new)
                }
                Some((old, part)) => {
                    if_match.map_or(Ok(()), |it| it.check(old.etag))?;
                    let etag = old.etag + 1;
                    (
                        vec![delete_version(&old)],
                        part,
                        Registration { etag, expires_at, description, ..old },
                    )
                }
            };
            let inserts = row::insert(hub, &registration, part.as_deref(), now);
            let statements: Vec<_> = statements.into_iter().chain(inserts).collect();
            match self.db.write(statements).await {
                Ok(_) => return Ok(registration),
                Err(error) if is_race(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_writers())
    }

    /// One registration.
    ///
    /// # Errors
    /// `NotFound`, also when it has expired.
    pub async fn registration(
        &self,
        hub: HubKey,
        id: &RegistrationId,
        now: Timestamp,
    ) -> Result<Registration> {
        let found = self.find(hub, id).await?.map(|(it, _)| it);
        found.filter(|it| it.expires_at > now).ok_or_else(|| unknown(id))
    }

    /// Takes a registration away.
    ///
    /// # Errors
    /// `NotFound`, or `PreconditionFailed` when it has another version.
    pub async fn delete_registration(
        &self,
        hub: HubKey,
        id: &RegistrationId,
        if_match: Option<IfMatch>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let (found, _) = self.find(hub, id).await?.ok_or_else(|| unknown(id))?;
            if_match.map_or(Ok(()), |it| it.check(found.etag))?;
            if self.db.write([delete_version(&found)]).await?[0].affected == 1 {
                return Ok(());
            }
        }
        Err(too_many_writers())
    }

    /// One page of registrations in the order of their keys, at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// `Invalid` for a continuation that is none.
    pub async fn list_registrations(
        &self,
        hub: HubKey,
        filter: Option<&ListFilter>,
        top: usize,
        continuation: Option<&str>,
        now: Timestamp,
    ) -> Result<ListPage> {
        let top = top.clamp(1, MAX_PAGE);
        let after = continuation.map(parse_continuation).transpose()?.unwrap_or_default();
        let mut params: Vec<Val> = vals![hub.0, after.0, now];
        let mut bind = |value: &str| {
            params.push(value.into());
            format!("${}", params.len())
        };
        let narrowed = match filter {
            None => String::new(),
            Some(ListFilter::Addresses(addresses)) => {
                let list: Vec<String> = addresses.iter().map(|it| bind(it)).collect();
                format!("AND address IN ({})", list.join(", "))
            }
            Some(ListFilter::Tag(tag)) => {
                let tag = bind(tag.folded());
                format!(
                    "AND place IN (SELECT place FROM push_tags
                       WHERE hub = $1 AND tag = {tag} AND place > $2
                       ORDER BY place LIMIT {LOOK_AHEAD})"
                )
            }
        };
        let sql = format!(
            "SELECT {} FROM push_registrations
             WHERE hub = $1 AND place > $2 AND expires_at > $3 {narrowed}
             ORDER BY place LIMIT {}",
            row::COLUMNS,
            top + 1
        );
        let rows = self.db.query(sql, params).await?;
        let mut registrations = rows.iter().map(row::registration).collect::<Result<Vec<_>>>()?;
        let more = registrations.len() > top;
        registrations.truncate(top);
        let last = registrations.last().filter(|_| more);
        Ok(ListPage { continuation: last.map(|it| it.key.0.to_string()), registrations })
    }

    /// Takes away what has a handle that its push service does not know any more, and marks the
    /// installations that it was the channel of. What was written after `seen_until` stays: the
    /// device has registered again since.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn remove_dead_handle(
        &self,
        hub: HubKey,
        platform: Platform,
        address: &str,
        seen_until: Timestamp,
    ) -> Result<Vec<Removed>> {
        let params = || vals![hub.0, address, platform.format(), seen_until];
        let mark = Statement::new(
            "UPDATE push_installations SET channel_expired = 1, version = version + 1
             WHERE hub = $1 AND updated_at <= $4 AND id IN (
               SELECT installation FROM push_registrations
               WHERE hub = $1 AND address = $2 AND platform = $3 AND part = '')",
            params(),
        );
        let remove = Statement::new(
            "DELETE FROM push_registrations
             WHERE hub = $1 AND address = $2 AND platform = $3 AND updated_at <= $4
             RETURNING id, installation",
            params(),
        );
        let outcomes = self.db.write([mark, remove]).await?;
        let removed = outcomes[1].rows.iter().map(|row| {
            Ok(Removed { id: RegistrationId::stored(row.get(0)?), installation: row.get(1)? })
        });
        removed.collect()
    }

    /// Takes one registration away whose device is gone; tells whether it was there, unchanged since
    /// `seen_until`.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn remove_dead_registration(
        &self,
        hub: HubKey,
        key: Key,
        seen_until: Timestamp,
    ) -> Result<bool> {
        let sql =
            "DELETE FROM push_registrations WHERE place = $1 AND hub = $2 AND updated_at <= $3";
        Ok(self.db.execute(sql, vals![key.0, hub.0, seen_until]).await?.affected == 1)
    }

    /// Takes away up to `limit` registrations, and as many installations, whose time is over; the
    /// number of both.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn remove_expired(&self, now: Timestamp, limit: usize) -> Result<u64> {
        let registrations = format!(
            "DELETE FROM push_registrations WHERE place IN (
               SELECT place FROM push_registrations
               WHERE expires_at < 253402300799999999 AND expires_at <= $1 LIMIT {limit})"
        );
        let installations = format!(
            "DELETE FROM push_installations WHERE (hub, id) IN (
               SELECT hub, id FROM push_installations
               WHERE expires_at < 253402300799999999 AND expires_at <= $1 LIMIT {limit})"
        );
        let statement = |sql| Statement::new(sql, vals![now]);
        let outcomes = self.db.write([statement(registrations), statement(installations)]).await?;
        Ok(outcomes.iter().map(|outcome| outcome.affected).sum())
    }

    /// How many registrations a hub has.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn count_registrations(&self, hub: HubKey) -> Result<i64> {
        let sql = "SELECT COUNT(*) FROM push_registrations WHERE hub = $1";
        Ok(self.db.query(sql, vals![hub.0]).await?[0].get(0)?)
    }

    /// How many registrations of each platform a hub has, those with a template apart.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn count_kinds(&self, hub: HubKey) -> Result<Vec<(Platform, bool, i64)>> {
        let sql = "SELECT platform, kind, COUNT(*) FROM push_registrations WHERE hub = $1
                   GROUP BY platform, kind ORDER BY platform, kind";
        let rows = self.db.query(sql, vals![hub.0]).await?;
        let kind = |row: &Row| {
            let platform = Platform::from_format(&row.get::<String>(0)?);
            let platform = platform.ok_or_else(|| row::damaged("an unknown platform"))?;
            Ok((platform, row.get::<bool>(1)?, row.get(2)?))
        };
        rows.iter().map(kind).collect()
    }

    /// A registration with its part of an installation, expired or not.
    async fn find(
        &self,
        hub: HubKey,
        id: &RegistrationId,
    ) -> Result<Option<(Registration, Option<String>)>> {
        let sql = format!(
            "SELECT {}, part FROM push_registrations WHERE hub = $1 AND id = $2",
            row::COLUMNS
        );
        let rows = self.db.query(sql, vals![hub.0, id.as_str()]).await?;
        let both = |row| Ok((row::registration(row)?, row.get(13)?));
        rows.first().map(both).transpose()
    }
}

/// Expired registrations are passed over in a listing by tag; so many may stand side by side.
const LOOK_AHEAD: usize = 4096;

fn delete_version(registration: &Registration) -> Statement {
    let sql = "DELETE FROM push_registrations WHERE place = $1 AND etag = $2";
    Statement::new(sql, vals![registration.key.0, registration.etag])
}

fn unknown(id: &RegistrationId) -> kernel::Error {
    not_found(format!(
        "No registration has the id '{id}'. It was deleted, has expired, or its device is gone."
    ))
}

fn parse_continuation(text: &str) -> Result<Key> {
    let key = text.parse().ok().filter(|key| *key >= 0);
    key.map(Key).ok_or_else(|| {
        bad_request("The continuationtoken is none of this service; begin the listing again.")
    })
}
