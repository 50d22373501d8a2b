//! One SQL statement: its text, its parameters, and running it on a connection.
//!
//! Parameters are written `$1`, `$2`, … and bound by name. To SQLite `$2` is a *named* parameter,
//! numbered by first appearance, so binding by position would swap values whenever `$2` stands before
//! `$1`. Transactions are the store's own business: a statement that begins or ends one is refused.

use std::borrow::Cow;

use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use crate::{Error, Result, Row, Val};

/// SQL text and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    sql: Cow<'static, str>,
    params: Vec<Val>,
}

/// What a statement did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows of a `SELECT` or `RETURNING`.
    pub rows: Vec<Row>,
    /// Rows inserted, updated or deleted.
    pub affected: u64,
}

impl Statement {
    /// One statement; `params[0]` is `$1`.
    pub fn new(sql: impl Into<Cow<'static, str>>, params: impl Into<Vec<Val>>) -> Self {
        Self { sql: sql.into(), params: params.into() }
    }

    /// Runs it and collects its rows.
    pub(crate) fn run(&self, connection: &Connection, access: Access) -> Result<Outcome> {
        let mut prepared = connection.prepare_cached(&self.sql).map_err(|e| self.explain(e))?;
        let columns = prepared.column_count();
        if prepared.readonly() && columns == 0 {
            return Err(self.wrong("the statement neither reads nor writes"));
        }
        if access == Access::Read && !prepared.readonly() {
            return Err(self.wrong("a query cannot write; use write"));
        }
        self.bind(&mut prepared)?;

        let changes_before = connection.total_changes();
        let mut found = prepared.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let columns = (0..columns).map(|index| owned(row.get_ref(index)?));
            rows.push(Row::new(columns.collect::<Result<_>>()?));
        }
        drop(found);
        // `changes` speaks of the last writing statement, which need not be this one.
        let wrote = connection.total_changes() != changes_before;
        Ok(Outcome { rows, affected: if wrote { connection.changes() } else { 0 } })
    }

    fn bind(&self, prepared: &mut rusqlite::Statement<'_>) -> Result<()> {
        let mut used = vec![false; self.params.len()];
        for position in 1..=prepared.parameter_count() {
            let number = prepared.parameter_name(position).and_then(parameter_number);
            let Some(number) = number else {
                return Err(self.wrong("parameters are written $1, $2, …"));
            };
            let Some(val) = self.params.get(number - 1) else {
                return Err(self.wrong(format!(
                    "${number} is used, but {} parameter(s) are given",
                    self.params.len()
                )));
            };
            used[number - 1] = true;
            prepared.raw_bind_parameter(position, val)?;
        }
        match used.iter().position(|used| !used) {
            Some(unused) => Err(self.wrong(format!("${} is given, but not used", unused + 1))),
            None => Ok(()),
        }
    }

    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Statement { sql: self.sql.clone().into_owned(), reason: reason.into() }
    }

    fn explain(&self, error: rusqlite::Error) -> Error {
        match Error::from(error) {
            Error::Engine(reason) => self.wrong(reason),
            other => other,
        }
    }
}

/// What a statement may do where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// The number of `$7`; leading zeros would make two names for one parameter.
fn parameter_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('$')?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain)
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
