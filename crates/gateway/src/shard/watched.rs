//! What is told of connections under live trace.

use super::Shard;
use crate::live_trace::{Happening, Watchers};
use crate::membership::Key;

impl Shard {
    /// Changes who watches, and with it which connections know that they are watched.
    pub(super) fn watch(&mut self, change: impl FnOnce(&mut Watchers)) {
        let Self { watchers, connections, .. } = self;
        change(watchers);
        for (_, connection) in connections.iter_mut() {
            let user = connection.user.as_deref();
            connection.watched = watchers.watch(connection.hub, connection.id, user);
        }
    }

    /// Tells what happens to a connection, if anybody watches it.
    pub(super) fn tell(&self, key: Key, happening: impl FnOnce() -> Happening) {
        if let Some(connection) = self.connections.get(key as usize)
            && connection.watched
        {
            self.watchers.tell(self.now, connection, &happening());
        }
    }

    /// Tells that a connection is about to leave all its groups.
    pub(super) fn tell_left_groups(&self, key: Key) {
        if self.connections.get(key as usize).is_some_and(|it| it.watched) {
            for group in self.memberships.groups_of(key) {
                self.tell(key, || Happening::Left(group.into()));
            }
        }
    }
}
