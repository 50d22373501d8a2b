//! (e) A connection storm, and everybody back after a restart.

use std::time::Instant;

use anyhow::Result;

use super::crowd;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::system;
use crate::targets::Server;
use crate::targets::tidings::Tidings;

const CONNECTIONS: usize = 18_000;

#[derive(Default)]
struct Measured {
    rate: Samples,
    per_core: Samples,
    back: Samples,
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let connections = options.connections(CONNECTIONS);
    let mut table = Table::new(
        'e',
        "Connection storm",
        &["transport", "handshakes/s", "per CPU second of the server", "all back after, s"],
    );
    table.note(&format!(
        "{connections} clients connect with a token and a user each, join a group, and have read \
         their first message. Then the server is killed: from that moment until a new one has them \
         all. The first column is bounded by the generator, which signs the tokens."
    ));
    for (name, tls) in [("plain", false), ("TLS", true)] {
        let mut measured = Measured::default();
        for round in 1..=options.rounds {
            eprintln!("storm, round {round}: {name}");
            let first = storm(options, tls, connections, &mut measured)?;
            let killed = Instant::now();
            drop(first);
            let second = start(options, tls)?;
            drop(crowd(second.as_ref(), connections, 1)?);
            measured.back.add(killed.elapsed().as_secs_f64());
        }
        table.row([
            name.to_owned(),
            format!("{:.0}", measured.rate.median()),
            format!("{:.0}", measured.per_core.median()),
            Table::spread(&measured.back),
        ]);
    }
    report.table(table)
}

fn start(options: &Options, tls: bool) -> Result<Box<dyn Server>> {
    let server = Tidings::start(&options.lab)?;
    Ok(Box::new(if tls { server.over_tls() } else { server }))
}

fn storm(
    options: &Options,
    tls: bool,
    connections: usize,
    measured: &mut Measured,
) -> Result<Box<dyn Server>> {
    let server = start(options, tls)?;
    drop(crowd(server.as_ref(), connections.min(16), 1)?);
    let cpu = system::cpu_time(server.pid())?;
    let started = Instant::now();
    let crowd = crowd(server.as_ref(), connections, 1)?;
    let wall = started.elapsed();
    let cpu = system::cpu_time(server.pid())? - cpu;
    drop(crowd);
    measured.rate.add(connections as f64 / wall.as_secs_f64());
    measured.per_core.add(connections as f64 / cpu.as_secs_f64());
    Ok(server)
}
