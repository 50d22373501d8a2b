//! Rows: the registrations of devices, and the notifications of the last minutes.
//!
//! A notification is written in the transaction of the change that causes it, once, whoever is to be
//! told. It is read only after a restart, for a device that comes back: until then what it misses is
//! in memory ([`super::devices`]). What a device had taken when the process was killed is not known to the
//! second, so the last of it comes again ([`ANSWER_SLACK`]): twice rather than never.

use std::time::Duration;

use kernel::{Result, Timestamp};
use storage::{Db, Statement, vals};

use super::body::EventKind;
use super::devices::{Away, WINDOW};
use super::notice::{Announcement, Notice};
use super::ticket::Ticket;
use crate::chat::{ChangeKind, ChatChange};
use crate::identifier::RawId;
use crate::time;

/// How much older than its telling a change may be: the time that a commit takes, generously.
const COMMIT_SLACK: Duration = Duration::from_secs(1);
/// What a device may have left unanswered when its server was killed. Answers take milliseconds, and a
/// connection that gives none is usually dead.
const ANSWER_SLACK: Duration = Duration::from_secs(5);
/// Notifications that one device is given after a restart; the newest, where there are more.
const MAX_MISSED: i64 = 1_024;
/// Registrations of one user; each page load of a browser leaves one until it expires.
const MAX_REGISTRATIONS: i64 = 64;
/// Rows that one statement deletes.
const PRUNED_AT_ONCE: i64 = 2_000;

/// A device as it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// Whose.
    pub(super) user: RawId,
    /// Its own name for itself.
    pub(super) name: String,
    /// The kind of app, such as `AcsWeb`.
    pub(super) app: String,
    /// How it wants to be reached: JSON, as it said.
    pub(super) transports: String,
    /// How long it holds.
    pub(super) lifetime: Duration,
}

/// What a device has missed while nobody remembered it.
#[derive(Debug, Default)]
pub(super) struct Missed {
    /// In order, with the moments of their changes.
    pub(super) notices: Vec<(Notice, Timestamp)>,
    /// Whether there was more.
    pub(super) lost: bool,
}

/// The statements and queries.
#[derive(Clone)]
pub(super) struct Journal {
    db: Db,
    /// The last change of the processes before this one, in milliseconds; 0 when there is none.
    inherited: i64,
}

