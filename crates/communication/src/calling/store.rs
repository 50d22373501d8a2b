//! Calls on disk. A change holds only while nobody else has changed the call.

use axum::http::StatusCode;
use kernel::{Result, Timestamp};
use storage::{Db, Migration, Statement, vals};

use super::model::Call;
use super::repeat::{Reply, RequestId};

/// What `Db::migrate` is given under the name `communication-calls`.
pub const MIGRATIONS: &[Migration] = &[CALLS, REPLIES];

const CALLS: Migration = Migration {
    name: "calls",
    sql: "CREATE TABLE calls (
            id TEXT NOT NULL PRIMARY KEY,
            revision BIGINT NOT NULL,
            state TEXT NOT NULL,
            due_at BIGINT,
            changed_at BIGINT NOT NULL,
            ended_at BIGINT
          );
          CREATE INDEX calls_due ON calls (due_at) WHERE due_at IS NOT NULL;
          CREATE INDEX calls_ended ON calls (ended_at) WHERE ended_at IS NOT NULL;
          CREATE TABLE call_connections (
            id TEXT NOT NULL PRIMARY KEY,
            call_id TEXT NOT NULL
          );
          CREATE INDEX call_connections_of_call ON call_connections (call_id);
          CREATE TABLE call_requests (
            id TEXT NOT NULL PRIMARY KEY,
            connection TEXT NOT NULL,
            call_id TEXT NOT NULL
          );
          CREATE INDEX call_requests_of_call ON call_requests (call_id);",
};

const REPLIES: Migration = Migration {
    name: "replies to requests that may be repeated",
    sql: "DROP TABLE call_requests;
          CREATE TABLE call_replies (
            request TEXT NOT NULL PRIMARY KEY,
            call_id TEXT NOT NULL,
            status BIGINT NOT NULL,
            body TEXT NOT NULL
          );
          CREATE INDEX call_replies_of_call ON call_replies (call_id);",
};

/// A call as it was read.
pub(super) struct Loaded {
    pub(super) call: Call,
    pub(super) revision: i64,
}

pub(super) async fn load(db: &Db, id: &str) -> Result<Option<Loaded>> {
    let rows = db.query("SELECT state, revision FROM calls WHERE id = $1", vals![id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let call = serde_json::from_str(&row.get::<String>(0)?).ok();
    let revision = row.get(1)?;
    Ok(call.map(|call| Loaded { call, revision }))
}

/// The call that a connection belongs to.
pub(super) async fn call_of(db: &Db, connection: &str) -> Result<Option<String>> {
    let sql = "SELECT call_id FROM call_connections WHERE id = $1";
    let rows = db.query(sql, vals![connection]).await?;
    Ok(rows.first().map(|row| row.get(0)).transpose()?)
}

/// What a request was told when it came first.
pub(super) async fn replied(db: &Db, request: &RequestId) -> Result<Option<Reply>> {
    let sql = "SELECT status, body FROM call_replies WHERE request = $1";
    let rows = db.query(sql, vals![request.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let status = u16::try_from(row.get::<i64>(0)?).ok();
    let status = status.and_then(|it| StatusCode::from_u16(it).ok());
    let body = serde_json::from_str(&row.get::<String>(1)?).ok();
    Ok(status.zip(body).map(|(status, body)| Reply { status, body }))
}

/// Calls that ring, with their revisions.
pub(super) async fn ringing(db: &Db) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT id, revision FROM calls WHERE due_at IS NOT NULL";
    let rows = db.query(sql, []).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Calls in which a ringing is over.
pub(super) async fn due(db: &Db, now: Timestamp) -> Result<Vec<String>> {
    let sql = "SELECT id FROM calls WHERE due_at <= $1 ORDER BY due_at LIMIT 256";
    let rows = db.query(sql, vals![now]).await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// A new call.
pub(super) fn insert(call: &Call, now: Timestamp) -> Vec<Statement> {
    let sql = "INSERT INTO calls (id, revision, state, due_at, changed_at, ended_at)
               VALUES ($1, 0, $2, $3, $4, $5)";
    let params = vals![&*call.id, text(call), call.due(), now, call.ended.then_some(now)];
    let mut statements = vec![Statement::new(sql, params)];
    statements.extend(connections(call));
    statements
}

/// Its next state. Fails as a constraint when the call is not at `revision` any more, by setting a
/// column to NULL that must not be.
pub(super) fn update(call: &Call, revision: i64, now: Timestamp) -> Vec<Statement> {
    let sql = "UPDATE calls SET revision = CASE WHEN revision = $2 THEN $2 + 1 END, state = $3,
                 due_at = $4, changed_at = $5, ended_at = $6 WHERE id = $1";
    let ended = call.ended.then_some(now);
    let params = vals![&*call.id, revision, text(call), call.due(), now, ended];
    let mut statements = vec![Statement::new(sql, params)];
    statements.extend(connections(call));
    statements
}

fn connections(call: &Call) -> impl Iterator<Item = Statement> {
    let sql = "INSERT INTO call_connections (id, call_id) VALUES ($1, $2)
               ON CONFLICT (id) DO NOTHING";
    call.connections.iter().map(move |it| Statement::new(sql, vals![&*it.id, &*call.id]))
}

/// What a request is told. Fails as a duplicate when it was carried out before.
pub(super) fn remember(request: &RequestId, call: &str, reply: &Reply) -> Statement {
    let sql = "INSERT INTO call_replies (request, call_id, status, body) VALUES ($1, $2, $3, $4)";
    let status = i64::from(reply.status.as_u16());
    Statement::new(sql, vals![request.as_str(), call, status, reply.body.to_string()])
}

/// Forgets calls that ended before this.
pub(super) fn forget(before: Timestamp) -> Vec<Statement> {
    let of = |table: &str| {
        let sql = format!(
            "DELETE FROM {table} WHERE call_id IN (SELECT id FROM calls WHERE ended_at < $1)"
        );
        Statement::new(sql, vals![before])
    };
    vec![
        of("call_connections"),
        of("call_replies"),
        Statement::new("DELETE FROM calls WHERE ended_at < $1", vals![before]),
    ]
}

fn text(call: &Call) -> String {
    serde_json::to_string(call).expect("a call is JSON")
}
