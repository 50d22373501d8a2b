//! What can go wrong in the store, for the operator; callers of a service see a general sentence.
//!
//! No variant holds a parameter's value: values can be secrets.

use std::path::PathBuf;

use kernel::ErrorKind;

/// A result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the store did not do what was asked. A failed write has changed nothing, unless the error is
/// [`Error::Unknown`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// [`crate::Db::close`] was called.
    #[error("the store is closed")]
    Closed,
    /// The folder or file cannot be used.
    #[error("cannot open the database {path}: {reason}")]
    Open {
        /// The database file.
        path: PathBuf,
        /// What was wrong, in SQLite's or the system's words.
        reason: String,
    },
    /// The database server cannot be used, or could not be reached for longer than
    /// [`crate::PostgresOptions::patience`].
    #[error("cannot use the database server {server}: {reason}")]
    Server {
        /// Host, port and database; never the password.
        server: String,
        /// What was wrong, in the server's or the system's words.
        reason: String,
    },
    /// Others held what the write needs for longer than [`crate::Options::busy_timeout`] or
    /// [`crate::PostgresOptions::patience`].
    #[error("other writers hold what this write needs; try again when they have finished")]
    Busy,
    /// The connection broke while the server committed. The write may have been kept or not: whoever
    /// repeats it must first look.
    #[error("the connection to the database broke during a commit, whose outcome is unknown: {0}")]
    Unknown(String),
    /// No space is left.
    #[error("the disk of the database is full; free space, nothing of this write was kept")]
    Full,
    /// A row with this key exists already.
    #[error("{0}")]
    Duplicate(String),
    /// Another rule of the schema forbids it.
    #[error("{0}")]
    Constraint(String),
    /// A text has the character U+0000, which PostgreSQL cannot keep and so no engine does.
    #[error("a text cannot hold the character U+0000")]
    ZeroCharacter,
    /// The statement itself is wrong: a defect of the program.
    #[error("{reason} in: {sql}")]
    Statement {
        /// The SQL text.
        sql: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A column was read as something that it is not: a defect of the program.
    #[error("column {index} holds {found}, expected {expected}")]
    Column {
        /// Counted from 0.
        index: usize,
        /// The type that the program asked for.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A migration that has been applied was edited afterwards.
    #[error(
        "migration {number} '{name}' of {component} differs from the one that made this database; \
         an applied migration is never edited: restore its text and add a new migration"
    )]
    MigrationChanged {
        /// Whose schema.
        component: String,
        /// Counted from 1.
        number: usize,
        /// The name in the program.
        name: String,
    },
    /// The database has been used by a newer program.
    #[error(
        "the database is newer than this program: {component} is at migration {found}, the program \
         knows {known}; start the newer program, or restore a backup from before the upgrade"
    )]
    Newer {
        /// Whose schema.
        component: String,
        /// Migrations applied.
        found: usize,
        /// Migrations that the program has.
        known: usize,
    },
    /// A migration did not run; the database is as before.
    #[error("migration {number} '{name}' of {component} failed: {reason}")]
    MigrationFailed {
        /// Whose schema.
        component: String,
        /// Counted from 1.
        number: usize,
        /// The name in the program.
        name: String,
        /// What was wrong.
        reason: String,
    },
    /// Anything else that the engine reports, such as a read error of the disk.
    #[error("database error: {0}")]
    Engine(String),
}

impl From<Error> for kernel::Error {
    fn from(error: Error) -> Self {
        let (kind, code, message) = match error {
            Error::Closed
            | Error::Busy
            | Error::Full
            | Error::Open { .. }
            | Error::Server { .. }
            | Error::Unknown(_) => (
                ErrorKind::Unavailable,
                "ServiceUnavailable",
                "The server cannot reach its storage now. Try again in a moment.",
            ),
            Error::Duplicate(_) => {
                (ErrorKind::Conflict, "Conflict", "Something with this name exists already.")
            }
            Error::ZeroCharacter => {
                (ErrorKind::Invalid, "BadRequest", "Text may not contain the character U+0000.")
            }
            Error::Constraint(_)
            | Error::Statement { .. }
            | Error::Column { .. }
            | Error::MigrationChanged { .. }
            | Error::Newer { .. }
            | Error::MigrationFailed { .. }
            | Error::Engine(_) => (
                ErrorKind::Internal,
                "InternalServerError",
                "The server failed to use its storage. The log has the reason.",
            ),
        };
        Self::new(kind, code, message).context(error.to_string())
    }
}
