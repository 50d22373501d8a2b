//! Rows of identities and of the resources that they belong to.

use kernel::{Result, Timestamp};
use storage::{Db, Statement, vals};
use uuid::Uuid;

use crate::identifier::RawId;

/// The immutable id of the resource with this name; made the first time it is asked for.
///
/// # Errors
/// When the store fails.
pub async fn resource_id(db: &Db, name: &str) -> Result<String> {
    let insert = "INSERT INTO communication_resources (name, immutable_id) VALUES ($1, $2)
                  ON CONFLICT (name) DO NOTHING";
    let select = "SELECT immutable_id FROM communication_resources WHERE name = $1";
    let fresh = Uuid::new_v4().to_string();
    let statements =
        [Statement::new(insert, vals![name, fresh]), Statement::new(select, vals![name])];
    let outcomes = db.write(statements).await?;
    Ok(outcomes[1].rows[0].get(0)?)
}

/// An identity as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) id: RawId,
    pub(crate) custom_id: Option<String>,
    pub(crate) generation: i64,
    pub(crate) last_token_at: Option<Timestamp>,
}

const COLUMNS: &str = "raw_id, custom_id, generation, last_token_at";

/// Stores a new identity, or finds the one that has this custom id already.
pub(crate) async fn create(
    db: &Db,
    resource: &str,
    id: &RawId,
    custom_id: Option<&str>,
    issues: Issues,
) -> Result<Stored> {
    // One statement, so that nobody deletes the identity that it meets before it is read.
    let sql = format!(
        "INSERT INTO identities
           (raw_id, resource, custom_id, generation, created_at, last_token_at)
         VALUES ($1, $2, $3, 0, $4, $5)
         ON CONFLICT (resource, custom_id) DO UPDATE
           SET last_token_at = COALESCE(excluded.last_token_at, identities.last_token_at)
         RETURNING {COLUMNS}"
    );
    let token_at = issues.token.then_some(issues.now);
    let custom_id = custom_id.map(str::to_owned);
    let params = vals![id.as_str(), resource, custom_id, issues.now, token_at];
    let outcome = db.execute(sql, params).await?;
    read(outcome.rows.first().expect("the statement returns the row that it makes or meets"))
}

/// When something is created, and whether a token is issued along with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issues {
    pub(crate) now: Timestamp,
    pub(crate) token: bool,
}

/// Notes that a token is issued; `None` for an identity that does not exist.
pub(crate) async fn issue(db: &Db, id: &RawId, now: Timestamp) -> Result<Option<i64>> {
    let sql = "UPDATE identities SET last_token_at = $2 WHERE raw_id = $1 RETURNING generation";
    generation(db, sql, vals![id.as_str(), now]).await
}

/// Makes all tokens stale and notes it for other servers; `None` for an identity that does not exist.
pub(crate) async fn revoke(db: &Db, id: &RawId, now: Timestamp) -> Result<Option<i64>> {
    let revoke = "UPDATE identities SET generation = generation + 1 WHERE raw_id = $1
                  RETURNING generation";
    let note = "INSERT INTO identity_endings (number, raw_id, generation, ended_at)
                SELECT r.number, i.raw_id, i.generation, $2
                FROM identity_revision r, identities i WHERE i.raw_id = $1";
    let statements = [
        next_revision(),
        Statement::new(revoke, vals![id.as_str()]),
        Statement::new(note, vals![id.as_str(), now]),
    ];
    let outcomes = db.write(statements).await?;
    Ok(outcomes[1].rows.first().map(|row| row.get(0)).transpose()?)
}

/// Forgets an identity and notes it for other servers.
pub(crate) async fn delete(db: &Db, id: &RawId, now: Timestamp) -> Result<()> {
    let note = "INSERT INTO identity_endings (number, raw_id, generation, ended_at)
                SELECT r.number, i.raw_id, NULL, $2
                FROM identity_revision r, identities i WHERE i.raw_id = $1";
    let delete = "DELETE FROM identities WHERE raw_id = $1";
    let statements = [
        next_revision(),
        Statement::new(note, vals![id.as_str(), now]),
        Statement::new(delete, vals![id.as_str()]),
    ];
    db.write(statements).await?;
    Ok(())
}

/// First in a transaction that ends tokens: whoever has seen a number has seen all below it, since the
/// row lets one such transaction in at a time.
fn next_revision() -> Statement {
    Statement::new("UPDATE identity_revision SET number = number + 1", [])
}

/// The number of the last ending.
pub(crate) async fn revision(db: &Db) -> Result<i64> {
    let rows = db.query("SELECT number FROM identity_revision", []).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.get(0))?)
}

/// An ending that was noted: its number, whose tokens, and the generation that holds; none when the
/// identity is gone.
pub(crate) type Noted = (i64, RawId, Option<i64>);

/// The endings after one, the oldest first.
pub(crate) async fn endings_since(db: &Db, number: i64) -> Result<Vec<Noted>> {
    let sql = "SELECT number, raw_id, generation FROM identity_endings WHERE number > $1
               ORDER BY number LIMIT 1000";
    let rows = db.query(sql, vals![number]).await?;
    let noted =
        rows.iter().map(|row| Ok((row.get(0)?, RawId::new(row.get::<String>(1)?), row.get(2)?)));
    noted.collect()
}

/// Forgets endings from before a moment.
pub(crate) async fn forget_endings(db: &Db, before: Timestamp) -> Result<()> {
    db.execute("DELETE FROM identity_endings WHERE ended_at < $1", vals![before]).await?;
    Ok(())
}

/// The identity, if it exists.
pub(crate) async fn find(db: &Db, id: &RawId) -> Result<Option<Stored>> {
    let sql = format!("SELECT {COLUMNS} FROM identities WHERE raw_id = $1");
    db.query(sql, vals![id.as_str()]).await?.first().map(read).transpose()
}

/// Those of `ids` that exist.
pub(crate) async fn existing(db: &Db, ids: &[RawId]) -> Result<Vec<RawId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (1..=ids.len()).map(|number| format!("${number}")).collect();
    let sql = format!("SELECT raw_id FROM identities WHERE raw_id IN ({})", places.join(", "));
    let params: Vec<_> = ids.iter().map(|id| id.as_str().into()).collect();
    let rows = db.query(sql, params).await?;
    rows.iter().map(|row| Ok(RawId::new(row.get::<String>(0)?))).collect()
}

async fn generation(db: &Db, sql: &'static str, params: Vec<storage::Val>) -> Result<Option<i64>> {
    let outcome = db.execute(sql, params).await?;
    Ok(outcome.rows.first().map(|row| row.get(0)).transpose()?)
}

fn read(row: &storage::Row) -> Result<Stored> {
    Ok(Stored {
        id: RawId::new(row.get::<String>(0)?),
        custom_id: row.get(1)?,
        generation: row.get(2)?,
        last_token_at: row.get(3)?,
    })
}
