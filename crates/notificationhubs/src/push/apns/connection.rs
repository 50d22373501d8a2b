//! One HTTP/2 connection to Apple: how many requests it may carry, when it is over, and whether the
//! other end still lives.
//!
//! Apple lets a new connection carry one request until the first was accepted with a valid token.
//! After that the limit is the lower one of ours and of the server's SETTINGS, which the HTTP/2
//! library keeps: what is above it waits there. A connection that was told to go away takes no new
//! request and lets those that are under way finish.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Ping, PingPong, Reason, RecvStream};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// Apple's answers are a few dozen bytes.
const ANSWER_BYTES: usize = 4096;

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections of one key.
    pub connections: usize,
    /// Requests under way on one connection; fewer when the server allows fewer.
    pub in_flight: usize,
    /// For name, TCP, TLS and the greeting of HTTP/2.
    pub connect: Duration,
    /// From the request to the last byte of its answer.
    pub answer: Duration,
    /// A connection is pinged this often. Apple asks for no more than about once an hour.
    pub ping_interval: Duration,
    /// How long the answer to a ping may take.
    pub ping_answer: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 4,
            in_flight: 1000,
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(20),
            ping_interval: Duration::from_secs(60 * 60),
            ping_answer: Duration::from_secs(10),
        }
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why nothing came back.
pub(super) enum Lost {
    /// The server has not looked at it, so it can be sent again.
    Unprocessed,
    /// It may have arrived.
    Broken(String),
}

/// A connection. It is driven by a task of its own.
pub(super) struct Connection {
    /// Absent when no new request may begin.
    client: Mutex<Option<SendRequest<Bytes>>>,
    permits: Arc<Semaphore>,
    proven: AtomicBool,
    doubted: Notify,
    limits: ConnectionLimits,
}

impl Connection {
    /// Shakes hands over `tls`. The second part drives the connection and has to be spawned.
    pub(super) async fn open(
        tls: TlsStream<TcpStream>,
        limits: ConnectionLimits,
        stop: CancellationToken,
    ) -> Result<(Arc<Self>, impl Future<Output = ()> + Send + 'static), h2::Error> {
        let (client, mut http) = h2::client::Builder::new()
            .enable_push(false)
            // What may be sent before the server's SETTINGS are there.
            .initial_max_send_streams(1)
            .initial_window_size(64 * 1024)
            .max_header_list_size(16 * 1024)
            .handshake(tls)
            .await?;
        let pings = http.ping_pong().expect("the pings of a new connection are not taken");
        let connection = Arc::new(Self {
            client: Mutex::new(Some(client)),
            permits: Arc::new(Semaphore::new(1)),
            proven: AtomicBool::new(false),
            doubted: Notify::new(),
            limits,
        });
        let driven = Arc::clone(&connection);
        let drive = async move {
            tokio::select! {
                ended = &mut http => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection to APNs ended");
                    }
                }
                () = driven.watch(pings) => {
                    tracing::info!("a connection to APNs stopped answering and is closed");
                }
                () = stop.cancelled() => {
                    // Ends when the last request under way has its answer.
                    driven.retire();
                    let _how_it_ended = (&mut http).await;
                }
            }
            driven.retire();
        };
        Ok((connection, drive))
    }

    /// Whether it takes no new requests.
    pub(super) fn is_retired(&self) -> bool {
        self.permits.is_closed()
    }

    /// How many requests could begin now.
    pub(super) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    /// Whether the service has accepted the token of a request on it.
    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// A place for one request, if there is one now.
    pub(super) fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Waits for a place. None when the connection is over.
    pub(super) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Takes no new requests; those under way go on.
    pub(super) fn retire(&self) {
        self.permits.close();
        drop(self.client().take());
    }

    /// An answer did not come: find out at once whether the other end lives.
    pub(super) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// The token was accepted: from now on many requests may be under way.
    pub(super) fn prove(&self) {
        if !self.proven.swap(true, Ordering::Relaxed) {
            self.permits.add_permits(self.limits.in_flight.max(1) - 1);
        }
    }

    /// One request and its whole answer.
    pub(super) async fn exchange(
        &self,
        request: Request<()>,
        payload: Bytes,
    ) -> Result<Answer, Lost> {
        let client = self.client().clone();
        let mut client = client.ok_or(Lost::Unprocessed)?;
        let begun = match poll_fn(|cx| client.poll_ready(cx)).await {
            Ok(()) => client.send_request(request, false),
            Err(error) => Err(error),
        };
        // Nothing of the request is on the wire yet.
        let (response, mut stream) = begun.map_err(|_| {
            self.retire();
            Lost::Unprocessed
        })?;
        drop(client);
        let answer = async {
            stream.send_data(payload, true)?;
            let (head, body) = response.await?.into_parts();
            let status = head.status.as_u16();
            Ok(Answer { status, headers: head.headers, body: read(body).await? })
        };
        answer.await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &h2::Error) -> Lost {
        if !error.is_reset() {
            self.retire();
        }
        // A stream above the last one of GOAWAY, or one that was refused, was not processed
        // (RFC 9113 sections 6.8 and 8.7).
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        if error.is_remote() && (error.is_go_away() || refused) {
            return Lost::Unprocessed;
        }
        Lost::Broken(error.to_string())
    }

    /// Pings now and then, and when in doubt. Ends when a ping has no answer.
    async fn watch(&self, mut pings: PingPong) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.limits.ping_interval) => {}
                () = self.doubted.notified() => {}
            }
            let pong = tokio::time::timeout(self.limits.ping_answer, pings.ping(Ping::opaque()));
            if !matches!(pong.await, Ok(Ok(_))) {
                return;
            }
        }
    }

    fn client(&self) -> MutexGuard<'_, Option<SendRequest<Bytes>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a small body; of a large one only the beginning.
async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut whole = Bytes::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        if whole.is_empty() {
            whole = piece;
        } else {
            whole = [whole, piece].concat().into();
        }
        if whole.len() > ANSWER_BYTES {
            break;
        }
    }
    Ok(whole)
}
