//! All SQL of this crate.
//!
//! One text for every engine: a word that only one engine knows stands in a comment that this engine
//! reads. Nothing here decides: what becomes of an item is told by the caller. Every statement costs
//! O(log n) for each item that it touches, however many there are, except the counts for people.
//!
//! An item is *ready* (for its next attempt, now or later), *leased* (a node is at it) or *behind*
//! another item of its order key. Of each key one item at most is ready or leased; where two
//! transactions that ran side by side left none, [`sweep`] finds the key.

mod claim;
mod dead;
mod enqueue;
mod look;
mod schema;
mod settle;
mod sweep;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Timestamp};
use storage::{Db, Result, Statement, Val};

use crate::courier::LeaseLost;
use crate::id::Ids;
use crate::{DeliveryId, NewDelivery};

pub(crate) use claim::Claimed;
pub use dead::DeadLetters;
pub use look::{Cursor, NotACursor, Page};
pub(crate) use settle::{Attempted, Settled, Settlement};
pub(crate) use sweep::{KeyCursor, Waiting};

/// The tables.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: Db,
}

/// Who holds leases: a node, in one of its lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    node: String,
    /// The node and the life, as leases carry it.
    name: Arc<str>,
}

impl Owner {
    /// `life` differs each time the node starts.
    pub(crate) fn new(node: &str, life: impl std::fmt::Display) -> Self {
        Self { node: node.to_owned(), name: format!("{node}/{life}").into() }
    }

    /// As leases carry it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Store {
    /// The tables in `db`, made where they are missing.
    pub(crate) async fn open(db: Db) -> Result<Self> {
        db.migrate("delivery", &schema::MIGRATIONS).await?;
        Ok(Self { db })
    }

    /// Makes `ids` stay above all ids of the store.
    pub(crate) async fn continue_ids(&self, ids: &Ids) -> Result<()> {
        let last = "SELECT id FROM deliveries ORDER BY id DESC LIMIT 1";
        if let Some(row) = self.db.query(last, []).await?.first() {
            ids.stay_above(row.get(0)?);
        }
        Ok(())
    }

    /// The ids of all items in the queue, for tests.
    #[cfg(test)]
    pub(crate) async fn ids(&self) -> Vec<DeliveryId> {
        let rows = self.db.query("SELECT id FROM deliveries", []).await.unwrap();
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// What puts `new` into the queue.
    pub(crate) fn enqueue(new: &NewDelivery, now: Timestamp, time_scale: f64) -> Statement {
        enqueue::statement(new, now, time_scale)
    }

    /// What removes all waiting and attempted items of a target.
    pub(crate) fn cancel(queue: &str, target: &str) -> Statement {
        let sql = "DELETE FROM deliveries WHERE queue = $1 AND target = $2";
        Statement::new(sql, storage::vals![queue, target])
    }
}

/// What an attempt needs to say how far it has come.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) store: Store,
    pub(crate) owner: Owner,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lease: Duration,
}

impl Held {
    pub(crate) async fn checkpoint(
        &self,
        id: DeliveryId,
        progress: Vec<u8>,
        with: Vec<Statement>,
    ) -> Result<(), LeaseLost> {
        let sql = "UPDATE deliveries SET progress = $1, lease_until = $2 \
                   WHERE id = $3 AND lease_owner = $4";
        let until = self.clock.now() + self.lease;
        let params = storage::vals![progress, until, id, self.owner.name()];
        let mut statements = vec![Statement::new(sql, params)];
        statements.extend(with);
        match self.store.db.write(statements).await {
            Ok(outcomes) if outcomes[0].affected == 1 => Ok(()),
            Ok(_) => Err(LeaseLost),
            Err(error) => {
                tracing::warn!(delivery = %id, %error, "a checkpoint could not be stored");
                Err(LeaseLost)
            }
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Held").field("owner", &self.owner.name()).finish_non_exhaustive()
    }
}

/// `head` with a list of ids in place of `{ids}`, numbered after `params`: one statement for many
/// rows. The lengths are powers of two, so that few texts exist and stay prepared.
fn for_ids(head: &'static str, params: &[Val], ids: &[DeliveryId]) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut rest = ids;
    while !rest.is_empty() {
        let length = (1 << rest.len().ilog2()).min(MAX_LIST);
        let (chunk, later) = rest.split_at(length);
        let mut list = String::new();
        for position in 1..=length {
            let comma = if position == 1 { "" } else { ", " };
            let _ = write!(list, "{comma}${}", params.len() + position);
        }
        let mut params = params.to_vec();
        params.extend(chunk.iter().map(|id| Val::from(*id)));
        statements.push(Statement::new(head.replace("{ids}", &list), params));
        rest = later;
    }
    statements
}

/// Ids in one statement.
const MAX_LIST: usize = 64;

#[cfg(test)]
mod tests;
