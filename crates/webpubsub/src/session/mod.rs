//! What stands behind one client connection: a pure state machine for each kind of client.
//!
//! - `pubsub`: subprotocols with an envelope
//! - `simple`: frames that are data alone
//! - `acks`: which messages have been carried out already
//! - `ending`: why a connection has ended
//! - `events`: what goes to the application's event handler

mod acks;
mod ending;
mod events;
mod pubsub;
mod refused;
mod simple;
#[cfg(test)]
mod tests;

pub use ending::Ending;
pub use events::{EventSink, EventSource, Presence, Reply, UserEvent};
pub use pubsub::PubSubSession;
pub use refused::RefusedSession;
pub use simple::{SimpleMode, SimpleSession};

use gateway::{Audience, ConnectionId, Effect, Publication};
use kernel::Timestamp;

use crate::message::{Message, Source};
use crate::role::{Permission, Permissions};
use crate::upstream::{Answer, UserOutcome};

/// What the service tells a connection's session.
#[derive(Debug)]
pub enum Instruction {
    /// A question about, or a change of, its permissions.
    Permission(PermissionQuestion),
    /// The answer to an event that the session raised.
    EventAnswered {
        /// What the client waits for.
        reply: Reply,
        /// What came of it.
        outcome: UserOutcome,
    },
}

/// A call about one permission.
#[derive(Debug)]
pub struct PermissionQuestion {
    /// What is to be done.
    pub verb: Verb,
    /// Which permission.
    pub permission: Permission,
    /// The group; `None` means all groups.
    pub group: Option<Box<str>>,
}

/// What a call does about a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Gives it; answered `false` when there is no room for another rule.
    Grant,
    /// Takes it; answered as [`Verb::Grant`].
    Revoke,
    /// Asks for it; answered whether it is there.
    Check,
}

impl PermissionQuestion {
    fn apply(&self, permissions: &mut Permissions) -> bool {
        let granted = match self.verb {
            Verb::Check => return self.check(permissions),
            Verb::Grant => true,
            Verb::Revoke => false,
        };
        let scope = permissions.scope_mut(self.permission);
        match &self.group {
            Some(group) => scope.set(group, granted).is_ok(),
            None => {
                scope.set_all(granted);
                true
            }
        }
    }

    fn check(&self, permissions: &Permissions) -> bool {
        let scope = permissions.scope(self.permission);
        self.group.as_deref().map_or_else(|| scope.covers_all(), |group| scope.covers(group))
    }
}

/// The passing on of an event handler's answer: a message from the server to one connection,
/// numbered like any other where messages are.
fn pass_on(id: ConnectionId, answer: Answer) -> Effect {
    let Answer { data, metadata } = answer;
    let message = Message { source: Source::Server, data, metadata };
    Effect::Publish {
        audience: Audience::Connection(id),
        publication: Publication::new(message),
        echo: true,
    }
}

/// The publishing of a client's message to a group.
fn publish_to_group(
    group: &str,
    message: Message,
    expires: Option<Timestamp>,
    echo: bool,
) -> Effect {
    Effect::Publish {
        audience: Audience::Group(group.into()),
        publication: Publication::expiring(message, expires),
        echo,
    }
}
