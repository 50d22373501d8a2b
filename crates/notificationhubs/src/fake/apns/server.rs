//! The service on a port: TLS with HTTP/2 and nothing else.
//!
//! As with Apple, a new connection may carry one request until the first was accepted; more are
//! refused unread.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use bytes::Bytes;
use edge::tls::ServerTls;
use edge::{Listener, Tasks, Unfinished};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use kernel::Timestamp;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::check::{self, Provider};
use super::{GO_AWAY, REFUSE_STREAM, RESET_STREAM, status_of};
use crate::fake::accounts::ApnsKey;
use crate::fake::failure::STALL;
use crate::fake::{FakePush, Received, Rule, Service};

/// Larger bodies are not read to their end: every limit of Apple's is smaller.
const BODY_BYTES: usize = 16 * 1024;
/// For the TLS handshake and the greeting of HTTP/2.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What the service allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApnsSettings {
    /// Requests under way on one connection.
    pub streams: u32,
}

impl Default for ApnsSettings {
    /// As Apple's production service has it.
    fn default() -> Self {
        Self { streams: 1000 }
    }
}

/// The service on a port.
pub struct ApnsServer {
    fake: Arc<FakePush>,
    settings: ApnsSettings,
    acceptor: TlsAcceptor,
    tasks: Tasks,
    connections: AtomicUsize,
    refused_early: Arc<AtomicUsize>,
}

impl ApnsServer {
    /// A service that presents the certificates of `tls`.
    pub fn new(fake: Arc<FakePush>, tls: &ServerTls, settings: ApnsSettings) -> Arc<Self> {
        let mut config = (*tls.config()).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (tasks, connections, refused_early) =
            (Tasks::new(), AtomicUsize::new(0), Arc::default());
        Arc::new(Self { fake, settings, acceptor, tasks, connections, refused_early })
    }

    /// Serves on `listener` until `stop` is cancelled, then lets requests under way finish for at
    /// most `grace`.
    ///
    /// # Errors
    /// [`Unfinished`] counts the connections that were cut then.
    pub async fn serve(
        self: &Arc<Self>,
        listener: Listener,
        stop: &CancellationToken,
        grace: Duration,
    ) -> Result<(), Unfinished> {
        for socket in listener.into_sockets() {
            self.tasks.spawn("apns accept loop", Arc::clone(self).accept_from(socket));
        }
        stop.cancelled().await;
        self.tasks.shutdown(grace).await
    }

    /// How many connections were accepted since the start.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many requests came on connections that had not proven themselves, beside the first.
    pub fn refused_early(&self) -> usize {
        self.refused_early.load(Ordering::Relaxed)
    }

    async fn accept_from(self: Arc<Self>, socket: TcpListener) {
        while let Some(accepted) = self.tasks.token().run_until_cancelled(socket.accept()).await {
            let Ok((tcp, _)) = accepted else {
                // No descriptor is left; trying at once would only spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let server = Arc::clone(&self);
            self.tasks
                .spawn("apns connection of the fake", async move { server.converse(tcp).await });
        }
    }

    async fn converse(self: Arc<Self>, tcp: TcpStream) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let greeting = async {
            tcp.set_nodelay(true).ok()?;
            let tls = self.acceptor.accept(tcp).await.ok()?;
            h2::server::Builder::new()
                .max_concurrent_streams(self.settings.streams)
                .max_header_list_size(16 * 1024)
                .handshake::<_, Bytes>(tls)
                .await
                .ok()
        };
        let Ok(Some(mut http)) = tokio::time::timeout(HANDSHAKE, greeting).await else { return };
        let (go_away, mut told_to_go) = mpsc::channel(1);
        let connection = Arc::new(Connection {
            fake: Arc::clone(&self.fake),
            provider: Mutex::default(),
            proven: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            refused_early: Arc::clone(&self.refused_early),
            go_away,
        });
        let mut draining = false;
        loop {
            tokio::select! {
                () = self.tasks.token().cancelled(), if !draining => {
                    draining = true;
                    http.graceful_shutdown();
                }
                Some(()) = told_to_go.recv() => http.abrupt_shutdown(Reason::NO_ERROR),
                next = http.accept() => {
                    let Some(Ok((request, respond))) = next else { return };
                    connection.begin(request, respond, &self.tasks);
                }
            }
        }
    }
}

/// One connection of a sender.
struct Connection {
    fake: Arc<FakePush>,
    provider: Mutex<Provider>,
    proven: AtomicBool,
    under_way: AtomicUsize,
    refused_early: Arc<AtomicUsize>,
    go_away: mpsc::Sender<()>,
}

/// An answer, or none.
enum Answer {
    Taken(Uuid),
    Refused { reason: String, timestamp: Option<i64>, retry_after: Option<u32> },
    Reset(Reason),
    GoAway,
    Silence,
}

impl Answer {
    fn refused(reason: &str) -> Self {
        Self::Refused { reason: reason.to_owned(), timestamp: None, retry_after: None }
    }
}

