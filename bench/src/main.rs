//! Measures the server against peers and against what the machine allows, in one run.
//!
//! Not a benchmark of functions: it starts real servers on one core, drives them from another one
//! over loopback, and compares their CPU time for each delivery. See `docs/performance.md`, which it
//! writes.
//!
//! | module | what |
//! |---|---|
//! | `link`, `websocket`, `swarm` | the clients |
//! | `screens` | chat clients, which answer what they hear |
//! | `fanout`, `histogram`, `statistics` | publishing and measuring |
//! | `limit`, `ring` | the yardstick: a server that only writes |
//! | `apns` | Apple's push service as a fake, and the sender to it, each a program |
//! | `process`, `targets` | the servers that are measured |
//! | `scenarios` | what is measured |
//! | `instructions` | the hot path in instructions, which no neighbour disturbs |
//! | `report` | tables |
//! | `system` | the machine |

mod apns;
mod fanout;
mod histogram;
mod instructions;
mod limit;
mod link;
mod options;
mod process;
mod report;
mod ring;
mod scenarios;
mod screens;
mod statistics;
mod swarm;
mod system;
mod targets;
mod websocket;

use std::env;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::limit::Mode;
use crate::options::Options;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, mode, address] = &arguments[..]
        && first == "limit"
    {
        system::raise_descriptor_limit()?;
        let mode = match mode.as_str() {
            "write" => Mode::Write,
            "batch" => Mode::Batch,
            "ring" => Mode::Ring,
            other => bail!("no such mode: {other}"),
        };
        return limit::serve(address.parse().context("not an address")?, mode);
    }
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    match &arguments[..] {
        [first, folder] if first == apns::SERVICE => return apns::serve(Path::new(folder)),
        [first, folder, count] if first == apns::SENDER => {
            return apns::send(Path::new(folder), count.parse().context("not a number")?);
        }
        _ => {}
    }
    let options = Options::parse(&arguments)?;
    system::raise_descriptor_limit()?;
    match options.counting {
        Some(counting) => instructions::run(&options, counting),
        None => scenarios::run(&options),
    }
}
