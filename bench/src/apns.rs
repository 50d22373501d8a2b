//! A push to Apple's devices as two programs: the service, as the fake of this repository plays it,
//! and the sender that is measured. They share a folder, and talk over TLS and HTTP/2 as in earnest.
//!
//! The sender is the one of the server, driven as its delivery drives it: a bounded number of sends at
//! a time. What stands before and after it (audience, queue, outcomes) is measured elsewhere.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use edge::outbound::{AddressPolicy, Outbound};
use edge::tls::{DevCa, ServerTls};
use edge::{Listener, Tasks};
use kernel::{Clock, SystemClock};
use notificationhubs::fake::accounts::ApnsAccount;
use notificationhubs::fake::apns::{ApnsServer, ApnsSettings};
use notificationhubs::fake::{Accounts, FakePush};
use notificationhubs::push::OutcomeName;
use notificationhubs::push::apns::{
    ApnsCredential, ApnsSender, Channel, ConnectionLimits, Message, Options,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::system;

/// The command of the service.
pub const SERVICE: &str = "apns-service";
/// The command of the sender.
pub const SENDER: &str = "apns-sender";
/// Appears when the service listens.
pub const READY: &str = "ready.json";
/// What the sender found.
const SENT: &str = "sent.json";

/// Sends under way at a time, as the server has it by default.
pub const AT_ONCE: usize = 256;
/// Sent before the clocks start: connections, tokens, buffers.
const FIRST: u64 = 5_000;

const PAYLOAD: &str = r#"{"aps":{"alert":{"title":"Tidings","body":"a message of the usual length"},"badge":1,"sound":"default"}}"#;

/// What a run of the sender cost.
pub struct Sent {
    /// From the first to the last of those that count.
    pub wall: Duration,
    /// Of all threads of the sender.
    pub cpu: Duration,
    /// Resident bytes before and after.
    pub resident: [u64; 2],
}

/// Plays Apple's service until killed.
pub fn serve(folder: &Path) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let ca = DevCa::load_or_create(folder, SystemClock.now())?;
        let tls = ServerTls::load(vec![ca.certificate_files()])?;
        let fake = FakePush::new(Accounts::generate(), Arc::new(SystemClock))?;
        let server = ApnsServer::new(Arc::clone(&fake), &tls, ApnsSettings::default());
        let listener = Listener::bind_loopback(0, "the port of the service")?;
        let ready = json!({ "port": listener.local_port(), "account": fake.accounts().apns });
        let written = folder.join("ready.part");
        fs::write(&written, ready.to_string())?;
        fs::rename(written, folder.join(READY))?;
        server.serve(listener, &CancellationToken::new(), Duration::ZERO).await?;
        Ok(())
    })
}

/// Sends to `count` devices, all different, and leaves behind what it cost.
pub fn send(folder: &Path, count: u64) -> Result<()> {
    // As the server starts it.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let outbound = outbound(folder)?;
        let sender = Sender::new(folder, outbound)?;
        sender.run(FIRST.min(count)).await?;
        let own = std::process::id();
        let (cpu, before, begin) = (system::cpu_time(own)?, system::resident(own)?, Instant::now());
        sender.run(count).await?;
        let sent = json!({
            "wall": begin.elapsed().as_secs_f64(),
            "cpu": (system::cpu_time(own)? - cpu).as_secs_f64(),
            "resident": [before, system::resident(own)?],
        });
        Ok(fs::write(folder.join(SENT), sent.to_string())?)
    })
}

/// What [`send`] has left behind.
pub fn sent(folder: &Path) -> Result<Sent> {
    let sent: Value = serde_json::from_str(&fs::read_to_string(folder.join(SENT))?)?;
    let seconds = |name: &str| {
        let seconds = sent[name].as_f64().context("the sender tells no time")?;
        anyhow::Ok(Duration::from_secs_f64(seconds))
    };
    let resident = [0, 1].map(|index| sent["resident"][index].as_u64().unwrap_or(0));
    Ok(Sent { wall: seconds("wall")?, cpu: seconds("cpu")?, resident })
}

fn outbound(folder: &Path) -> Result<Outbound> {
    let ca = DevCa::load_or_create(folder, SystemClock.now())?;
    Ok(Outbound::new(AddressPolicy::everything(), Some(&ca.ca_path()))?)
}

/// The sender with one notification.
struct Sender {
    channel: Arc<Channel>,
    message: Message,
    next: Arc<AtomicU64>,
}

impl Sender {
    fn new(folder: &Path, outbound: Outbound) -> Result<Self> {
        let ready: Value = serde_json::from_str(&fs::read_to_string(folder.join(READY))?)?;
        let account: ApnsAccount = serde_json::from_value(ready["account"].clone())?;
        let fields = account.fields(&format!("https://localhost:{}", ready["port"]));
        let credential = ApnsCredential::parse(&fields)?;
        let clock = Arc::new(SystemClock);
        let limits = ConnectionLimits::default();
        let channel = ApnsSender::new(outbound, clock, Tasks::new(), limits).channel(&credential);
        let payload = Bytes::from_static(PAYLOAD.as_bytes());
        let message = Message::prepare(&credential, &Options::default(), payload);
        let message = message.map_err(|outcome| anyhow::anyhow!("{}", outcome.explanation))?;
        Ok(Self { channel, message, next: Arc::default() })
    }

    /// Sends to the next `count` devices.
    async fn run(&self, count: u64) -> Result<()> {
        let end = self.next.load(Ordering::Relaxed) + count;
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (channel, message) = (Arc::clone(&self.channel), self.message.clone());
            let next = Arc::clone(&self.next);
            workers.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return anyhow::Ok(());
                    }
                    let device = format!("{number:064x}");
                    let outcome = channel.send(&device, &message, Uuid::new_v4()).await;
                    let name = outcome.name;
                    ensure!(name == OutcomeName::Success, "{name:?}: {}", outcome.explanation);
                }
            });
        }
        while let Some(worker) = workers.join_next().await {
            worker??;
        }
        self.next.store(end, Ordering::Relaxed);
        Ok(())
    }
}
