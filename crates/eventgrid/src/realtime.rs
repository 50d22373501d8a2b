//! The port through which events reach people's browsers: what Event Grid needs of Web PubSub.

use bytes::Bytes;
use delivery::Doing;
use kernel::Result;

use crate::subscription::HubTarget;

/// Sends messages to clients of a hub of this server.
pub trait Realtime: Send + Sync + 'static {
    /// Sends one JSON value, already serialised, to everybody whom `target` names. Nobody listening
    /// is no error.
    ///
    /// # Errors
    /// When the hub or group cannot be, such as for a name that breaks the rules.
    fn send<'a>(&'a self, target: &'a HubTarget, json: Bytes) -> Doing<'a, Result<()>>;

    /// Checks a target without sending, when an event subscription is created.
    ///
    /// # Errors
    /// As [`Realtime::send`].
    fn check(&self, target: &HubTarget) -> Result<()>;
}

/// Where there is no Web PubSub: every target is refused.
#[derive(Clone, Copy, Debug)]
pub struct NoRealtime;

impl Realtime for NoRealtime {
    fn send<'a>(&'a self, target: &'a HubTarget, _: Bytes) -> Doing<'a, Result<()>> {
        Box::pin(async move { self.check(target) })
    }

    fn check(&self, _: &HubTarget) -> Result<()> {
        let message = "This server has no Web PubSub resource for a WebPubSub destination.";
        Err(crate::topic::invalid("destination.endpointType", message))
    }
}
