//! The door to the store: one [`Db`] over two engines, which callers cannot tell apart.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::Path;

use kernel::Secret;

use crate::postgres::{Postgres, PostgresOptions};
use crate::sqlite::{Options, Sqlite};
use crate::{Migration, Outcome, Result, Row, Statement, Val};

/// A database. Cheap to clone; clones share its threads or connections.
#[derive(Clone, Debug)]
pub struct Db(pub(crate) Engine);

#[derive(Clone, Debug)]
pub(crate) enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: every commit waits for the disk.
    #[default]
    Full,
    /// A crash of this process, but not of the machine that holds the database. Faster on slow disks;
    /// the operator's choice.
    Relaxed,
}

impl Db {
    /// Opens or creates a SQLite file; the folder must exist. Blocks for a few milliseconds.
    ///
    /// # Errors
    /// [`crate::Error::Open`] says what is wrong with the file or its folder.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        Sqlite::open(path.as_ref(), options).map(Engine::Sqlite).map(Self)
    }

    /// A SQLite database that ends with its last handle, for tests.
    ///
    /// # Errors
    /// When SQLite or the system has no memory or thread left.
    pub fn in_memory() -> Result<Self> {
        Sqlite::in_memory().map(Engine::Sqlite).map(Self)
    }

    /// Connects to the PostgreSQL database of a `postgres://user:password@host:port/name` URL, whose
    /// `sslmode` is explained at [`PostgresOptions`]. Must be called, like everything else here, inside
    /// a Tokio runtime; the connections belong to it.
    ///
    /// # Errors
    /// [`crate::Error::Server`] when the URL is wrong or the server refuses or does not answer.
    pub async fn connect(url: &Secret, options: &PostgresOptions) -> Result<Self> {
        Postgres::connect(url, options).await.map(Engine::Postgres).map(Self)
    }

    /// Host, port and database of the PostgreSQL server; none with SQLite.
    pub fn server(&self) -> Option<&str> {
        match &self.0 {
            Engine::Sqlite(_) => None,
            Engine::Postgres(engine) => Some(engine.server()),
        }
    }

    /// Applies the migrations of `component` that the database lacks, all or none. Processes that do
    /// so at once wait for one another.
    ///
    /// # Errors
    /// [`crate::Error::MigrationChanged`], [`crate::Error::Newer`] or
    /// [`crate::Error::MigrationFailed`]; the database is then as before.
    pub async fn migrate(&self, component: &'static str, migrations: &[Migration]) -> Result<()> {
        match &self.0 {
            Engine::Sqlite(engine) => engine.migrate(component, migrations).await,
            Engine::Postgres(engine) => engine.migrate(component, migrations).await,
        }
    }

    /// Runs one reading statement. Sees every write that was acknowledged before the call.
    ///
    /// # Errors
    /// [`crate::Error::Statement`] also when the statement writes.
    pub async fn query(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: impl Into<Vec<Val>>,
    ) -> Result<Vec<Row>> {
        let statement = Statement::new(sql, params);
        match &self.0 {
            Engine::Sqlite(engine) => engine.query(statement).await,
            Engine::Postgres(engine) => engine.query(&statement).await,
        }
    }

    /// Runs the statements in order, all or none, and answers when they are committed: one outcome a
    /// statement. A future dropped while it waits does not take back what it has begun.
    ///
    /// # Errors
    /// The first statement's error that stopped them; nothing of the batch is kept then. Only
    /// [`crate::Error::Unknown`] leaves open whether it was.
    pub async fn write(&self, statements: impl Into<Vec<Statement>>) -> Result<Vec<Outcome>> {
        match &self.0 {
            Engine::Sqlite(engine) => engine.write(statements.into()).await,
            Engine::Postgres(engine) => engine.write(statements.into()).await,
        }
    }

    /// Writes one statement; as [`Db::write`].
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn execute(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: impl Into<Vec<Val>>,
    ) -> Result<Outcome> {
        let outcomes = self.write([Statement::new(sql, params)]).await?;
        Ok(outcomes.into_iter().next().expect("a batch has one outcome a statement"))
    }

    /// A number that differs from the last one when another handle or process has committed something
    /// in between. SQLite counts nothing else; with PostgreSQL it may also move for other reasons, this
    /// handle's own writes among them.
    ///
    /// # Errors
    /// [`crate::Error::Closed`], or an error of the engine.
    pub async fn change_counter(&self) -> Result<i64> {
        match &self.0 {
            Engine::Sqlite(engine) => engine.change_counter().await,
            Engine::Postgres(engine) => engine.change_counter().await,
        }
    }

    /// Finishes what is queued, takes no more, and ends threads and connections; the last handle on a
    /// file folds its log into it. Calling it again does nothing. Without it nothing acknowledged is
    /// lost.
    pub async fn close(&self) {
        match &self.0 {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}
