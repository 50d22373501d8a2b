//! Who a send is for, page by page.
//!
//! A page is a stretch of keys: first its end is found, so that it holds a bounded number of
//! candidates, then those of them who are meant. Both statements walk through an index in the order of
//! keys, so memory is one page whatever the size of the audience, and the last key of a page is all
//! that a send has to remember to go on after a crash. Only the few rows of a page are put in order
//! here: asked for an order, an engine may sort whole rows that are in it already.

use std::collections::HashMap;
use std::fmt::Write as _;

use kernel::{Result, Timestamp};
use storage::{Row, Val, vals};

use super::{HubKey, Store, row};
use crate::registration::{Key, RegistrationId};
use crate::tag::{Node, Plan, Tag, TagExpression};
use crate::template::TemplateText;
use crate::{BrowserKeys, Handle, Platform};

/// Devices of a tag are counted to here; beyond, their number is estimated.
const COUNT_LIMIT: i64 = 50_000;

/// Keys that are looked up together.
const KEYS_AT_A_TIME: usize = 256;

/// What is read of a registration, as [`recipient`] takes it.
const COLUMNS: &str = "r.place, r.id, r.platform, r.address, r.p256dh, r.auth, r.installation, \
                       r.template, r.variables";

/// What a send asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Who is meant; everyone without one.
    pub tags: Option<TagExpression>,
    /// The platform of a native send; a template send goes to templates of all platforms.
    pub platform: Option<Platform>,
}

/// An audience that is being walked through.
#[derive(Clone, Debug)]
pub struct Audience {
    hub: HubKey,
    plan: Plan,
    platform: Option<Platform>,
    /// Devices that register after the send are not meant.
    before: Key,
}

/// One device of an audience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Its place in the walk.
    pub key: Key,
    /// The registration's id.
    pub id: RegistrationId,
    /// Where it is reached.
    pub handle: Handle,
    /// The installation, if it is of one.
    pub installation: Option<String>,
    /// What it wants sent, in a template send.
    pub template: Option<TemplateText>,
    /// Its properties for templates, the text of a JSON object.
    pub push_variables: Option<String>,
}

