//! Finding what nobody is awake for: after a crash, from other nodes, from lost leases.
//!
//! Every step looks at a bounded number of rows and goes on where it ended the next time.

use std::time::Duration;

use kernel::Timestamp;
use storage::{Result, Statement, vals};

use super::settle::next_of_key;
use super::{Owner, Store};
use crate::DeliveryId;

/// One jump of the index to the next target, as often as asked for.
const TARGETS: &str = "WITH RECURSIVE found (target, number) AS (\
        SELECT (SELECT target FROM deliveries WHERE queue = $1 AND target >= $2 \
            ORDER BY target LIMIT 1), CAST(1 AS BIGINT) \
        UNION ALL \
        SELECT (SELECT target FROM deliveries WHERE queue = $1 AND target > found.target \
            ORDER BY target LIMIT 1), number + 1 \
        FROM found WHERE found.target IS NOT NULL AND number < $3) \
    SELECT target, (SELECT due_at FROM deliveries AS d WHERE d.queue = $1 \
        AND d.target = found.target AND d.state = 0 ORDER BY due_at LIMIT 1) \
    FROM found WHERE target IS NOT NULL";

/// As [`TARGETS`] for order keys, with whether an item of the key is ready or leased.
const KEYS: &str = "WITH RECURSIVE found (id, number) AS (\
        SELECT (SELECT id FROM deliveries WHERE order_key IS NOT NULL AND queue = $1 \
            AND (target, order_key) > ($2, $3) ORDER BY target, order_key LIMIT 1), \
            CAST(1 AS BIGINT) \
        UNION ALL \
        SELECT (SELECT e.id FROM deliveries AS e WHERE e.order_key IS NOT NULL AND e.queue = $1 \
            AND (e.target, e.order_key) > (d.target, d.order_key) \
            ORDER BY e.target, e.order_key LIMIT 1), number + 1 \
        FROM found JOIN deliveries AS d ON d.id = found.id WHERE number < $4) \
    SELECT d.target, d.order_key, CASE WHEN EXISTS (SELECT 1 FROM deliveries AS e \
        WHERE e.queue = $1 AND e.target = d.target AND e.order_key = d.order_key \
        AND e.state IN (0, 1)) THEN 1 ELSE 0 END \
    FROM found JOIN deliveries AS d ON d.id = found.id";

/// A lease that ends later than any lease can was taken before the clock was set back.
const RELEASE: &str = "WITH chosen AS MATERIALIZED (SELECT id FROM deliveries \
        WHERE state = 1 AND (lease_until <= $1 OR lease_until > $2) LIMIT 500 \
        /*postgres: FOR UPDATE SKIP LOCKED*/) \
    UPDATE deliveries SET state = 0, lease_owner = NULL, lease_until = NULL \
    WHERE state = 1 AND id IN (SELECT id FROM chosen) \
    RETURNING queue, target";

/// The slash ends the node's name: `a` does not take what `ab` holds.
const TAKE_BACK: &str = "UPDATE deliveries SET state = 0, lease_owner = NULL, lease_until = NULL \
    WHERE state = 1 AND lease_owner <> $1 AND substr(lease_owner, 1, length($2)) = $2";

const GIVE_ALL_BACK: &str = "UPDATE deliveries SET state = 0, lease_owner = NULL, \
    lease_until = NULL WHERE state = 1 AND lease_owner = $1";

/// A target that has items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) target: String,
    /// When its first ready item is due, if one is ready.
    pub(crate) due_at: Option<Timestamp>,
}

/// The key after which the next look begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyCursor {
    target: String,
    key: String,
}

impl Store {
    /// Up to `limit` targets with items, from `first` on, in their order.
    pub(crate) async fn targets(
        &self,
        queue: &str,
        first: &str,
        limit: usize,
    ) -> Result<Vec<Waiting>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.db.query(TARGETS, vals![queue, first, limit]).await?;
        rows.iter().map(|row| Ok(Waiting { target: row.get(0)?, due_at: row.get(1)? })).collect()
    }

    /// Extends the leases on `held`, then ends those that have run out, whoever held them. Returns
    /// the queues and targets of the ended ones.
    pub(crate) async fn renew_and_release(
        &self,
        owner: &Owner,
        held: &[DeliveryId],
        (now, lease): (Timestamp, Duration),
    ) -> Result<Vec<(String, String)>> {
        let mut statements = Self::extend(owner, held, now + lease);
        statements.push(Statement::new(RELEASE, vals![now, now + lease * 2]));
        let outcomes = self.db.write(statements).await?;
        let released = outcomes.last().map(|outcome| outcome.rows.as_slice()).unwrap_or_default();
        released.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Looks at up to `limit` keys after `cursor` and mends those whose items all stand behind one
    /// that is gone. Returns the targets of the mended ones and where to go on.
    pub(crate) async fn mend_keys(
        &self,
        queue: &str,
        cursor: &KeyCursor,
        limit: usize,
    ) -> Result<(Vec<String>, KeyCursor)> {
        let count = i64::try_from(limit).unwrap_or(i64::MAX);
        let params = vals![queue, cursor.target.as_str(), cursor.key.as_str(), count];
        let rows = self.db.query(KEYS, params).await?;
        let (mut targets, mut statements) = (Vec::new(), Vec::new());
        let mut last = KeyCursor::default();
        for row in &rows {
            last = KeyCursor { target: row.get(0)?, key: row.get(1)? };
            if !row.get::<bool>(2)? {
                statements.push(next_of_key(queue, &last.target, &last.key));
                targets.push(last.target.clone());
            }
        }
        if !statements.is_empty() {
            self.db.write(statements).await?;
        }
        let ended = rows.len() < limit;
        Ok((targets, if ended { KeyCursor::default() } else { last }))
    }

    /// Ends the leases that the node took in its former lives.
    pub(crate) async fn take_back(&self, owner: &Owner) -> Result<()> {
        let prefix = format!("{}/", owner.node);
        self.db.execute(TAKE_BACK, vals![owner.name(), prefix]).await.map(drop)
    }

    /// Ends all leases of this life.
    pub(crate) async fn give_all_back(&self, owner: &Owner) -> Result<()> {
        self.db.execute(GIVE_ALL_BACK, vals![owner.name()]).await.map(drop)
    }
}
