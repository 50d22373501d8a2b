//! (a) One group: what a delivery costs, one message at a time and sixteen.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{crowd, traffic};
use crate::fanout::Sample;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::targets::{self, LIMIT_BATCH, LIMIT_WRITE};

/// Connections, and whether peers take part.
const CROWDS: [(usize, bool); 3] = [(1_000, true), (10_000, true), (18_000, false)];
const PAYLOADS: [usize; 2] = [128, 1024];
const WINDOWS: [u64; 2] = [1, 16];

/// How many connections the generator holds at most, below its limit of descriptors.
const HELD_AT_ONCE: usize = 18_500;
/// Servers side by side have so many turns each in each cell.
const TURNS: u32 = 4;

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

/// What each server did in each cell of one round, by its place in [`targets::ALL`].
type Round = BTreeMap<(Cell, usize), Sample>;

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut results: BTreeMap<(Cell, usize), Measured> = BTreeMap::new();
    for round in 1..=options.rounds {
        for (connections, with_peers) in CROWDS {
            let connections = options.connections(connections);
            let wanted: Vec<usize> = (0..targets::ALL.len())
                .filter(|it| with_peers || !targets::ALL[*it].is_peer)
                .filter(|it| options.wants_target(targets::ALL[*it].name))
                .collect();
            let at_once = (HELD_AT_ONCE / connections).max(1);
            let mut samples = Round::new();
            for some in wanted.chunks(at_once) {
                eprintln!("one group, round {round}: {connections} × {}", names(some));
                measure(options, report, some, connections, &mut samples)?;
            }
            record(&samples, &mut results);
        }
    }
    for window in WINDOWS {
        report.table(table(window, &results))?;
    }
    Ok(())
}

fn names(indices: &[usize]) -> String {
    indices.iter().map(|it| targets::ALL[*it].name).collect::<Vec<_>>().join(", ")
}

/// Measures several servers side by side: each stands idle while another one has its turn, and the
/// turns are short, so that what else the machine does falls on all of them alike.
fn measure(
    options: &Options,
    report: &mut Report,
    indices: &[usize],
    connections: usize,
    samples: &mut Round,
) -> Result<()> {
    let mut running = Vec::new();
    for &index in indices {
        let target = targets::ALL[index];
        if report.is_absent(target.name) {
            continue;
        }
        let opened = (target.start)(&options.lab)
            .and_then(|server| Ok((crowd(server.as_ref(), connections, 1)?, server)));
        match opened {
            Ok((crowd, server)) => running.push((index, crowd, server)),
            Err(error) if target.is_peer => report.absent(target.name, &error),
            Err(error) => return Err(error).context(target.name),
        }
    }
    // Alone, it has one long turn.
    let turns = if running.len() > 1 { TURNS } else { 1 };
    let turn = options.span() / turns;
    for payload in PAYLOADS {
        for window in WINDOWS {
            let cell = (connections, payload, window);
            for measured in 0..=turns {
                running.retain_mut(|(index, crowd, server)| {
                    let traffic = traffic(server.as_ref(), payload, 1);
                    match crowd.saturate(&traffic, window, turn) {
                        // The first turn warms up: buffers grow, code is compiled.
                        Ok(_) if measured == 0 => true,
                        Ok(sample) => {
                            samples
                                .entry((cell, *index))
                                .and_modify(|all| *all = all.and(sample))
                                .or_insert(sample);
                            true
                        }
                        Err(error) => {
                            report.absent(targets::ALL[*index].name, &error);
                            false
                        }
                    }
                });
            }
        }
    }
    Ok(())
}

fn record(samples: &Round, results: &mut BTreeMap<(Cell, usize), Measured>) {
    for (&(cell, index), sample) in samples {
        let measured = results.entry((cell, index)).or_default();
        measured.nanos.add(sample.nanos_per_delivery());
        measured.rate.add(sample.rate());
        let yardstick = if cell.2 == 1 { LIMIT_WRITE } else { LIMIT_BATCH };
        let yardstick = targets::ALL.iter().position(|it| it.name == yardstick);
        if let Some(yardstick) = yardstick.and_then(|it| samples.get(&(cell, it))) {
            measured.ratio.add(yardstick.nanos_per_delivery() / sample.nanos_per_delivery());
        }
    }
}

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
