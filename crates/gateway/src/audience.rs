//! Who a message is for.

use std::fmt;
use std::sync::Arc;

use crate::id::{ConnectionId, HubId};
use crate::membership::{Key, Memberships};
use crate::publication::Variant;

/// A set of connections of one hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Every connection of the hub.
    Everyone,
    /// The members of a group.
    Group(Arc<str>),
    /// The connections of a user.
    User(Arc<str>),
    /// One connection.
    Connection(ConnectionId),
}

impl fmt::Display for Audience {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => out.write_str("the hub"),
            Self::Group(group) => write!(out, "the group '{group}'"),
            Self::User(user) => write!(out, "the user '{user}'"),
            Self::Connection(id) => write!(out, "the connection {id}"),
        }
    }
}

/// The receivers of a publication.
#[derive(Clone, Debug)]
pub struct Target {
    /// The hub that they are connected to.
    pub hub: HubId,
    /// The set of its connections.
    pub audience: Audience,
    /// Those of the set that are left out.
    pub excluded: Vec<ConnectionId>,
    /// What the others must fulfil.
    pub filter: Option<Arc<dyn Filter>>,
}

/// A condition on receivers.
pub trait Filter: fmt::Debug + Send + Sync {
    /// Whether a connection fulfils it. Runs on a shard's thread for each connection of the
    /// audience.
    fn admits(&self, candidate: &Candidate<'_>) -> bool;
}

/// A connection that a [`Filter`] judges.
pub struct Candidate<'a> {
    /// Its name.
    pub id: ConnectionId,
    /// Whom it belongs to.
    pub user: Option<&'a str>,
    /// Its wire form.
    pub variant: Variant,
    /// Its groups.
    pub groups: Groups<'a>,
}

/// The groups of a connection.
pub struct Groups<'a> {
    pub(crate) memberships: &'a Memberships,
    pub(crate) key: Key,
}

impl Groups<'_> {
    /// Whether the connection is in a group.
    pub fn contains(&self, group: &str) -> bool {
        self.iter().any(|own| own == group)
    }

    /// The groups' names, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.memberships.groups_of(self.key)
    }
}

impl Target {
    /// The whole of `audience`.
    pub fn all(hub: HubId, audience: Audience) -> Self {
        Self { hub, audience, excluded: Vec::new(), filter: None }
    }
}

/// An [`Audience`] that has a list of members, borrowed: the key of every membership table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roll<'a> {
    Everyone,
    Group(&'a str),
    User(&'a str),
}

impl Audience {
    /// The member list behind the audience, or the one connection that it names.
    pub(crate) fn roll(&self) -> Result<Roll<'_>, ConnectionId> {
        match self {
            Self::Everyone => Ok(Roll::Everyone),
            Self::Group(name) => Ok(Roll::Group(name)),
            Self::User(name) => Ok(Roll::User(name)),
            Self::Connection(id) => Err(*id),
        }
    }
}
