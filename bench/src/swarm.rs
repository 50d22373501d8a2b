//! The clients: opened by script, then only counted.
//!
//! Everything runs on one thread over one epoll and one read buffer. Between polls the thread spins
//! instead of sleeping, so that no server pays for waking the generator up.

use std::collections::VecDeque;
use std::hint;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use crate::link::{Link, Route};
use crate::websocket::PayloadMeter;

const READ_BUFFER: usize = 256 * 1024;
const EVENTS: usize = 1024;
/// Below the smallest listen backlog among the servers, so that no connection attempt is dropped.
const OPENING_AT_ONCE: usize = 96;
/// How long a server may take to answer the next step of any client's script.
const PATIENCE: Duration = Duration::from_secs(60);

static CONNECTIONS_SO_FAR: AtomicUsize = AtomicUsize::new(0);

/// What a client waits for: how many of the bytes so far are used, `None` for more bytes.
pub type Expectation = fn(&[u8]) -> Result<Option<usize>, String>;

/// One step on the way to a client that is only counted.
pub enum Step {
    /// Send this.
    Send(Vec<u8>),
    /// Read until this is satisfied.
    Await(Expectation),
}

/// How messages are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Every byte of the stream belongs to a message of constant size.
    Bytes,
    /// The payloads of WebSocket frames do; a frame may hold several messages.
    Payload,
    /// The same, with a line break between the messages of a frame, which counts as a byte of each.
    Lines,
}

struct Client {
    link: Link,
    script: Option<Box<Script>>,
    count: Count,
}

/// What a client has received.
struct Count {
    meter: Option<Box<PayloadMeter>>,
    counted: u64,
    messages: u64,
}

struct Script {
    steps: VecDeque<Step>,
    input: Vec<u8>,
}

/// Clients of one server.
pub struct Swarm {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    clients: Vec<Client>,
}

/// What one client has just received.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// The client, in the order of opening.
    pub client: usize,
    /// Whole messages that it had before.
    pub before: u64,
    /// Whole messages that it has now.
    pub after: u64,
    /// Bytes that have just been read.
    pub bytes: usize,
}

