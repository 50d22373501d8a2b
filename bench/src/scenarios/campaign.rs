//! (k) A send to everybody: does the server's memory depend on how many they are?
//!
//! The server as a developer starts it, with the fake of Apple's service within, so that both share
//! the server's core.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use notificationhubs::store::{HubKey, Store};
use serde_json::{Value, json};
use storage::{Db, Durability, MasterKey, Options as StoreOptions, vals};

use super::audience::fill;
use crate::options::Options;
use crate::report::{Report, Table};
use crate::system;
use crate::targets::Server as _;
use crate::targets::tidings::{self, Tidings};

const DEVICES: u64 = 1_000_000;
const HUB: &str = "local";
const PAYLOAD: &str = r#"{"aps":{"alert":"a message of the usual length","sound":"default"}}"#;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(20);

pub(super) fn run(options: &Options, report: &mut Report) -> Result<()> {
    let devices = if options.quick { DEVICES / 500 } else { DEVICES };
    eprintln!("push to {devices} devices");
    // The first start makes the database.
    Tidings::start(&options.lab)?.stop()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(register(&tidings::data(&options.lab), devices))?;
    let server = Tidings::start_again(&options.lab)?;
    let sent = send(&server, devices)?;
    server.stop()?;
    let mut table = Table::new(
        'k',
        "A send to everybody",
        &[
            "devices",
            "sends/s",
            "MiB before",
            "most in the first tenth",
            "most in the rest",
            "MiB after",
        ],
    );
    table.note(
        "Resident memory of the server during one send to all devices of a hub, once. Apple's service \
         is played by the same process, on the same core: that limits the rate, and its inbox, which \
         keeps the last notifications, is a part of the memory.",
    );
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    table.row([
        devices.to_string(),
        format!("{:.0}", devices as f64 / sent.wall.as_secs_f64()),
        mib(sent.before),
        mib(sent.most(|it| it < 0.1)),
        mib(sent.most(|it| it >= 0.1)),
        mib(sent.after),
    ]);
    report.table(table)
}

/// Registers devices in the database of a server that has stopped.
async fn register(data: &Path, devices: u64) -> Result<()> {
    let options = StoreOptions { durability: Durability::Relaxed, ..StoreOptions::default() };
    let db = Db::open(data.join("tidings.db"), &options)?;
    let hubs = db.query("SELECT hub FROM push_hubs WHERE name = $1", vals![HUB]).await?;
    let hub = HubKey(hubs.first().context("no hub of this name")?.get(0)?);
    let master = MasterKey::load_or_create(&data.join("master.key"))?;
    let store = Store::open(db.clone(), Arc::new(master)).await?;
    fill(&store, hub, devices).await?;
    db.close().await;
    Ok(())
}

/// What a send showed.
struct Sent {
    wall: Duration,
    before: u64,
    after: u64,
    /// Moments since its beginning, and the resident bytes then.
    during: Vec<(Duration, u64)>,
}

impl Sent {
    /// The most memory among the moments that `when` picks, by their share of the whole.
    fn most(&self, when: impl Fn(f64) -> bool) -> u64 {
        let share = |at: Duration| at.as_secs_f64() / self.wall.as_secs_f64();
        let picked = self.during.iter().filter(|(at, _)| when(share(*at)));
        picked.map(|(_, bytes)| *bytes).max().unwrap_or(self.before)
    }
}

fn send(server: &Tidings, devices: u64) -> Result<Sent> {
    let before = system::resident(server.pid())?;
    let begin = Instant::now();
    let order = json!({ "hub": HUB, "format": "apple", "payload": PAYLOAD });
    let sent: Value =
        serde_json::from_str(&server.ask_admin("POST", "/push/send", &order.to_string())?)?;
    let path = format!(
        "/push/notifications?hub={HUB}&limit=1&id={}",
        sent["id"].as_str().context("no id")?
    );
    let mut during = Vec::new();
    let (mut asked, mut wall) = (begin, None);
    while wall.is_none() {
        ensure!(begin.elapsed() < PATIENCE, "the send is not over");
        thread::sleep(LOOK);
        during.push((begin.elapsed(), system::resident(server.pid())?));
        if asked.elapsed() > LOOK * 10 {
            asked = Instant::now();
            let told: Value = serde_json::from_str(&server.ask_admin("GET", &path, "")?)?;
            if told[0]["state"] == "Completed" {
                wall = Some(begin.elapsed());
                let reached = told[0]["outcomes"][0]["devices"].as_u64();
                ensure!(reached == Some(devices), "not everybody was reached: {told}");
            }
        }
    }
    thread::sleep(Duration::from_secs(1));
    let wall = wall.unwrap_or_default();
    Ok(Sent { wall, before, after: system::resident(server.pid())?, during })
}
