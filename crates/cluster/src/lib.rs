//! The backplane: what stands between the services and the connections of all nodes.
//!
//! Services publish, regroup, close and count through it and never learn on which shard or node a
//! connection lives. Today there is one node and every call goes to its own gateway; a cluster of
//! nodes comes behind the same calls.

use std::any::Any;

use gateway::{
    Audience, Close, ConnectionId, Gateway, GroupChange, HubId, Listed, LiveTrace, Opening, Page,
    Publication, Reservation, ShuttingDown, Target, Variant, Watched,
};

/// All connections of the installation, as services see them. Cheap to clone.
#[derive(Clone)]
pub struct Backplane {
    local: Gateway,
}

impl Backplane {
    /// The backplane of a node that is alone.
    pub fn local(gateway: Gateway) -> Self {
        Self { local: gateway }
    }

    /// The engine's number for a hub; `name` must be unique over all resources and services.
    pub fn hub(&self, name: &str) -> HubId {
        self.local.hub(name)
    }

    /// A name for a connection about to open on this node.
    pub fn allocate(&self) -> ConnectionId {
        self.local.allocate()
    }

    /// Registers a connection on this node; see [`Gateway::open`].
    ///
    /// # Errors
    /// [`ShuttingDown`] when this node takes no more connections.
    pub async fn open(&self, opening: Opening) -> Result<Reservation, ShuttingDown> {
        self.local.open(opening).await
    }

    /// Publishes to every receiver of `target`; see [`Gateway::publish`].
    pub async fn publish(&self, target: Target, publication: Publication) {
        self.local.publish(target, publication).await;
    }

    /// Makes a reliable connection ready for another socket; see [`Gateway::recover`].
    pub async fn recover(
        &self,
        hub: HubId,
        id: ConnectionId,
        variant: Variant,
    ) -> Option<Reservation> {
        self.local.recover(hub, id, variant).await
    }

    /// Changes the groups of the connections of `target`; returns how many there were.
    pub async fn regroup(&self, target: Target, change: GroupChange) -> usize {
        self.local.regroup(target, change).await
    }

    /// One page of an audience's connections, in the order of their names.
    pub async fn list(&self, hub: HubId, audience: Audience, page: Page) -> Vec<Listed> {
        self.local.list(hub, audience, page).await
    }

    /// Gives an instruction to the session of a connection; see [`Gateway::instruct`].
    pub async fn instruct(
        &self,
        hub: HubId,
        id: ConnectionId,
        instruction: Box<dyn Any + Send>,
    ) -> Option<bool> {
        self.local.instruct(hub, id, instruction).await
    }

    /// As [`Backplane::instruct`] without an answer; returns at once, on any thread.
    pub fn tell(&self, hub: HubId, id: ConnectionId, instruction: Box<dyn Any + Send>) {
        self.local.tell(hub, id, instruction);
    }

    /// Watches connections of this node; see [`Gateway::live_trace`].
    pub fn live_trace(&self, hub: HubId, watched: Watched) -> Option<LiveTrace> {
        self.local.live_trace(hub, watched)
    }

    /// Closes the connections of `target`; returns how many there were.
    pub async fn close(&self, target: Target, close: Close) -> usize {
        self.local.close(target, close).await
    }

    /// How many connections an audience has.
    pub async fn count(&self, hub: HubId, audience: Audience) -> usize {
        self.local.count(hub, audience).await
    }

    /// Whether an audience has any connection.
    pub async fn exists(&self, hub: HubId, audience: Audience) -> bool {
        self.local.count(hub, audience).await > 0
    }
}
