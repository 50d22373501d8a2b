//! (a) One group: what a delivery costs, one message at a time and sixteen.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{crowd, traffic};
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::targets::{self, LIMIT_BATCH, LIMIT_WRITE, Target};

/// Connections, and whether peers take part.
const CROWDS: [(usize, bool); 3] = [(1_000, true), (10_000, true), (18_000, false)];
const PAYLOADS: [usize; 2] = [128, 1024];
const WINDOWS: [u64; 2] = [1, 16];

/// Connections, payload, publishes in flight.
type Cell = (usize, usize, u64);

/// What each server showed in one cell, a value a round.
#[derive(Default)]
struct Measured {
    nanos: Samples,
    rate: Samples,
    /// Server CPU a delivery of the yardstick of the same round, divided by the own.
    ratio: Samples,
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut results: BTreeMap<(Cell, usize), Measured> = BTreeMap::new();
    for round in 1..=options.rounds {
        for (connections, with_peers) in CROWDS {
            let connections = options.connections(connections);
            let mut nanos: BTreeMap<(Cell, usize), f64> = BTreeMap::new();
            for (index, target) in targets::ALL.iter().enumerate() {
                let wanted = options.wants_target(target.name) && (with_peers || !target.is_peer);
                if !wanted || report.is_absent(target.name) {
                    continue;
                }
                eprintln!("one group, round {round}: {connections} × {}", target.name);
                match measure(options, target, connections) {
                    Ok(samples) => {
                        for (cell, cost, rate) in samples {
                            nanos.insert((cell, index), cost);
                            let measured = results.entry((cell, index)).or_default();
                            measured.nanos.add(cost);
                            measured.rate.add(rate);
                        }
                    }
                    Err(error) if target.is_peer => report.absent(target.name, &error),
                    Err(error) => return Err(error).context(target.name),
                }
            }
            for (&(cell, index), cost) in &nanos {
                let yardstick = if cell.2 == 1 { LIMIT_WRITE } else { LIMIT_BATCH };
                let yardstick = targets::ALL.iter().position(|it| it.name == yardstick);
                let yardstick = yardstick.and_then(|it| nanos.get(&(cell, it)));
                if let (Some(yardstick), Some(measured)) =
                    (yardstick, results.get_mut(&(cell, index)))
                {
                    measured.ratio.add(yardstick / cost);
                }
            }
        }
    }
    for window in WINDOWS {
        report.table(table(window, &results));
    }
    Ok(())
}

fn measure(
    options: &Options,
    target: &Target,
    connections: usize,
) -> Result<Vec<(Cell, f64, f64)>> {
    let server = (target.start)(&options.lab)?;
    let mut crowd = crowd(server.as_ref(), connections, 1)?;
    let mut samples = Vec::new();
    for payload in PAYLOADS {
        for window in WINDOWS {
            let traffic = traffic(server.as_ref(), payload, 1);
            // Once to warm up: buffers of the kernel grow, just-in-time compilers compile.
            crowd.saturate(&traffic, window, options.span() / 4)?;
            let sample = crowd.saturate(&traffic, window, options.span().max(MIN_SPAN))?;
            let cell = (connections, payload, window);
            samples.push((cell, sample.nanos_per_delivery(), sample.rate()));
        }
    }
    Ok(samples)
}

const MIN_SPAN: Duration = Duration::from_millis(200);

fn table(window: u64, results: &BTreeMap<(Cell, usize), Measured>) -> Table {
    let yardstick = if window == 1 { LIMIT_WRITE } else { LIMIT_BATCH };
    let title = match window {
        1 => "One group, one publish in flight".to_owned(),
        many => format!("One group, {many} publishes in flight"),
    };
    let mut table = Table::new(
        'a',
        &title,
        &["connections", "payload", "server", "CPU ns per delivery", "deliveries/s", "ratio"],
    );
    table.note(&format!(
        "The ratio is the server CPU time of a delivery by *{yardstick}*, divided by the server's \
         own, in the same round: higher is better, 1 is what the machine allows. Median, and the \
         lowest and highest round in brackets."
    ));
    for (((connections, payload, in_flight), index), measured) in results {
        if *in_flight == window {
            table.row([
                connections.to_string(),
                format!("{payload} B"),
                targets::ALL[*index].name.to_owned(),
                format!("{:.0}", measured.nanos.median()),
                format!("{:.0}", measured.rate.median()),
                Table::spread(&measured.ratio),
            ]);
        }
    }
    table
}
