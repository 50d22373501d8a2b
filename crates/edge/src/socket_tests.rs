//! The edge as a peer sees it: real sockets on loopback.

mod conversation;
mod descriptors;
mod drain;
mod upgrade;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use kernel::{Clock, SystemClock};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::serve::{Limits, serve_within};
use crate::test_client::tls_client;
use crate::tls::{DevCa, ServerTls};
use crate::{Listener, Unfinished, layer};

/// A server of its own for one test.
struct Server {
    port: u16,
    stop: CancellationToken,
    ended: JoinHandle<Result<(), Unfinished>>,
}

/// How long a drain may take where the test does not care.
const AMPLE: Duration = Duration::from_secs(60);

fn start(router: Router) -> Server {
    start_with(Limits::default(), None, router, AMPLE)
}

fn start_with(
    limits: Limits,
    tls: Option<Arc<ServerTls>>,
    router: Router,
    grace: Duration,
) -> Server {
    let listener = Listener::bind_loopback(0, "--http-port").unwrap();
    let (port, stop) = (listener.local_port(), CancellationToken::new());
    let signal = stop.clone();
    let ended = tokio::spawn(async move {
        serve_within(limits, listener, tls, layer(router), &signal, grace).await
    });
    Server { port, stop, ended }
}

impl Server {
    async fn end(self) -> Result<(), Unfinished> {
        self.stop.cancel();
        self.ended.await.unwrap()
    }
}

/// The development certificate, and how to make clients that trust it.
struct DevTls {
    ca: DevCa,
    tls: Arc<ServerTls>,
    _dir: TempDir,
}

fn dev_tls() -> DevTls {
    let dir = tempfile::tempdir().unwrap();
    let ca = DevCa::load_or_create(dir.path(), SystemClock.now()).unwrap();
    let tls = Arc::new(ServerTls::load(vec![ca.certificate_files()]).unwrap());
    DevTls { ca, tls, _dir: dir }
}

impl DevTls {
    fn client(&self, protocol: &str) -> TlsConnector {
        tls_client(&self.ca.ca_path(), &[protocol])
    }
}
