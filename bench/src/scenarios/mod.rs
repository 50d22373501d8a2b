//! What is measured, a file each.

mod one_group;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::fanout::{Crowd, Outgoing, Traffic};
use crate::link::Route;
use crate::options::Options;
use crate::report::Report;
use crate::swarm::{Framing, Swarm};
use crate::targets::Server;

/// Runs every scenario that is wanted, prints its tables and writes the report.
pub fn run(options: &Options) -> Result<()> {
    let mut report = Report::new(options)?;
    if options.wants('a') {
        one_group::run(options, &mut report).context("one group")?;
    }
    report.finish()
}

/// Opens `connections` subscribers, in turn over `groups` groups, and a publisher.
fn crowd(server: &dyn Server, connections: usize, groups: usize) -> Result<Crowd> {
    crowd_over(&server.route(), server, connections, groups)
}

fn crowd_over(
    route: &Route,
    server: &dyn Server,
    connections: usize,
    groups: usize,
) -> Result<Crowd> {
    let mut swarm = Swarm::new()?;
    swarm.open(connections, route, server.framing(), &|index| {
        server.subscriber(index, index % groups)
    })?;
    let mut publisher = Swarm::new()?;
    publisher.open(1, route, Framing::Bytes, &|_| server.publisher())?;
    let settled = std::time::Instant::now() + Duration::from_millis(server.settles_in_millis());
    while std::time::Instant::now() < settled {
        swarm.poll(1, |_| ())?;
        publisher.poll(1, |_| ())?;
    }
    Ok(Crowd { swarm, publisher, pid: server.pid(), outgoing: Outgoing::default() })
}

/// Text of `payload` bytes to each of `groups` groups.
fn traffic(server: &dyn Server, payload: usize, groups: usize) -> Traffic {
    Traffic {
        publishes: (0..groups).map(|group| server.publish(group, payload)).collect(),
        unit: server.unit(payload),
    }
}
