//! What is measured, a file each.

mod audience;
mod campaign;
mod chat;
mod delivery;
mod journeys;
mod latency;
mod many_groups;
mod memory;
mod office;
mod one_group;
mod push;
mod requests;
mod screen;
mod slow;
mod storm;
mod units;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::fanout::{Crowd, Outgoing, Traffic};
use crate::options::Options;
use crate::report::Report;
use crate::swarm::{Framing, Swarm};
use crate::targets::Server;

/// One scenario: its letter, its name, and what runs it.
type Scenario = (char, &'static str, fn(&Options, &mut Report) -> Result<()>);

/// In the order they are run: what a busy machine disturbs most comes first.
const SCENARIOS: [Scenario; 15] = [
    ('b', "latency", latency::run),
    ('f', "slow receivers", slow::run),
    ('e', "connection storm", storm::run),
    ('d', "memory", memory::run),
    ('g', "acks", requests::acks),
    ('h', "REST", requests::rest),
    ('i', "units", units::run),
    ('j', "durable delivery", delivery::run),
    ('k', "push", push::run),
    ('l', "audience", audience::run),
    ('m', "chat", chat::run),
    ('n', "message to screen", screen::run),
    ('o', "journeys", journeys::run),
    ('c', "many groups", many_groups::run),
    ('a', "one group", one_group::run),
];

/// Runs every scenario that is wanted, prints its tables and writes the report.
pub fn run(options: &Options) -> Result<()> {
    let mut report = Report::new(options)?;
    for (letter, name, scenario) in SCENARIOS {
        if options.wants(letter) {
            scenario(options, &mut report).context(name)?;
        }
    }
    Ok(())
}

/// Opens `connections` subscribers, in turn over `groups` groups, and a publisher.
pub(crate) fn crowd(server: &dyn Server, connections: usize, groups: usize) -> Result<Crowd> {
    let route = server.route();
    let mut swarm = Swarm::new()?;
    swarm.open(connections, &route, server.framing(), &|index| {
        server.subscriber(index, index % groups)
    })?;
    let mut publisher = Swarm::new()?;
    publisher.open(1, &route, Framing::Bytes, &|_| server.publisher())?;
    let settled = std::time::Instant::now() + Duration::from_millis(server.settles_in_millis());
    while std::time::Instant::now() < settled {
        swarm.poll(1, |_| ())?;
        publisher.poll(1, |_| ())?;
    }
    Ok(Crowd { swarm, publisher, pid: server.pid(), outgoing: Outgoing::default() })
}

/// Text of `payload` bytes to each of `groups` groups.
pub(crate) fn traffic(server: &dyn Server, payload: usize, groups: usize) -> Traffic {
    Traffic {
        publishes: (0..groups).map(|group| server.publish(group, payload)).collect(),
        unit: server.unit(payload),
    }
}
