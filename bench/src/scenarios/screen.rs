//! (n) From a message to the screens of those who are connected, and what its receivers cost.

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::office::{Answer, Office, User};
use crate::histogram::Histogram;
use crate::link::Route;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::screens::Screens;
use crate::statistics::Samples;
use crate::swarm::{Framing, Swarm};
use crate::system;
use crate::targets::Server as _;
use crate::targets::tidings::Tidings;

const CONNECTED: usize = 1_000;
/// Participants of each thread, all of them connected.
const MEMBERS: usize = 20;
/// Messages a second, over all threads.
const RATE: f64 = 500.0;
/// For how long, in measurements of the usual length.
const SPANS: u32 = 10;
/// REST connections that messages are sent over.
const CALLERS: usize = 64;
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// Participants of a thread, and messages that are sent to it.
const SIZES: [(usize, u64); 2] = [(10, 4_000), (250, 800)];
/// Messages to a thread that are under way at a time.
const IN_FLIGHT: u64 = 8;

/// What stands before a message's number.
const MARK: &str = "bench-";
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let (mut latencies, mut costs) = (Latencies::default(), Costs::default());
    for round in 1..=options.rounds {
        eprintln!("message to screen, round {round}");
        let mut hall = Hall::open(options)?;
        latencies.measure(options, &mut hall)?;
        costs.measure(options, &mut hall)?;
        hall.server.stop()?;
    }
    report.table(latencies.table(options))?;
    report.table(costs.table(options))
}

/// How soon messages are on the screens.
#[derive(Default)]
struct Latencies {
    rate: Samples,
    millis: [Samples; QUANTILES.len()],
    busy: Samples,
}

impl Latencies {
    fn measure(&mut self, options: &Options, hall: &mut Hall) -> Result<()> {
        let rate = if options.quick { RATE / 10.0 } else { RATE };
        let count = (rate * (options.span() * SPANS).as_secs_f64()) as u64;
        let firsts = (0..hall.users.len()).step_by(MEMBERS);
        let threads = firsts.map(|first| hall.thread(first..first + MEMBERS));
        let threads = threads.collect::<Result<Vec<_>>>()?;
        let outcome = hall.send(&Order { rate: Some(rate), count, threads })?;
        let wall = outcome.wall.as_secs_f64();
        self.rate.add(count as f64 / wall);
        self.busy.add(100.0 * outcome.cpu.as_secs_f64() / wall);
        for (samples, share) in self.millis.iter_mut().zip(QUANTILES) {
            samples.add(outcome.latencies.quantile(share).as_secs_f64() * 1e3);
        }
        Ok(())
    }

    fn table(&self, options: &Options) -> Table {
        let mut table = Table::new(
            'n',
            "Message to screen",
            &[
                "messages/s",
                "notifications/s",
                "p50 ms",
                "p99 ms",
                "p99.9 ms",
                "server's core busy",
            ],
        );
        table.note(&format!(
            "{} participants, each connected as a browser is, in threads of {MEMBERS}. Messages over \
             REST at a steady rate, {CALLERS} keep-alive connections; from the moment when a message \
             was due to its notification at each participant. Every message is on disk before anybody \
             is told, every notification is answered, and everybody has had each message once.",
            connected(options),
        ));
        let [p50, p99, p999] = &self.millis;
        table.row([
            format!("{:.0}", self.rate.median()),
            format!("{:.0}", self.rate.median() * MEMBERS as f64),
            Table::spread(p50),
            Table::spread(p99),
            Table::spread(p999),
            format!("{:.0} %", self.busy.median()),
        ]);
        table
    }
}

/// What a message costs the server by the size of its thread, with nobody connected and with all.
#[derive(Default)]
struct Costs([[Samples; 2]; SIZES.len()]);

impl Costs {
    fn measure(&mut self, options: &Options, hall: &mut Hall) -> Result<()> {
        let sizes = sizes(options);
        let crowd = sizes.iter().map(|(members, _)| *members).max().unwrap_or_default();
        let strangers = (0..crowd).map(|_| hall.office.user()).collect::<Result<Vec<_>>>()?;
        for ([absent, present], (members, count)) in self.0.iter_mut().zip(sizes) {
            let senders = strangers[..members].to_vec();
            let id = hall.office.thread(&senders)?;
            let empty = Thread { id, senders, screens: 0..0 };
            for (samples, thread) in [(absent, empty), (present, hall.thread(0..members)?)] {
                let outcome = hall.send(&Order { rate: None, count, threads: vec![thread] })?;
                samples.add(outcome.cpu.as_secs_f64() * 1e6 / count as f64);
            }
        }
        Ok(())
    }

