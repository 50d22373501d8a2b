//! (b) From publish to receipt, below saturation.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{crowd, traffic};
use crate::histogram::Histogram;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::targets::{self, LIMIT_BATCH, TIDINGS};

const CROWDS: [usize; 2] = [1_000, 10_000];
const LOADS: [f64; 2] = [0.5, 0.7];
const PAYLOAD: usize = 128;
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// Connections, percent of saturation, server.
type Cell = (usize, u64, usize);

#[derive(Default)]
struct Measured {
    /// Of [`QUANTILES`], in milliseconds.
    millis: [Samples; 3],
    /// Of [`QUANTILES`], divided by the yardstick's of the same round.
    ratios: [Samples; 3],
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut results: BTreeMap<Cell, Measured> = BTreeMap::new();
    let names = [LIMIT_BATCH, TIDINGS];
    for round in 1..=options.rounds {
        for connections in CROWDS.map(|it| options.connections(it)) {
            eprintln!("latency, round {round}: {connections}");
            let servers: Vec<_> = names.map(|it| (targets::named(it).start)(&options.lab)).into();
            let servers = servers.into_iter().collect::<Result<Vec<_>>>()?;
            let open = |server: &_| crowd(Box::as_ref(server), connections.min(9_000), 1);
            let mut crowds = servers.iter().map(open).collect::<Result<Vec<_>>>()?;
            let load = traffic(servers[1].as_ref(), PAYLOAD, 1);
            let saturation = crowds[1].saturate(&load, 16, options.span())?.rate();
            for load in LOADS {
                let receivers = crowds[0].swarm.len();
                let rate = saturation * load / receivers as f64;
                let mut yardstick: Option<Histogram> = None;
                for (index, crowd) in crowds.iter_mut().enumerate() {
                    let traffic = traffic(servers[index].as_ref(), PAYLOAD, 1);
                    let (_, latencies) =
                        crowd.pace(&traffic, rate, options.span() * 2, 0).context(names[index])?;
                    let cell = (receivers, (load * 100.0).round() as u64, index);
                    let measured = results.entry(cell).or_default();
                    let yardstick = yardstick.get_or_insert_with(|| latencies.clone());
                    for (at, share) in QUANTILES.into_iter().enumerate() {
                        let (own, limit) = (latencies.quantile(share), yardstick.quantile(share));
                        measured.millis[at].add(own.as_secs_f64() * 1e3);
                        measured.ratios[at].add(own.as_secs_f64() / limit.as_secs_f64());
                    }
                }
            }
        }
    }
    let mut table = Table::new(
        'b',
        "Latency",
        &[
            "connections",
            "load",
            "server",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "p50 ÷ limit",
            "p99 ÷ limit",
        ],
    );
    table.note(&format!(
        "One group, {PAYLOAD} B, at a steady rate: a share of what Tidings delivers with sixteen in \
         flight. From the moment when a publish was due to each receipt. Both servers get the same \
         rate in the same round."
    ));
    for ((connections, load, index), measured) in &results {
        let millis = measured.millis.each_ref().map(|it| format!("{:.2}", it.median()));
        let [p50, p99, p999] = millis;
        table.row([
            connections.to_string(),
            format!("{load} %"),
            names[*index].to_owned(),
            p50,
            p99,
            p999,
            Table::spread(&measured.ratios[0]),
            Table::spread(&measured.ratios[1]),
        ]);
    }
    report.table(table)
}
