//! (f) One percent of the receivers stop reading.

use std::time::Duration;

use anyhow::Result;

use super::{crowd, traffic};
use crate::fanout::{Crowd, Outgoing};
use crate::histogram::Histogram;
use crate::link::Route;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::swarm::{Framing, Swarm};
use crate::system;
use crate::targets::Server;
use crate::targets::tidings::Tidings;

const CONNECTIONS: usize = 1_000;
const PAYLOAD: usize = 1024;
const REASON: &[u8] = b"The outbound message queue is full.";
/// Seconds after which the slow receivers must be closed.
const CLOSED_WITHIN: u32 = 60;
/// Seconds of the same traffic before they stop reading.
const BEFORE: u32 = 5;

#[derive(Default)]
struct Measured {
    healthy: [Samples; 2],
    disturbed: [Samples; 2],
    ratio: Samples,
    growth: Samples,
    closed: Samples,
    told: Samples,
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let connections = options.connections(CONNECTIONS).max(100);
    let deaf = connections / 100;
    let mut measured = Measured::default();
    for round in 1..=options.rounds {
        eprintln!("slow receivers, round {round}");
        measure(options, connections, deaf, &mut measured)?;
    }
    let mut table = Table::new(
        'f',
        "Slow receivers",
        &[
            "",
            "healthy p50 ms",
            "healthy p99 ms",
            "p99 ÷ before",
            "memory grown, MiB",
            "closed",
            "told why",
        ],
    );
    table.note(&format!(
        "{connections} connections in one group, {PAYLOAD} B at half of saturation; then {deaf} of \
         them stop reading until they are closed. Told why: those that, reading on, find a close \
         frame with the reason."
    ));
    let row = |name: &str, at: &[Samples; 2], rest: [String; 4]| {
        let [ratio, growth, closed, told] = rest;
        let [p50, p99] = at.each_ref().map(|it| format!("{:.2}", it.median()));
        [name.to_owned(), p50, p99, ratio, growth, closed, told]
    };
    table.row(row("all read", &measured.healthy, Default::default()));
    let rest = [
        Table::spread(&measured.ratio),
        format!("{:.1}", measured.growth.median()),
        format!("{:.0} of {deaf}", measured.closed.median()),
        format!("{:.0}", measured.told.median()),
    ];
    table.row(row("one percent does not", &measured.disturbed, rest));
    report.table(table)
}

fn measure(
    options: &Options,
    connections: usize,
    deaf: usize,
    measured: &mut Measured,
) -> Result<()> {
    let server = Tidings::start(&options.lab)?;
    let mut crowd = crowd_with_deaf(&server, connections, deaf)?;
    let traffic = traffic(&server, PAYLOAD, 1);
    let saturation = crowd.saturate(&traffic, 16, options.span())?.rate();
    let rate = saturation / 2.0 / connections as f64;
    let slice = Duration::from_secs(1);
    let mut before = Histogram::new();
    for _ in 0..BEFORE {
        before.merge(&crowd.pace(&traffic, rate, slice, 0)?.1);
    }
    let resident = system::resident(server.pid())?;
    (0..deaf).try_for_each(|index| crowd.swarm.ignore(index))?;
    let mut during = Histogram::new();
    let mut grown = 0;
    for _ in 0..CLOSED_WITHIN {
        during.merge(&crowd.pace(&traffic, rate, slice, deaf)?.1);
        grown = grown.max(system::resident(server.pid())?.saturating_sub(resident));
        if server.slow_closes()? >= deaf as u64 {
            break;
        }
    }
    let mut told = 0;
    let mut closed = 0;
    for index in 0..deaf {
        let (tail, ended) = crowd.swarm.read_rest(index)?;
        let has_reason = tail.windows(REASON.len()).any(|it| it == REASON);
        told += u32::from(has_reason);
        closed += u32::from(has_reason || ended);
    }
    let millis = |share| {
        let both: [f64; 2] = [&before, &during].map(|it| it.quantile(share).as_secs_f64() * 1e3);
        both
    };
    for (at, share) in [0.5, 0.99].into_iter().enumerate() {
        let [healthy, disturbed] = millis(share);
        measured.healthy[at].add(healthy);
        measured.disturbed[at].add(disturbed);
    }
    let [healthy, disturbed] = millis(0.99);
    measured.ratio.add(disturbed / healthy);
    measured.growth.add(grown as f64 / f64::from(1 << 20));
    measured.closed.add(f64::from(closed));
    measured.told.add(f64::from(told));
    Ok(())
}

/// Those who will stop reading come first, with small buffers, so that the server feels it soon.
fn crowd_with_deaf(server: &dyn Server, connections: usize, deaf: usize) -> Result<Crowd> {
    let narrow = Route { receive_buffer: Some(4096), ..server.route() };
    let mut swarm = Swarm::new()?;
    swarm.open(deaf, &narrow, Framing::Bytes, &|index| server.subscriber(index, 0))?;
    swarm.open(connections - deaf, &server.route(), Framing::Bytes, &|index| {
        server.subscriber(index + deaf, 0)
    })?;
    let publisher = crowd(server, 0, 1)?.publisher;
    Ok(Crowd { swarm, publisher, pid: server.pid(), outgoing: Outgoing::default() })
}
