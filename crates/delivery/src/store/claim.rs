//! Taking leases, and keeping them.

use std::time::Duration;

use kernel::Timestamp;
use storage::{Result, Row, Statement, vals};

use super::{Owner, Store, for_ids};
use crate::{DeliveryId, Item, journeys};

/// A key's item is left alone while another one of the key is leased or comes before it, which can
/// only be when transactions ran side by side. The choice is made once, before the update: as a plain
/// subquery PostgreSQL may repeat it and lease more than asked for.
const CLAIM: &str = "WITH chosen AS MATERIALIZED (SELECT d.id FROM deliveries AS d \
        WHERE d.queue = $3 AND d.target = $4 AND d.state = 0 AND d.due_at <= $5 \
        AND (d.order_key IS NULL OR NOT (\
            EXISTS (SELECT 1 FROM deliveries AS other WHERE other.queue = d.queue \
                AND other.target = d.target AND other.order_key = d.order_key AND other.state = 1) \
            OR EXISTS (SELECT 1 FROM deliveries AS other WHERE other.queue = d.queue \
                AND other.target = d.target AND other.order_key = d.order_key \
                AND other.state = 0 AND other.id < d.id))) \
        ORDER BY d.due_at LIMIT $6 /*postgres: FOR UPDATE SKIP LOCKED*/) \
    UPDATE deliveries SET state = 1, lease_owner = $1, lease_until = $2 \
    WHERE state = 0 AND id IN (SELECT id FROM chosen) \
    RETURNING id, order_key, payload, accepted_at, expires_at, attempts, max_attempts, \
        last_outcome, progress, trace";

const NEXT_DUE: &str = "SELECT due_at FROM deliveries WHERE queue = $1 AND target = $2 \
    AND state = 0 ORDER BY due_at LIMIT 1";

const EXTEND: &str =
    "UPDATE deliveries SET lease_until = $1 WHERE lease_owner = $2 AND id IN ({ids})";

/// What a claim brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// In the order of their acceptance.
    pub(crate) items: Vec<Item>,
    /// When the first of those that were left is due.
    pub(crate) next_due: Option<Timestamp>,
}

impl Store {
    /// Leases up to `limit` items of the target that are due at `now`.
    pub(crate) async fn claim(
        &self,
        owner: &Owner,
        (queue, target): (&str, &str),
        limit: usize,
        (now, lease): (Timestamp, Duration),
    ) -> Result<Claimed> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let params = vals![owner.name(), now + lease, queue, target, now, limit];
        let statements =
            [Statement::new(CLAIM, params), Statement::new(NEXT_DUE, vals![queue, target])];
        let outcomes = self.db.write(statements).await?;
        let [claimed, next] = outcomes.as_slice() else {
            return Ok(Claimed::default());
        };
        let mut items = claimed.rows.iter().map(item).collect::<Result<Vec<_>>>()?;
        items.sort_unstable_by_key(|item| item.id);
        let next_due = next.rows.first().map(|row| row.get(0)).transpose()?;
        Ok(Claimed { items, next_due })
    }

    /// What keeps the leases on `ids` alive until `until`.
    pub(super) fn extend(owner: &Owner, ids: &[DeliveryId], until: Timestamp) -> Vec<Statement> {
        for_ids(EXTEND, &vals![until, owner.name()], ids)
    }
}

fn item(row: &Row) -> Result<Item> {
    Ok(Item {
        id: row.get(0)?,
        order_key: row.get(1)?,
        payload: row.get(2)?,
        accepted_at: row.get(3)?,
        expires_at: row.get(4)?,
        attempts: small(row.get(5)?),
        max_attempts: small(row.get(6)?),
        last_outcome: row.get(7)?,
        progress: row.get(8)?,
        trace: journeys::restored(row.get(9)?),
    })
}

pub(super) fn small(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
