//! What other parts of the program do with clients: messages that no REST call brings, and events
//! about connections for others than event handlers.

use std::sync::Arc;

use bytes::Bytes;
use gateway::{Audience, Close, ConnectionId, Publication, Target};
use kernel::{Error, ErrorKind, Result, Timestamp};

use crate::message::{Data, Message, Sent, Source};
use crate::metadata::Metadata;
use crate::name::{self, HubName};
use crate::resource::Resource;
use crate::service::WebPubSub;
use crate::session::Presence;

/// Whom a message from inside is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver<'a> {
    /// Every client of the hub.
    Everyone,
    /// The members of a group.
    Group(&'a str),
    /// Every connection of a user.
    User(&'a str),
}

/// Is told of clients that come and go. Called from the threads of the engine, so it must be quick.
pub trait ConnectionObserver: Send + Sync + 'static {
    /// Whether anybody wants to know of the clients of this resource. Asked when a client connects;
    /// one that nobody wants to know of then is not told of later either.
    fn wants(&self, resource: &str) -> bool;

    /// A client has connected, or is gone.
    fn observe(&self, connection: &Observed<'_>);

    /// Whether it wants to know of a message that is sent now. Asked for each message, so it must be
    /// quick, too.
    fn wants_messages(&self, _now: Timestamp) -> bool {
        false
    }

    /// A client has sent a message.
    fn observe_message(&self, _connection: &Observed<'_>, _sent: &Sent) {}
}

/// A client that came or went, or sent something.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The resource's name.
    pub resource: &'a str,
    /// The hub.
    pub hub: &'a str,
    /// The connection's id.
    pub connection: &'a str,
    /// Its user, if it has one.
    pub user: Option<&'a str>,
    /// Why it is gone; `None` when it is there.
    pub gone: Option<&'a Close>,
}

/// One connection, on behalf of its observer.
struct Sighted {
    observer: Arc<dyn ConnectionObserver>,
    resource: Arc<Resource>,
    hub: HubName,
    id: ConnectionId,
    user: Option<Arc<str>>,
}

impl Sighted {
    fn observed<'a>(&'a self, gone: Option<&'a Close>) -> Observed<'a> {
        Observed {
            resource: &self.resource.name,
            hub: self.hub.as_str(),
            connection: self.id.as_str(),
            user: self.user.as_deref(),
            gone,
        }
    }
}

impl Presence for Sighted {
    fn came(&self) {
        self.observer.observe(&self.observed(None));
    }

    fn went(&self, close: &Close) {
        self.observer.observe(&self.observed(Some(close)));
    }

    fn follows(&self, now: Timestamp) -> bool {
        self.observer.wants_messages(now)
    }

    fn sent(&self, sent: &Sent) {
        self.observer.observe_message(&self.observed(None), sent);
    }
}

impl WebPubSub {
    /// What tells the observer of a connection that is about to open, if it wants to know.
    pub(crate) fn presence(
        &self,
        resource: &Arc<Resource>,
        hub: &HubName,
        id: ConnectionId,
        user: Option<&Arc<str>>,
    ) -> Option<Arc<dyn Presence>> {
        let observer = self.observer().filter(|it| it.wants(&resource.name))?;
        Some(Arc::new(Sighted {
            observer: Arc::clone(observer),
            resource: Arc::clone(resource),
            hub: hub.clone(),
            id,
            user: user.cloned(),
        }))
    }

    /// Sends one JSON value, already serialised, to clients of a hub of a resource. Accepted means
    /// handed to the engine, as with a REST call.
    ///
    /// # Errors
    /// `NotFound` without the resource, `Invalid` for a name that cannot be, or bytes that are no text.
    pub async fn send_json(
        &self,
        resource: &str,
        hub: &str,
        receiver: Receiver<'_>,
        json: &Bytes,
    ) -> Result<()> {
        let (resource, hub) = self.known(resource, hub, receiver)?;
        let text = std::str::from_utf8(json).map_err(|_| {
            Error::new(ErrorKind::Invalid, "Error.BadRequest", "The message is not UTF-8.")
        })?;
        let (audience, source) = match receiver {
            Receiver::Everyone => (Audience::Everyone, Source::Server),
            Receiver::Group(group) => {
                let source = Source::Group { group: group.into(), user: None };
                (Audience::Group(group.into()), source)
            }
            Receiver::User(user) => (Audience::User(user.into()), Source::Server),
        };
        let data = Data::Json(text.into());
        let message = Message { source, data, metadata: Metadata::default() };
        let hub = self.hub(resource, &hub).id;
        let target = Target { hub, audience, excluded: Default::default(), filter: None };
        self.backplane().publish(target, Publication::expiring(message, None)).await;
        Ok(())
    }

    /// Checks whether such a message could be sent, without sending one.
    ///
    /// # Errors
    /// As [`WebPubSub::send_json`].
    pub fn check_receiver(&self, resource: &str, hub: &str, receiver: Receiver<'_>) -> Result<()> {
        self.known(resource, hub, receiver).map(|_| ())
    }

    fn known(
        &self,
        resource: &str,
        hub: &str,
        receiver: Receiver<'_>,
    ) -> Result<(&Arc<Resource>, HubName)> {
        let found = self.resource_named(resource).ok_or_else(|| {
            let message = format!("There is no Web PubSub resource '{}'.", resource.escape_debug());
            Error::new(ErrorKind::NotFound, "Error.NotFound", message)
        })?;
        if let Receiver::Group(group) = receiver {
            name::check_group(group)?;
        }
        Ok((found, HubName::parse(hub)?))
    }
}
