//! Milestones on disk. The one place with SQL of journeys.
//!
//! Each journey is summed up in a row of its own when its milestones are written, so that the newest
//! can be listed without reading what happened in them.

use std::collections::HashMap;

use kernel::milestone::Outcome;
use kernel::{Error, ErrorKind, Milestone, Result, Stage, Timestamp, TraceId};
use storage::{Db, Migration, Row, Statement, vals};

use super::model::{Found, Journey, Query, Step, Summary, Verdict};

/// The schema, as the component `monitor-journeys`.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "journeys, their milestones and subjects",
    sql: "CREATE TABLE journeys (
            trace TEXT NOT NULL PRIMARY KEY,
            service TEXT NOT NULL,
            what TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            ended_at INTEGER NOT NULL,
            stages INTEGER NOT NULL,
            pending INTEGER NOT NULL,
            failures INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX journeys_by_start ON journeys (started_at, trace);
        CREATE TABLE journey_milestones (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            trace TEXT NOT NULL,
            at INTEGER NOT NULL,
            took INTEGER,
            service TEXT NOT NULL,
            stage TEXT NOT NULL,
            outcome TEXT NOT NULL,
            detail TEXT NOT NULL
        ) STRICT;
        CREATE INDEX journey_milestones_of ON journey_milestones (trace, at, id);
        CREATE TABLE journey_subjects (
            subject TEXT NOT NULL,
            trace TEXT NOT NULL,
            kind TEXT NOT NULL,
            PRIMARY KEY (subject, trace)
        ) STRICT;
        CREATE INDEX journey_subjects_of ON journey_subjects (trace);",
}];

/// Milestones of one journey that are told at most.
const TOLD: i64 = 2_000;
/// Other journeys with the same subject that are named.
const OTHERS: usize = 20;
/// Journeys that are forgotten in one transaction.
const FORGOTTEN: i64 = 500;

const SUM_UP: &str = "INSERT INTO journeys \
        (trace, service, what, started_at, ended_at, stages, pending, failures) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (trace) DO UPDATE SET \
        service = CASE WHEN excluded.started_at < journeys.started_at \
            THEN excluded.service ELSE journeys.service END, \
        what = CASE WHEN excluded.started_at < journeys.started_at \
            THEN excluded.what ELSE journeys.what END, \
        started_at = CASE WHEN excluded.started_at < journeys.started_at \
            THEN excluded.started_at ELSE journeys.started_at END, \
        ended_at = CASE WHEN excluded.ended_at > journeys.ended_at \
            THEN excluded.ended_at ELSE journeys.ended_at END, \
        stages = journeys.stages + excluded.stages, \
        pending = journeys.pending + excluded.pending, \
        failures = journeys.failures + excluded.failures";
const INSERT: &str = "INSERT INTO journey_milestones \
        (trace, at, took, service, stage, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const SUBJECT: &str = "INSERT INTO journey_subjects (subject, trace, kind) VALUES ($1, $2, $3) \
    ON CONFLICT (subject, trace) DO NOTHING";
const COLUMNS: &str = "j.trace, j.service, j.what, j.started_at, j.ended_at, j.stages, j.pending, \
    j.failures";

/// The milestones on disk.
#[derive(Clone, Debug)]
pub(super) struct Store {
    db: Db,
}

impl Store {
    /// Prepares the database.
    pub(super) async fn open(db: Db) -> Result<Self> {
        db.migrate("monitor-journeys", MIGRATIONS).await.map_err(|error| failed(&error))?;
        Ok(Self { db })
    }

    /// Writes milestones, in one transaction.
    pub(super) async fn append(&self, milestones: &[Milestone]) -> Result<()> {
        let mut statements: Vec<Statement> = sums(milestones).map(|sum| sum.statement()).collect();
        for it in milestones {
            let trace = it.trace.to_string();
            let took = it.took.map(|took| i64::try_from(took.as_micros()).unwrap_or(i64::MAX));
            let detail = storable(&it.detail);
            let stage = it.stage.as_str();
            let outcome = it.outcome.as_str();
            let params = vals![trace, it.at, took, it.service, stage, outcome, detail];
            statements.push(Statement::new(INSERT, params));
            for subject in &it.subjects {
                let params = vals![storable(&subject.value), it.trace.to_string(), subject.kind];
                statements.push(Statement::new(SUBJECT, params));
            }
        }
        self.db.write(statements).await.map(drop).map_err(|error| failed(&error))
    }

