//! Running one statement on a SQLite connection.
//!
//! Parameters are bound by name. To SQLite `$2` is a *named* parameter, numbered by first appearance,
//! so binding by position would swap values whenever `$2` stands before `$1`.

use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::statement::{PARAMETER_FORM, parameter_number};
use crate::{Error, Outcome, Result, Row, Statement, Val};

/// What a statement may do where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Runs it and collects its rows.
pub(super) fn run_statement(
    connection: &Connection,
    statement: &Statement,
    access: Access,
) -> Result<Outcome> {
    let prepared = connection.prepare_cached(&statement.sql);
    let mut prepared = prepared.map_err(|e| explain(statement, e))?;
    let columns = prepared.column_count();
    if prepared.readonly() && columns == 0 {
        return Err(statement.wrong("the statement neither reads nor writes"));
    }
    if access == Access::Read && !prepared.readonly() {
        return Err(statement.wrong("a query cannot write; use write"));
    }
    bind(statement, &mut prepared)?;

    let changes_before = connection.total_changes();
    let mut found = prepared.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        // Collecting into a result would grow the row step by step.
        let mut values = Vec::with_capacity(columns);
        for index in 0..columns {
            values.push(owned(row.get_ref(index)?)?);
        }
        rows.push(Row::new(values));
    }
    drop(found);
    // `changes` speaks of the last writing statement, which need not be this one.
    let wrote = connection.total_changes() != changes_before;
    Ok(Outcome { rows, affected: if wrote { connection.changes() } else { 0 } })
}

fn bind(statement: &Statement, prepared: &mut rusqlite::Statement<'_>) -> Result<()> {
    let numbers = (1..=prepared.parameter_count())
        .map(|position| prepared.parameter_name(position).and_then(parameter_number))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| statement.wrong(PARAMETER_FORM))?;
    statement.check_params(numbers.iter().copied())?;
    for (position, number) in (1..).zip(numbers) {
        prepared.raw_bind_parameter(position, &statement.params[number - 1])?;
    }
    Ok(())
}

fn explain(statement: &Statement, error: rusqlite::Error) -> Error {
    match Error::from(error) {
        Error::Engine(reason) => statement.wrong(reason),
        other => other,
    }
}

fn owned(value: ValueRef<'_>) -> Result<Val> {
    Ok(match value {
        ValueRef::Null => Val::Null,
        ValueRef::Integer(int) => Val::Int(int),
        ValueRef::Real(real) => Val::Real(real),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Val::Text(text.to_owned()),
            Err(_) => return Err(Error::Engine("a text in the database is not UTF-8".to_owned())),
        },
        ValueRef::Blob(bytes) => Val::Blob(bytes.to_vec()),
    })
}

impl ToSql for Val {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(*int),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
