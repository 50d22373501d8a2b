//! What chat needs of others. The program gives these; chat knows nothing of who is behind them.

use std::sync::Arc;

use storage::Statement;

use crate::chat::ChatChange;

/// Durable work that a change causes: events, pushes.
pub trait Outbox: Send + Sync + 'static {
    /// The statements that write the work. They are run in the transaction of the change itself, so
    /// one that fails fails the change. Called before the commit, and again if another change came
    /// first: it must have no effect of its own. Typing is not stored and never asked about.
    fn statements(&self, change: &ChatChange) -> Vec<Statement>;

    /// The change is on disk, and so is the work. Called once, in the order of the thread's changes.
    /// Must not block.
    fn committed(&self, change: &ChatChange);
}

/// Telling those who are connected.
pub trait Realtime: Send + Sync + 'static {
    /// Hands out a change that is on disk (typing never is). Called in the order of the thread's
    /// changes. Must not block: it is given to a bounded queue that knows what to do when it is full.
    fn announce(&self, change: &Arc<ChatChange>);
}

/// The ports, as the program wires them. Without any, chat stores and answers, and tells nobody.
#[derive(Clone, Default)]
pub struct Ports {
    /// Whoever has durable work to do.
    pub outboxes: Vec<Arc<dyn Outbox>>,
    /// Whoever holds connections.
    pub realtime: Vec<Arc<dyn Realtime>>,
}

impl Ports {
    /// The work of all outboxes.
    pub(crate) fn statements(&self, change: &ChatChange) -> Vec<Statement> {
        self.outboxes.iter().flat_map(|outbox| outbox.statements(change)).collect()
    }

    /// Tells everybody that a change is on disk.
    pub(crate) fn committed(&self, change: &Arc<ChatChange>) {
        for realtime in &self.realtime {
            realtime.announce(change);
        }
        for outbox in &self.outboxes {
            outbox.committed(change);
        }
    }
}
