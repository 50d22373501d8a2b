//! (o) What it costs to record journeys, and to be watched: the same fan-out by REST calls without
//! either, with each, side by side.

use std::io::Read as _;
use std::net::TcpStream;
use std::thread;

use anyhow::{Context as _, Result};

use crate::fanout::{Crowd, Outgoing, Sample, Traffic};
use crate::options::Options;
use crate::process::Lab;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::swarm::{Framing, Swarm};
use crate::targets::Server as _;
use crate::targets::tidings::Tidings;
use crate::websocket;

const RECEIVERS: usize = 1_000;
const PAYLOAD: usize = 128;
/// Turns of each server in a round. Short and many, so that what disturbs the machine disturbs all.
const SLICES: u32 = 20;

/// What is compared: its name, `journeys.per_second`, and whether somebody watches one of the receivers.
const KINDS: [(&str, &str, bool); 4] = [
    ("nothing is recorded", "0", false),
    ("200 journeys a second, as it comes", "200", false),
    ("every journey", "100000", false),
    ("as it comes, and one receiver is watched", "200", true),
];

/// A server with its receivers.
struct Contender {
    crowd: Crowd,
    traffic: Traffic,
    _server: Tidings,
}

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let receivers = options.connections(RECEIVERS);
    let mut contenders = Vec::new();
    for (number, (_, per_second, watched)) in KINDS.into_iter().enumerate() {
        contenders.push(contender(options, number, per_second, watched, receivers)?);
    }
    let mut costs = vec![Samples::default(); KINDS.len()];
    let mut ratios = vec![Samples::default(); KINDS.len()];
    let mut calls = vec![Samples::default(); KINDS.len()];
    for round in 1..=options.rounds {
        eprintln!("journeys, round {round}");
        let samples = round_of(options, &mut contenders)?;
        let bare = samples[0].nanos_per_delivery();
        for (number, sample) in samples.iter().enumerate() {
            costs[number].add(sample.nanos_per_delivery());
            ratios[number].add(sample.nanos_per_delivery() / bare);
            calls[number].add(sample.rate() / receivers as f64);
        }
    }
    let head = ["", "calls/s", "server CPU ns a delivery", "against nothing recorded"];
    let mut table = Table::new('o', "Journeys and live trace", &head);
    table.note(&format!(
        "REST calls of {PAYLOAD} B to a group of {receivers} simple clients, the next one when all have \
         the last one. All four servers run; they take turns {SLICES} times a round. Aim: a cost below \
         3 %, with the store's work."
    ));
    for (number, (name, ..)) in KINDS.into_iter().enumerate() {
        let (cost, ratio) = (Table::spread(&costs[number]), Table::spread(&ratios[number]));
        table.row([name.to_owned(), format!("{:.0}", calls[number].median()), cost, ratio]);
    }
    report.table(table)
}

fn contender(
    options: &Options,
    number: usize,
    per_second: &str,
    watched: bool,
    receivers: usize,
) -> Result<Contender> {
    let lab =
        Lab { work: options.lab.work.join(format!("journeys-{number}")), ..options.lab.clone() };
    let settings = [("TIDINGS_JOURNEYS_PER_SECOND", per_second)];
    let server = Tidings::start_with(&lab, &settings)?.for_simple_clients();
    let mut swarm = Swarm::new()?;
    swarm
        .open(receivers, &server.route(), server.framing(), &|index| server.subscriber(index, 0))?;
    let mut publisher = Swarm::new()?;
    publisher.open(1, &server.route(), Framing::Bytes, &|_| Vec::new())?;
    if watched {
        watch(server.watch_user("user00000")?);
    }
    let unit = websocket::frame_bytes(PAYLOAD);
    let traffic = Traffic { publishes: vec![server.rest_send(0, PAYLOAD)], unit };
    let crowd = Crowd { swarm, publisher, pid: server.pid(), outgoing: Outgoing::default() };
    Ok(Contender { crowd, traffic, _server: server })
}

/// Reads on until the server ends.
fn watch(mut stream: TcpStream) {
    thread::spawn(move || {
        let mut buffer = [0; 64 * 1024];
        while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
}

/// The sum of each server's turns.
fn round_of(options: &Options, contenders: &mut [Contender]) -> Result<Vec<Sample>> {
    let mut sums: Vec<Option<Sample>> = vec![None; contenders.len()];
    for slice in 0..SLICES as usize {
        for turn in 0..contenders.len() {
            // Nobody is always the first.
            let number = (turn + slice) % contenders.len();
            let Contender { crowd, traffic, .. } = &mut contenders[number];
            let sample = crowd.saturate(traffic, 1, options.span() / SLICES)?;
            sums[number] = Some(sums[number].map_or(sample, |sum| sum.and(sample)));
        }
    }
    sums.into_iter().map(|sum| sum.context("every server has had its turns")).collect()
}
