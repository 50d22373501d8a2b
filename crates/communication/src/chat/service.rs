//! How a change becomes durable and is told.
//!
//! A change is decided on the thread in memory, written with a guard that the thread is still that
//! one, and decided anew on what the store has when it is not. The write and what follows it run in a
//! task of their own: a caller who hangs up in between leaves no message that nobody is told of.

use std::sync::Arc;

use edge::Tasks;
use kernel::{Clock, Error, ErrorKind, Result, Timestamp};
use storage::{Db, Statement};
use tokio::sync::oneshot;

use super::change::ChatChange;
use super::entry::{Entry, Messages, Place, Turn};
use super::model::Thread;
use super::{rules, store};
use crate::identity::{Caller, Identities};
use crate::ports::Ports;
use crate::recent::Recent;
use crate::resource::Resource;

/// Threads in memory. One with 250 participants takes about 50 kB, a usual one 2 kB.
const THREADS_IN_MEMORY: usize = 4_096;
/// How often a change is decided anew when other processes write to the same thread. One that is as
/// busy with it may win many times in a row.
pub(super) const ATTEMPTS: usize = 128;

/// The chat of all resources. Cheap to clone.
#[derive(Clone)]
pub struct Chat(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) identities: Identities,
    pub(super) ports: Ports,
    tasks: Tasks,
    threads: Recent<String, Arc<Entry>>,
}

/// A user, at the resource that the user's token is for.
#[derive(Clone, Debug)]
pub struct Access {
    /// The resource.
    pub resource: Arc<Resource>,
    /// The user, and what the token permits.
    pub caller: Caller,
}

/// A change that was decided, and the statements that write it; the first is the guard.
pub(super) struct Decision {
    pub(super) change: ChatChange,
    pub(super) statements: Vec<Statement>,
    pub(super) messages: Messages,
}

/// How a write went.
enum Written {
    Done,
    /// Another change came first.
    Overtaken,
}

impl Chat {
    /// Chat in `db`, which has had this crate's migrations.
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        identities: Identities,
        ports: Ports,
        tasks: Tasks,
    ) -> Self {
        let threads = Recent::new(THREADS_IN_MEMORY);
        Self(Arc::new(Inner { db, clock, identities, ports, tasks, threads }))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A thread of a resource that is neither deleted nor past its time.
    pub(super) async fn entry(&self, resource: &str, thread: &str) -> Result<Arc<Entry>> {
        let entry = self.entry_even_expired(resource, thread).await?;
        self.living(&entry, thread).map(|_| entry)
    }

    /// A thread of a resource, whatever has become of it.
    pub(super) async fn entry_even_expired(
        &self,
        resource: &str,
        thread: &str,
    ) -> Result<Arc<Entry>> {
        let key = format!("{resource}/{thread}");
        if let Some(entry) = self.0.threads.get(&key) {
            return Ok(entry);
        }
        let loaded = store::load(&self.0.db, resource, thread).await?;
        let loaded = loaded.ok_or_else(|| rules::no_such_thread(thread))?;
        let entry = Entry::new(loaded, self.0.ports.clone());
        Ok(self.0.threads.put(key, entry, |_present, _new| true))
    }

    /// A thread in its present state.
    pub(super) async fn thread(&self, access: &Access, thread: &str) -> Result<Arc<Thread>> {
        let entry = self.entry(&access.resource.name, thread).await?;
        self.living(&entry, thread)
    }

    fn living(&self, entry: &Entry, thread: &str) -> Result<Arc<Thread>> {
        let living = entry.thread().filter(|thread| {
            // Deleted by its policy, though nobody has come by to do it.
            thread.expires().is_none_or(|expires| expires > self.now())
        });
        living.ok_or_else(|| rules::no_such_thread(thread))
    }

    /// Puts a thread that is about to be written where others will look for it.
    pub(super) fn introduce(&self, loaded: store::Loaded) -> Arc<Entry> {
        let key = format!("{}/{}", loaded.thread.resource, loaded.thread.id);
        let entry = Entry::new(loaded, self.0.ports.clone());
        self.0.threads.put(key, entry, |_present, _new| true)
    }

    /// Changes a thread: `decide` is asked until what it decided could be written.
    pub(super) async fn change(
        &self,
        resource: &str,
        thread: &str,
        mut decide: impl FnMut(&Arc<Thread>, Place, Timestamp) -> Result<Decision>,
    ) -> Result<Arc<ChatChange>> {
        for _ in 0..ATTEMPTS {
            let entry = self.entry(resource, thread).await?;
            if let Some(change) = self.attempt(&entry, thread, &mut decide).await? {
                return Ok(change);
            }
        }
        Err(busy())
    }

    /// One attempt at a change; `None` when another change came first.
    pub(super) async fn attempt(
        &self,
        entry: &Arc<Entry>,
        thread: &str,
        decide: impl FnOnce(&Arc<Thread>, Place, Timestamp) -> Result<Decision>,
    ) -> Result<Option<Arc<ChatChange>>> {
        let now = self.now();
        let (decision, turn) = entry.decide(now, |state, place| {
            let state = state.ok_or_else(|| rules::no_such_thread(thread))?;
            let decision = decide(state, place, now)?;
            let messages = decision.messages;
            Ok((decision, messages))
        })?;
        let Decision { change, statements, .. } = decision;
        let (resource, change) = (Arc::clone(&change.thread.resource), Arc::new(change));
        match self.write(statements, turn, Arc::clone(&change)).await? {
            Written::Done => Ok(Some(change)),
            Written::Overtaken => {
                match store::load(&self.0.db, &resource, thread).await? {
                    Some(loaded) => entry.refresh(loaded),
                    None => entry.forget(),
                }
                Ok(None)
            }
        }
    }

    /// Writes a decided change with the work that it causes; whether it could be written.
    pub(super) async fn write_new(
        &self,
        statements: Vec<Statement>,
        turn: Turn,
        change: Arc<ChatChange>,
    ) -> Result<bool> {
        Ok(matches!(self.write(statements, turn, change).await?, Written::Done))
    }

    async fn write(
        &self,
        mut statements: Vec<Statement>,
        turn: Turn,
        change: Arc<ChatChange>,
    ) -> Result<Written> {
        let (work, committed) = self.0.ports.work(&change);
        statements.extend(work);
        let (reply, answer) = oneshot::channel();
        let db = self.0.db.clone();
        self.0.tasks.spawn("chat change", async move {
            let written = match db.write(statements).await {
                Ok(_) => {
                    turn.written(change, committed);
                    Ok(Written::Done)
                }
                Err(storage::Error::Constraint(_) | storage::Error::Duplicate(_)) => {
                    Ok(Written::Overtaken)
                }
                Err(error) => Err(Error::from(error)),
            };
            // Whoever asked may have gone; the change stays.
            let _ = reply.send(written);
        });
        answer.await.map_err(|_| stopping())?
    }
}

pub(super) fn busy() -> Error {
    let message = "The thread is changed by too many at once. Try again in a moment.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
}

fn stopping() -> Error {
    let message = "The server is stopping. Try again in a moment.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
}