    fn table(&self, options: &Options) -> Table {
        let mut table = Table::new(
            'n',
            "What receivers cost",
            &[
                "participants",
                "CPU µs a message, nobody connected",
                "CPU µs a message, all connected",
                "CPU µs for each who is",
            ],
        );
        table.note(&format!(
            "Messages to one thread, {IN_FLIGHT} at a time. A message is encoded once, whoever is told; \
             the last column is what telling one more adds: a copy, a write, and reading the answer \
             and the ping that follow."
        ));
        for ([absent, present], (members, _)) in self.0.iter().zip(sizes(options)) {
            table.row([
                members.to_string(),
                Table::spread(absent),
                Table::spread(present),
                format!("{:.1}", (present.median() - absent.median()) / members as f64),
            ]);
        }
        table
    }
}

fn connected(options: &Options) -> usize {
    if options.quick { CONNECTED / 10 } else { CONNECTED }
}

fn sizes(options: &Options) -> [(usize, u64); SIZES.len()] {
    let small = |(members, count): (usize, u64)| (members.min(25), count / 100);
    if options.quick { SIZES.map(small) } else { SIZES }
}

/// What is to be sent.
struct Order {
    /// Messages a second; as fast as [`IN_FLIGHT`] allows without.
    rate: Option<f64>,
    count: u64,
    /// Each in turn gets a message.
    threads: Vec<Thread>,
}

/// A thread and its participants.
struct Thread {
    id: String,
    /// They send in turn.
    senders: Vec<User>,
    /// The clients that are told.
    screens: Range<usize>,
}

impl Order {
    /// The thread and the sender of a message.
    fn address(&self, number: u64) -> (&Thread, &User) {
        let (number, threads) = (number as usize, self.threads.len());
        let thread = &self.threads[number % threads];
        (thread, &thread.senders[number / threads % thread.senders.len()])
    }

    /// Notifications of so many messages, when everybody has them. Threads are of one size.
    fn notifications(&self, messages: u64) -> usize {
        messages as usize * self.threads.first().map_or(0, |thread| thread.screens.len())
    }

    /// When a message is due.
    fn due(&self, number: u64) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_secs_f64(number as f64 / rate))
    }
}

/// What came of it.
struct Outcome {
    wall: Duration,
    cpu: Duration,
    latencies: Histogram,
}

/// A server with users who are connected.
struct Hall {
    server: Tidings,
    office: Office,
    users: Vec<User>,
    screens: Screens,
    callers: Callers,
}

impl Hall {
    fn open(options: &Options) -> Result<Self> {
        let server = Tidings::start(&options.lab)?;
        let mut office = Office::of(&server)?;
        let users = (0..connected(options)).map(|_| office.user()).collect::<Result<Vec<_>>>()?;
        let sessions = users.iter().map(|it| office.session(it)).collect::<Result<Vec<_>>>()?;
        let paths: Vec<String> = sessions.iter().map(|it| it.path.clone()).collect();
        let screens = Screens::open(&server.route(), &paths)?;
        for (user, session) in users.iter().zip(&sessions) {
            office.register(user, session)?;
        }
        let callers = Callers::open(&server.route())?;
        Ok(Self { server, office, users, screens, callers })
    }

    /// A thread of some who are connected.
    fn thread(&mut self, screens: Range<usize>) -> Result<Thread> {
        let senders = self.users[screens.clone()].to_vec();
        let id = self.office.thread(&senders)?;
        Ok(Thread { id, senders, screens })
    }

    /// Lets everybody hear of what was set up before.
    fn settle(&mut self) -> Result<()> {
        let quiet = Instant::now() + Duration::from_millis(200);
        while Instant::now() < quiet {
            self.screens.poll(|_, _| ())?;
        }
        Ok(())
    }