impl Journal {
    /// Over `db`, which has had this crate's migrations.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn open(db: Db) -> Result<Self> {
        let sql = "SELECT version FROM signaling_journal ORDER BY position DESC LIMIT 1";
        let rows = db.query(sql, vals![]).await?;
        let inherited = rows.first().map_or(Ok(0), |row| row.get(0))?;
        Ok(Self { db, inherited })
    }

    /// What writes the notification of a change.
    pub(super) fn note(change: &ChatChange, news: &Announcement) -> Statement {
        let message = match &change.kind {
            ChangeKind::MessageReceived(message)
            | ChangeKind::MessageEdited(message)
            | ChangeKind::MessageDeleted(message) => Some(message.id),
            _ => None,
        };
        let sql = "INSERT INTO signaling_journal
                     (thread, version, message, kind, spared, transaction_id, tail)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let params = vals![
            &*change.thread.id,
            change.version(),
            message,
            i64::from(news.notice.kind.number()),
            news.spared.as_ref().map(RawId::as_str),
            &*change.transaction,
            news.notice.tail(),
        ];
        Statement::new(sql, params)
    }

    /// What a device has missed that comes back to a process which does not know it; `None` when it
    /// has never registered, or too long ago.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn missed(&self, ticket: &Ticket, now: Timestamp) -> Result<Option<Missed>> {
        let sql = "SELECT away_since FROM signaling_registrations
                   WHERE participant = $1 AND name = $2 AND expires_at > $3";
        let params = vals![ticket.user.as_str(), ticket.device.as_str(), now];
        let rows = self.db.query(sql, params).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let away: Option<Timestamp> = row.get(0)?;
        // A device that did not go away was there until the process ended, which is later than the
        // last change that it has left.
        let killed = time::from_millis(self.inherited) - ANSWER_SLACK;
        let seen = away.map_or(killed, |away| away - COMMIT_SLACK);
        let oldest = now - WINDOW;
        let notices = self.since(&ticket.user, seen.max(oldest)).await?;
        let lost = seen < oldest || i64::try_from(notices.len()) == Ok(MAX_MISSED);
        Ok(Some(Missed { notices, lost }))
    }

    async fn since(&self, user: &RawId, since: Timestamp) -> Result<Vec<(Notice, Timestamp)>> {
        // Ordered as they were told: by version within a thread.
        let sql = "SELECT j.kind, j.transaction_id, j.tail, j.version
                   FROM signaling_journal j JOIN chat_participants p ON p.thread = j.thread
                   WHERE p.participant = $1 AND j.version >= $2
                     AND (j.spared IS NULL OR j.spared <> $1)
                     AND (j.message IS NULL OR j.message >= p.visible_from)
                     AND (p.visible_to IS NULL OR j.version <= p.visible_to)
                   ORDER BY j.version DESC, j.position DESC LIMIT $3";
        let params = vals![user.as_str(), time::to_millis(since), MAX_MISSED];
        let mut notices = Vec::new();
        for row in self.db.query(sql, params).await?.iter().rev() {
            let number: i64 = row.get(0)?;
            let kind = u16::try_from(number).ok().and_then(EventKind::numbered);
            // A kind that a newer program may have written is passed over.
            let Some(kind) = kind else { continue };
            let transaction: String = row.get(1)?;
            let notice = Notice::restored(kind, transaction.into(), row.get(2)?);
            notices.push((notice, time::from_millis(row.get(3)?)));
        }
        Ok(notices)
    }

    /// Keeps a registration, new or renewed. A device that registers is here.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn register(&self, registration: &Registration, now: Timestamp) -> Result<()> {
        let insert = "INSERT INTO signaling_registrations
                        (participant, name, app, transports, expires_at, away_since)
                      VALUES ($1, $2, $3, $4, $5, NULL)
                      ON CONFLICT (participant, name) DO UPDATE SET
                        app = excluded.app, transports = excluded.transports,
                        expires_at = excluded.expires_at, away_since = NULL";
        let trim = "DELETE FROM signaling_registrations
                    WHERE participant = $1 AND name NOT IN (
                      SELECT name FROM signaling_registrations WHERE participant = $1
                      ORDER BY expires_at DESC, name LIMIT $2)";
        let user = registration.user.as_str();
        let values = vals![
            user,
            registration.name.as_str(),
            registration.app.as_str(),
            registration.transports.as_str(),
            now + registration.lifetime,
        ];
        let trimmed = vals![user, MAX_REGISTRATIONS];
        self.db.write([Statement::new(insert, values), Statement::new(trim, trimmed)]).await?;
        Ok(())
    }

    /// Forgets a registration. One that is gone already is gone.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn unregister(&self, user: &RawId, name: &str) -> Result<()> {
        let sql = "DELETE FROM signaling_registrations WHERE participant = $1 AND name = $2";
        self.db.execute(sql, vals![user.as_str(), name]).await?;
        Ok(())
    }

    /// Notes which devices have gone away, or are about to.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn went_away(&self, away: &[Away]) -> Result<()> {
        let sql = "UPDATE signaling_registrations SET away_since = $3
                   WHERE participant = $1 AND name = $2";
        let update =
            |it: &Away| Statement::new(sql, vals![it.user.as_str(), it.device.as_str(), it.since]);
        if !away.is_empty() {
            self.db.write(away.iter().map(update).collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// The newest position, up to which rows may be deleted when the window has passed.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn newest(&self) -> Result<i64> {
        let sql = "SELECT position FROM signaling_journal ORDER BY position DESC LIMIT 1";
        let rows = self.db.query(sql, vals![]).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.get(0))?)
    }

    /// Deletes the journal up to a position, and registrations whose time is over.
    ///
    /// # Errors
    /// When the store fails; what was deleted by then is.
    pub(super) async fn prune(&self, position: i64, now: Timestamp) -> Result<()> {
        let expired = "DELETE FROM signaling_registrations WHERE expires_at <= $1";
        self.db.execute(expired, vals![now]).await?;
        let sql = "DELETE FROM signaling_journal WHERE position IN (
                     SELECT position FROM signaling_journal WHERE position <= $1
                     ORDER BY position LIMIT $2) RETURNING position";
        loop {
            let outcome = self.db.execute(sql, vals![position, PRUNED_AT_ONCE]).await?;
            if (outcome.rows.len() as i64) < PRUNED_AT_ONCE {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use storage::Val;
    use storage::testing::TestDb;

    use super::*;
    use crate::signaling::sample;
    use crate::store::MIGRATIONS;

    const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);

    storage::conformance!(
        a_device_that_was_there_until_the_end_gets_the_last_moments_again,
        a_device_that_was_away_gets_what_came_since,
        nobody_gets_what_was_said_before_or_after_them,
        the_reader_is_spared_the_own_receipt,
        rows_go_when_their_time_is_over,
        a_user_has_so_many_registrations_and_can_drop_one,
    );

    async fn journal(db: &TestDb) -> Journal {
        db.migrate("communication", MIGRATIONS).await.unwrap();
        Journal::open(Db::clone(db)).await.unwrap()
    }

    async fn note(db: &Db, change: &ChatChange) {
        db.write([Journal::note(change, &Announcement::of(change))]).await.unwrap();
    }

    async fn join(db: &Db, user: &str, from: i64, to: Option<i64>) {
        let sql = "INSERT INTO chat_participants
                     (thread, participant, position, metadata, visible_from, visible_to)
                   VALUES ($1, $2, 1, '{}', $3, $4)";
        let to = to.map_or(Val::Null, Val::Int);
        db.execute(sql, vec![sample::THREAD.into(), user.into(), from.into(), to]).await.unwrap();
    }

    fn ticket(user: &str) -> Ticket {
        Ticket {
            user: RawId::new(user),
            device: "d".to_owned(),
            issued: NOW,
            token_expires: NOW + Duration::from_hours(1),
            generation: 0,
        }
    }

    fn registration(user: &str, name: &str) -> Registration {
        Registration {
            user: RawId::new(user),
            name: name.to_owned(),
            app: "AcsWeb".to_owned(),
            transports: "{}".to_owned(),
            lifetime: Duration::from_secs(7_200),
        }
    }

    /// Writes changes at seconds after `NOW`, and opens the journal as the next process does.
    async fn restarted_after(db: &TestDb, seconds: &[i64]) -> Journal {
        journal(db).await;
        for second in seconds {
            let at = NOW + Duration::from_secs(u64::try_from(*second).unwrap());
            let change = sample::message_at(&format!("at {second}"), at);
            note(db, &change).await;
        }
        Journal::open(Db::clone(db)).await.unwrap()
    }

    async fn missed(journal: &Journal, user: &str, after: u64) -> Option<Vec<i64>> {
        let now = NOW + Duration::from_secs(after);
        let missed = journal.missed(&ticket(user), now).await.unwrap()?;
        let seconds = missed.notices.iter().map(|(_, at)| at.as_secs() - NOW.as_secs());
        Some(seconds.collect())
    }

    async fn a_device_that_was_there_until_the_end_gets_the_last_moments_again(db: TestDb) {
        let journal = restarted_after(&db, &[0, 10, 17, 20]).await;
        join(&db, sample::BOB, 0, None).await;
        assert_eq!(missed(&journal, sample::BOB, 30).await, None, "it has not registered");
        journal.register(&registration(sample::BOB, "d"), NOW).await.unwrap();
        assert_eq!(missed(&journal, sample::BOB, 30).await, Some(vec![17, 20]));
        let later = sample::message_at("later", NOW + Duration::from_secs(25));
        note(&db, &later).await;
        assert_eq!(missed(&journal, sample::BOB, 30).await, Some(vec![17, 20, 25]));
    }

    async fn a_device_that_was_away_gets_what_came_since(db: TestDb) {
        let journal = restarted_after(&db, &[0, 10, 17, 20]).await;
        join(&db, sample::BOB, 0, None).await;
        journal.register(&registration(sample::BOB, "d"), NOW).await.unwrap();
        let since = NOW + Duration::from_secs(11);
        let away = Away { user: RawId::new(sample::BOB), device: "d".to_owned(), since };
        journal.went_away(&[away]).await.unwrap();
        assert_eq!(missed(&journal, sample::BOB, 30).await, Some(vec![10, 17, 20]));
        assert_eq!(missed(&journal, sample::BOB, 613).await, Some(vec![17, 20]), "the window");
        assert_eq!(missed(&journal, sample::BOB, 7_201).await, None, "it has expired");
    }

    async fn nobody_gets_what_was_said_before_or_after_them(db: TestDb) {
        let journal = restarted_after(&db, &[0, 1, 2]).await;
        let at = |second: i64| time::to_millis(NOW) + second * 1_000;
        join(&db, sample::BOB, at(1), Some(at(1))).await;
        journal.register(&registration(sample::BOB, "d"), NOW).await.unwrap();
        assert_eq!(missed(&journal, sample::BOB, 3).await, Some(vec![1]));
        journal.register(&registration("8:acs:r_stranger", "d"), NOW).await.unwrap();
        assert_eq!(missed(&journal, "8:acs:r_stranger", 3).await, Some(vec![]));
    }

    async fn the_reader_is_spared_the_own_receipt(db: TestDb) {
        let journal = journal(&db).await;
        for user in [sample::ALICE, sample::BOB] {
            join(&db, user, 0, None).await;
            journal.register(&registration(user, "d"), NOW).await.unwrap();
        }
        let read = sample::change(ChangeKind::Read { message: 1 });
        note(&db, &read).await;
        let after = u64::try_from(read.at.as_secs() - NOW.as_secs()).unwrap();
        assert_eq!(missed(&journal, sample::ALICE, after).await, Some(vec![]));
        assert_eq!(missed(&journal, sample::BOB, after).await.map(|it| it.len()), Some(1));
    }

    async fn rows_go_when_their_time_is_over(db: TestDb) {
        let journal = restarted_after(&db, &[0, 1]).await;
        journal.register(&registration(sample::BOB, "d"), NOW).await.unwrap();
        let newest = journal.newest().await.unwrap();
        note(&db, &sample::message("new")).await;
        journal.prune(newest, NOW + Duration::from_secs(7_200)).await.unwrap();
        let count = async |table: &str| -> i64 {
            let sql = format!("SELECT count(*) FROM {table}");
            db.query(sql, vals![]).await.unwrap()[0].get(0).unwrap()
        };
        assert_eq!(count("signaling_journal").await, 1);
        assert_eq!(count("signaling_registrations").await, 0);
    }

    async fn a_user_has_so_many_registrations_and_can_drop_one(db: TestDb) {
        let journal = journal(&db).await;
        for number in 0..MAX_REGISTRATIONS + 2 {
            let name = format!("{number:03}");
            let now = NOW + Duration::from_secs(u64::try_from(number).unwrap());
            journal.register(&registration(sample::BOB, &name), now).await.unwrap();
        }
        journal.unregister(&RawId::new(sample::BOB), "065").await.unwrap();
        let sql = "SELECT name FROM signaling_registrations ORDER BY name";
        let rows = db.query(sql, vals![]).await.unwrap();
        let first: String = rows[0].get(0).unwrap();
        assert_eq!((rows.len(), &*first), (63, "002"));
    }
}
