//! The fake push services: beside the server in development, or alone as `tidings fake-push`.
//!
//! Their accounts are kept in the data folder, so that a hub whose credentials were copied from them
//! still fits after a restart.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::notificationhubs::fake::apns::{ApnsServer, ApnsSettings};
use ::notificationhubs::fake::{Accounts, FakePush, router};
use anyhow::Context as _;
use axum::Router;
use edge::tls::{DevCa, ServerTls};
use edge::{Listener, Tasks};
use kernel::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::signals::Signals;
use crate::terminal;

/// The file of the accounts in the data folder.
const FILE: &str = "fake-push.json";

/// The fake push services of this process.
#[derive(Clone)]
pub struct Fake {
    fake: Arc<FakePush>,
    apns: Arc<OnceLock<String>>,
}

impl Fake {
    /// The services with the accounts of a data folder, which are made if there are none.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(data: &Path, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let accounts = accounts(&data.join(FILE))?;
        Ok(Self { fake: FakePush::new(accounts, clock)?, apns: Arc::default() })
    }

    /// Everything but Apple's service.
    pub fn router(&self) -> Router {
        router(Arc::clone(&self.fake))
    }

    /// Starts Apple's service on a port of loopback, 0 for a free one; its address.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn serve_apns(
        &self,
        port: u16,
        tls: &ServerTls,
        grace: Duration,
        tasks: &Tasks,
    ) -> anyhow::Result<String> {
        let listener = Listener::bind_loopback(port, "--apns-port")?;
        let url = format!("https://localhost:{}", listener.local_port());
        let server = ApnsServer::new(Arc::clone(&self.fake), tls, ApnsSettings::default());
        let stop = tasks.token().clone();
        tasks.spawn("fake apns", async move {
            if let Err(unfinished) = server.serve(listener, &stop, grace).await {
                tracing::debug!(%unfinished, "connections of the fake of APNs were cut");
            }
        });
        // Served once in the life of a process.
        let _already = self.apns.set(url.clone());
        Ok(url)
    }

    /// The address of Apple's service, once it is served.
    pub fn apns(&self) -> Option<String> {
        self.apns.get().cloned()
    }

    /// The credentials of a hub that sends to these services, as management calls have them.
    pub fn credentials(&self, apns: &str) -> Value {
        let accounts = self.fake.accounts();
        let mut apple = json!(accounts.apns);
        apple["endpoint"] = apns.into();
        json!({
            "apnsCredential": { "properties": apple },
            "fcmV1Credential": { "properties": accounts.fcm_v1 },
            "browserCredential": { "properties": accounts.browser },
        })
    }
}

/// The accounts in the file, made and written if there is none. Private keys are in it, of services
/// that reach nobody; even so nobody else may read it.
fn accounts(file: &Path) -> anyhow::Result<Accounts> {
    let shown = file.display();
    if let Ok(text) = fs::read_to_string(file) {
        let cure = "delete it, and new accounts are made";
        return serde_json::from_str(&text).with_context(|| format!("{shown} is damaged; {cure}"));
    }
    let accounts = Accounts::generate();
    let text = serde_json::to_string_pretty(&accounts)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {shown}"))?;
    Ok(accounts)
}

/// Where the services listen when they run alone.
#[derive(Clone, Debug)]
pub struct Alone {
    /// The data folder.
    pub data: PathBuf,
    /// The port of HTTP.
    pub http_port: u16,
    /// The port of HTTPS, for browsers' endpoints.
    pub https_port: u16,
    /// The port of Apple's service.
    pub apns_port: u16,
    /// Where to write addresses and credentials once everything is served.
    pub ready_file: Option<PathBuf>,
}

/// `tidings fake-push`: the services alone, until the process is told to stop.
///
/// # Errors
/// When the services cannot start.
pub async fn run(alone: Alone) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    fs::create_dir_all(&alone.data)
        .with_context(|| format!("cannot make the folder {}", alone.data.display()))?;
    let ca = DevCa::load_or_create(&alone.data.join("tls"), clock.now())?;
    let tls = Arc::new(ServerTls::load(vec![ca.certificate_files()])?);
    let fake = Fake::open(&alone.data, clock)?;
    let (tasks, grace) = (Tasks::new(), Duration::from_secs(5));
    let http = Listener::bind_loopback(alone.http_port, "--http-port")?;
    let https = Listener::bind_loopback(alone.https_port, "--https-port")?;
    let url = |scheme: &str, listener: &Listener| {
        format!("{scheme}://localhost:{}", listener.local_port())
    };
    let (http_url, https_url) = (url("http", &http), url("https", &https));
    let apns = fake.serve_apns(alone.apns_port, &tls, grace, &tasks)?;
    let app = edge::layer(fake.router());
    for (name, listener, tls) in [("http", http, None), ("https", https, Some(tls))] {
        let (app, stop) = (app.clone(), tasks.token().clone());
        tasks.spawn(name, async move {
            if let Err(unfinished) = edge::serve(listener, tls, app, stop, grace).await {
                tracing::debug!(listener = name, %unfinished, "cut off while draining");
            }
        });
    }
    if let Some(file) = &alone.ready_file {
        let ready = json!({
            "http": http_url, "https": https_url, "apns": apns,
            "ca": crate::trust::ca_file(&alone.data), "credentials": fake.credentials(&apns),
        });
        fs::write(file, serde_json::to_string_pretty(&ready)?)
            .with_context(|| format!("cannot write the ready file {}", file.display()))?;
    }
    terminal::say(&format!(
        "\n  Fake push services\n\n  Inbox   {http_url}/fake-push\n  FCM     {http_url}/fake-push/fcm\n  \
         APNs    {apns}\n  Browser {https_url}/fake-push/web/…\n\n  Credentials for a hub are at \
         {http_url}/fake-push/accounts.\n  Ctrl-C stops.\n\n"
    ))?;
    signals.first().await;
    tasks.shutdown(grace).await.ok();
    Ok(())
}
