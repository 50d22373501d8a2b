//! A bounded map of what was used lately.
//!
//! Two generations: new entries go into the young one; when it is full it becomes the old one and the
//! old one goes. A lookup brings an entry back into the young one. So what is in use stays, memory is
//! bounded by twice the capacity, and nothing is kept per entry to find the oldest.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// The map. Values are cheap to clone.
pub(crate) struct Recent<K, V> {
    capacity: usize,
    generations: Mutex<Generations<K, V>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    /// Keeps at least the `capacity` entries used last.
    pub(crate) fn new(capacity: usize) -> Self {
        let generations = Mutex::new(Generations { young: HashMap::new(), old: HashMap::new() });
        Self { capacity, generations }
    }

    /// The entry of a key.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut generations = self.lock();
        if let Some(found) = generations.young.get(key) {
            return Some(found.clone());
        }
        let (key, value) = generations.old.remove_entry(key)?;
        Some(generations.insert(self.capacity, key, value))
    }

    /// Puts an entry, unless there is one already that `wins` over it; returns what is there then.
    pub(crate) fn put(&self, key: K, value: V, wins: impl FnOnce(&V, &V) -> bool) -> V {
        let mut generations = self.lock();
        let present = match generations.young.get(&key).cloned() {
            Some(present) => Some(present),
            None => generations.old.remove(&key),
        };
        let value = match present {
            Some(present) if wins(&present, &value) => present,
            _ => value,
        };
        generations.insert(self.capacity, key, value)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations<K, V>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V: Clone> Generations<K, V> {
    fn insert(&mut self, capacity: usize, key: K, value: V) -> V {
        if self.young.len() >= capacity && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_memory_is_bounded() {
        let recent = Recent::new(4);
        for number in 0..100 {
            recent.put(number, number, |_, _| false);
            assert_eq!(recent.get(&0), Some(0), "it is used all the time");
        }
        let generations = recent.lock();
        assert!(generations.young.len() + generations.old.len() <= 8);
    }

    #[test]
    fn an_entry_that_wins_is_kept() {
        let recent = Recent::new(4);
        let newer = |present: &i32, new: &i32| present > new;
        assert_eq!(recent.put("k", 2, newer), 2);
        assert_eq!(recent.put("k", 1, newer), 2);
        assert_eq!(recent.put("k", 3, newer), 3);
        assert_eq!(recent.get(&"k"), Some(3));
    }
}