    /// Journeys, newest first.
    pub(super) async fn list(&self, query: &Query) -> Result<Vec<Summary>> {
        let (mut sql, mut params) = (format!("SELECT {COLUMNS} FROM journeys AS j"), vals![]);
        let mut conditions = Vec::new();
        if let Some(subject) = &query.subject {
            params.extend(vals![subject.as_str(), as_trace(subject)]);
            conditions.push(
                "(j.trace = $2 OR j.trace IN (SELECT trace FROM journey_subjects \
                 WHERE subject = $1))"
                    .to_owned(),
            );
        }
        if let Some(since) = query.since {
            params.push(since.into());
            conditions.push(format!("j.started_at >= ${}", params.len()));
        }
        conditions.extend(query.verdict.map(|verdict| {
            let condition = match verdict {
                Verdict::Failed => "j.failures > 0",
                Verdict::Waiting => "j.failures = 0 AND j.pending > 0",
                Verdict::Done => "j.failures = 0 AND j.pending <= 0",
            };
            condition.to_owned()
        }));
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
        }
        params.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
        sql.push_str(&format!(" ORDER BY j.started_at DESC, j.trace LIMIT ${}", params.len()));
        let rows = self.db.query(sql, params).await.map_err(|error| failed(&error))?;
        rows.iter().map(|row| summary(row).map_err(|error| failed(&error))).collect()
    }

    /// The newest journey with this id or subject.
    pub(super) async fn find(&self, subject: &str) -> Result<Option<Found>> {
        let query =
            Query { subject: Some(subject.to_owned()), limit: OTHERS + 1, ..Query::default() };
        let mut found = self.list(&query).await?.into_iter();
        let Some(summary) = found.next() else { return Ok(None) };
        let others = found.map(|it| it.id).collect();
        let journey = self.whole(summary).await.map_err(|error| failed(&error))?;
        Ok(Some(Found { journey, others }))
    }

    async fn whole(&self, summary: Summary) -> storage::Result<Journey> {
        let trace = summary.id.to_string();
        let sql = "SELECT at, took, service, stage, outcome, detail FROM journey_milestones \
                   WHERE trace = $1 ORDER BY at, id LIMIT $2";
        let rows = self.db.query(sql, vals![trace.as_str(), TOLD]).await?;
        let steps = rows.iter().map(step).collect::<storage::Result<_>>()?;
        let sql = "SELECT kind, subject FROM journey_subjects WHERE trace = $1 \
                   ORDER BY kind, subject LIMIT $2";
        let rows = self.db.query(sql, vals![trace, TOLD]).await?;
        let subject = |row: &Row| Ok((row.get(0)?, row.get(1)?));
        let subjects = rows.iter().map(subject).collect::<storage::Result<_>>()?;
        Ok(Journey { summary, subjects, steps })
    }

    /// Forgets journeys that began before `oldest`, then the oldest until no more than so many
    /// milestones are left. Tells how many journeys are gone.
    pub(super) async fn forget(&self, oldest: Timestamp, milestones: u64) -> Result<u64> {
        let mut gone = 0;
        loop {
            let sql =
                "SELECT trace FROM journeys WHERE started_at < $1 ORDER BY started_at LIMIT $2";
            let rows = self.db.query(sql, vals![oldest, FORGOTTEN]).await;
            let rows = rows.map_err(|error| failed(&error))?;
            if rows.is_empty() {
                break;
            }
            gone += self.drop_all(&rows).await?;
        }
        let sql = "SELECT count(*) FROM journey_milestones";
        let rows = self.db.query(sql, []).await.map_err(|error| failed(&error))?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.get(0)).unwrap_or(0);
        let mut surplus = u64::try_from(count).unwrap_or(0).saturating_sub(milestones);
        while surplus > 0 {
            let sql = "SELECT trace, stages FROM journeys ORDER BY started_at, trace LIMIT $1";
            let rows = self.db.query(sql, vals![FORGOTTEN]).await;
            let rows = rows.map_err(|error| failed(&error))?;
            let mut freed = 0;
            let enough = rows.iter().position(|row| {
                freed += u64::try_from(row.get::<i64>(1).unwrap_or(0)).unwrap_or(0);
                freed >= surplus
            });
            let chosen = &rows[..enough.map_or(rows.len(), |last| last + 1)];
            if chosen.is_empty() {
                break;
            }
            gone += self.drop_all(chosen).await?;
            surplus = surplus.saturating_sub(freed);
        }
        Ok(gone)
    }

    /// Deletes the journeys that the first column names.
    async fn drop_all(&self, rows: &[Row]) -> Result<u64> {
        let mut statements = Vec::with_capacity(rows.len() * 3);
        for row in rows {
            let trace: String = row.get(0).map_err(|error| failed(&error))?;
            for sql in [
                "DELETE FROM journey_milestones WHERE trace = $1",
                "DELETE FROM journey_subjects WHERE trace = $1",
                "DELETE FROM journeys WHERE trace = $1",
            ] {
                statements.push(Statement::new(sql, vals![trace.as_str()]));
            }
        }
        self.db.write(statements).await.map_err(|error| failed(&error))?;
        Ok(rows.len() as u64)
    }
}

