//! Which shards have members of an audience at all.
//!
//! The one structure that shards share. It changes only when a shard gains its first or loses its
//! last member of an audience, so a publish costs one short read and then one message to each shard
//! that has members, however many shards there are.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::audience::Roll;
use crate::id::HubId;

/// A set of shards, one bit each.
pub(crate) type ShardSet = u64;

/// The most shards that a [`ShardSet`] can name.
pub(crate) const MAX_SHARDS: usize = ShardSet::BITS as usize;

/// Locks are cut by hash so that unrelated audiences rarely meet at one.
const PARTS: usize = 16;

#[derive(Debug, Default)]
struct Part {
    everyone: HashMap<HubId, ShardSet>,
    groups: HashMap<HubId, HashMap<Arc<str>, ShardSet>>,
    users: HashMap<HubId, HashMap<Arc<str>, ShardSet>>,
}

/// The shared index.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    parts: [RwLock<Part>; PARTS],
    hasher: RandomState,
}

impl Directory {
    /// The shards that have members.
    pub(crate) fn shards(&self, hub: HubId, roll: Roll<'_>) -> ShardSet {
        let part = self.read(hub, roll);
        let found = match roll {
            Roll::Everyone => part.everyone.get(&hub),
            Roll::Group(name) => part.groups.get(&hub).and_then(|groups| groups.get(name)),
            Roll::User(name) => part.users.get(&hub).and_then(|users| users.get(name)),
        };
        found.copied().unwrap_or(0)
    }

    /// Notes that `shard` has its first member.
    pub(crate) fn insert(&self, hub: HubId, roll: Roll<'_>, shard: u8) {
        let mut part = self.write(hub, roll);
        *match roll {
            Roll::Everyone => part.everyone.entry(hub).or_default(),
            Roll::Group(name) => {
                part.groups.entry(hub).or_default().entry(name.into()).or_default()
            }
            Roll::User(name) => part.users.entry(hub).or_default().entry(name.into()).or_default(),
        } |= 1 << shard;
    }

    /// Notes that `shard` has lost its last member.
    pub(crate) fn remove(&self, hub: HubId, roll: Roll<'_>, shard: u8) {
        let mut part = self.write(hub, roll);
        match roll {
            Roll::Everyone => clear_bit(&mut part.everyone, &hub, shard),
            Roll::Group(name) => clear_nested(&mut part.groups, hub, name, shard),
            Roll::User(name) => clear_nested(&mut part.users, hub, name, shard),
        }
    }

    fn part(&self, hub: HubId, roll: Roll<'_>) -> &RwLock<Part> {
        let hash = match roll {
            Roll::Everyone => self.hasher.hash_one((hub, 0)),
            Roll::Group(name) => self.hasher.hash_one((hub, 1, name)),
            Roll::User(name) => self.hasher.hash_one((hub, 2, name)),
        };
        &self.parts[hash as usize % PARTS]
    }

    fn read(&self, hub: HubId, roll: Roll<'_>) -> RwLockReadGuard<'_, Part> {
        // No code between lock and unlock can leave a part half changed.
        self.part(hub, roll).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, hub: HubId, roll: Roll<'_>) -> RwLockWriteGuard<'_, Part> {
        self.part(hub, roll).write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn clear_nested(
    tables: &mut HashMap<HubId, HashMap<Arc<str>, ShardSet>>,
    hub: HubId,
    name: &str,
    shard: u8,
) {
    if let Some(table) = tables.get_mut(&hub) {
        clear_bit(table, name, shard);
        if table.is_empty() {
            tables.remove(&hub);
        }
    }
}

fn clear_bit<K, Q>(table: &mut HashMap<K, ShardSet>, key: &Q, shard: u8)
where
    K: std::borrow::Borrow<Q> + Eq + std::hash::Hash,
    Q: Eq + std::hash::Hash + ?Sized,
{
    if let Some(shards) = table.get_mut(key) {
        *shards &= !(1 << shard);
        if *shards == 0 {
            table.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_lives_as_long_as_some_shard_has_members() {
        let directory = Directory::default();
        let (hub, roll) = (HubId(1), Roll::Group("g"));
        directory.insert(hub, roll, 0);
        directory.insert(hub, roll, 5);
        assert_eq!(directory.shards(hub, roll), 0b10_0001);
        directory.remove(hub, roll, 0);
        assert_eq!(directory.shards(hub, roll), 0b10_0000);
        directory.remove(hub, roll, 5);
        assert_eq!(directory.shards(hub, roll), 0);
        assert!(directory.parts.iter().all(|part| part.read().unwrap().groups.is_empty()));
    }

    #[test]
    fn group_and_user_of_one_name_are_apart() {
        let directory = Directory::default();
        directory.insert(HubId(1), Roll::Group("x"), 2);
        assert_eq!(directory.shards(HubId(1), Roll::User("x")), 0);
        assert_eq!(directory.shards(HubId(2), Roll::Group("x")), 0);
    }
}
