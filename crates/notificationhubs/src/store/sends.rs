//! Notifications on their way: what they still wait for, and requests that came twice.

use std::collections::HashMap;

use kernel::{Result, Timestamp};
use storage::{Statement, vals};

use super::{HubKey, Store, row};
use crate::notification::State;
use crate::push::OutcomeName;

/// A notification in a list for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub state: State,
    /// When it was taken.
    pub enqueued_at: Timestamp,
}

impl Store {
    /// The statement by which a notification waits for one delivery more.
    pub fn add_part(&self, hub: HubKey, id: &str) -> Statement {
        let sql = "UPDATE push_notifications SET parts = parts + 1 WHERE hub = $1 AND id = $2";
        Statement::new(sql, vals![hub.0, id])
    }

    /// The statement by which a notification waits for one delivery less. After the last one it is
    /// over: given up if a device was, else completed, or without a target if no device was counted.
    pub fn finish_part(&self, hub: HubKey, id: &str, now: Timestamp) -> Statement {
        let counted = "SELECT 1 FROM push_outcomes o WHERE o.hub = $1 AND o.notification = $2";
        let abandoned = OutcomeName::AbandonedNotificationMessages.as_str();
        let sql = format!(
            "UPDATE push_notifications SET parts = parts - 1,
               state = CASE WHEN parts > 1 THEN state
                 WHEN EXISTS ({counted} AND o.outcome = '{abandoned}') THEN '{}'
                 WHEN EXISTS ({counted}) THEN '{}' ELSE '{}' END,
               ended_at = CASE WHEN parts > 1 THEN ended_at ELSE CAST($3 AS BIGINT) END
             WHERE hub = $1 AND id = $2",
            State::Abandoned.as_str(),
            State::Completed.as_str(),
            State::NoTargetFound.as_str(),
        );
        Statement::new(sql, vals![hub.0, id, now])
    }

    /// Begins a notification whose time has come; tells how far it is, nothing if it is gone.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn begin_notification(
        &self,
        hub: HubKey,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<(State, String)>> {
        let begin = [State::Enqueued, State::Scheduled]
            .map(|from| self.move_notification(hub, id, from, State::Processing, now));
        let sql = "SELECT state, body FROM push_notifications WHERE hub = $1 AND id = $2";
        let rows = match self.db.query(sql, vals![hub.0, id]).await? {
            rows if rows.is_empty() => return Ok(None),
            rows => rows,
        };
        let state = State::from_name(&rows[0].get::<String>(0)?);
        let state = state.ok_or_else(|| row::damaged("an unknown state"))?;
        if !matches!(state, State::Enqueued | State::Scheduled) {
            return Ok(Some((state, rows[0].get(1)?)));
        }
        let outcomes = self.db.write(begin).await?;
        // A cancellation may have been faster.
        let begun = outcomes.iter().any(|outcome| outcome.affected == 1);
        let state = if begun { State::Processing } else { State::Canceled };
        Ok(Some((state, rows[0].get(1)?)))
    }

    /// The statement that remembers the answer to a request, so that the same request is not carried
    /// out twice. In a transaction it fails as a duplicate when the request has come before.
    pub fn remember_request(
        &self,
        hub: HubKey,
        request: &str,
        answer: &str,
        now: Timestamp,
    ) -> Statement {
        let sql = "INSERT INTO push_requests (hub, request, answer, at) VALUES ($1, $2, $3, $4)";
        Statement::new(sql, vals![hub.0, request, answer, now])
    }

    /// The answer that a request was given.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn answer_of(&self, hub: HubKey, request: &str) -> Result<Option<String>> {
        let sql = "SELECT answer FROM push_requests WHERE hub = $1 AND request = $2";
        let rows = self.db.query(sql, vals![hub.0, request]).await?;
        Ok(rows.first().map(|row| row.get(0)).transpose()?)
    }

    /// Forgets requests that came before `before`.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn forget_requests(&self, before: Timestamp) -> Result<()> {
        self.db.execute("DELETE FROM push_requests WHERE at < $1", vals![before]).await?;
        Ok(())
    }

    /// How many notifications of each hub wait for their time; hubs without any are left out.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn count_scheduled(&self) -> Result<HashMap<HubKey, i64>> {
        // In the words of the index.
        let sql = "SELECT hub, COUNT(*) FROM push_notifications WHERE state = 'Scheduled'
                   GROUP BY hub";
        let rows = self.db.query(sql, vals![]).await?;
        rows.iter().map(|row| Ok((HubKey(row.get(0)?), row.get(1)?))).collect()
    }

    /// The latest notifications of a hub, the newest first.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn latest_notifications(&self, hub: HubKey, limit: usize) -> Result<Vec<Listed>> {
        let sql = format!(
            "SELECT id, state, enqueued_at FROM push_notifications WHERE hub = $1
             ORDER BY enqueued_at DESC, id LIMIT {limit}"
        );
        let rows = self.db.query(sql, vals![hub.0]).await?;
        let listed = rows.iter().map(|row| {
            let state = State::from_name(&row.get::<String>(1)?);
            let state = state.ok_or_else(|| row::damaged("an unknown state"))?;
            Ok(Listed { id: row.get(0)?, state, enqueued_at: row.get(2)? })
        });
        listed.collect()
    }
}
