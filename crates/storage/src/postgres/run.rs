//! Running statements on a PostgreSQL connection.
//!
//! Parameters are declared with the type of their value rather than left to the server, which would
//! take `$1` in `$1 + 1` for 32 bits. An untyped `NULL` fits wherever it stands.

use deadpool_postgres::{Client, GenericClient};
use tokio_postgres::types::{ToSql, Type};

use super::dialect::{Translated, Verb};
use super::failure::Failure;
use super::value::column;
use crate::{Error, Outcome, Row, Statement, Val};

/// Prepared statements kept per connection; more than all services together have. A text that is put
/// together at run time can make more, and then all are prepared anew.
const STATEMENT_CACHE: usize = 256;

/// Runs a statement in the transaction that is open, or else in one of its own.
pub(super) async fn read(client: &Client, statement: &Statement) -> Result<Vec<Row>, Failure> {
    let prepared = prepare(client, statement).await?;
    run(client, statement, &prepared).await.map(|outcome| outcome.rows)
}

/// Runs a statement that is a transaction by itself: one way there and back, and the way back says
/// that it is committed.
pub(super) async fn alone(client: &Client, statement: &Statement) -> Result<Outcome, Failure> {
    let prepared = prepare(client, statement).await?;
    run(client, statement, &prepared).await.map_err(Failure::while_committing)
}

/// Runs statements in one transaction and commits it.
pub(super) async fn together(
    client: &mut Client,
    statements: &[Statement],
) -> Result<Vec<Outcome>, Failure> {
    make_room(client);
    // Dropped before its end, it rolls back.
    let transaction = client.transaction().await.map_err(|e| Failure::other(&e))?;
    let mut outcomes = Vec::with_capacity(statements.len());
    for statement in statements {
        let prepared = prepare_in(&transaction, statement).await?;
        outcomes.push(run(&transaction, statement, &prepared).await?);
    }
    transaction.commit().await.map_err(|e| Failure::other(&e).while_committing())?;
    Ok(outcomes)
}

struct Prepared {
    statement: tokio_postgres::Statement,
    verb: Verb,
}

async fn prepare(client: &Client, statement: &Statement) -> Result<Prepared, Failure> {
    make_room(client);
    prepare_in(client, statement).await
}

fn make_room(client: &Client) {
    if client.statement_cache.size() >= STATEMENT_CACHE {
        client.statement_cache.clear();
    }
}

async fn prepare_in(
    client: &impl GenericClient,
    statement: &Statement,
) -> Result<Prepared, Failure> {
    let Translated { sql, verb } = Translated::new(statement)?;
    let types: Vec<_> = statement.params.iter().map(declared).collect();
    let prepared = client.prepare_typed_cached(&sql, &types).await;
    let prepared = prepared.map_err(|e| Failure::of(statement, &e))?;
    Ok(Prepared { statement: prepared, verb })
}

async fn run(
    client: &impl GenericClient,
    statement: &Statement,
    prepared: &Prepared,
) -> Result<Outcome, Failure> {
    let params: Vec<_> = statement.params.iter().map(|val| val as &(dyn ToSql + Sync)).collect();
    if prepared.statement.columns().is_empty() {
        let affected = client.execute(&prepared.statement, &params).await;
        let affected = affected.map_err(|e| Failure::of(statement, &e))?;
        return Ok(Outcome { rows: Vec::new(), affected });
    }
    let found = client.query(&prepared.statement, &params).await;
    let found = found.map_err(|e| Failure::of(statement, &e))?;
    let rows = found.iter().map(|row| owned(statement, row)).collect::<Result<Vec<_>, _>>()?;
    // `RETURNING` has a row for each that was touched.
    let affected = if prepared.verb == Verb::Write { rows.len() as u64 } else { 0 };
    Ok(Outcome { rows, affected })
}

fn declared(val: &Val) -> Type {
    match val {
        Val::Null => Type::UNKNOWN,
        Val::Int(_) => Type::INT8,
        Val::Real(_) => Type::FLOAT8,
        Val::Text(_) => Type::TEXT,
        Val::Blob(_) => Type::BYTEA,
    }
}

fn owned(statement: &Statement, row: &tokio_postgres::Row) -> Result<Row, Error> {
    let columns = (0..row.len()).map(|index| column(row, index).map_err(|e| statement.wrong(e)));
    Ok(Row::new(columns.collect::<Result<_, _>>()?))
}
