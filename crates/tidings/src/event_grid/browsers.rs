//! Events to the clients of a hub: Event Grid's port, over Web PubSub.

use bytes::Bytes;
use delivery::Doing;
use eventgrid::Realtime;
use eventgrid::subscription::HubTarget;
use kernel::{Error, ErrorKind, Result};
use webpubsub::{Receiver, WebPubSub};

use crate::config::Resource;

/// The hubs of this server.
pub(super) struct Browsers {
    /// The resource of targets that name none.
    first: Option<String>,
    web_pubsub: WebPubSub,
}

impl Browsers {
    pub(super) fn new(resources: &[Resource], web_pubsub: WebPubSub) -> Self {
        let first = resources.first().map(|resource| resource.name.clone());
        Self { first, web_pubsub }
    }

    fn resource<'a>(&'a self, target: &'a HubTarget) -> Result<&'a str> {
        target.resource.as_deref().or(self.first.as_deref()).ok_or_else(|| {
            let message = "This server has no Web PubSub resource for a WebPubSub destination.";
            Error::new(ErrorKind::Invalid, "InvalidRequest", message).target("destination")
        })
    }
}

impl Realtime for Browsers {
    fn send<'a>(&'a self, target: &'a HubTarget, json: Bytes) -> Doing<'a, Result<()>> {
        Box::pin(async move {
            let resource = self.resource(target)?;
            self.web_pubsub.send_json(resource, &target.hub, receiver(target), &json).await
        })
    }

    fn check(&self, target: &HubTarget) -> Result<()> {
        self.web_pubsub.check_receiver(self.resource(target)?, &target.hub, receiver(target))
    }
}

fn receiver(target: &HubTarget) -> Receiver<'_> {
    match (&target.group, &target.user) {
        (Some(group), _) => Receiver::Group(group),
        (None, Some(user)) => Receiver::User(user),
        (None, None) => Receiver::Everyone,
    }
}
