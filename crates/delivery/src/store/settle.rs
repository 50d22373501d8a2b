//! Writing down what came of attempts, and giving leases back.
//!
//! Whatever is written is bound to the lease: when another node has taken the item over, or it was
//! cancelled, nothing happens.

use kernel::{Timestamp, TraceContext};
use storage::{Result, Statement, Val, vals};

use super::{Owner, Store, for_ids};
use crate::{DeliveryId, Reason};

const DONE: &str = "DELETE FROM deliveries WHERE lease_owner = $1 AND id IN ({ids})";

const GIVE_BACK: &str = "UPDATE deliveries SET state = 0, lease_owner = NULL, lease_until = NULL \
    WHERE lease_owner = $1 AND id IN ({ids})";

const AGAIN: &str = "UPDATE deliveries SET state = 0, lease_owner = NULL, lease_until = NULL, \
    due_at = $1, attempts = attempts + 1, last_outcome = $2, last_answer = $3, \
    last_attempt_at = $4 WHERE id = $5 AND lease_owner = $6";

const BURY: &str = "INSERT INTO dead_letters (id, queue, target, order_key, accepted_at, lifetime, \
    attempts, max_attempts, reason, last_outcome, last_answer, last_attempt_at, died_at, \
    report_at, progress, payload, trace) \
    SELECT id, queue, target, order_key, accepted_at, lifetime, attempts + $1, max_attempts, \
        CAST($2 AS TEXT), COALESCE($3, last_outcome), COALESCE($4, last_answer), \
        COALESCE($5, last_attempt_at), CAST($6 AS BIGINT), CAST($6 AS BIGINT), progress, payload, \
        trace \
    FROM deliveries WHERE id = $7 AND lease_owner = $8";

/// The first item behind the others of its key becomes ready, when no other is ready or leased.
const NEXT_OF_KEY: &str = "UPDATE deliveries SET state = 0 \
    WHERE id = (SELECT id FROM deliveries WHERE queue = $1 AND target = $2 AND order_key = $3 \
        AND state = 2 ORDER BY id LIMIT 1) \
    AND NOT EXISTS (SELECT 1 FROM deliveries AS other WHERE other.queue = $1 \
        AND other.target = $2 AND other.order_key = $3 AND other.state IN (0, 1))";

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempted {
    pub(crate) at: Timestamp,
    pub(crate) outcome: String,
    pub(crate) answer: String,
}

/// What becomes of a leased item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// It is done.
    Done,
    /// Another attempt follows.
    Again { due_at: Timestamp, attempted: Attempted },
    /// It becomes a dead letter; without an attempt when it has expired, `held` when its target's
    /// probation kept it from having any.
    Bury { reason: Reason, attempted: Option<Attempted>, held: bool, at: Timestamp },
    /// The lease is given back, as if it had never been.
    GiveBack,
}

impl Store {
    /// Writes what becomes of the items, all or none.
    pub(crate) async fn settle(&self, owner: &Owner, settled: &[Settled]) -> Result<()> {
        let mut statements = Vec::new();
        let ids = |wanted: &Settlement| -> Vec<DeliveryId> {
            let wanted = settled.iter().filter(|it| it.settlement == *wanted);
            wanted.map(|it| it.id).collect()
        };
        let owned = vals![owner.name()];
        statements.extend(for_ids(DONE, &owned, &ids(&Settlement::Done)));
        statements.extend(for_ids(GIVE_BACK, &owned, &ids(&Settlement::GiveBack)));
        for it in settled {
            statements.extend(statements_for(it, owner));
            let ended = matches!(it.settlement, Settlement::Done | Settlement::Bury { .. });
            if let (true, Some(key)) = (ended, &it.order_key) {
                statements.push(next_of_key(&it.queue, &it.target, key));
            }
        }
        self.db.write(statements).await?;
        Ok(())
    }
}

/// An item and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) id: DeliveryId,
    pub(crate) queue: std::sync::Arc<str>,
    pub(crate) target: std::sync::Arc<str>,
    pub(crate) order_key: Option<String>,
    pub(crate) accepted_at: Timestamp,
    pub(crate) trace: Option<TraceContext>,
    pub(crate) settlement: Settlement,
}

/// What makes the next item of a key ready; does nothing while another one is.
pub(super) fn next_of_key(queue: &str, target: &str, key: &str) -> Statement {
    Statement::new(NEXT_OF_KEY, vals![queue, target, key])
}

/// The statements for one item, unless many are settled by one.
fn statements_for(it: &Settled, owner: &Owner) -> Vec<Statement> {
    match &it.settlement {
        Settlement::Done | Settlement::GiveBack => Vec::new(),
        Settlement::Again { due_at, attempted } => {
            let Attempted { at, outcome, answer } = attempted;
            let (outcome, answer) = (outcome.as_str(), answer.as_str());
            let params = vals![*due_at, outcome, answer, *at, it.id, owner.name()];
            vec![Statement::new(AGAIN, params)]
        }
        Settlement::Bury { reason, attempted, held, at } => {
            let outcome = attempted.as_ref().map(|it| it.outcome.as_str());
            let outcome = outcome.or(held.then_some(crate::DeadLetter::HELD));
            let params = vec![
                Val::from(i64::from(attempted.is_some())),
                reason.as_str().into(),
                outcome.into(),
                attempted.as_ref().map(|it| it.answer.as_str()).into(),
                attempted.as_ref().map(|it| it.at).into(),
                (*at).into(),
                it.id.into(),
                owner.name().into(),
            ];
            let mut statements = vec![Statement::new(BURY, params)];
            statements.extend(for_ids(DONE, &vals![owner.name()], &[it.id]));
            statements
        }
    }
}
