//! (l) Audiences: how fast the devices of a tag expression are found among many. The store runs inside
//! this process.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kernel::{Clock as _, SystemClock, Timestamp};
use notificationhubs::entry::Submission;
use notificationhubs::registration::{Description, Key};
use notificationhubs::store::{HubKey, Lifetime, Selection, Store};
use notificationhubs::tag::{TagExpression, TagSet};
use notificationhubs::{Handle, Platform, date};
use storage::{Db, Durability, MasterKey, Options as StoreOptions};
use tokio::task::JoinSet;

use crate::options::Options;
use crate::report::{Report, Table};
use crate::statistics::Samples;
use crate::system;

const HUB: HubKey = HubKey(1);
const DEVICES: u64 = 1_000_000;
/// Registrations that are made at a time.
const WRITERS: u64 = 512;
/// Candidates of a page.
const PAGE: usize = 1_000;

/// What is asked for, and how many of four devices are meant. Of four, two have the tag `news` and two
/// the tag `rome`; one has both.
const EXPRESSIONS: [(&str, u64); 3] =
    [("news && rome", 1), ("news && !rome", 1), ("news || rome", 3)];

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { report.table(measure(options).await?) })
}

async fn measure(options: &Options) -> Result<Table> {
    let devices = if options.quick { DEVICES / 200 } else { DEVICES };
    let bench = Bench::open(&options.lab.work).await?;
    eprintln!("audience, {devices} registrations");
    let begin = Instant::now();
    fill(&bench.store, HUB, devices).await?;
    let filled = devices as f64 / begin.elapsed().as_secs_f64();
    let mut table = Table::new(
        'l',
        "Audiences",
        &["expression", "devices found", "a second", "for a CPU second", "CPU µs each", "memory"],
    );
    table.note(&format!(
        "Among {devices} registrations in SQLite, {PAGE} candidates a page. Of four devices two have \
         each tag and one has both, so with && every second candidate is rejected. Memory is what the \
         process grew by. Making the registrations: {filled:.0} a second."
    ));
    for (expression, of_four) in EXPRESSIONS {
        let mut measured = Measured::default();
        for _ in 0..options.rounds {
            measured.add(bench.walk(expression, devices / 4 * of_four).await?);
        }
        table.row([
            format!("`{}`", expression.replace('|', "\\|")),
            (devices / 4 * of_four).to_string(),
            format!("{:.0}", measured.each_second.median()),
            format!("{:.0}", measured.each_cpu_second.median()),
            Table::spread(&measured.micros),
            format!("{:.1} MiB", measured.growth.median()),
        ]);
    }
    bench.close().await;
    Ok(table)
}

#[derive(Default)]
struct Measured {
    each_second: Samples,
    each_cpu_second: Samples,
    micros: Samples,
    growth: Samples,
}

/// One walk through an audience.
struct Walk {
    found: u64,
    wall: Duration,
    cpu: Duration,
    growth: f64,
}

impl Measured {
    fn add(&mut self, walk: Walk) {
        let found = walk.found as f64;
        self.each_second.add(found / walk.wall.as_secs_f64());
        self.each_cpu_second.add(found / walk.cpu.as_secs_f64());
        self.micros.add(walk.cpu.as_secs_f64() * 1e6 / found);
        self.growth.add(walk.growth);
    }
}

/// A hub in a file of its own.
struct Bench {
    db: Db,
    store: Store,
    folder: std::path::PathBuf,
    now: Timestamp,
}

impl Bench {
    async fn open(work: &Path) -> Result<Self> {
        let folder = work.join("audience");
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).context("cannot make the folder")?;
        // How fast registrations reach the disk is not the question.
        let options = StoreOptions { durability: Durability::Relaxed, ..StoreOptions::default() };
        let db = Db::open(folder.join("bench.db"), &options)?;
        let store = Store::open(db.clone(), Arc::new(MasterKey::from_bytes(&[7; 32]))).await?;
        Ok(Self { db, store, folder, now: SystemClock.now() })
    }

    async fn close(self) {
        self.db.close().await;
        fs::remove_dir_all(&self.folder).ok();
    }

    /// Walks through an audience page by page, as a send does.
    async fn walk(&self, expression: &str, expected: u64) -> Result<Walk> {
        let own = std::process::id();
        let (resident, cpu, begin) =
            (system::resident(own)?, system::cpu_time(own)?, Instant::now());
        let tags = Some(TagExpression::parse(expression)?);
        let selection = Selection { tags, platform: Some(Platform::Apple) };
        let before = self.store.keys().next(SystemClock.now());
        let audience = self.store.audience(HUB, &selection, before).await?;
        let (mut found, mut after) = (0, Some(Key(0)));
        while let Some(key) = after {
            let (page, next) = self.store.recipients(&audience, key, PAGE, self.now).await?;
            found += page.len() as u64;
            after = next;
        }
        ensure!(found == expected, "{expression}: found {found} devices instead of {expected}");
        let growth = system::resident(own)? as f64 - resident as f64;
        Ok(Walk {
            found,
            wall: begin.elapsed(),
            cpu: system::cpu_time(own)? - cpu,
            growth: growth / f64::from(1 << 20),
        })
    }
}

/// Registers `count` devices with Apple, with two tags, one tag, or none.
pub(super) async fn fill(store: &Store, hub: HubKey, count: u64) -> Result<()> {
    let mut writers = JoinSet::new();
    for first in 0..WRITERS {
        let (store, now) = (store.clone(), SystemClock.now());
        writers.spawn(async move {
            for number in (first..count).step_by(WRITERS as usize) {
                let lifetime = Lifetime { from: now, until: date::NEVER };
                store.create_registration(hub, device(number)?, lifetime).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer??;
    }
    Ok(())
}

fn device(number: u64) -> Result<Submission> {
    let handle = Handle::new(Platform::Apple, &format!("{number:064X}"))?;
    let mut description = Description::new(handle);
    description.tags = TagSet::parse_list(["news,rome", "news", "rome", ""][number as usize % 4])?;
    Ok(Submission { description, system_tags: Vec::new() })
}