impl Swarm {
    /// No clients yet.
    pub fn new() -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; READ_BUFFER],
            clients: Vec::new(),
        })
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Opens `count` more clients, each by its script.
    pub fn open(
        &mut self,
        count: usize,
        route: &Route,
        framing: Framing,
        script: &dyn Fn(usize) -> Vec<Step>,
    ) -> Result<()> {
        let first = self.clients.len();
        let mut opening = 0;
        let mut progress = Instant::now();
        while self.clients.len() < first + count || opening > 0 {
            while self.clients.len() < first + count && opening < OPENING_AT_ONCE {
                let steps = script(self.clients.len() - first);
                opening += usize::from(self.connect(route, framing, steps)?);
            }
            let mut advanced = Vec::new();
            self.wait(Some(Duration::from_millis(100)))?;
            for event in std::mem::take(&mut self.events) {
                advanced.push(event.data.u64() as usize);
            }
            for index in advanced {
                if self.clients[index].script.is_some() {
                    progress = Instant::now();
                    opening -= usize::from(self.advance(index)?);
                }
            }
            ensure!(progress.elapsed() < PATIENCE, "{opening} clients wait to be opened");
        }
        Ok(())
    }

    /// Connects one client and takes its first steps; whether there are more.
    fn connect(&mut self, route: &Route, framing: Framing, steps: Vec<Step>) -> Result<bool> {
        let number = CONNECTIONS_SO_FAR.fetch_add(1, Ordering::Relaxed);
        let link = Link::connect(route, number)?;
        let index = self.clients.len();
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &link, data, epoll::EventFlags::IN)?;
        let script = Script { steps: steps.into(), input: Vec::new() };
        let meter = match framing {
            Framing::Bytes => None,
            Framing::Payload => Some(Box::new(PayloadMeter::new(0))),
            Framing::Lines => Some(Box::new(PayloadMeter::new(1))),
        };
        let script = Some(Box::new(script));
        let count = Count { meter, counted: 0, messages: 0 };
        self.clients.push(Client { link, script, count });
        Ok(!self.step(index)?)
    }

    /// Reads what a client that is being opened has received; whether it is open now.
    fn advance(&mut self, index: usize) -> Result<bool> {
        let client = &mut self.clients[index];
        match client.link.read(&mut self.buffer) {
            Ok(0) => bail!("the server ended connection {index} while it was being opened"),
            Ok(count) => {
                if let Some(script) = &mut client.script {
                    script.input.extend_from_slice(&self.buffer[..count]);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("while a connection was being opened"),
        }
        self.step(index)
    }

    /// Takes the steps that can be taken; whether the script is done.
    fn step(&mut self, index: usize) -> Result<bool> {
        let Client { link, script, .. } = &mut self.clients[index];
        let Some(state) = script else { return Ok(true) };
        while let Some(step) = state.steps.front() {
            match step {
                Step::Send(bytes) => {
                    let sent = link.write(bytes)?;
                    ensure!(sent == bytes.len(), "a fresh socket did not take {} B", bytes.len());
                }
                Step::Await(expectation) => {
                    match expectation(&state.input).map_err(anyhow::Error::msg)? {
                        None => return Ok(false),
                        Some(used) => drop(state.input.drain(..used)),
                    }
                }
            }
            state.steps.pop_front();
        }
        ensure!(state.input.is_empty(), "a client received more than its script expects");
        *script = None;
        Ok(true)
    }

    /// Starts counting anew. No message may be on its way.
    pub fn reset(&mut self) {
        for client in &mut self.clients {
            (client.count.counted, client.count.messages) = (0, 0);
        }
    }

    /// Stops reading from a client.
    pub fn ignore(&mut self, index: usize) -> Result<()> {
        Ok(epoll::delete(&self.epoll, &self.clients[index].link)?)
    }

    /// Sends from a client; the part that its socket took.
    pub fn send(&mut self, index: usize, bytes: &[u8]) -> Result<usize> {
        match self.clients[index].link.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            outcome => outcome.with_context(|| format!("client {index} cannot send")),
        }
    }

    /// Counts what has arrived, in messages of `unit` bytes, and tells of each client's news.
    /// Returns whether there was any.
    pub fn poll(&mut self, unit: u64, mut news: impl FnMut(Received)) -> Result<bool> {
        self.read(|client, count, input| {
            count.counted += match &mut count.meter {
                None => input.len() as u64,
                Some(meter) => meter.count(input),
            };
            let before = count.messages;
            count.messages = count.counted / unit;
            news(Received { client, before, after: count.messages, bytes: input.len() });
        })
    }

    /// Hands over what has arrived, client by client. Returns whether there was anything.
    pub fn listen(&mut self, mut heard: impl FnMut(usize, &[u8])) -> Result<bool> {
        self.read(|client, _, input| heard(client, input))
    }

    fn read(&mut self, mut each: impl FnMut(usize, &mut Count, &[u8])) -> Result<bool> {
        self.wait(Some(Duration::ZERO))?;
        if self.events.is_empty() {
            // A poll takes a lock that the server's writes need.
            (0..200).for_each(|_| hint::spin_loop());
            return Ok(false);
        }
        for at in 0..self.events.len() {
            let index = self.events[at].data.u64() as usize;
            let client = &mut self.clients[index];
            loop {
                let bytes = match client.link.read(&mut self.buffer) {
                    Ok(0) => bail!("the server ended connection {index}"),
                    Ok(bytes) => bytes,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).context(format!("connection {index}")),
                };
                each(index, &mut client.count, &self.buffer[..bytes]);
                if !client.link.holds_decrypted() {
                    break;
                }
            }
        }
        Ok(true)
    }

    /// Makes sure that each of these clients has received exactly so many bytes.
    pub fn check(&self, clients: impl Iterator<Item = usize>, bytes: u64) -> Result<()> {
        for index in clients {
            let counted = self.clients[index].count.counted;
            ensure!(counted == bytes, "client {index} received {counted} B instead of {bytes} B");
        }
        Ok(())
    }

    /// Reads what one client has left unread: the last bytes, and whether the stream has ended.
    pub fn read_rest(&mut self, index: usize) -> Result<(Vec<u8>, bool)> {
        const QUIET: Duration = Duration::from_millis(500);
        const TAIL: usize = 256;
        let mut tail = Vec::new();
        let mut heard = Instant::now();
        while heard.elapsed() < QUIET {
            match self.clients[index].link.read(&mut self.buffer) {
                Ok(0) => return Ok((tail, true)),
                Ok(count) => {
                    heard = Instant::now();
                    tail.extend_from_slice(&self.buffer[..count]);
                    tail.drain(..tail.len().saturating_sub(TAIL));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok((tail, true));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok((tail, false))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Result<()> {
        let timeout = timeout.map(Timespec::try_from).transpose()?;
        self.events.clear();
        if self.events.capacity() < EVENTS {
            self.events.reserve(EVENTS);
        }
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
