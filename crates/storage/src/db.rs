//! The door to the store.
//!
//! A [`Db`] is a handle to one writer thread and a few reader threads; clones share them. What is
//! asked is queued, and the answer awaited. A future dropped while it waits does not take back what it
//! has queued.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::connection::{open_in_memory, open_reader, open_writer};
use crate::reader::{self, Read};
use crate::writer::{self, Batch, Job};
use crate::{Error, Migration, Options, Outcome, Result, Row, Statement, Val};

/// A database. Cheap to clone.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    writer: mpsc::Sender<Job>,
    /// None in memory, where every connection would be a database of its own: the writer reads too.
    readers: Option<mpsc::Sender<Read>>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    readers: Vec<JoinHandle<()>>,
    writer: Vec<JoinHandle<()>>,
}

impl Db {
    /// Opens or creates the database file; the folder must exist. Blocks for a few milliseconds.
    ///
    /// # Errors
    /// [`Error::Open`] says what is wrong with the file or its folder.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        let writer = open_writer(path, options)?;
        let (reads, queue) = mpsc::channel(options.queue.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let mut readers = Vec::new();
        for _ in 0..options.readers.max(1) {
            let connection = open_reader(path, options)?;
            let queue = Arc::clone(&queue);
            readers.push(spawn("storage-reader", move || reader::serve(connection, queue))?);
        }
        Self::start(writer, options, Some(reads), readers)
    }

    /// A database that ends with its last handle, for tests.
    ///
    /// # Errors
    /// When SQLite or the system has no memory or thread left.
    pub fn in_memory() -> Result<Self> {
        Self::start(open_in_memory()?, &Options::default(), None, Vec::new())
    }

    fn start(
        connection: Connection,
        options: &Options,
        reads: Option<mpsc::Sender<Read>>,
        readers: Vec<JoinHandle<()>>,
    ) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(options.queue.max(1));
        let writer = spawn("storage-writer", move || writer::serve(connection, queue))?;
        let threads = Mutex::new(Threads { readers, writer: vec![writer] });
        Ok(Self(Arc::new(Inner { writer: jobs, readers: reads, threads })))
    }

    /// Applies the migrations of `component` that the database lacks, all or none.
    ///
    /// # Errors
    /// [`Error::MigrationChanged`], [`Error::Newer`] or [`Error::MigrationFailed`]; the database is
    /// then as before.
    pub async fn migrate(&self, component: &'static str, migrations: &[Migration]) -> Result<()> {
        let migrations = migrations.to_vec();
        self.on_writer(move |connection| {
            crate::migrate::migrate(connection, component, &migrations)
        })
        .await
    }

    /// Runs one reading statement. Sees every write that was acknowledged before the call.
    ///
    /// # Errors
    /// [`Error::Statement`] also when the statement writes.
    pub async fn query(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: impl Into<Vec<Val>>,
    ) -> Result<Vec<Row>> {
        let statement = Statement::new(sql, params);
        let Some(readers) = &self.0.readers else {
            return self.on_writer(move |connection| reader::run(connection, &statement)).await;
        };
        let (reply, answer) = oneshot::channel();
        readers.send(Read::Query(statement, reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Runs the statements in order, all or none, and answers when they are committed: one outcome a
    /// statement.
    ///
    /// # Errors
    /// The first statement's error that stopped them; nothing of the batch is kept then.
    pub async fn write(&self, statements: impl Into<Vec<Statement>>) -> Result<Vec<Outcome>> {
        let (reply, answer) = oneshot::channel();
        let batch = Batch { statements: statements.into(), reply };
        self.0.writer.send(Job::Batch(batch)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
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

    /// A number that differs from the last one exactly when another handle or process has committed
    /// something in between; this handle's own writes do not count.
    ///
    /// # Errors
    /// [`Error::Closed`], or an error of the disk.
    pub async fn change_counter(&self) -> Result<i64> {
        let version = "PRAGMA data_version";
        self.on_writer(move |connection| Ok(connection.query_row(version, [], |row| row.get(0))?))
            .await
    }

    /// Finishes what is queued, takes no more, and ends the threads; the last handle on a file folds
    /// its log into it. Calling it again does nothing. Without it nothing acknowledged is lost, only
    /// the log stays.
    pub async fn close(&self) {
        let threads = std::mem::take(&mut *self.lock_threads());
        // Readers first: only the writer may fold the log, and only as the last one.
        if let Some(readers) = &self.0.readers {
            let _ = readers.send(Read::Stop).await;
        }
        join(threads.readers).await;
        let _ = self.0.writer.send(Job::Stop).await;
        join(threads.writer).await;
    }

    async fn on_writer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Alone(Box::new(move |connection| {
            let _ = reply.send(work(connection));
        }));
        self.0.writer.send(job).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    fn lock_threads(&self) -> std::sync::MutexGuard<'_, Threads> {
        self.0.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readers = self.lock_threads().readers.len();
        out.debug_struct("Db").field("readers", &readers).finish_non_exhaustive()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(|e| Error::Engine(format!("cannot start a thread: {e}")))
}

async fn join(threads: Vec<JoinHandle<()>>) {
    let joined = tokio::task::spawn_blocking(move || {
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a storage thread has panicked");
            }
        }
    });
    let _ = joined.await;
}
