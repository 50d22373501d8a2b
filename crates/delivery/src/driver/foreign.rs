//! Tasks that run code of a courier, each under a key: their panics are theirs alone.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;

use tokio::task::{Id, JoinSet};

/// How a task ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended<T> {
    Returned(T),
    Panicked,
    /// It was told to end.
    Dropped,
}

/// A set of such tasks.
#[derive(Debug)]
pub(super) struct Foreign<K, T> {
    tasks: JoinSet<T>,
    keys: HashMap<Id, K>,
}

impl<K: Copy + Eq + Hash, T: Send + 'static> Foreign<K, T> {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), keys: HashMap::new() }
    }

    pub(super) fn has(&self, key: K) -> bool {
        self.keys.values().any(|it| *it == key)
    }

    pub(super) fn spawn(&mut self, key: K, task: impl Future<Output = T> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.keys.insert(id, key);
    }

    /// The next one that ends; none when there are no tasks. When dropped meanwhile, nothing is lost.
    pub(super) async fn next(&mut self) -> Option<(K, Ended<T>)> {
        let (id, ended) = match self.tasks.join_next_with_id().await? {
            Ok((id, value)) => (id, Ended::Returned(value)),
            Err(error) if error.is_panic() => (error.id(), Ended::Panicked),
            Err(error) => (error.id(), Ended::Dropped),
        };
        let key = self.keys.remove(&id).expect("every task was spawned under a key");
        Some((key, ended))
    }

    /// Ends all tasks at their next await.
    pub(super) fn drop_all(&mut self) {
        self.tasks.abort_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_with_its_key() {
        let mut tasks = Foreign::new();
        tasks.spawn(1, async { panic!("a courier's defect") });
        assert_eq!(tasks.next().await, Some((1, Ended::<()>::Panicked)));
        assert_eq!(tasks.next().await, None);
    }

    #[tokio::test]
    async fn what_is_told_to_end_ends() {
        let mut tasks = Foreign::new();
        tasks.spawn(7, std::future::pending::<()>());
        assert!(tasks.has(7));
        tasks.drop_all();
        assert_eq!(tasks.next().await, Some((7, Ended::Dropped)));
        assert!(!tasks.has(7));
    }
}
