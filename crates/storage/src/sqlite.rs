//! The embedded engine: SQLite behind one writer thread and a few reader threads.
//!
//! What is asked is queued, and the answer awaited. A future dropped while it waits does not take back
//! what it has queued.

mod connection;
mod error;
mod migrate;
mod reader;
mod run;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use self::connection::{open_in_memory, open_reader, open_writer};
use self::reader::Read;
use self::writer::{Batch, Job};
use crate::{Error, Migration, Outcome, Result, Row, Statement};

pub use self::connection::Options;

/// A handle to the threads; clones share them.
#[derive(Clone)]
pub(crate) struct Sqlite(Arc<Inner>);

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

impl Sqlite {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self> {
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

    pub(crate) fn in_memory() -> Result<Self> {
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

    pub(crate) async fn migrate(
        &self,
        component: &'static str,
        migrations: &[Migration],
    ) -> Result<()> {
        let migrations = migrations.to_vec();
        self.on_writer(move |connection| migrate::migrate(connection, component, &migrations)).await
    }

    pub(crate) async fn query(&self, statement: Statement) -> Result<Vec<Row>> {
        let Some(readers) = &self.0.readers else {
            return self.on_writer(move |connection| reader::run(connection, &statement)).await;
        };
        let (reply, answer) = oneshot::channel();
        readers.send(Read::Query(statement, reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    pub(crate) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>> {
        let (reply, answer) = oneshot::channel();
        self.0
            .writer
            .send(Job::Batch(Batch { statements, reply }))
            .await
            .map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Differs from the last one exactly when another handle or process has committed something.
    pub(crate) async fn change_counter(&self) -> Result<i64> {
        let version = "PRAGMA data_version";
        self.on_writer(move |connection| Ok(connection.query_row(version, [], |row| row.get(0))?))
            .await
    }

    pub(crate) async fn close(&self) {
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

impl fmt::Debug for Sqlite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readers = self.lock_threads().readers.len();
        out.debug_struct("Sqlite").field("readers", &readers).finish_non_exhaustive()
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
