//! The road of a connection's events: out of its session, over the upstream, and back with the
//! answer.

use std::sync::Arc;

use cluster::Backplane;
use gateway::{ConnectionId, HubId};

use crate::session::{EventSink, Instruction, UserEvent};
use crate::upstream::{self, ConnectionContext, QueuedEvent, Upstream};

/// Where one connection's events go.
pub(crate) struct ConnectionEvents {
    pub(crate) upstream: Upstream,
    pub(crate) context: Arc<ConnectionContext>,
    pub(crate) backplane: Backplane,
    pub(crate) hub: HubId,
    pub(crate) id: ConnectionId,
}

impl ConnectionEvents {
    fn raise(&self, event: QueuedEvent) {
        self.upstream.raise(Arc::clone(&self.context), event);
    }
}

impl EventSink for ConnectionEvents {
    fn connected(&self) {
        self.raise(QueuedEvent::Connected);
    }

    fn disconnected(&self, reason: &str) {
        self.raise(QueuedEvent::Disconnected { reason: reason.into() });
    }

    fn user(&self, event: UserEvent) {
        let UserEvent { name, data, metadata, reply } = event;
        let (backplane, hub, id) = (self.backplane.clone(), self.hub, self.id);
        let reply = Box::new(move |outcome| {
            let answered = Instruction::EventAnswered { reply, outcome };
            backplane.tell(hub, id, Box::new(answered));
        });
        self.raise(QueuedEvent::User(upstream::UserEvent { name, data, metadata, reply }));
    }
}
