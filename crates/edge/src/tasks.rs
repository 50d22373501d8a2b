//! The task group: every task that outlives the call that started it has a name, is told to stop,
//! and is awaited at the end.
//!
//! It does not restart anything: a task that must survive its own failures loops by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::panics;

/// How long an aborted task may take to notice: one that does not await for this long is left to
/// the end of the process.
const ABORT_PATIENCE: Duration = Duration::from_secs(1);

/// A group of named tasks. Clones are handles to the same group.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

/// The tasks that were still running when the time to stop was over, and so were dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unfinished(Vec<(&'static str, usize)>);

impl Tasks {
    /// An empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty group that is told to stop together with the owner of `stop`.
    pub fn under(stop: &CancellationToken) -> Self {
        Self { stop: stop.child_token(), ..Self::default() }
    }

    /// The signal to stop. Tasks watch it; whoever wants the group to stop early cancels it.
    pub fn token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Starts `task` under `name`. A panic in it is logged with the name and ends that task alone.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let entry = Entry::new(name, Arc::clone(&self.running));
        let abort = self.abort.clone();
        self.tracker.spawn(async move {
            // Whole, not only its name, so that it leaves the list when the task is dropped.
            let entry = entry;
            let outcome = abort.run_until_cancelled(panics::caught(task)).await;
            if let Some(Err(panic)) = outcome {
                tracing::error!(task = entry.name, panic, "a task panicked");
            }
        });
    }

    /// Tells every task to stop and waits until all have, at most for `grace`; tasks that are still
    /// running then are dropped at their next await.
    ///
    /// # Errors
    /// [`Unfinished`] names the dropped tasks.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), Unfinished> {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        let unfinished = lock(&self.running).iter().map(|(name, count)| (*name, *count)).collect();
        self.abort.cancel();
        let _left_to_the_process =
            tokio::time::timeout(ABORT_PATIENCE, self.tracker.wait()).await.is_err();
        Err(Unfinished(unfinished))
    }
}

impl Unfinished {
    /// How many tasks were dropped.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not finished in time:")?;
        for (index, (name, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma} {name} ({count})")?;
        }
        Ok(())
    }
}

/// One running task in the group's list; leaves it when dropped, however the task ended.
struct Entry {
    name: &'static str,
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Entry {
    fn new(name: &'static str, running: Arc<Mutex<BTreeMap<&'static str, usize>>>) -> Self {
        *lock(&running).entry(name).or_insert(0) += 1;
        Self { name, running }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        if let Some(count) = running.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                running.remove(self.name);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The counts stay right even if a holder panicked: each change is a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_tasks_that_heed_the_signal() {
        let tasks = Tasks::new();
        let finished = Arc::new(AtomicBool::new(false));
        let (stop, flag) = (tasks.token().clone(), Arc::clone(&finished));
        tasks.spawn("heedful", async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            flag.store(true, Ordering::SeqCst);
        });
        tasks.shutdown(Duration::from_secs(60)).await.unwrap();
        assert!(finished.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_names_and_drops_tasks_that_do_not_end() {
        let tasks = Tasks::new();
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        tasks.spawn("deaf", async move {
            std::future::pending::<()>().await;
            drop(inside);
        });
        let unfinished = tasks.shutdown(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(unfinished.to_string(), "not finished in time: deaf (1)");
        assert_eq!(Arc::strong_count(&held), 1, "the task and all it held are gone");
    }

    #[tokio::test]
    async fn a_panicking_task_leaves_the_others_running() {
        let tasks = Tasks::new();
        let (sent, received) = tokio::sync::oneshot::channel();
        tasks.spawn("broken", async { panic!("on purpose") });
        tasks.spawn("sound", async move { sent.send(5).unwrap() });
        assert_eq!(received.await, Ok(5));
        tasks.shutdown(Duration::from_secs(60)).await.unwrap();
    }

    #[tokio::test]
    async fn a_group_under_a_signal_stops_with_it_but_not_the_other_way_round() {
        let outer = CancellationToken::new();
        let first = Tasks::under(&outer);
        first.shutdown(Duration::from_secs(60)).await.unwrap();
        assert!(!outer.is_cancelled());
        let second = Tasks::under(&outer);
        outer.cancel();
        assert!(second.token().is_cancelled());
    }
}
