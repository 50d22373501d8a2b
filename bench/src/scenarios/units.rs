//! (i) The service's published capacity tests: how many of its units one core carries.

use std::time::Duration;

use anyhow::Result;

use super::{crowd, traffic};
use crate::fanout::Crowd;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::targets::Server;
use crate::targets::tidings::Tidings;

/// A unit takes 1,000 connections; a process here may hold 20,000 descriptors.
const CONNECTIONS: usize = 18_000;
const PAYLOAD: usize = 2048;
const STEPS: [u32; 7] = [10, 20, 40, 80, 120, 160, 240];
/// A load is carried when 99 % of the messages arrive within this.
const IN_TIME: Duration = Duration::from_secs(1);

/// A published test: its name, the size of a group, and deliveries a second for each unit.
const TESTS: [(&str, usize, f64); 2] =
    [("ten big groups", CONNECTIONS / 10, 3_000.0), ("groups of ten", 10, 4_000.0)];

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        'i',
        "Units on one core",
        &["test", "units", "messages out/s", "p50 ms", "p99 ms", "server's core busy", "carried"],
    );
    let connections = options.connections(CONNECTIONS);
    table.note(&format!(
        "The capacity tests that the original service publishes for each of its units, with \
         {connections} connections and messages of {PAYLOAD} B. A load is carried when 99 % of the \
         messages arrive within a second."
    ));
    for (name, members, per_unit) in TESTS {
        let members = members.min(connections / 10);
        let server = Tidings::start(&options.lab)?;
        let groups = connections / members;
        let mut crowd = crowd(&server, connections, groups)?;
        for units in STEPS {
            eprintln!("units: {units} × {name}");
            let out = per_unit * f64::from(units);
            let Some(row) = step(options, &server, &mut crowd, groups, out)? else {
                table.row([name, &units.to_string(), "–", "–", "–", "–", "no"].map(String::from));
                break;
            };
            let [rate, p50, p99, busy, carried] = row;
            let failed = carried == "no";
            table.row([name.to_owned(), units.to_string(), rate, p50, p99, busy, carried]);
            if failed {
                break;
            }
        }
    }
    report.table(table)
}

/// One load; `None` when the server ended connections under it.
fn step(
    options: &Options,
    server: &dyn Server,
    crowd: &mut Crowd,
    groups: usize,
    out: f64,
) -> Result<Option<[String; 5]>> {
    let traffic = traffic(server, PAYLOAD, groups);
    let rate = out * groups as f64 / crowd.swarm.len() as f64;
    let Ok((sample, latencies)) = crowd.pace(&traffic, rate, options.span() * 4, 0) else {
        return Ok(None);
    };
    let [p50, p99] = [0.5, 0.99].map(|share| latencies.quantile(share));
    let millis = |it: Duration| format!("{:.1}", it.as_secs_f64() * 1e3);
    Ok(Some([
        format!("{:.0}", sample.rate()),
        millis(p50),
        millis(p99),
        format!("{:.0} %", 100.0 * sample.cpu.as_secs_f64() / sample.wall.as_secs_f64()),
        if p99 <= IN_TIME { "yes" } else { "no" }.to_owned(),
    ]))
}
