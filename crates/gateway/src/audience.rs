//! Who a message is for.

use std::sync::Arc;

use crate::id::{ConnectionId, HubId};

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

/// The receivers of a publication.
#[derive(Clone, Debug)]
pub struct Target {
    /// The hub that they are connected to.
    pub hub: HubId,
    /// The set of its connections.
    pub audience: Audience,
    /// Those of the set that are left out.
    pub excluded: Vec<ConnectionId>,
}

impl Target {
    /// The whole of `audience`.
    pub fn all(hub: HubId, audience: Audience) -> Self {
        Self { hub, audience, excluded: Vec::new() }
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
