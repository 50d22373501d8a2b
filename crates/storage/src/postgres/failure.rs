//! What an error of the server means, and whether trying again can help.
//!
//! Only the server's main message is kept: its details quote values.

use std::error::Error as _;

use deadpool_postgres::{HookError, PoolError};
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::{Error, Statement};

/// An attempt that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) remedy: Remedy,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing: it would fail again, or it may have been committed.
    None,
    /// Try again: others were in the way, and nothing was kept.
    Repeat,
    /// Try again on another connection: this one is out of date, and nothing was kept.
    Replace,
    /// Try again on another connection: this one broke. Whether something was kept depends on what
    /// was under way.
    Reconnect,
}

impl Failure {
    /// What a statement ended in.
    pub(super) fn of(statement: &Statement, error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(reported) => Self::reported(reported, |reason| statement.wrong(reason)),
            None => Self::lost(error),
        }
    }

    /// What something of the store's own ended in.
    pub(super) fn other(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(reported) => Self::reported(reported, Error::Engine),
            None => Self::lost(error),
        }
    }

    /// What opening a connection ended in.
    pub(super) fn connecting(server: &str, error: PoolError) -> Self {
        let (reason, remedy) = match error {
            PoolError::Closed => return Error::Closed.into(),
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                let refused = error.code().is_some_and(|code| {
                    code.code().starts_with("28") || *code == SqlState::INVALID_CATALOG_NAME
                });
                (with_causes(&error), if refused { Remedy::None } else { Remedy::Reconnect })
            }
            other => (other.to_string(), Remedy::Reconnect),
        };
        Self { error: Error::Server { server: server.to_owned(), reason }, remedy }
    }

    /// The same, knowing that a commit was under way: a broken connection leaves its outcome open.
    pub(super) fn while_committing(self) -> Self {
        match self.remedy {
            Remedy::Reconnect => Error::Unknown(self.error.to_string()).into(),
            _ => self,
        }
    }

    fn reported(reported: &DbError, wrong: impl FnOnce(String) -> Error) -> Self {
        let code = reported.code();
        let message = reported.message().to_owned();
        let lethal = matches!(reported.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        let (error, remedy) = match (code, &code.code()[..2]) {
            _ if lethal => (Error::Engine(message), Remedy::Reconnect),
            (&SqlState::UNIQUE_VIOLATION, _) => (Error::Duplicate(message), Remedy::None),
            (&SqlState::LOCK_NOT_AVAILABLE, _) => (Error::Busy, Remedy::None),
            (&SqlState::DISK_FULL, _) => (Error::Full, Remedy::None),
            (&SqlState::READ_ONLY_SQL_TRANSACTION, _) => {
                (wrong("a query cannot write; use write".to_owned()), Remedy::None)
            }
            // A prepared statement whose tables have changed since, or that the server has forgotten.
            (&SqlState::FEATURE_NOT_SUPPORTED, _) if message.contains("cached plan") => {
                (wrong(message), Remedy::Replace)
            }
            (&SqlState::INVALID_SQL_STATEMENT_NAME, _) => (wrong(message), Remedy::Replace),
            (_, "40") => (Error::Busy, Remedy::Repeat),
            (_, "08") => (Error::Engine(message), Remedy::Reconnect),
            (_, "23") => (Error::Constraint(message), Remedy::None),
            // These messages quote the value.
            (_, "22") => {
                (wrong(format!("a value does not fit, code {}", code.code())), Remedy::None)
            }
            (_, "42" | "0A" | "21" | "2B" | "2D") => (wrong(message), Remedy::None),
            _ => (Error::Engine(format!("{message} ({})", code.code())), Remedy::None),
        };
        Self { error, remedy }
    }

    fn lost(error: &tokio_postgres::Error) -> Self {
        Self { error: Error::Engine(with_causes(error)), remedy: Remedy::Reconnect }
    }
}

/// An error that no second attempt cures.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, remedy: Remedy::None }
    }
}

/// An error with what caused it, in one line; the server's details stay out.
pub(super) fn with_causes(error: &tokio_postgres::Error) -> String {
    if let Some(reported) = error.as_db_error() {
        return reported.message().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    if text.contains("peer certificate") {
        text.push_str("; give its authority's certificate as the extra CA");
    }
    text
}
