//! Dead letters: listed, reported to the courier, redriven, discarded, forgotten.

use std::time::Duration;

use kernel::Timestamp;
use storage::{Result, Row, Statement, Val, vals};

use super::Store;
use super::claim::small;
use super::look::{Cursor, Page};
use super::settle::next_of_key;
use crate::{DeadLetter, DeliveryId, Reason};

const COLUMNS: &str = "id, queue, target, order_key, payload, accepted_at, attempts, reason, \
    last_outcome, last_answer, last_attempt_at, died_at";

/// Which dead letters are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetters {
    /// Of this queue.
    pub queue: String,
    /// Of this target only.
    pub target: Option<String>,
    /// Given up for this reason only.
    pub reason: Option<Reason>,
    /// This one only.
    pub id: Option<DeliveryId>,
}

impl DeadLetters {
    /// All of a queue.
    pub fn of_queue(queue: impl Into<String>) -> Self {
        Self { queue: queue.into(), ..Self::default() }
    }

    /// The condition and its parameters.
    fn condition(&self) -> (String, Vec<Val>) {
        let (mut sql, mut params) = ("queue = $1".to_owned(), vals![self.queue.as_str()]);
        let mut also = |column: &str, val: Val| {
            params.push(val);
            sql.push_str(&format!(" AND {column} = ${}", params.len()));
        };
        if let Some(target) = &self.target {
            also("target", target.as_str().into());
        }
        if let Some(reason) = self.reason {
            also("reason", reason.as_str().into());
        }
        if let Some(id) = self.id {
            also("id", id.into());
        }
        (sql, params)
    }
}

/// Gives an item back all that it had when it was accepted.
const REDRIVE: &str = "INSERT INTO deliveries (id, queue, target, order_key, state, accepted_at, \
    due_at, expires_at, lifetime, attempts, max_attempts, last_outcome, last_answer, \
    last_attempt_at, progress, payload, trace) \
    SELECT id, queue, target, order_key, CASE WHEN order_key IS NOT NULL AND EXISTS (\
        SELECT 1 FROM deliveries AS other WHERE other.queue = dead_letters.queue \
        AND other.target = dead_letters.target AND other.order_key = dead_letters.order_key) \
        THEN 2 ELSE 0 END, accepted_at, CAST($1 AS BIGINT), CAST($1 AS BIGINT) + lifetime, \
        lifetime, 0, max_attempts, last_outcome, last_answer, last_attempt_at, progress, payload, \
        trace \
    FROM dead_letters WHERE id = $2";

const FORGET: &str = "DELETE FROM dead_letters WHERE id = $1";

impl Store {
    /// Newest first; those before `before`.
    pub(crate) async fn dead_letters(
        &self,
        which: &DeadLetters,
        before: Option<Cursor>,
        limit: usize,
    ) -> Result<Page<DeadLetter>> {
        let (mut sql, mut params) = which.condition();
        if let Some(Cursor { moment, id, .. }) = before {
            let first = params.len() + 1;
            sql.push_str(&format!(" AND (died_at, id) < (${first}, ${})", first + 1));
            params.extend(vals![moment, id]);
        }
        params.push(Val::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT {COLUMNS} FROM dead_letters WHERE {sql} \
             ORDER BY died_at DESC, id DESC LIMIT ${}",
            params.len()
        );
        let rows = self.db.query(sql, params).await?;
        let items = rows.iter().map(dead_letter).collect::<Result<Vec<_>>>()?;
        let full = items.len() >= limit;
        let next = items.last().filter(|_| full).map(|last| Cursor {
            state: 0,
            moment: last.died_at,
            id: last.id,
        });
        Ok(Page { items, next })
    }

    /// Puts up to `limit` dead letters that died at `until` at the latest back into their queue.
    /// Returns which, with their target.
    pub(crate) async fn redrive(
        &self,
        which: &DeadLetters,
        until: Timestamp,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(DeliveryId, String)>> {
        let chosen = self.choose(which, until, limit).await?;
        let mut statements = Vec::new();
        for (id, target, key) in &chosen {
            statements.push(Statement::new(REDRIVE, vals![now, *id]));
            statements.push(Statement::new(FORGET, vals![*id]));
            if let Some(key) = key {
                statements.push(next_of_key(&which.queue, target, key));
            }
        }
        if !statements.is_empty() {
            self.db.write(statements).await?;
        }
        Ok(chosen.into_iter().map(|(id, target, _)| (id, target)).collect())
    }

    /// Deletes up to `limit` dead letters that died at `until` at the latest. Returns how many.
    pub(crate) async fn discard(
        &self,
        which: &DeadLetters,
        until: Timestamp,
        limit: usize,
    ) -> Result<usize> {
        let chosen = self.choose(which, until, limit).await?;
        let forget = |(id, ..): &(DeliveryId, _, _)| Statement::new(FORGET, vals![*id]);
        let statements: Vec<_> = chosen.iter().map(forget).collect();
        if !statements.is_empty() {
            self.db.write(statements).await?;
        }
        Ok(chosen.len())
    }

    /// The oldest of them: id, target, order key.
    async fn choose(
        &self,
        which: &DeadLetters,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(DeliveryId, String, Option<String>)>> {
        let (sql, mut params) = which.condition();
        let first = params.len() + 1;
        params.extend(vals![until, i64::try_from(limit).unwrap_or(i64::MAX)]);
        let sql = format!(
            "SELECT id, target, order_key FROM dead_letters WHERE {sql} AND died_at <= ${first} \
             ORDER BY died_at, id LIMIT ${}",
            first + 1
        );
        let rows = self.db.query(sql, params).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
    }

    /// Dead letters that the courier is to be told of now.
    pub(crate) async fn unreported(
        &self,
        queue: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DeadLetter>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM dead_letters WHERE queue = $1 AND report_at <= $2 \
             ORDER BY report_at LIMIT $3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.db.query(sql, vals![queue, now, limit]).await?;
        rows.iter().map(dead_letter).collect()
    }

    /// Notes that the courier knows of the dead letter, or when it is told again.
    pub(crate) async fn reported(&self, id: DeliveryId, again: Option<Timestamp>) -> Result<()> {
        let sql = "UPDATE dead_letters SET report_at = $1 WHERE id = $2";
        self.db.execute(sql, vals![again, id]).await.map(drop)
    }

    /// Deletes up to `limit` dead letters of the queue that are older than `age`.
    pub(crate) async fn forget_old(
        &self,
        queue: &str,
        (now, age): (Timestamp, Duration),
        limit: usize,
    ) -> Result<u64> {
        let old = "SELECT 1 FROM dead_letters WHERE queue = $1 AND died_at < $2 LIMIT 1";
        if self.db.query(old, vals![queue, now - age]).await?.is_empty() {
            return Ok(0);
        }
        let sql = "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters \
                   WHERE queue = $1 AND died_at < $2 ORDER BY died_at LIMIT $3)";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(self.db.execute(sql, vals![queue, now - age, limit]).await?.affected)
    }
}

fn dead_letter(row: &Row) -> Result<DeadLetter> {
    Ok(DeadLetter {
        id: row.get(0)?,
        queue: row.get(1)?,
        target: row.get(2)?,
        order_key: row.get(3)?,
        payload: row.get(4)?,
        accepted_at: row.get(5)?,
        attempts: small(row.get(6)?),
        // A word of a newer program says at least that it was given up.
        reason: Reason::from_name(&row.get::<String>(7)?).unwrap_or(Reason::Refused),
        last_outcome: row.get(8)?,
        last_answer: row.get(9)?,
        last_attempt_at: row.get(10)?,
        died_at: row.get(11)?,
    })
}
