//! The one thread that writes: group commit with a savepoint for each job.
//!
//! All jobs that wait when a transaction begins share its commit, so the cost of reaching the disk is
//! paid once for up to [`MAX_GROUP`] of them. A job that fails is rolled back to its savepoint alone.
//! No answer is given before the commit. Since this is the only writer of the process, no transaction
//! ever starts as a read and then fails to become a write.

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::run::{Access, run_statement};
use crate::{Error, Outcome, Result, Statement};

/// Jobs that share a commit at most. Beyond this the disk's share is lost in that of the jobs.
const MAX_GROUP: usize = 256;

/// Work for the writer.
pub(super) enum Job {
    /// Statements that happen all or not at all.
    Batch(Batch),
    /// Anything that needs the connection for itself, outside a transaction.
    Alone(Box<dyn FnOnce(&mut Connection) + Send>),
    /// Finish what is queued and end.
    Stop,
}

pub(super) struct Batch {
    pub(super) statements: Vec<Statement>,
    pub(super) reply: oneshot::Sender<Result<Vec<Outcome>>>,
}

/// Serves the queue until it is closed and empty.
pub(super) fn serve(mut connection: Connection, mut queue: mpsc::Receiver<Job>) {
    let mut next = None;
    while let Some(job) = next.take().or_else(|| queue.blocking_recv()) {
        match job {
            Job::Stop => queue.close(),
            Job::Alone(work) => work(&mut connection),
            Job::Batch(first) => {
                let mut group = vec![first];
                next = gather(&mut queue, &mut group);
                commit(&mut connection, group);
            }
        }
    }
}

/// Adds the batches that already wait. Returns the job that ended the row, if another kind did.
fn gather(queue: &mut mpsc::Receiver<Job>, group: &mut Vec<Batch>) -> Option<Job> {
    while group.len() < MAX_GROUP {
        match queue.try_recv().ok()? {
            Job::Batch(batch) => group.push(batch),
            other => return Some(other),
        }
    }
    None
}

/// Runs a group and answers each of its jobs. A receiver that is gone no longer wants to know.
fn commit(connection: &mut Connection, group: Vec<Batch>) {
    let statements: Vec<_> = group.iter().map(|batch| batch.statements.as_slice()).collect();
    match run_group(connection, &statements) {
        Ok(results) => {
            for (batch, result) in group.into_iter().zip(results) {
                let _ = batch.reply.send(result);
            }
        }
        // A deferred constraint shows only at the commit and does not say whose it is, and one with the
        // resolution ROLLBACK takes its neighbours along: every job gets a transaction of its own.
        Err(Error::Constraint(_) | Error::Duplicate(_)) if group.len() > 1 => {
            for batch in group {
                commit(connection, vec![batch]);
            }
        }
        Err(error) => {
            tracing::warn!(jobs = group.len(), %error, "writes were rolled back");
            for batch in group {
                let _ = batch.reply.send(Err(error.clone()));
            }
        }
    }
}

/// Runs all jobs in one transaction. The outer error means that nothing of any job was kept.
fn run_group(
    connection: &mut Connection,
    jobs: &[&[Statement]],
) -> Result<Vec<Result<Vec<Outcome>>>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let results = jobs.iter().map(|job| run_job(&transaction, job)).collect::<Result<Vec<_>>>()?;
    transaction.commit()?;
    Ok(results)
}

/// Runs one job in a savepoint. The outer error means that the whole transaction is lost, as SQLite
/// does when the disk is full.
fn run_job(transaction: &Transaction<'_>, job: &[Statement]) -> Result<Result<Vec<Outcome>>> {
    transaction.execute_batch("SAVEPOINT job")?;
    let result: Result<Vec<_>> =
        job.iter().map(|statement| run_statement(transaction, statement, Access::Write)).collect();
    if let (true, Err(error)) = (transaction.is_autocommit(), &result) {
        return Err(error.clone());
    }
    transaction.execute_batch(match result {
        Ok(_) => "RELEASE job",
        Err(_) => "ROLLBACK TO job; RELEASE job",
    })?;
    Ok(result)
}
