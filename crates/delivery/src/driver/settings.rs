//! What a driver is told about its node and its queues.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kernel::Milestones;

use crate::{Courier, Schedule};

/// A queue that this node works on.
#[derive(Clone)]
pub struct Queue {
    /// Its name, as in [`crate::NewDelivery::queue`].
    pub name: &'static str,
    /// When failed attempts are repeated.
    pub schedule: Schedule,
    /// What makes the attempts.
    pub courier: Arc<dyn Courier>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Queue").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How the queues are run.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The name of this node, the same after a restart: on start, it takes back what its former life
    /// held. No two nodes on one database share a name.
    pub node: String,
    /// What every pause, floor, jitter, probation and time to live is multiplied by: 0.001 makes a
    /// day pass in 86 seconds.
    pub time_scale: f64,
    /// How long after its death a node's attempts are taken over by another.
    pub lease: Duration,
    /// How often the store is searched for work that nobody was woken for.
    pub sweep_every: Duration,
    /// Attempts at a time on this node. Beyond it targets share what there is, but each has one.
    pub attempts_at_a_time: usize,
    /// How long dead letters are kept.
    pub keep_dead_letters: Duration,
    /// How long attempts may go on when the node stops.
    pub grace: Duration,
    /// Where the journeys of deliveries are recorded.
    pub milestones: Milestones,
}

impl Default for Settings {
    /// One node; leases of a minute, a sweep each second, a thousand attempts at a time, dead letters
    /// for 30 days, ten seconds of grace, nothing recorded.
    fn default() -> Self {
        Self {
            node: "local".to_owned(),
            time_scale: 1.0,
            lease: Duration::from_secs(60),
            sweep_every: Duration::from_secs(1),
            attempts_at_a_time: 1024,
            keep_dead_letters: Duration::from_secs(30 * 86_400),
            grace: Duration::from_secs(10),
            milestones: Milestones::default(),
        }
    }
}
