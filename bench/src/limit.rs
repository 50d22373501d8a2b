//! What the machine allows: a server without protocol, queue or routing, which writes one finished
//! frame to each socket.
//!
//! It runs as a process of its own, like every other server. A subscriber says hello with the number
//! of its group; a publish is its own length, the group, and the length of the frame to send, each
//! as four bytes, then padding, so that it is as long as a publish of the server it is compared with.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use crate::ring::Ring;

/// The hello of a publisher; any other number is a subscriber's group.
pub const PUBLISHER: u32 = u32::MAX;
/// What a hello is answered with.
pub const WELCOME: u8 = b'!';

const LISTENER: u64 = u64::MAX;
const FILLER: usize = 1 << 20;

/// How publishes become writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each frame is written by itself.
    Write,
    /// All that has been published to a group since the last turn is written at once.
    Batch,
    /// The same, with all writes of a turn handed to the kernel together.
    Ring,
}

/// A publish to `group` of a frame of `frame` bytes, itself `length` bytes long.
pub fn publish(length: usize, group: usize, frame: usize) -> Vec<u8> {
    let mut out: Vec<u8> =
        [length, group, frame].iter().flat_map(|it| (*it as u32).to_be_bytes()).collect();
    out.resize(length.max(12), b'x');
    out
}

struct Limit {
    mode: Mode,
    listener: TcpListener,
    epoll: rustix::fd::OwnedFd,
    /// Sockets that have said no hello yet, and publishers.
    talkers: Vec<Option<Talker>>,
    groups: Vec<Vec<TcpStream>>,
    filler: Vec<u8>,
    scratch: Vec<u8>,
    ring: Option<Ring>,
}

struct Talker {
    stream: TcpStream,
    publishes: bool,
    input: Vec<u8>,
}

/// Serves until killed.
pub fn serve(address: SocketAddr, mode: Mode) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("cannot use {address}"))?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = epoll::EventData::new_u64(LISTENER);
    epoll::add(&epoll, &listener, data, epoll::EventFlags::IN)?;
    let mut limit = Limit {
        mode,
        listener,
        epoll,
        talkers: Vec::new(),
        groups: Vec::new(),
        filler: vec![b'x'; FILLER],
        scratch: vec![0; 1 << 16],
        ring: (mode == Mode::Ring).then(Ring::new).transpose()?,
    };
    let mut events: Vec<epoll::Event> = Vec::with_capacity(1024);
    let mut publishes = Vec::new();
    loop {
        events.clear();
        epoll::wait(&limit.epoll, spare_capacity(&mut events), None)?;
        for event in &events {
            match event.data.u64() {
                LISTENER => limit.accept()?,
                talker => limit.hear(talker as usize, &mut publishes)?,
            }
        }
        limit.write(&publishes)?;
        publishes.clear();
    }
}

impl Limit {
    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let data = epoll::EventData::new_u64(self.talkers.len() as u64);
                    epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
                    let talker = Talker { stream, publishes: false, input: Vec::new() };
                    self.talkers.push(Some(talker));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn hear(&mut self, index: usize, publishes: &mut Vec<(usize, usize)>) -> Result<()> {
        let Some(talker) = &mut self.talkers[index] else { return Ok(()) };
        let count = match talker.stream.read(&mut self.scratch) {
            Ok(0) | Err(_) => {
                self.talkers[index] = None;
                return Ok(());
            }
            Ok(count) => count,
        };
        talker.input.extend_from_slice(&self.scratch[..count]);
        if !talker.publishes {
            let Some(hello) = talker.input.first_chunk::<4>() else { return Ok(()) };
            let group = u32::from_be_bytes(*hello);
            talker.input.drain(..4);
            talker.stream.write_all(&[WELCOME])?;
            if group != PUBLISHER {
                return self.subscribe(index, group as usize);
            }
            talker.publishes = true;
        }
        let mut used = 0;
        while let Some(head) = talker.input[used..].first_chunk::<12>() {
            let number = |at: usize| {
                u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
            };
            if talker.input.len() - used < number(0) {
                break;
            }
            publishes.push((number(4), number(8)));
            used += number(0);
        }
        talker.input.drain(..used);
        Ok(())
    }

    fn subscribe(&mut self, index: usize, group: usize) -> Result<()> {
        let Some(talker) = self.talkers[index].take() else { return Ok(()) };
        epoll::delete(&self.epoll, &talker.stream)?;
        // It has nothing more to say; a full socket may block, since nothing else is to be done.
        talker.stream.set_nonblocking(false)?;
        if self.groups.len() <= group {
            self.groups.resize_with(group + 1, Vec::new);
        }
        self.groups[group].push(talker.stream);
        Ok(())
    }

    fn write(&mut self, publishes: &[(usize, usize)]) -> Result<()> {
        let mut joined: Vec<usize> = Vec::new();
        let mut order = Vec::new();
        for &(group, frame) in publishes {
            ensure!(group < self.groups.len(), "nobody is in group {group}");
            if self.mode == Mode::Write {
                write_all(&mut self.groups[group], &self.filler[..frame]);
                continue;
            }
            joined.resize(self.groups.len(), 0);
            if joined[group] == 0 {
                order.push(group);
            }
            joined[group] += frame;
        }
        for group in order {
            let bytes = &self.filler[..joined[group]];
            match &mut self.ring {
                Some(ring) => ring.send(&self.groups[group], bytes)?,
                None => write_all(&mut self.groups[group], bytes),
            }
        }
        Ok(())
    }
}

/// Writes to everyone; who has left is forgotten.
fn write_all(streams: &mut Vec<TcpStream>, bytes: &[u8]) {
    streams.retain_mut(|stream| stream.write_all(bytes).is_ok());
}
