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

/// Devices of a tag are counted to here; beyond, two tags are equally common.
const COUNT_LIMIT: u64 = 200_000;

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
            None => Plan { drivers: None, filter: None },
            Some(expression) => {
                let counts = self.count_devices(hub, expression).await?;
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

    /// How many devices each tag of an expression has, up to a limit.
    async fn count_devices(
        &self,
        hub: HubKey,
        expression: &TagExpression,
    ) -> Result<HashMap<String, u64>> {
        let sql = format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM push_tags WHERE hub = $1 AND tag = $2
               LIMIT {COUNT_LIMIT}) AS counted"
        );
        let mut counts = HashMap::new();
        for tag in expression.tags() {
            if counts.contains_key(tag.folded()) {
                continue;
            }
            let rows = self.db.query(sql.clone(), vals![hub.0, tag.folded()]).await?;
            let count: i64 = rows[0].get(0)?;
            counts.insert(tag.folded().to_owned(), u64::try_from(count).unwrap_or(0));
        }
        Ok(counts)
    }
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
            // One tag gives its devices in order, each once.
            Some([tag]) => {
                let tag = bind(&mut params, tag);
                write!(
                    sql,
                    "push_tags d CROSS JOIN push_registrations r WHERE d.hub = $1 AND d.tag = {tag}
                       AND d.place > $2 AND d.place <= $3 AND r.place = d.place"
                )
                .expect("a string takes everything");
            }
            Some(tags) => {
                let tags: Vec<String> = tags.iter().map(|tag| bind(&mut params, tag)).collect();
                write!(
                    sql,
                    "(SELECT DISTINCT place FROM push_tags WHERE hub = $1 AND tag IN ({})
                        AND place > $2 AND place <= $3) d
                     CROSS JOIN push_registrations r WHERE r.place = d.place",
                    tags.join(", ")
                )
                .expect("a string takes everything");
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