impl Store {
    /// Plans the walk through an audience. The plan of one expression may differ from time to time,
    /// but every one finds the same devices in the same order.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn audience(
        &self,
        hub: HubKey,
        selection: &Selection,
        before: Key,
    ) -> Result<Audience> {
        let plan = match &selection.tags {
            None => Plan::everyone(),
            Some(expression) => {
                let counts = self.count_devices(hub, expression, before).await?;
                Plan::new(expression, &|tag: &Tag| counts.get(tag.folded()).copied().unwrap_or(0))
            }
        };
        Ok(Audience { hub, plan, platform: selection.platform, before })
    }

    /// The recipients among the next `candidates` devices after `after`, and where to go on; `None`
    /// when the walk is over. A page may be empty before the end.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn recipients(
        &self,
        audience: &Audience,
        after: Key,
        candidates: usize,
        now: Timestamp,
    ) -> Result<(Vec<Recipient>, Option<Key>)> {
        let end = self.page_end(audience, after, candidates.max(1)).await?;
        let (sql, params) = audience.page(after, end.unwrap_or(audience.before), now);
        let rows = self.db.query(sql, params).await?;
        let mut found = rows.into_iter().map(recipient).collect::<Result<Vec<_>>>()?;
        // As nearly always they come in order, and then this only looks.
        found.sort_unstable_by_key(|it| it.key);
        Ok((found, end))
    }

    /// The recipients among these, for another attempt; those that are gone are left out.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn recipients_at(
        &self,
        hub: HubKey,
        keys: &[Key],
        now: Timestamp,
    ) -> Result<Vec<Recipient>> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(KEYS_AT_A_TIME) {
            let mut params = vals![hub.0, now];
            let places = keys.iter().map(|key| {
                params.push(key.0.into());
                format!("${}", params.len())
            });
            let places = places.collect::<Vec<_>>().join(", ");
            let sql = format!(
                "SELECT {COLUMNS} FROM push_registrations r
                 WHERE r.hub = $1 AND r.expires_at > $2 AND r.place IN ({places}) ORDER BY r.place"
            );
            for row in self.db.query(sql, params).await? {
                found.push(recipient(row)?);
            }
        }
        Ok(found)
    }

    /// The key of the last candidate of a page; `None` when no candidate is left behind the page.
    /// With several drivers each may add as many, so each is asked for its share.
    async fn page_end(
        &self,
        audience: &Audience,
        after: Key,
        candidates: usize,
    ) -> Result<Option<Key>> {
        let bounds = |table: &str, condition: &str, offset: usize| {
            format!(
                "SELECT place FROM {table} WHERE hub = $1 AND place > $2 AND place <= $3 {condition}
                 ORDER BY place LIMIT 1 OFFSET {offset}"
            )
        };
        let params = vals![audience.hub.0, after.0, audience.before.0];
        let Some(drivers) = &audience.plan.drivers else {
            let sql = bounds("push_registrations", "", candidates - 1);
            let rows = self.db.query(sql, params).await?;
            return Ok(rows.first().map(|row| row.get(0)).transpose()?.map(Key));
        };
        let share = candidates.div_ceil(drivers.len().max(1));
        let sql = bounds("push_tags", "AND tag = $4", share - 1);
        let mut end: Option<i64> = None;
        for tag in drivers {
            let mut params = params.clone();
            params.push(tag.folded().into());
            if let Some(row) = self.db.query(sql.clone(), params).await?.first() {
                let last: i64 = row.get(0)?;
                end = Some(end.map_or(last, |end| end.min(last)));
            }
        }
        Ok(end.map(Key))
    }

    /// How many devices each tag of an expression has, roughly where they are many.
    async fn count_devices(
        &self,
        hub: HubKey,
        expression: &TagExpression,
        before: Key,
    ) -> Result<HashMap<String, u64>> {
        let sql = format!(
            "SELECT COUNT(*), MIN(place), MAX(place) FROM (
               SELECT place FROM push_tags WHERE hub = $1 AND tag = $2 AND place <= $3
               ORDER BY place LIMIT {COUNT_LIMIT}) AS counted"
        );
        let mut counts = HashMap::new();
        for tag in expression.tags() {
            if counts.contains_key(tag.folded()) {
                continue;
            }
            let rows = self.db.query(sql.clone(), vals![hub.0, tag.folded(), before.0]).await?;
            let row = &rows[0];
            let places = row.get::<Option<i64>>(1)?.zip(row.get(2)?);
            counts.insert(tag.folded().to_owned(), estimated(row.get(0)?, places, before));
        }
        Ok(counts)
    }
}

/// How many devices a tag has of which so many were counted, the first and the last at these places.
/// Keys grow with time: those that were not counted are taken to have come as fast as the others.
fn estimated(counted: i64, places: Option<(i64, i64)>, before: Key) -> u64 {
    let Some((first, last)) = places.filter(|_| counted >= COUNT_LIMIT) else {
        return u64::try_from(counted).unwrap_or(0);
    };
    let span = |end: i64| i128::from(end) - i128::from(first);
    u64::try_from(i128::from(counted) * span(before.0) / span(last).max(1)).unwrap_or(u64::MAX)
}

impl Audience {
    /// The statement that finds the recipients between two keys.
    fn page(&self, after: Key, end: Key, now: Timestamp) -> (String, Vec<Val>) {
        let mut params = vals![self.hub.0, after.0, end.0, now, self.platform.is_none()];
        let mut sql = format!("SELECT {COLUMNS} FROM ");
        match self.plan.drivers.as_deref() {
            None => sql.push_str(
                "push_registrations r WHERE r.hub = $1 AND r.place > $2 AND r.place <= $3",
            ),
            Some(drivers) => {
                sql.push('(');
                self.push_lists(&mut sql, &mut params, drivers);
                sql.push_str(") d CROSS JOIN push_registrations r WHERE r.place = d.place");
            }
        }
        sql.push_str(" AND r.expires_at > $4 AND r.kind = $5");
        if let Some(platform) = self.platform {
            params.push(platform.format().into());
            write!(sql, " AND r.platform = ${}", params.len()).expect("a string takes everything");
        }
        if let Some(filter) = &self.plan.filter {
            sql.push_str(" AND ");
            // Asked of the index row, so that a registration is read only when it is meant.
            let of = if self.plan.drivers.is_some() { "d" } else { "r" };
            push_filter(&mut sql, &mut params, filter, of);
        }
        (sql, params)
    }