/// What a batch adds to one journey.
struct Sum<'a> {
    first: &'a Milestone,
    /// What says most about it: not who was let in, but what for.
    told: &'a Milestone,
    ended: Timestamp,
    stages: i64,
    pending: i64,
    failures: i64,
}

/// Sums of a batch, in an order that is the same for all writers, or two of them could wait for one
/// another.
fn sums(milestones: &[Milestone]) -> impl Iterator<Item = Sum<'_>> {
    let mut sums: HashMap<TraceId, Sum<'_>> = HashMap::new();
    for it in milestones {
        let sum = sums.entry(it.trace).or_insert(Sum {
            first: it,
            told: it,
            ended: it.at,
            stages: 0,
            pending: 0,
            failures: 0,
        });
        if sum.told.stage == Stage::Authorised {
            sum.told = it;
        }
        sum.ended = sum.ended.max(it.at);
        sum.stages += 1;
        sum.pending += i64::from(it.pending);
        sum.failures += i64::from(it.outcome == Outcome::Failed);
    }
    let mut sums: Vec<_> = sums.into_values().collect();
    sums.sort_unstable_by_key(|sum| sum.first.trace);
    sums.into_iter()
}

impl Sum<'_> {
    fn statement(&self) -> Statement {
        let Milestone { service, detail, .. } = self.told;
        let what = storable(detail);
        let (trace, started) = (self.first.trace.to_string(), self.first.at);
        let counts = (self.stages, self.pending, self.failures);
        let params =
            vals![trace, *service, what, started, self.ended, counts.0, counts.1, counts.2];
        Statement::new(SUM_UP, params)
    }
}

fn summary(row: &Row) -> storage::Result<Summary> {
    let trace: String = row.get(0)?;
    let (stages, pending, failures): (i64, i64, i64) = (row.get(5)?, row.get(6)?, row.get(7)?);
    let unreadable = storage::Error::Column { index: 0, expected: "a trace id", found: "text" };
    Ok(Summary {
        id: TraceId::parse(&trace).ok_or(unreadable)?,
        service: row.get(1)?,
        what: row.get(2)?,
        started: row.get(3)?,
        ended: row.get(4)?,
        stages: u64::try_from(stages).unwrap_or(0),
        verdict: match (failures, pending) {
            (1.., _) => Verdict::Failed,
            (_, 1..) => Verdict::Waiting,
            _ => Verdict::Done,
        },
    })
}

fn step(row: &Row) -> storage::Result<Step> {
    let took: Option<i64> = row.get(1)?;
    let took = took.and_then(|micros| u64::try_from(micros).ok());
    Ok(Step {
        at: row.get(0)?,
        took: took.map(std::time::Duration::from_micros),
        service: row.get(2)?,
        stage: row.get(3)?,
        outcome: row.get(4)?,
        detail: row.get(5)?,
    })
}

/// The id of a journey as it is stored, if the text is one.
fn as_trace(text: &str) -> String {
    TraceId::parse(text).map(|id| id.to_string()).unwrap_or_default()
}

/// Without the one character that the store cannot hold.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

fn failed(error: &storage::Error) -> Error {
    let message = "Journeys cannot be read or written now. Try again later.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message).context(error.to_string())
}
