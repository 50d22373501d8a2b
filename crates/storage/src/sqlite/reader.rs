//! The threads that read. Each has its own read-only connection, and WAL lets them see the last
//! commit without waiting for the writer.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::run::{Access, run_statement};
use crate::{Result, Row, Statement};

/// Work for a reader.
pub(super) enum Read {
    /// A statement that only reads.
    Query(Statement, oneshot::Sender<Result<Vec<Row>>>),
    /// Finish what is queued and end.
    Stop,
}

/// The queue that all readers of a database take from.
pub(super) type Reads = Arc<Mutex<mpsc::Receiver<Read>>>;

/// Serves the queue until it is closed and empty.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns what it works with")]
pub(super) fn serve(connection: Connection, reads: Reads) {
    loop {
        // One idle reader waits in the queue, the others wait for its place.
        let mut queue = reads.lock().unwrap_or_else(PoisonError::into_inner);
        let read = queue.blocking_recv();
        if matches!(read, Some(Read::Stop)) {
            queue.close();
        }
        drop(queue);
        match read {
            Some(Read::Query(statement, reply)) => {
                let _ = reply.send(run(&connection, &statement));
            }
            Some(Read::Stop) => {}
            None => return,
        }
    }
}

pub(super) fn run(connection: &Connection, statement: &Statement) -> Result<Vec<Row>> {
    run_statement(connection, statement, Access::Read).map(|outcome| outcome.rows)
}
