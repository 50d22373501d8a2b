//! Notifications with their outcomes, and what push services refused.

use kernel::{Result, Timestamp};
use storage::{Row, Statement, vals};

use super::{HubKey, Store, row};
use crate::Platform;
use crate::entry::{Details, Feedback};
use crate::notification::State;
use crate::refusal::not_found;
use crate::registration::Key;

/// A notification that has been accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotification {
    /// Its id.
    pub id: String,
    /// [`State::Enqueued`] or [`State::Scheduled`].
    pub state: State,
    /// The payload as it was sent.
    pub body: String,
    /// The tag expression.
    pub tags: Option<String>,
    /// The platforms that it is for, with commas between them.
    pub platforms: String,
}

/// A refusal with its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedbackEntry {
    /// Where to read on.
    pub key: Key,
    /// The refusal.
    pub feedback: Feedback,
}

/// Which refusals are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackOf<'a> {
    /// All of a hub.
    Hub,
    /// Those that came from the first moment on and before the second.
    Time(Timestamp, Timestamp),
    /// Those about one notification.
    Notification(&'a str),
}

impl Store {
    /// The statement that records a notification, for the transaction that also enqueues its work.
    pub fn insert_notification(
        &self,
        hub: HubKey,
        notification: &NewNotification,
        now: Timestamp,
    ) -> Statement {
        Statement::new(
            "INSERT INTO push_notifications (hub, id, state, enqueued_at, body, tags, platforms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            vals![
                hub.0,
                notification.id.as_str(),
                notification.state.as_str(),
                now,
                notification.body.as_str(),
                notification.tags.clone(),
                notification.platforms.as_str()
            ],
        )
    }

    /// The statement that takes a notification from one state to the next; nothing happens when it is
    /// in another. The first of a walk sets the start, a final one the end.
    pub fn move_notification(
        &self,
        hub: HubKey,
        id: &str,
        from: State,
        to: State,
        now: Timestamp,
    ) -> Statement {
        let column = if to.is_final() { "ended_at" } else { "started_at" };
        let sql = format!(
            "UPDATE push_notifications SET state = $1, {column} = $2
             WHERE hub = $3 AND id = $4 AND state = $5"
        );
        Statement::new(sql, vals![to.as_str(), now, hub.0, id, from.as_str()])
    }

    /// The statement that adds devices to an outcome, for the transaction that settles them.
    pub fn count_outcome(
        &self,
        hub: HubKey,
        id: &str,
        platform: Platform,
        outcome: &str,
        devices: i64,
    ) -> Statement {
        Statement::new(
            "INSERT INTO push_outcomes (hub, notification, platform, outcome, devices)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (hub, notification, platform, outcome)
             DO UPDATE SET devices = push_outcomes.devices + excluded.devices",
            vals![hub.0, id, platform.format(), outcome, devices],
        )
    }

    /// What is known of a notification; addresses are left empty.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn notification(&self, hub: HubKey, id: &str) -> Result<Details> {
        let sql = "SELECT state, enqueued_at, started_at, ended_at, body, tags, platforms
                   FROM push_notifications WHERE hub = $1 AND id = $2";
        let rows = self.db.query(sql, vals![hub.0, id]).await?;
        let row = rows.first().ok_or_else(|| {
            not_found("No notification has this id; telemetry is kept for some days only.")
        })?;
        let state = State::from_name(&row.get::<String>(0)?);
        Ok(Details {
            id: id.to_owned(),
            location: String::new(),
            state: state.ok_or_else(|| row::damaged("an unknown state"))?,
            enqueued_at: row.get(1)?,
            started_at: row.get(2)?,
            ended_at: row.get(3)?,
            body: row.get(4)?,
            tags: row.get(5)?,
            target_platforms: row.get(6)?,
            counts: self.outcomes(hub, id).await?,
            errors_url: None,
        })
    }

    async fn outcomes(&self, hub: HubKey, id: &str) -> Result<Vec<(Platform, Vec<(String, u64)>)>> {
        let sql = "SELECT platform, outcome, devices FROM push_outcomes
                   WHERE hub = $1 AND notification = $2 ORDER BY platform, outcome";
        let mut counts: Vec<(Platform, Vec<(String, u64)>)> = Vec::new();
        for row in self.db.query(sql, vals![hub.0, id]).await? {
            let platform = platform(&row, 0)?;
            let count = (row.get(1)?, u64::try_from(row.get::<i64>(2)?).unwrap_or(0));
            match counts.last_mut().filter(|(own, _)| *own == platform) {
                Some((_, counts)) => counts.push(count),
                None => counts.push((platform, vec![count])),
            }
        }
        Ok(counts)
    }

    /// The statement that records what a push service refused.
    pub fn insert_feedback(&self, hub: HubKey, feedback: &Feedback) -> Statement {
        Statement::new(
            "INSERT INTO push_feedback (place, hub, at, error, platform, handle, registration,
               installation, notification, new_handle)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            vals![
                self.keys.next(feedback.at).0,
                hub.0,
                feedback.at,
                feedback.error.as_str(),
                feedback.platform.format(),
                feedback.handle.as_str(),
                feedback.registration_id.clone(),
                feedback.installation_id.clone(),
                feedback.notification_id.clone(),
                feedback.new_handle.clone()
            ],
        )
    }

    /// Up to `limit` refusals after a place, oldest first.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn feedback(
        &self,
        hub: HubKey,
        of: FeedbackOf<'_>,
        after: Key,
        limit: usize,
    ) -> Result<Vec<FeedbackEntry>> {
        let mut params = vals![hub.0, after.0];
        let only = match of {
            FeedbackOf::Hub => "",
            FeedbackOf::Time(from, until) => {
                params.extend(vals![from, until]);
                "AND at >= $3 AND at < $4"
            }
            FeedbackOf::Notification(id) => {
                params.extend(vals![id]);
                "AND notification = $3"
            }
        };
        let sql = format!(
            "SELECT place, at, error, platform, handle, registration, installation, notification,
               new_handle FROM push_feedback WHERE hub = $1 AND place > $2 {only}
             ORDER BY place LIMIT {limit}"
        );
        let rows = self.db.query(sql, params).await?;
        let entry = |row: &Row| {
            let feedback = Feedback {
                at: row.get(1)?,
                error: row.get(2)?,
                platform: platform(row, 3)?,
                handle: row.get(4)?,
                registration_id: row.get(5)?,
                installation_id: row.get(6)?,
                notification_id: row.get(7)?,
                new_handle: row.get(8)?,
            };
            Ok(FeedbackEntry { key: Key(row.get(0)?), feedback })
        };
        rows.iter().map(entry).collect()
    }

    /// Forgets notifications that ended, and refusals that came, before `before`.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn forget_reports(&self, before: Timestamp) -> Result<()> {
        let statements = [
            "DELETE FROM push_outcomes WHERE (hub, notification) IN (
               SELECT hub, id FROM push_notifications WHERE ended_at < $1)",
            "DELETE FROM push_notifications WHERE ended_at < $1",
            "DELETE FROM push_feedback WHERE at < $1",
        ];
        self.db.write(statements.map(|sql| Statement::new(sql, vals![before]))).await?;
        Ok(())
    }
}

fn platform(row: &Row, index: usize) -> Result<Platform> {
    let platform = Platform::from_format(&row.get::<String>(index)?);
    platform.ok_or_else(|| row::damaged("an unknown platform"))
}