    /// The places that the lists of tags give, each once. In order: what SQLite is to put in order, it
    /// goes through in step. Engines disagree on which operator comes first, but there are either
    /// several drivers or other lists.
    fn push_lists(&self, sql: &mut String, params: &mut Vec<Val>, drivers: &[Tag]) {
        let Plan { with, without, .. } = &self.plan;
        let lists = [(" UNION ", drivers), (" INTERSECT ", with), (" EXCEPT ", without)];
        let lists = lists.into_iter().flat_map(|(by, tags)| tags.iter().map(move |tag| (by, tag)));
        for (index, (operator, tag)) in lists.enumerate() {
            sql.push_str(if index == 0 { "" } else { operator });
            let tag = bind(params, tag);
            write!(
                sql,
                "SELECT place FROM push_tags
                 WHERE hub = $1 AND tag = {tag} AND place > $2 AND place <= $3"
            )
            .expect("a string takes everything");
        }
        sql.push_str(" ORDER BY place");
    }
}

/// A filter as a condition on the rows of `of`: one look into the index for each tag.
fn push_filter(sql: &mut String, params: &mut Vec<Val>, node: &Node, of: &str) {
    let (nodes, operator) = match node {
        Node::Tag(tag) => {
            let tag = bind(params, tag);
            let look = format!(
                "EXISTS (SELECT 1 FROM push_tags f
                   WHERE f.hub = $1 AND f.tag = {tag} AND f.place = {of}.place)"
            );
            sql.push_str(&look);
            return;
        }
        Node::Not(inner) => {
            sql.push_str("NOT ");
            return push_filter(sql, params, inner, of);
        }
        Node::All(nodes) => (nodes, " AND "),
        Node::Any(nodes) => (nodes, " OR "),
    };
    sql.push('(');
    for (index, node) in nodes.iter().enumerate() {
        sql.push_str(if index == 0 { "" } else { operator });
        push_filter(sql, params, node, of);
    }
    sql.push(')');
}

/// Takes a row apart: nothing of it is copied.
fn recipient(row: Row) -> Result<Recipient> {
    let values: [Val; 9] =
        row.into_values().try_into().map_err(|_| row::damaged("another number of columns"))?;
    let [place, id, platform, address, p256dh, auth, installation, template, variables] = values;
    let Val::Int(place) = place else { return Err(row::damaged("a place that is no number")) };
    let platform = text(platform)?.as_deref().and_then(Platform::from_format);
    let platform = platform.ok_or_else(|| row::damaged("an unknown platform"))?;
    let keys = text(p256dh)?.zip(text(auth)?);
    let keys = keys.map(|(p256dh, auth)| BrowserKeys { p256dh, auth });
    Ok(Recipient {
        key: Key(place),
        id: RegistrationId::stored(text(id)?.unwrap_or_default()),
        handle: Handle::stored(platform, text(address)?.unwrap_or_default(), keys),
        installation: text(installation)?,
        template: text(template)?.map(|it| row::template(&it)).transpose()?,
        push_variables: text(variables)?,
    })
}

fn text(value: Val) -> Result<Option<String>> {
    match value {
        Val::Text(text) => Ok(Some(text)),
        Val::Null => Ok(None),
        _ => Err(row::damaged("something else than text")),
    }
}

fn bind(params: &mut Vec<Val>, tag: &Tag) -> String {
    params.push(tag.folded().into());
    format!("${}", params.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_devices_are_estimated_from_how_fast_the_first_came() {
        let before = Key(1_000);
        assert_eq!(estimated(0, None, before), 0);
        assert_eq!(estimated(7, Some((1, 900)), before), 7, "all were counted");
        assert_eq!(estimated(COUNT_LIMIT, Some((0, 500)), before), 100_000);
        assert_eq!(estimated(COUNT_LIMIT, Some((0, 1_000)), before), 50_000);
        let far = Key(i64::MAX);
        assert!(estimated(COUNT_LIMIT, Some((0, 1)), far) > 1 << 60);
    }
}
