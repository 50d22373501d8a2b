//! One shard's memberships: audience to connections, and back.
//!
//! Both directions are arrays, and each entry knows where its counterpart stands, so joining and
//! leaving cost the same however large a group is, and a fan-out walks one contiguous array.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use crate::audience::Roll;
use crate::directory::Directory;
use crate::id::HubId;

/// A connection as the shard numbers it.
pub(crate) type Key = u32;

/// One connection in the list of an audience.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) key: Key,
    /// Where this membership stands in the connection's own list.
    slot: u32,
}

/// One audience in the list of a connection.
#[derive(Clone, Copy, Debug)]
struct Place {
    list: u32,
    /// Where the connection stands in the audience's list.
    position: u32,
}

#[derive(Clone, Debug)]
enum Name {
    Everyone,
    Group(Arc<str>),
    User(Arc<str>),
}

impl Name {
    fn roll(&self) -> Roll<'_> {
        match self {
            Self::Everyone => Roll::Everyone,
            Self::Group(name) => Roll::Group(name),
            Self::User(name) => Roll::User(name),
        }
    }
}

#[derive(Debug)]
struct List {
    hub: HubId,
    name: Name,
    members: Vec<Member>,
}

#[derive(Debug, Default)]
struct Hub {
    everyone: Option<u32>,
    groups: HashMap<Arc<str>, u32>,
    users: HashMap<Arc<str>, u32>,
}

/// The memberships of one shard.
#[derive(Debug)]
pub(crate) struct Memberships {
    shard: u8,
    directory: Arc<Directory>,
    hubs: HashMap<HubId, Hub>,
    lists: Slab<List>,
    /// By connection key.
    places: Vec<Vec<Place>>,
}

impl Memberships {
    pub(crate) fn new(shard: u8, directory: Arc<Directory>) -> Self {
        Self { shard, directory, hubs: HashMap::new(), lists: Slab::new(), places: Vec::new() }
    }

    /// The connections in an audience; empty when there is no such audience.
    pub(crate) fn members(&self, hub: HubId, roll: Roll<'_>) -> &[Member] {
        self.find(hub, roll).map_or(&[], |list| &self.lists[list as usize].members)
    }

