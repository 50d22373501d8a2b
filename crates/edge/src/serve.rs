//! The accept loop and the connections it starts.
//!
//! A connection is one task: TLS handshake, HTTP/1.1 or HTTP/2, until it closes, is upgraded (then
//! the socket leaves this module, see [`crate::upgrade`]) or is drained. Time limits stand at each
//! step where a peer could wait silently: handshake, first request, request head. What a handler
//! takes, and how fast a body arrives, is bounded elsewhere.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::listen::Listener;
use crate::request::App;
use crate::stream::Stream;
use crate::tasks::{Tasks, Unfinished};
use crate::tls::ServerTls;

/// How a request came; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// Over TLS that ended here.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The other end of the connection (a proxy, where one is in between); an extension of every
/// request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Serves `app` on `listener`, over TLS if `tls` is given, until `stop` is cancelled. Then it
/// accepts no more, closes idle connections, lets requests in flight finish, and returns when all
/// have or after `grace`. Upgraded connections are not its own any more and are not touched.
///
/// # Errors
/// [`Unfinished`] counts the connections that were cut when `grace` was over.
pub async fn serve(
    listener: Listener,
    tls: Option<Arc<ServerTls>>,
    app: App,
    stop: CancellationToken,
    grace: Duration,
) -> Result<(), Unfinished> {
    serve_within(Limits::default(), listener, tls, app, &stop, grace).await
}

/// Time limits of a connection and size limits of a request head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For the whole TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the first whole request head.
    pub first_request: Duration,
    /// For one HTTP/1 request head; also how long a connection may idle between requests.
    pub head: Duration,
    /// Bytes of a request head. A client's URL carries its access token, and a token lists roles.
    pub head_bytes: u32,
    /// Number of headers.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(30),
            head: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            headers: 100,
        }
    }
}

pub(crate) async fn serve_within(
    limits: Limits,
    listener: Listener,
    tls: Option<Arc<ServerTls>>,
    app: App,
    stop: &CancellationToken,
    grace: Duration,
) -> Result<(), Unfinished> {
    let tasks = Tasks::under(stop);
    let server = Arc::new(Server { limits, tls, app, http: http(limits), tasks: tasks.clone() });
    for socket in listener.into_sockets() {
        tasks.spawn("accept loop", Arc::clone(&server).accept_from(socket));
    }
    tasks.token().cancelled().await;
    tasks.shutdown(grace).await
}

/// What the connections of one port share.
struct Server {
    limits: Limits,
    tls: Option<Arc<ServerTls>>,
    app: App,
    http: auto::Builder<TokioExecutor>,
    tasks: Tasks,
}

impl Server {
    async fn accept_from(self: Arc<Self>, socket: TcpListener) {
        let mut trouble = AcceptTrouble::default();
        loop {
            let accepted = tokio::select! {
                () = self.tasks.token().cancelled() => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    let server = Arc::clone(&self);
                    self.tasks
                        .spawn("connection", async move { server.connection(tcp, peer).await });
                }
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    trouble.report(&error);
                    // The cause is outside of this loop, so trying at once would only spin.
                    tokio::time::sleep(AcceptTrouble::BACK_OFF).await;
                }
            }
        }
    }

    async fn connection(&self, tcp: TcpStream, peer: SocketAddr) {
        // Answers are written whole, so waiting for more bytes to fill a packet only delays them.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%peer, %error, "the connection was gone before it was served");
            return;
        }
        let Some(tls) = &self.tls else {
            return self.converse(Stream::Plain(tcp), Scheme::Http, peer).await;
        };
        let handshake = TlsAcceptor::from(tls.config()).accept(tcp);
        let handshake = tokio::time::timeout(self.limits.handshake, handshake);
        // A drain has nothing to wait for in a connection that has not begun.
        match self.tasks.token().run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => {
                self.converse(Stream::Tls(Box::new(stream)), Scheme::Https, peer).await;
            }
            Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Some(Err(_)) => tracing::debug!(%peer, "TLS handshake took too long"),
            None => {}
        }
    }

    async fn converse(&self, stream: Stream, scheme: Scheme, peer: SocketAddr) {
        let begun = Arc::new(AtomicBool::new(false));
        let service = service_fn({
            let (app, begun) = (self.app.clone(), Arc::clone(&begun));
            move |request: Request<Incoming>| {
                begun.store(true, Ordering::Relaxed);
                let app = app.clone();
                async move {
                    let mut request = request.map(Body::new);
                    request.extensions_mut().insert(scheme);
                    request.extensions_mut().insert(PeerAddr(peer));
                    Ok::<_, Infallible>(app.handle(request).await)
                }
            }
        });
        let stream = TokioIo::new(stream);
        let mut connection = pin!(self.http.serve_connection_with_upgrades(stream, service));
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = self.silence(&begun) => {
                tracing::debug!(%peer, "closed: no request came");
                return;
            }
            () = self.tasks.token().cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%peer, error, "connection ended early");
        }
    }

    /// Ends when the time for the first request is over and none has come. The HTTP library times
    /// request heads, but not the bytes by which it tells HTTP/1 from HTTP/2.
    async fn silence(&self, begun: &AtomicBool) {
        tokio::time::sleep(self.limits.first_request).await;
        if begun.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }
}

fn http(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes as usize)
        .max_headers(limits.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.head_bytes)
        .max_concurrent_streams(200)
        // Finds peers that vanished without closing.
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Whether accepting failed because of the connection itself, so that the next one may do better.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Accepting fails as a whole, mostly for want of file descriptors. Logged at most once a second.
#[derive(Default)]
struct AcceptTrouble {
    logged: Option<Instant>,
}

impl AcceptTrouble {
    const BACK_OFF: Duration = Duration::from_millis(50);
    const LOG_INTERVAL: Duration = Duration::from_secs(1);

    fn report(&mut self, error: &io::Error) {
        /// "Too many open files", of the process and of the whole system.
        const OUT_OF_DESCRIPTORS: [i32; 2] = [24, 23];
        if self.logged.is_some_and(|at| at.elapsed() < Self::LOG_INTERVAL) {
            return;
        }
        self.logged = Some(Instant::now());
        if error.raw_os_error().is_some_and(|code| OUT_OF_DESCRIPTORS.contains(&code)) {
            tracing::warn!(
                %error,
                "no file descriptor is left for new connections; they wait. \
                 Raise the limit of open files (ulimit -n, LimitNOFILE)"
            );
        } else {
            tracing::warn!(%error, "connections cannot be accepted at the moment; they wait");
        }
    }
}
