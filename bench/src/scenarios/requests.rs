//! (g) Sends with acks and (h) REST publishes: requests that are answered.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::crowd;
use crate::fanout::Sample;
use crate::link::Route;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::swarm::{Framing, Swarm};
use crate::system;
use crate::targets::Server;
use crate::targets::tidings::{self, Tidings};
use crate::websocket;

const SENDERS: usize = 100;
const IN_FLIGHT: u64 = 16;
const CALLERS: usize = 16;
const PAYLOAD: usize = 128;
/// Of constant width, so that all acks have the same size.
const FIRST_ACK: u64 = 1_000_000_000;

/// Requests a second, and what each costs the server.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) rate: Samples,
    pub(super) micros: Samples,
}

impl Measured {
    /// Adds a round in which each answer stood for `worth` requests.
    pub(super) fn add(&mut self, sample: Sample, worth: u64) {
        self.rate.add(sample.rate() * worth as f64);
        self.micros.add(sample.nanos_per_delivery() / worth as f64 / 1e3);
    }
}

pub(super) fn acks(options: &Options, report: &mut Report) -> Result<()> {
    let mut measured = Measured::default();
    for round in 1..=options.rounds {
        eprintln!("acks, round {round}");
        let server = Tidings::start(&options.lab)?;
        // Each alone in a group: what is measured is the way in, and the ack.
        let mut crowd = crowd(&server, SENDERS, SENDERS)?;
        let ack = format!(r#"{{"type":"ack","ackId":{FIRST_ACK},"success":true}}"#);
        let unit = websocket::frame_bytes(ack.len());
        let request = |client: usize, turn: u64| -> Vec<u8> {
            let ids = (0..IN_FLIGHT).map(|id| FIRST_ACK + turn * IN_FLIGHT + id);
            ids.flat_map(|id| tidings::acknowledged_publish(client, PAYLOAD, Some(id))).collect()
        };
        let swarm = &mut crowd.swarm;
        let sample = converse(options, &server, swarm, unit * IN_FLIGHT, request)?;
        measured.add(sample, IN_FLIGHT);
    }
    let title = "Sends with acks";
    let note = format!(
        "{SENDERS} clients send {PAYLOAD} B to a group with an ackId, {IN_FLIGHT} at a time each, and \
         go on when all are acknowledged."
    );
    report.table(table('g', title, &note, "acknowledged sends/s", &measured))
}

pub(super) fn rest(options: &Options, report: &mut Report) -> Result<()> {
    let mut measured = Measured::default();
    for round in 1..=options.rounds {
        eprintln!("REST, round {round}");
        let server = Tidings::start(&options.lab)?;
        let request = server.rest_send(0, PAYLOAD);
        let mut callers = Swarm::new()?;
        callers.open(CALLERS, &server.route(), Framing::Bytes, &|_| Vec::new())?;
        let unit = answer_bytes(&server.route(), &request)?;
        let sample = converse(options, &server, &mut callers, unit, |_, _| request.clone())?;
        measured.add(sample, 1);
    }
    let note = format!(
        "{CALLERS} keep-alive connections, one signed call of {PAYLOAD} B to a group at a time each."
    );
    report.table(table('h', "REST publishes", &note, "calls/s", &measured))
}

fn table(letter: char, title: &str, note: &str, what: &str, measured: &Measured) -> Table {
    let mut table = Table::new(letter, title, &["", what, "server CPU µs each"]);
    table.note(note);
    table.row([
        "tidings".to_owned(),
        format!("{:.0}", measured.rate.median()),
        Table::spread(&measured.micros),
    ]);
    table
}

/// The size of the answer to a call; they are all alike.
pub(super) fn answer_bytes(route: &Route, request: &[u8]) -> Result<u64> {
    let mut caller = Swarm::new()?;
    caller.open(1, route, Framing::Bytes, &|_| Vec::new())?;
    caller.send(0, request)?;
    let mut bytes = 0;
    let mut heard = Instant::now();
    while bytes == 0 || heard.elapsed() < Duration::from_millis(50) {
        if caller.poll(1, |it| bytes += it.bytes as u64)? {
            heard = Instant::now();
        }
        if heard.elapsed() > Duration::from_secs(5) {
            bail!("no answer to a REST call");
        }
    }
    Ok(bytes)
}

/// Lets every client send its next request when the answer to the last one, `unit` bytes, is there.
pub(super) fn converse(
    options: &Options,
    server: &dyn Server,
    clients: &mut Swarm,
    unit: u64,
    request: impl Fn(usize, u64) -> Vec<u8>,
) -> Result<Sample> {
    clients.reset();
    let cpu = system::cpu_time(server.pid())?;
    let started = Instant::now();
    let mut heard = started;
    let mut next: Vec<(usize, u64)> = (0..clients.len()).map(|client| (client, 0)).collect();
    let (mut answered, mut waiting) = (0, 0_u64);
    while waiting > 0 || !next.is_empty() {
        for (client, turn) in next.drain(..) {
            if started.elapsed() < options.span() {
                let bytes = request(client, turn);
                anyhow::ensure!(clients.send(client, &bytes)? == bytes.len(), "a socket is full");
                waiting += 1;
            }
        }
        if clients.poll(unit, |it| {
            if it.after > it.before {
                (answered, waiting) = (answered + 1, waiting - 1);
                next.push((it.client, it.after));
            }
        })? {
            heard = Instant::now();
        } else if heard.elapsed() > Duration::from_secs(10) {
            bail!("{waiting} requests are not answered");
        }
    }
    let wall = started.elapsed();
    let cpu = system::cpu_time(server.pid())? - cpu;
    Ok(Sample { deliveries: answered, wall, cpu })
}