    /// Sends, and waits until everybody has everything.
    fn send(&mut self, order: &Order) -> Result<Outcome> {
        self.settle()?;
        let Self { server, office, screens, callers, .. } = self;
        let mut ledger = Ledger::default();
        let owed = order.notifications(order.count);
        let cpu = system::cpu_time(server.pid())?;
        let started = Instant::now();
        let mut heard = started;
        while ledger.shown.len() < owed || callers.under_way() > 0 || ledger.sent() < order.count {
            while ledger.may_send(order, started.elapsed(), callers.under_way()) {
                let number = ledger.sent();
                let (thread, user) = order.address(number);
                let content = format!("{MARK}{number:08} a message as long as people write them");
                if !callers.send(&office.message(user, &thread.id, &content))? {
                    break;
                }
                ledger.due.push(order.due(number).unwrap_or_else(|| started.elapsed()));
            }
            let mut news = callers.poll()?;
            let mut noted = Ok(());
            news |= screens.poll(|client, packet| {
                if let Err(error) = ledger.note(order, client, packet, started.elapsed()) {
                    noted = Err(error);
                }
            })?;
            noted?;
            if news || ledger.sent() < order.count {
                heard = Instant::now();
            } else if heard.elapsed() > PATIENCE {
                bail!("{} of {owed} notifications are missing", owed - ledger.shown.len());
            }
        }
        let (wall, now) = (started.elapsed(), system::cpu_time(server.pid())?);
        Ok(Outcome { wall, cpu: now - cpu, latencies: ledger.latencies })
    }
}

/// Which messages are on which screens.
#[derive(Default)]
struct Ledger {
    /// The moments of those that were sent.
    due: Vec<Duration>,
    /// Message and client.
    shown: HashSet<(u64, usize)>,
    latencies: Histogram,
}

impl Ledger {
    fn sent(&self) -> u64 {
        self.due.len() as u64
    }

    /// Whether it is time for the next message.
    fn may_send(&self, order: &Order, now: Duration, under_way: usize) -> bool {
        let sent = self.sent();
        if sent == order.count {
            return false;
        }
        match order.due(sent) {
            Some(due) => now >= due,
            None => {
                let settled = (sent + 1).saturating_sub(IN_FLIGHT);
                (under_way as u64) < IN_FLIGHT && self.shown.len() >= order.notifications(settled)
            }
        }
    }

    /// Takes a notification that a client has just got.
    fn note(&mut self, order: &Order, client: usize, packet: &str, now: Duration) -> Result<()> {
        if !packet.contains("/chatMessageReceived\"") {
            return Ok(());
        }
        let number = packet.split_once(MARK).and_then(|(_, rest)| rest.get(..8)?.parse().ok());
        let number: u64 = number.with_context(|| format!("not one of the messages: {packet}"))?;
        let is_meant = order.address(number).0.screens.contains(&client);
        ensure!(is_meant, "client {client} got message {number} of another thread");
        ensure!(self.shown.insert((number, client)), "client {client} got message {number} twice");
        let due = self.due.get(number as usize).context("a message that was not sent")?;
        self.latencies.record(now.saturating_sub(*due));
        Ok(())
    }
}

/// REST connections, each with one request at a time.
struct Callers {
    swarm: Swarm,
    inputs: Vec<Vec<u8>>,
    idle: Vec<usize>,
}

impl Callers {
    fn open(route: &Route) -> Result<Self> {
        let mut swarm = Swarm::new()?;
        swarm.open(CALLERS, route, Framing::Bytes, &|_| Vec::new())?;
        Ok(Self { swarm, inputs: vec![Vec::new(); CALLERS], idle: (0..CALLERS).collect() })
    }

    /// Requests that are not answered.
    fn under_way(&self) -> usize {
        self.inputs.len() - self.idle.len()
    }

    /// Sends a request, unless all connections are busy.
    fn send(&mut self, request: &[u8]) -> Result<bool> {
        let Some(caller) = self.idle.pop() else { return Ok(false) };
        ensure!(self.swarm.send(caller, request)? == request.len(), "a socket is full");
        Ok(true)
    }

    /// Takes answers. Returns whether there was anything.
    fn poll(&mut self) -> Result<bool> {
        let Self { swarm, inputs, idle } = self;
        let mut outcome = Ok(());
        let news = swarm.listen(|caller, bytes| {
            let input = &mut inputs[caller];
            input.extend_from_slice(bytes);
            match Answer::read(input) {
                Ok(Some(answer)) if answer.is_success => {
                    input.clear();
                    idle.push(caller);
                }
                Ok(Some(_)) => {
                    outcome = Err(anyhow::anyhow!("{}", String::from_utf8_lossy(input)));
                }
                Ok(None) => {}
                Err(error) => outcome = Err(error),
            }
        })?;
        outcome.map(|()| news)
    }
}
