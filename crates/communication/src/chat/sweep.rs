//! What time does: threads end by their retention policy, deleted ones lose their messages, old
//! request ids are forgotten.

use std::time::Duration;

use kernel::Result;
use storage::vals;
use tokio::time::MissedTickBehavior;

use super::service::Chat;
use super::threads::deletion;

/// How often time is looked at.
const INTERVAL: Duration = Duration::from_mins(1);
/// Rows that one statement deletes at most: everybody else's writes wait for it.
const CHUNK: i64 = 1_000;
/// Threads of one look.
const THREADS: i64 = 100;
/// How long a repeated request leads to its first result. Azure publishes no figure.
const REMEMBER_REQUESTS: Duration = Duration::from_hours(24);

impl Chat {
    /// Sweeps every minute, for ever.
    pub async fn sweep_regularly(self) {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.sweep().await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "cannot sweep the chat threads");
            }
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When the store fails; what is left is due again next time.
    pub async fn sweep(&self) -> Result<()> {
        self.end_expired().await?;
        self.empty_deleted().await?;
        let old = self.now() - REMEMBER_REQUESTS;
        let sql = "DELETE FROM chat_repeatable_requests WHERE made_at < $1";
        self.0.db.execute(sql, vals![old]).await?;
        Ok(())
    }

    async fn end_expired(&self) -> Result<()> {
        let sql = "SELECT resource, id FROM chat_threads
                   WHERE expires_at <= $1 AND deleted_at IS NULL ORDER BY expires_at LIMIT $2";
        for row in self.0.db.query(sql, vals![self.now(), THREADS]).await? {
            let (resource, id): (String, String) = (row.get(0)?, row.get(1)?);
            self.end_by_policy(&resource, &id).await?;
        }
        Ok(())
    }

    async fn empty_deleted(&self) -> Result<()> {
        let sql = "SELECT id FROM chat_threads
                   WHERE deleted_at IS NOT NULL AND emptied_at IS NULL
                   ORDER BY deleted_at LIMIT $1";
        for row in self.0.db.query(sql, vals![THREADS]).await? {
            let id: String = row.get(0)?;
            let messages = "DELETE FROM chat_messages WHERE thread = $1 AND id IN (
                              SELECT id FROM chat_messages WHERE thread = $1 LIMIT $2)";
            while self.0.db.execute(messages, vals![&*id, CHUNK]).await?.affected > 0 {}
            let receipts = "DELETE FROM chat_read_receipts WHERE thread = $1";
            self.0.db.execute(receipts, vals![&*id]).await?;
            let done = "UPDATE chat_threads SET emptied_at = $2 WHERE id = $1";
            self.0.db.execute(done, vals![&*id, self.now()]).await?;
        }
        Ok(())
    }

    async fn end_by_policy(&self, resource: &str, id: &str) -> Result<()> {
        let entry = self.entry_even_expired(resource, id).await?;
        // Overtaken, it is found again next time.
        match self.attempt(&entry, id, |state, _, now| Ok(deletion(state, None, now))).await {
            Err(error) if error.kind() != kernel::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
