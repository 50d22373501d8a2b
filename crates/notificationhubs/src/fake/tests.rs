//! The senders against the fakes, over real sockets.

mod apns;
mod control;
mod fcm;
mod webpush;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response};
use edge::outbound::{AddressPolicy, Limits, Outbound};
use edge::tls::{DevCa, ServerTls};
use edge::{Listener, Tasks};
use kernel::{Clock, SystemClock, Timestamp};
use tempfile::TempDir;
use testkit::ManualClock;
use tokio_util::sync::CancellationToken;

use super::apns::{ApnsServer, ApnsSettings};
use super::{Accounts, FakePush, Query, Received, router};
use crate::push::apns::{ApnsSender, ConnectionLimits};
use crate::push::fcm::FcmSender;
use crate::push::webpush::WebPushSender;

pub(crate) const START: Timestamp = Timestamp::from_secs(1_700_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(10);

/// The fakes on their ports, and what is needed to send to them.
pub(crate) struct World {
    pub(crate) fake: Arc<FakePush>,
    server: Arc<ApnsServer>,
    pub(crate) apns_port: u16,
    web_port: u16,
    tls: Arc<ServerTls>,
    pub(crate) outbound: Outbound,
    /// Of the senders.
    clock: Arc<ManualClock>,
    /// Of the services.
    their_clock: Arc<ManualClock>,
    tasks: Tasks,
    stop: CancellationToken,
    dir: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.token().cancel();
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(ApnsSettings::default()).await
    }

    async fn start_with(settings: ApnsSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = DevCa::load_or_create(dir.path(), SystemClock.now()).unwrap();
        let tls = Arc::new(ServerTls::load(vec![ca.certificate_files()]).unwrap());
        let outbound = Outbound::new(AddressPolicy::everything(), Some(&ca.ca_path())).unwrap();
        let (clock, their_clock) = (manual_clock(), manual_clock());
        let theirs = Arc::clone(&their_clock) as Arc<dyn Clock>;
        let fake = FakePush::new(accounts(), theirs).unwrap();
        let server = ApnsServer::new(Arc::clone(&fake), &tls, settings);
        let (apns, web) = (listener(), listener());
        let (apns_port, web_port) = (apns.local_port(), web.local_port());
        let (tasks, stop) = (Tasks::new(), CancellationToken::new());
        let world = Self {
            fake,
            server,
            apns_port,
            web_port,
            tls,
            outbound,
            clock,
            their_clock,
            tasks,
            stop,
            dir,
        };
        world.serve_apns(apns);
        let (app, tls) =
            (edge::layer(router(Arc::clone(&world.fake))), Some(Arc::clone(&world.tls)));
        tokio::spawn(edge::serve(web, tls, app, world.stop.clone(), GRACE));
        world
    }

    fn serve_apns(&self, listener: Listener) {
        let (server, stop) = (Arc::clone(&self.server), self.stop.clone());
        tokio::spawn(async move { server.serve(listener, &stop, GRACE).await });
    }

    /// Moves both clocks.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.advance(span);
        self.their_clock.advance(span);
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    fn apns_sender(&self, limits: ConnectionLimits) -> ApnsSender {
        ApnsSender::new(self.outbound.clone(), self.clock(), self.tasks.clone(), limits)
    }

    fn fcm_sender(&self) -> FcmSender {
        FcmSender::new(self.outbound.clone(), self.clock())
    }

    fn web_push_sender(&self) -> WebPushSender {
        WebPushSender::new(self.outbound.clone(), self.clock())
    }

    /// A URL of the router.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/fake-push{path}", self.web_port)
    }

    /// A request to the router: its status and its body as JSON, or as text in JSON.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, serde_json::Value) {
        let body = Bytes::from(body.to_owned());
        let request = Request::builder().method(method).uri(self.url(path)).body(body).unwrap();
        let limits = Limits { timeout: GRACE, header_bytes: 8192, body_bytes: 1024 * 1024 };
        let answer: Response<Bytes> = self.outbound.send(request, limits).await.unwrap();
        let text = || String::from_utf8_lossy(answer.body()).into_owned().into();
        let json = serde_json::from_slice(answer.body()).unwrap_or_else(|_| text());
        (answer.status().as_u16(), json)
    }

    pub(crate) fn inbox(&self) -> Vec<Received> {
        self.fake.inbox.find(&Query::default()).notifications
    }
}

/// One set of keys for all tests: making an RSA key takes a while.
fn accounts() -> Accounts {
    static ACCOUNTS: OnceLock<Accounts> = OnceLock::new();
    ACCOUNTS.get_or_init(Accounts::generate).clone()
}

fn manual_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

fn listener() -> Listener {
    Listener::bind_loopback(0, "test").unwrap()
}
