//! What SQLite's error codes mean here.

use rusqlite::ErrorCode;

use crate::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi;
        let (code, message) = match error {
            rusqlite::Error::SqliteFailure(code, message) => (code, message),
            rusqlite::Error::SqlInputError { msg, sql, .. } => {
                return Self::Statement { sql, reason: msg };
            }
            other => return Self::Engine(other.to_string()),
        };
        let message = message.unwrap_or_else(|| code.to_string());
        match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy,
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ConstraintViolation => match code.extended_code {
                ffi::SQLITE_CONSTRAINT_UNIQUE
                | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
                | ffi::SQLITE_CONSTRAINT_ROWID => Self::Duplicate(message),
                _ => Self::Constraint(message),
            },
            _ => Self::Engine(message),
        }
    }
}
