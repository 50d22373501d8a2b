//! (d) Resident memory of idle authenticated connections, plain and TLS, and after a burst.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{crowd, traffic};
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::system;
use crate::targets::tidings::Tidings;
use crate::targets::{self, LIMIT_BATCH, LIMIT_RING, Server, TIDINGS};

const CONNECTIONS: usize = 18_000;
/// Memory hardly varies, so a few rounds tell as much as many.
const ROUNDS: usize = 3;

#[derive(Default)]
struct Measured {
    idle: Samples,
    after_burst: Samples,
    total: Samples,
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let mut table = Table::new(
        'd',
        "Memory of idle connections",
        &["server", "KiB per idle connection", "after a burst", "whole process, MiB"],
    );
    let connections = options.connections(CONNECTIONS);
    table.note(&format!(
        "Growth of the server's resident memory for each of {connections} authenticated, subscribed \
         connections with a user each; then again one second after a burst of 1 KiB messages to all, \
         sixteen in flight. The limit keeps nothing but sockets. The kernel's own buffers (about \
         5 KiB a socket) come on top."
    ));
    let over_tls = |options: &Options| -> Result<Box<dyn Server>> {
        Ok(Box::new(Tidings::start(&options.lab)?.over_tls()))
    };
    for target in targets::ALL {
        // One limit program stands for all: none of them keeps anything but sockets.
        let is_another_limit = [LIMIT_BATCH, LIMIT_RING].contains(&target.name);
        let wanted = options.wants_target(target.name) && !is_another_limit;
        if wanted && !report.is_absent(target.name) {
            match measure(options, connections, &|| (target.start)(&options.lab)) {
                Ok(measured) => row(&mut table, target.name, &measured),
                Err(error) if target.is_peer => report.absent(target.name, &error),
                Err(error) => return Err(error).context(target.name),
            }
        }
    }
    if options.wants_target(TIDINGS) {
        let measured = measure(options, connections, &|| over_tls(options)).context("TLS")?;
        row(&mut table, "tidings (TLS)", &measured);
    }
    report.table(table)
}

fn row(table: &mut Table, name: &str, measured: &Measured) {
    table.row([
        name.to_owned(),
        Table::spread(&measured.idle),
        Table::spread(&measured.after_burst),
        format!("{:.0}", measured.total.median()),
    ]);
}

fn measure(
    options: &Options,
    connections: usize,
    start: &dyn Fn() -> Result<Box<dyn Server>>,
) -> Result<Measured> {
    let mut measured = Measured::default();
    for _ in 0..options.rounds.min(ROUNDS) {
        let server = start()?;
        // What the first connections bring into being (threads, tables) is no matter of each.
        drop(crowd(server.as_ref(), connections.min(16), 1)?);
        thread::sleep(Duration::from_millis(300));
        let before = system::resident(server.pid())?;
        let each = |now: u64| now.saturating_sub(before) as f64 / connections as f64 / 1024.0;

        let mut crowd = crowd(server.as_ref(), connections, 1)?;
        thread::sleep(Duration::from_secs(1));
        let idle = system::resident(server.pid())?;
        measured.idle.add(each(idle));
        measured.total.add(idle as f64 / f64::from(1 << 20));

        let traffic = traffic(server.as_ref(), 1024, 1);
        crowd.saturate(&traffic, 16, options.span())?;
        thread::sleep(Duration::from_secs(1));
        measured.after_burst.add(each(system::resident(server.pid())?));
    }
    Ok(measured)
}
