//! Opening SQLite connections with the settings that the store's promises rest on.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::{Durability, Error, Result};

/// How a database file is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// How long a write waits for another process, such as the command line, to finish its own.
    pub busy_timeout: Duration,
    /// Writes, and separately reads, that may wait; a caller beyond them waits for a place.
    pub queue: usize,
    /// Threads that serve reads. At least one.
    pub readers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            busy_timeout: Duration::from_secs(5),
            queue: 1024,
            readers: 2,
        }
    }
}

/// Prepared statements kept per connection; more than all services together have.
const STATEMENT_CACHE: usize = 256;

/// The log shrinks back to this after a burst of writes: 64 MiB.
const WAL_LIMIT_BYTES: i64 = 64 << 20;

pub(super) fn open_writer(path: &Path, options: &Options) -> Result<Connection> {
    create_private(path).map_err(|e| cannot_open(path, &e))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<(Connection, String)> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.busy_timeout)?;
        let mode = switch_to_wal(&connection, options.busy_timeout)?;
        set_up_writer(&connection, options.durability)?;
        Ok((connection, mode))
    };
    let (connection, mode) = open().map_err(|e| cannot_open(path, &e))?;
    if mode != "wal" {
        let reason = format!("its file system allows journal mode '{mode}' only; use a local disk");
        return Err(cannot_open(path, &reason));
    }
    Ok(connection)
}

pub(super) fn open_reader(path: &Path, options: &Options) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.busy_timeout)?;
        keep_statements(&connection)?;
        Ok(connection)
    };
    open().map_err(|e| cannot_open(path, &e))
}

pub(super) fn open_in_memory() -> Result<Connection> {
    let connection = Connection::open_in_memory()?;
    set_up_writer(&connection, Durability::Relaxed)?;
    Ok(connection)
}

/// Turns the write-ahead log on and returns the journal mode that holds then; later opens find it on.
/// When two processes create one database at once, SQLite refuses this step to one of them without
/// asking its busy handler, so the waiting is done here.
fn switch_to_wal(connection: &Connection, timeout: Duration) -> Result<String> {
    const PAUSE: Duration = Duration::from_millis(2);
    let mut waited = Duration::ZERO;
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match mode.map_err(Error::from) {
            Err(Error::Busy) if waited < timeout => thread::sleep(PAUSE),
            answer => return answer,
        }
        waited += PAUSE;
    }
}

fn set_up_writer(connection: &Connection, durability: Durability) -> Result<()> {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // This one answers with the value set.
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_LIMIT_BYTES, |_| Ok(()))?;
    keep_statements(connection)
}

/// Statements are prepared once. Without stable plans SQLite looks at the values of parameters while
/// it plans, and prepares many statements anew whenever they are run (all with `LIMIT $1`, and those
/// that use an index in part), which can cost more than running them.
fn keep_statements(connection: &Connection) -> Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Creates the file readable by its owner only, before SQLite would with wider rights; SQLite gives
/// its log the same rights.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn cannot_open(path: &Path, reason: &impl ToString) -> Error {
    Error::Open { path: path.to_owned(), reason: reason.to_string() }
}
