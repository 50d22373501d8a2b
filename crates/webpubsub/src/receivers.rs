//! Filters of the REST calls, as the gateway asks them of its connections.

use gateway::Candidate;

use crate::filter::{Filter, Subject};
use crate::protocol::Subprotocol;

/// A filter on its way to the shards.
#[derive(Debug)]
pub(crate) struct Receivers(pub(crate) Filter);

impl gateway::Filter for Receivers {
    fn admits(&self, candidate: &Candidate<'_>) -> bool {
        self.0.matches(&Connection(candidate))
    }
}

struct Connection<'a>(&'a Candidate<'a>);

impl Subject for Connection<'_> {
    fn user_id(&self) -> Option<&str> {
        self.0.user
    }

    fn connection_id(&self) -> &str {
        self.0.id.as_str()
    }

    fn protocol(&self) -> Option<&str> {
        Subprotocol::of(self.0.variant).name()
    }

    fn in_group(&self, group: &str) -> bool {
        self.0.groups.contains(group)
    }

    fn group_count(&self) -> usize {
        self.0.groups.iter().count()
    }
}
