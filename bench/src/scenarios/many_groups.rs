//! (c) Many small groups: what a delivery costs must depend on neither their number nor their size.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{crowd, traffic};
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::targets::{self, LIMIT_BATCH, LIMIT_WRITE, TIDINGS};

const CONNECTIONS: usize = 10_000;
const GROUPS: [usize; 3] = [1, 100, 1_000];
const WINDOWS: [u64; 2] = [1, 16];
const PAYLOAD: usize = 128;

#[derive(Default)]
struct Measured {
    nanos: Samples,
    /// Own cost in one group of everybody, in the same round, divided by this.
    against_one_group: Samples,
    /// The yardstick's cost in the same groups and round, divided by this.
    ratio: Samples,
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let connections = options.connections(CONNECTIONS);
    let mut results: BTreeMap<(u64, usize, usize), Measured> = BTreeMap::new();
    let names = [LIMIT_WRITE, LIMIT_BATCH, TIDINGS];
    for round in 1..=options.rounds {
        let mut yardsticks = BTreeMap::new();
        for (index, name) in names.iter().enumerate().filter(|(_, it)| options.wants_target(it)) {
            let mut whole = BTreeMap::new();
            for groups in GROUPS {
                let groups = options.connections(groups * 20) / 20;
                let groups = groups.clamp(1, connections / 10);
                eprintln!("many groups, round {round}: {groups} × {name}");
                let server = (targets::named(name).start)(&options.lab)?;
                let mut crowd = crowd(server.as_ref(), connections, groups).context(*name)?;
                let traffic = traffic(server.as_ref(), PAYLOAD, groups);
                for window in WINDOWS {
                    crowd.saturate(&traffic, window, options.span() / 4)?;
                    let sample = crowd.saturate(&traffic, window, options.span())?;
                    let nanos = sample.nanos_per_delivery();
                    let one_group = *whole.entry(window).or_insert(nanos);
                    let measured = results.entry((window, groups, index)).or_default();
                    measured.nanos.add(nanos);
                    measured.against_one_group.add(one_group / nanos);
                    if *name == if window == 1 { LIMIT_WRITE } else { LIMIT_BATCH } {
                        yardsticks.insert((window, groups), nanos);
                    }
                    if let Some(yardstick) = yardsticks.get(&(window, groups)) {
                        measured.ratio.add(yardstick / nanos);
                    }
                }
            }
        }
    }
    let mut table = Table::new(
        'c',
        "Many groups",
        &[
            "in flight",
            "groups × members",
            "server",
            "CPU ns per delivery",
            "one group ÷ this",
            "ratio",
        ],
    );
    table.note(&format!(
        "{connections} connections in ever smaller groups, {PAYLOAD} B. In flight: so many messages \
         to each group, all groups at once. The ratio is to the limit program of the same line, as \
         in (a)."
    ));
    for ((window, groups, index), measured) in &results {
        table.row([
            window.to_string(),
            format!("{groups} × {}", connections / groups),
            names[*index].to_owned(),
            format!("{:.0}", measured.nanos.median()),
            Table::spread(&measured.against_one_group),
            Table::spread(&measured.ratio),
        ]);
    }
    report.table(table)
}
