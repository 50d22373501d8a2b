//! What people ask: how much waits where, and what it is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use kernel::Timestamp;
use storage::{Result, vals};

use super::Store;
use super::claim::small;
use crate::{Counts, DeliveryId, Pending};

/// Reads every entry of an index: a few hundred milliseconds for a million items.
const WAITING: &str = "SELECT target, COUNT(CASE WHEN state <> 1 THEN 1 END), \
    COUNT(CASE WHEN state = 0 AND due_at <= $2 THEN 1 END), COUNT(CASE WHEN state = 1 THEN 1 END) \
    FROM deliveries WHERE queue = $1 GROUP BY target";

const DEAD: &str = "SELECT target, COUNT(*) FROM dead_letters WHERE queue = $1 GROUP BY target";

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to ask the next page with; none when the list has ended.
    pub next: Option<Cursor>,
}

/// The last entry of a page, by what the list is sorted by. As text it is for URLs and command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) state: i64,
    pub(super) moment: Timestamp,
    pub(super) id: DeliveryId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.state, self.moment.as_micros(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> std::result::Result<Self, NotACursor> {
        let parse = || {
            let mut parts = text.splitn(3, '.');
            let state = parts.next()?.parse().ok()?;
            let moment = Timestamp::from_micros(parts.next()?.parse().ok()?);
            Some(Self { state, moment, id: parts.next()?.parse().ok()? })
        };
        parse().ok_or(NotACursor)
    }
}

/// The text is not what a page ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the cursor of a page; give the one that the last page ended with, unchanged")]
pub struct NotACursor;

impl Store {
    /// By target, in their order.
    pub(crate) async fn counts(&self, queue: &str, now: Timestamp) -> Result<Vec<Counts>> {
        let mut targets = BTreeMap::new();
        for row in self.db.query(WAITING, vals![queue, now]).await? {
            let counts = Counts {
                queue: queue.to_owned(),
                target: row.get(0)?,
                queued: count(row.get(1)?),
                due: count(row.get(2)?),
                leased: count(row.get(3)?),
                dead: 0,
            };
            targets.insert(counts.target.clone(), counts);
        }
        for row in self.db.query(DEAD, vals![queue]).await? {
            let target: String = row.get(0)?;
            let fresh =
                || Counts { queue: queue.to_owned(), target: target.clone(), ..Counts::default() };
            targets.entry(target.clone()).or_insert_with(fresh).dead = count(row.get(1)?);
        }
        Ok(targets.into_values().collect())
    }

    /// The ready ones by the moment of their attempt, then the leased, then those behind others of
    /// their key; those after `after`.
    pub(crate) async fn pending(
        &self,
        (queue, target): (&str, &str),
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<Pending>> {
        let mut params = vals![queue, target, i64::try_from(limit).unwrap_or(i64::MAX)];
        let mut condition = "";
        if let Some(Cursor { state, moment, id }) = after {
            condition = "AND (state, due_at, id) > ($4, $5, $6)";
            params.extend(vals![state, moment, id]);
        }
        let sql = format!(
            "SELECT id, order_key, accepted_at, due_at, expires_at, attempts, state, last_outcome, \
             last_answer FROM deliveries WHERE queue = $1 AND target = $2 {condition} \
             ORDER BY state, due_at, id LIMIT $3"
        );
        let (mut items, mut last) = (Vec::new(), None);
        for row in self.db.query(sql, params).await? {
            let state = row.get(6)?;
            last = Some(Cursor { state, moment: row.get(3)?, id: row.get(0)? });
            items.push(Pending {
                id: row.get(0)?,
                order_key: row.get(1)?,
                accepted_at: row.get(2)?,
                due_at: row.get(3)?,
                expires_at: row.get(4)?,
                attempts: small(row.get(5)?),
                leased: state == 1,
                last_outcome: row.get(7)?,
                last_answer: row.get(8)?,
            });
        }
        let next = last.filter(|_| items.len() >= limit);
        Ok(Page { items, next })
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