    /// Adds a connection to an audience; adding it again changes nothing.
    pub(crate) fn add(&mut self, key: Key, hub: HubId, roll: Roll<'_>) {
        let list = self.find_or_create(hub, roll);
        let index = key as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, Vec::new);
        }
        let places = &mut self.places[index];
        if places.iter().any(|place| place.list == list) {
            return;
        }
        let members = &mut self.lists[list as usize].members;
        places.push(Place { list, position: number(members.len()) });
        members.push(Member { key, slot: number(places.len() - 1) });
    }

    /// Removes a connection from an audience; `false` when it was not in it.
    pub(crate) fn remove(&mut self, key: Key, hub: HubId, roll: Roll<'_>) -> bool {
        let Some(list) = self.find(hub, roll) else { return false };
        let places = self.places.get(key as usize).map_or(&[][..], Vec::as_slice);
        let Some(slot) = places.iter().position(|place| place.list == list) else { return false };
        self.remove_slot(key, slot);
        true
    }

    /// Removes a connection from all groups of its hub; it stays connected.
    pub(crate) fn remove_from_groups(&mut self, key: Key) {
        let mut slot = 0;
        while let Some(place) = self.places.get(key as usize).and_then(|places| places.get(slot)) {
            if matches!(self.lists[place.list as usize].name, Name::Group(_)) {
                self.remove_slot(key, slot);
            } else {
                slot += 1;
            }
        }
    }

    /// The groups that a connection is in.
    pub(crate) fn groups_of(&self, key: Key) -> impl Iterator<Item = &str> {
        let places = self.places.get(key as usize).map_or(&[][..], Vec::as_slice);
        places.iter().filter_map(|place| match &self.lists[place.list as usize].name {
            Name::Group(name) => Some(&**name),
            Name::Everyone | Name::User(_) => None,
        })
    }

    /// Removes a connection from everything.
    pub(crate) fn remove_connection(&mut self, key: Key) {
        while self.places.get(key as usize).is_some_and(|places| !places.is_empty()) {
            self.remove_slot(key, 0);
        }
        if let Some(places) = self.places.get_mut(key as usize) {
            *places = Vec::new();
        }
    }

    fn remove_slot(&mut self, key: Key, slot: usize) {
        let places = &mut self.places[key as usize];
        let gone = places.swap_remove(slot);
        if let Some(moved) = places.get(slot) {
            self.lists[moved.list as usize].members[moved.position as usize].slot = number(slot);
        }
        let members = &mut self.lists[gone.list as usize].members;
        members.swap_remove(gone.position as usize);
        if let Some(moved) = members.get(gone.position as usize) {
            self.places[moved.key as usize][moved.slot as usize].position = gone.position;
        }
        if members.is_empty() {
            self.drop_list(gone.list);
        } else if members.capacity() > 64 && members.len() < members.capacity() / 4 {
            // A crowd that has left must not keep its memory.
            members.shrink_to(members.len() * 2);
        }
    }

    fn find(&self, hub: HubId, roll: Roll<'_>) -> Option<u32> {
        let hub = self.hubs.get(&hub)?;
        match roll {
            Roll::Everyone => hub.everyone,
            Roll::Group(name) => hub.groups.get(name).copied(),
            Roll::User(name) => hub.users.get(name).copied(),
        }
    }

    fn find_or_create(&mut self, hub: HubId, roll: Roll<'_>) -> u32 {
        if let Some(list) = self.find(hub, roll) {
            return list;
        }
        let table = self.hubs.entry(hub).or_default();
        let name = match roll {
            Roll::Everyone => Name::Everyone,
            Roll::Group(name) => Name::Group(name.into()),
            Roll::User(name) => Name::User(name.into()),
        };
        let list = number(self.lists.insert(List { hub, name: name.clone(), members: Vec::new() }));
        match name {
            Name::Everyone => table.everyone = Some(list),
            Name::Group(name) => drop(table.groups.insert(name, list)),
            Name::User(name) => drop(table.users.insert(name, list)),
        }
        self.directory.insert(hub, roll, self.shard);
        list
    }

    fn drop_list(&mut self, list: u32) {
        let list = self.lists.remove(list as usize);
        if let Some(hub) = self.hubs.get_mut(&list.hub) {
            match &list.name {
                Name::Everyone => hub.everyone = None,
                Name::Group(name) => drop(hub.groups.remove(name)),
                Name::User(name) => drop(hub.users.remove(name)),
            }
            if hub.everyone.is_none() && hub.groups.is_empty() && hub.users.is_empty() {
                self.hubs.remove(&list.hub);
            }
        }
        self.directory.remove(list.hub, list.name.roll(), self.shard);
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("descriptors run out long before 2^32 memberships")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    const HUB: HubId = HubId(3);

    fn keys(memberships: &Memberships, roll: Roll<'_>) -> BTreeSet<Key> {
        memberships.members(HUB, roll).iter().map(|member| member.key).collect()
    }

    #[test]
    fn leaving_all_groups_keeps_the_connection_and_its_user() {
        let mut memberships = Memberships::new(0, Arc::default());
        for roll in [Roll::Group("a"), Roll::Everyone, Roll::Group("b"), Roll::User("u")] {
            memberships.add(7, HUB, roll);
        }
        memberships.remove_from_groups(7);
        assert!(keys(&memberships, Roll::Group("a")).is_empty());
        assert!(keys(&memberships, Roll::Group("b")).is_empty());
        assert_eq!(keys(&memberships, Roll::Everyone), [7].into());
        assert_eq!(keys(&memberships, Roll::User("u")), [7].into());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(Key, u8),
        Remove(Key, u8),
        RemoveConnection(Key),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (key, group) = (0u32..6, 0u8..4);
        prop_oneof![
            4 => (key.clone(), group.clone()).prop_map(|(key, group)| Step::Add(key, group)),
            2 => (key.clone(), group).prop_map(|(key, group)| Step::Remove(key, group)),
            1 => key.prop_map(Step::RemoveConnection),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_map_of_sets(steps in prop::collection::vec(step(), 0..80)) {
            let directory = Arc::<Directory>::default();
            let mut memberships = Memberships::new(1, Arc::clone(&directory));
            let mut model: BTreeMap<u8, BTreeSet<Key>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Add(key, group) => {
                        memberships.add(key, HUB, Roll::Group(&group.to_string()));
                        model.entry(group).or_default().insert(key);
                    }
                    Step::Remove(key, group) => {
                        let removed = memberships.remove(key, HUB, Roll::Group(&group.to_string()));
                        prop_assert_eq!(removed, model.entry(group).or_default().remove(&key));
                    }
                    Step::RemoveConnection(key) => {
                        memberships.remove_connection(key);
                        model.values_mut().for_each(|members| { members.remove(&key); });
                    }
                }
                for group in 0..4 {
                    let name = group.to_string();
                    let wanted = model.get(&group).cloned().unwrap_or_default();
                    let shards = if wanted.is_empty() { 0 } else { 0b10 };
                    prop_assert_eq!(directory.shards(HUB, Roll::Group(&name)), shards);
                    prop_assert_eq!(keys(&memberships, Roll::Group(&name)), wanted);
                }
            }
        }
    }
}
