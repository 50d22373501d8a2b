//! The two ways to publish: as fast as receivers take it, and at a given rate.
//!
//! A *sweep* is one message to each group. Each subscriber is in one group, so each receives one
//! message a sweep, and a sweep is complete when all have it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::histogram::Histogram;
use crate::swarm::Swarm;
use crate::system;

/// How long all receivers together may be silent while something is owed to them.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is published, to whom.
pub struct Traffic {
    /// The bytes that make a publisher publish once, for each group.
    pub publishes: Vec<Vec<u8>>,
    /// What one message adds to a receiver's count.
    pub unit: u64,
}

/// What one run showed.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Messages received, over all receivers.
    pub deliveries: u64,
    /// From the first publish to the last delivery.
    pub wall: Duration,
    /// The server's CPU time in between.
    pub cpu: Duration,
}

impl Sample {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            deliveries: self.deliveries + other.deliveries,
            wall: self.wall + other.wall,
            cpu: self.cpu + other.cpu,
        }
    }

    /// Server CPU time for one delivery, in nanoseconds.
    pub fn nanos_per_delivery(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.deliveries as f64
    }

    /// Deliveries a second.
    pub fn rate(&self) -> f64 {
        self.deliveries as f64 / self.wall.as_secs_f64()
    }
}

/// Subscribers and one publisher of one server.
pub struct Crowd {
    /// The subscribers, each in group `index % groups`.
    pub swarm: Swarm,
    /// The publisher: a swarm of one, so that its reads do not count.
    pub publisher: Swarm,
    /// The server's process.
    pub pid: u32,
    /// What is owed to the publisher's socket.
    pub outgoing: Outgoing,
}

/// Bytes that wait for a socket.
#[derive(Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    fn push(&mut self, bytes: &[u8]) {
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    fn flush(&mut self, swarm: &mut Swarm) -> Result<()> {
        if self.sent < self.bytes.len() {
            self.sent += swarm.send(0, &self.bytes[self.sent..])?;
        }
        Ok(())
    }
}

impl Crowd {
    /// Publishes sweeps with `window` of them in flight, for at least `duration`, and waits until
    /// everyone has everything.
    pub fn saturate(
        &mut self,
        traffic: &Traffic,
        window: u64,
        duration: Duration,
    ) -> Result<Sample> {
        let started = Instant::now();
        self.sweep_while(traffic, window, |_| started.elapsed() < duration)
    }

    /// Publishes exactly so many sweeps, and waits until everyone has everything.
    pub fn sweeps(&mut self, traffic: &Traffic, window: u64, count: u64) -> Result<Sample> {
        self.sweep_while(traffic, window, |published| published < count)
    }

    fn sweep_while(
        &mut self,
        traffic: &Traffic,
        window: u64,
        more: impl Fn(u64) -> bool,
    ) -> Result<Sample> {
        let sweep = traffic.publishes.concat();
        let receivers = self.swarm.len();
        self.swarm.reset();
        let cpu = system::cpu_time(self.pid)?;
        let started = Instant::now();
        let mut heard = started;
        let (mut published, mut complete) = (0, 0);
        // How many receivers have each sweep in flight.
        let mut reached: VecDeque<usize> = VecDeque::new();
        loop {
            while published - complete < window && more(published) {
                self.outgoing.push(&sweep);
                reached.push_back(0);
                published += 1;
            }
            self.outgoing.flush(&mut self.publisher)?;
            if complete == published {
                break;
            }
            let mut surplus = false;
            let base = complete;
            let news = self.swarm.poll(traffic.unit, |it| {
                for sweep in it.before..it.after {
                    match reached.get_mut((sweep - base) as usize) {
                        Some(count) => *count += 1,
                        None => surplus = true,
                    }
                }
            })?;
            if surplus {
                bail!("a subscriber received more than was published");
            }
            while reached.front() == Some(&receivers) {
                reached.pop_front();
                complete += 1;
            }
            self.publisher.poll(1, |_| ())?;
            self.keep_patience(news, &mut heard, traffic.unit)?;
        }
        let wall = started.elapsed();
        let cpu = system::cpu_time(self.pid)? - cpu;
        self.swarm.check(0..receivers, published * traffic.unit)?;
        Ok(Sample { deliveries: published * receivers as u64, wall, cpu })
    }

    /// Publishes at `rate` publishes a second, each to the next group, for `duration`. Latencies
    /// count from the moment at which each publish was due.
    pub fn pace(
        &mut self,
        traffic: &Traffic,
        rate: f64,
        duration: Duration,
        deaf: usize,
    ) -> Result<(Sample, Histogram)> {
        let groups = traffic.publishes.len();
        let sweeps = ((rate * duration.as_secs_f64()) as u64).div_ceil(groups as u64).max(1);
        let total = sweeps * groups as u64;
        let receivers = self.swarm.len() - deaf;
        let mut owed = sweeps * receivers as u64;
        let mut histogram = Histogram::new();
        self.swarm.reset();
        let cpu = system::cpu_time(self.pid)?;
        let started = Instant::now();
        let due = |number: u64| Duration::from_secs_f64(number as f64 / rate);
        let mut heard = started;
        let mut published = 0;
        while owed > 0 {
            while published < total && started.elapsed() >= due(published) {
                self.outgoing.push(&traffic.publishes[(published % groups as u64) as usize]);
                published += 1;
            }
            self.outgoing.flush(&mut self.publisher)?;
            let news = self.swarm.poll(traffic.unit, |it| {
                let now = started.elapsed();
                let group = (it.client % groups) as u64;
                for sweep in it.before..it.after {
                    let number = sweep * groups as u64 + group;
                    histogram.record(now.saturating_sub(due(number)));
                }
                owed = owed.saturating_sub(it.after - it.before);
            })?;
            self.publisher.poll(1, |_| ())?;
            self.keep_patience(news || published < total, &mut heard, traffic.unit)?;
        }
        let wall = started.elapsed();
        let cpu = system::cpu_time(self.pid)? - cpu;
        self.swarm.check(deaf..self.swarm.len(), sweeps * traffic.unit)?;
        Ok((Sample { deliveries: sweeps * receivers as u64, wall, cpu }, histogram))
    }

    fn keep_patience(&self, news: bool, heard: &mut Instant, unit: u64) -> Result<()> {
        if news {
            *heard = Instant::now();
        } else if heard.elapsed() > PATIENCE {
            bail!("messages of {unit} B are missing");
        }
        Ok(())
    }
}
