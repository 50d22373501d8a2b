//! Instructions of the hot path, counted: a number that no neighbour on the machine disturbs, so that
//! a change of a few percent between two commits is seen.
//!
//! The real program runs under cachegrind, with one shard, twice a path: once with few operations
//! and once with many. The difference of both counts, divided by the difference of operations, holds
//! no start and no connecting. What the kernel does is not in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::options::{Counting, Options};
use crate::process::Lab;
use crate::scenarios::{crowd, traffic};
use crate::targets::tidings::Tidings;

const RECEIVERS: usize = 200;
const PAYLOAD: usize = 128;
const FEW: u64 = 200;
const MANY: u64 = 2_200;
/// What may change without a word: turns are cut a little differently each time.
const TOLERANCE: f64 = 0.05;

/// A way through the program that is counted.
struct Path {
    name: &'static str,
    simple: bool,
    groups: usize,
    window: u64,
}

const PATHS: [Path; 4] = [
    Path { name: "simple client, one in flight", simple: true, groups: 1, window: 1 },
    Path { name: "JSON subprotocol, one in flight", simple: false, groups: 1, window: 1 },
    Path { name: "JSON subprotocol, sixteen in flight", simple: false, groups: 1, window: 16 },
    Path { name: "JSON subprotocol, groups of ten", simple: false, groups: 20, window: 1 },
];

/// Counts every path, and compares with the record or makes it.
///
/// # Errors
/// When a path takes more instructions than are recorded, beyond the tolerance.
pub fn run(options: &Options, counting: Counting) -> Result<()> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.txt");
    let recorded = match counting {
        Counting::Record => BTreeMap::new(),
        Counting::Compare => read(&fs::read_to_string(&file).context("there is no record yet")?)?,
    };
    let mut page = String::from("# Instructions in user space for each delivery, by path.\n");
    let mut worse = Vec::new();
    for path in &PATHS {
        let counted = count(options, path)?;
        page.push_str(&format!("{}: {counted:.0}\n", path.name));
        let Some(before) = recorded.get(path.name) else {
            println!("{}: {counted:.0}", path.name);
            continue;
        };
        let change = counted / before - 1.0;
        println!("{}: {counted:.0}, recorded {before:.0} ({:+.1} %)", path.name, change * 100.0);
        if change > TOLERANCE {
            worse.push(path.name);
        }
    }
    if !worse.is_empty() {
        bail!(
            "more instructions than recorded: {}. Find out why, or record the new counts with \
             `make instructions COUNT=record` and say the reason in the commit",
            worse.join("; ")
        );
    }
    if matches!(counting, Counting::Record) {
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn read(page: &str) -> Result<BTreeMap<String, f64>> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, count) = line.rsplit_once(": ").context("a line is `path: count`")?;
            Ok((name.to_owned(), count.parse()?))
        })
        .collect()
}

/// Instructions for each delivery of a path.
fn count(options: &Options, path: &Path) -> Result<f64> {
    let few = total(options, path, FEW)?;
    let many = total(options, path, MANY)?;
    let deliveries = (MANY - FEW) * RECEIVERS as u64;
    Ok((many - few) as f64 / deliveries as f64)
}

/// Instructions of a whole run of the server.
fn total(options: &Options, path: &Path, sweeps: u64) -> Result<u64> {
    let log = options.lab.folder("instructions")?.join("cachegrind.log");
    let arguments = [
        "valgrind".to_owned(),
        "--tool=cachegrind".to_owned(),
        "--cache-sim=no".to_owned(),
        "--cachegrind-out-file=/dev/null".to_owned(),
        format!("--log-file={}", log.display()),
    ];
    let lab = Lab { under: arguments.map(Into::into).into(), ..options.lab.clone() };
    let server = Tidings::start(&lab)?;
    let server = if path.simple { server.for_simple_clients() } else { server };
    let mut crowd = crowd(&server, RECEIVERS, path.groups)?;
    crowd.sweeps(&traffic(&server, PAYLOAD, path.groups), path.window, sweeps)?;
    drop(crowd);
    server.stop()?;
    let log = fs::read_to_string(&log)?;
    let line = log.lines().find_map(|line| line.split_once("refs:"));
    let (_, count) = line.with_context(|| format!("valgrind counted nothing; it said:\n{log}"))?;
    Ok(count.trim().replace(',', "").parse()?)
}