impl Connection {
    fn begin(
        self: &Arc<Self>,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        tasks: &Tasks,
    ) {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before > 0 && !self.proven.load(Ordering::Relaxed) {
            respond.send_reset(Reason::REFUSED_STREAM);
            self.refused_early.fetch_add(1, Ordering::Relaxed);
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let connection = Arc::clone(self);
        tasks.spawn("apns request of the fake", async move {
            let (head, body) = request.into_parts();
            let answer = match read(body).await {
                Some(payload) => connection.judge(&head, payload),
                None => Answer::Reset(Reason::CANCEL),
            };
            if matches!(answer, Answer::Silence) {
                // Until the sender gives up.
                let _reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            } else {
                connection.answer(&head.headers, answer, respond).await;
            }
            connection.under_way.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// Checks a request, takes the notification or says why not.
    fn judge(&self, head: &Parts, payload: Bytes) -> Answer {
        let now = self.fake.now();
        let checked = check::device(head).and_then(|device| {
            let key = self.key(&head.headers, now)?;
            check::notification(&head.headers, device, &payload, &key)?;
            Ok(device)
        });
        let device = match checked {
            Ok(device) => device,
            Err(reason) => return Answer::refused(reason),
        };
        if let Some(rule) = self.fake.failures.strike(Service::Apns, device) {
            return strike(rule, now);
        }
        let given = head.headers.get("apns-id").and_then(|id| id.to_str().ok());
        let id = given.and_then(|id| id.parse().ok()).unwrap_or_else(Uuid::new_v4);
        let shown = head.headers.iter().filter(|(name, _)| name.as_str().starts_with("apns-"));
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned().into_boxed_str();
        self.fake.inbox.push(Received {
            sequence: 0,
            service: Service::Apns,
            device: device.into(),
            id: id.to_string().into(),
            headers: shown
                .map(|(name, value)| (name.as_str().into(), text(value.as_bytes())))
                .collect(),
            payload,
            time: now,
        });
        Answer::Taken(id)
    }

    fn key(&self, headers: &HeaderMap, now: Timestamp) -> Result<ApnsKey, &'static str> {
        let mut provider = self.provider.lock().unwrap_or_else(PoisonError::into_inner);
        provider.admit(headers, self.fake.trusted(), now).cloned()
    }

    async fn answer(&self, headers: &HeaderMap, answer: Answer, mut respond: SendResponse<Bytes>) {
        let (response, body) = match answer {
            Answer::Taken(id) => {
                self.proven.store(true, Ordering::Relaxed);
                (Response::builder().header("apns-id", id.to_string()), Bytes::new())
            }
            Answer::Refused { reason, timestamp, retry_after } => {
                let status = status_of(&reason);
                if status != 403 {
                    self.proven.store(true, Ordering::Relaxed);
                }
                self.refusal(headers, &reason, timestamp, retry_after)
            }
            Answer::Reset(reason) => return respond.send_reset(reason),
            Answer::GoAway => {
                // A full channel has been told already.
                let _told = self.go_away.try_send(());
                return;
            }
            Answer::Silence => return,
        };
        let Ok(response) = response.body(()) else { return };
        // The sender may have left; then there is nobody to tell.
        if let Ok(mut stream) = respond.send_response(response, body.is_empty())
            && !body.is_empty()
        {
            let _sent = stream.send_data(body, true);
        }
    }

    fn refusal(
        &self,
        headers: &HeaderMap,
        reason: &str,
        timestamp: Option<i64>,
        retry_after: Option<u32>,
    ) -> (axum::http::response::Builder, Bytes) {
        let mut body = json!({ "reason": reason });
        let status = StatusCode::from_u16(status_of(reason)).unwrap_or_default();
        if status == StatusCode::GONE {
            let now = self.fake.now().as_micros() / 1000;
            body["timestamp"] = timestamp.unwrap_or(now).into();
        }
        let mut response = Response::builder().status(status);
        if let Some(id) = headers.get("apns-id") {
            response = response.header("apns-id", id);
        }
        if let Some(seconds) = retry_after {
            response = response.header("retry-after", seconds);
        }
        (response, Bytes::from(body.to_string()))
    }
}

/// What a rule makes of a request.
fn strike(rule: Rule, now: Timestamp) -> Answer {
    match &*rule.failure {
        GO_AWAY => Answer::GoAway,
        REFUSE_STREAM => Answer::Reset(Reason::REFUSED_STREAM),
        RESET_STREAM => Answer::Reset(Reason::INTERNAL_ERROR),
        STALL => Answer::Silence,
        _ => Answer::Refused {
            timestamp: rule.timestamp.or(Some(now.as_micros() / 1000)),
            retry_after: rule.retry_after,
            reason: rule.failure,
        },
    }
}

/// Reads a body, of a large one as much as shows that it is too large.
async fn read(mut body: RecvStream) -> Option<Bytes> {
    let mut whole = Bytes::new();
    while let Some(piece) = body.data().await {
        let piece = piece.ok()?;
        body.flow_control().release_capacity(piece.len()).ok()?;
        whole = if whole.is_empty() { piece } else { [whole, piece].concat().into() };
        if whole.len() > BODY_BYTES {
            break;
        }
    }
    Some(whole)
}
