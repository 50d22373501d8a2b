//! The client against servers on loopback.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::http::StatusCode;
use axum::routing::{any, get};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use kernel::{Clock, SystemClock};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::*;
use crate::tls::{DevCa, provider, read_chain};

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(60), header_bytes: 8192, body_bytes: 1024 };

/// A server on a port of 127.0.0.1, until the test ends.
struct Server {
    port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Server {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        Self::serve(move |tcp| {
            let tls = tls.clone();
            async move {
                match tls {
                    None => answer_on(TokioIo::new(tcp)).await,
                    Some(tls) => {
                        // A client that does not trust the certificate ends the handshake.
                        if let Ok(stream) = tls.accept(tcp).await {
                            answer_on(TokioIo::new(stream)).await;
                        }
                    }
                }
            }
        })
        .await
    }

    /// Answers the first request of each connection with `bytes`, then closes or stays silent.
    async fn raw(bytes: impl Into<Bytes>, closes: bool) -> Self {
        let bytes = bytes.into();
        Self::serve(move |mut tcp| {
            let bytes = bytes.clone();
            async move {
                let _head = tcp.read(&mut [0; 4096]).await;
                let _written = tcp.write_all(&bytes).await;
                if !closes {
                    std::future::pending::<()>().await;
                }
            }
        })
        .await
    }

    async fn serve<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(tcp));
            }
        });
        Self { port, accepted }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    async fn get(&self, path: &str) -> Result<Response<Bytes>, OutboundError> {
        send(&open(), &format!("http://127.0.0.1:{}{path}", self.port), LIMITS).await
    }
}

async fn answer_on<S>(stream: S)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let router = axum::Router::new()
        .route("/echo", any(echo))
        .route("/redirect", get((StatusCode::FOUND, [("location", "/echo")])))
        .route("/never", get(std::future::pending::<()>))
        .route("/large", get("x".repeat(1025)))
        .route("/fits", get("x".repeat(1024)))
        .route("/head", get(([("x-large", "x".repeat(9000))], "")));
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = router.clone().oneshot(request.map(Body::new));
        async { Ok::<_, Infallible>(answer.await.unwrap()) }
    });
    // The client may leave at any moment.
    let _ignored = auto::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await;
}

/// Says what arrived.
async fn echo(request: Incoming) -> String {
    let mut text = format!("{} {:?}", request.method(), request.version());
    for name in ["user-agent", "content-type"] {
        let value = request.headers().get(name).map_or("none", |it| it.to_str().unwrap());
        write!(text, " {value}").unwrap();
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    write!(text, " {}", String::from_utf8_lossy(&body)).unwrap();
    text
}

fn open() -> Outbound {
    Outbound::new(AddressPolicy::everything(), None).unwrap()
}

async fn send(
    client: &Outbound,
    url: &str,
    limits: Limits,
) -> Result<Response<Bytes>, OutboundError> {
    client.send(Request::get(url).body(Bytes::new()).unwrap(), limits).await
}

#[tokio::test]
async fn a_request_arrives_whole_and_its_answer_comes_back() {
    let server = Server::start(None).await;
    let request = Request::post(format!("http://localhost:{}/echo", server.port))
        .header("content-type", "text/plain")
        .body(Bytes::from_static(b"hello"))
        .unwrap();
    let answer = open().send(request, LIMITS).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let expected =
        concat!("POST HTTP/1.1 tidings/", env!("CARGO_PKG_VERSION"), " text/plain hello");
    assert_eq!(answer.body(), expected);
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let server = Server::start(None).await;
    let client = open();
    let url = format!("http://127.0.0.1:{}/fits", server.port);
    for _ in 0..5 {
        assert_eq!(send(&client, &url, LIMITS).await.unwrap().body().len(), 1024);
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn redirects_are_handed_back_not_followed() {
    let answer = Server::start(None).await.get("/redirect").await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "/echo");
}

#[tokio::test]
async fn an_answer_has_limits_in_size() {
    let server = Server::start(None).await;
    assert_eq!(server.get("/fits").await.unwrap().body().len(), LIMITS.body_bytes);
    let place = || format!("http://127.0.0.1:{}", server.port);
    let too_large = |part, limit| OutboundError::TooLarge { place: place(), part, limit };
    assert_eq!(server.get("/large").await.unwrap_err(), too_large("body", 1024));
    assert_eq!(server.get("/head").await.unwrap_err(), too_large("headers", 8192));
}

#[tokio::test]
async fn endless_headers_and_bodies_are_cut() {
    let head = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(2 * HEAD_BYTES));
    let error = Server::raw(head, false).await.get("/").await.unwrap_err();
    assert!(matches!(error, OutboundError::TooLarge { part: "headers", .. }), "{error}");
    let body = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
    let error = Server::raw(body, false).await.get("/").await.unwrap_err();
    assert!(matches!(error, OutboundError::TooLarge { part: "body", .. }), "{error}");
}

#[tokio::test]
async fn the_time_covers_headers_and_body() {
    let slow = Server::start(None).await;
    let stuck = Server::raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", false).await;
    for (server, path) in [(slow, "/never"), (stuck, "/")] {
        let limits = Limits { timeout: Duration::from_millis(50), ..LIMITS };
        let url = format!("http://127.0.0.1:{}{path}", server.port);
        let error = send(&open(), &url, limits).await.unwrap_err();
        let place = format!("http://127.0.0.1:{}", server.port);
        assert_eq!(error, OutboundError::Timeout { place, limit: limits.timeout });
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_short_or_no_http_is_an_error() {
    for bytes in
        ["", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", "220 mail.example ESMTP\r\n"]
    {
        let error = Server::raw(bytes, true).await.get("/").await.unwrap_err();
        assert!(matches!(error, OutboundError::Broken { .. }), "{bytes}: {error}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_whether_written_or_resolved() {
    let server = Server::start(None).await;
    let strict = Outbound::new(AddressPolicy::default(), None).unwrap();
    for host in ["127.0.0.1", "[::1]", "localhost", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/echo?code=hidden", server.port);
        let error = send(&strict, &url, LIMITS).await.unwrap_err();
        assert!(matches!(error, OutboundError::Refused { .. }), "{host}: {error}");
        let text = error.to_string();
        assert!(text.contains("a loopback address") && text.contains("outbound.allow"), "{text}");
        assert!(!text.contains("hidden"), "{text}");
    }
    assert_eq!(server.accepted(), 0, "nothing was connected to");
    let allow = vec!["127.0.0.1".parse().unwrap()];
    let listed = AddressPolicy { allow_private: false, allow };
    let url = format!("http://localhost:{}/fits", server.port);
    assert!(send(&Outbound::new(listed, None).unwrap(), &url, LIMITS).await.is_ok());
}

#[tokio::test]
async fn urls_that_cannot_be_called_are_refused_with_the_reason() {
    for (url, says) in [
        ("/echo", "absolute"),
        ("ftp://localhost/", "scheme"),
        ("http://user:hidden@localhost/", "user name or password"),
    ] {
        let error = send(&open(), url, LIMITS).await.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("hidden"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_name_without_address_and_a_port_without_server_are_told_apart() {
    let unknown = send(&open(), "http://nothing.invalid/", LIMITS).await.unwrap_err();
    assert!(matches!(unknown, OutboundError::Resolve { .. }), "{unknown}");
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let closed = send(&open(), &format!("http://{free}/"), LIMITS).await.unwrap_err();
    assert!(matches!(closed, OutboundError::Connect { .. }), "{closed}");
}

/// A TLS server with the certificate of a fresh development CA.
fn tls(dir: &Path, protocols: &[&str]) -> (DevCa, TlsAcceptor) {
    let ca = DevCa::load_or_create(dir, SystemClock.now()).unwrap();
    let files = ca.certificate_files();
    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(read_chain(&files.certificate).unwrap(), key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    (ca, Arc::new(config).into())
}

#[tokio::test]
async fn an_extra_ca_is_trusted_and_http_2_is_used_where_offered() {
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], "GET HTTP/2.0"), (&["http/1.1"], "GET HTTP/1.1")]
    {
        let dir = tempfile::tempdir().unwrap();
        let (ca, acceptor) = tls(dir.path(), protocols);
        let server = Server::start(Some(acceptor)).await;
        let client = Outbound::new(AddressPolicy::everything(), Some(&ca.ca_path())).unwrap();
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("https://{host}:{}/echo", server.port);
            let answer = send(&client, &url, LIMITS).await.unwrap();
            assert!(answer.body().starts_with(version.as_bytes()), "{:?}", answer.body());
        }
    }
}

#[tokio::test]
async fn a_connection_for_http_2_is_guarded_and_insists_on_it() {
    let url = |port| format!("https://localhost:{port}").parse::<Uri>().unwrap();
    for (protocols, speaks) in [(&["h2"][..], true), (&["http/1.1"], false)] {
        let dir = tempfile::tempdir().unwrap();
        let (ca, acceptor) = tls(dir.path(), protocols);
        let server = Server::start(Some(acceptor)).await;
        let client = |policy| Outbound::new(policy, Some(&ca.ca_path())).unwrap();
        let opened = client(AddressPolicy::everything());
        let opened = opened.connect_http2(&url(server.port), LIMITS.timeout).await;
        assert_eq!(opened.is_ok(), speaks, "{opened:?}");
        let strict = client(AddressPolicy::default());
        let refused = strict.connect_http2(&url(server.port), LIMITS.timeout).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Refused { .. }), "{refused}");
    }
    let plain = "http://localhost:1".parse::<Uri>().unwrap();
    let refused = open().connect_http2(&plain, LIMITS.timeout).await.unwrap_err();
    assert!(matches!(refused, OutboundError::BadUrl(_)), "{refused}");
}

#[tokio::test]
async fn an_unknown_ca_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_, acceptor) = tls(dir.path(), &[]);
    let server = Server::start(Some(acceptor)).await;
    let url = format!("https://localhost:{}/echo", server.port);
    let error = send(&open(), &url, LIMITS).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("outbound.extra_ca_file"), "{error}");
}

#[test]
fn an_extra_ca_file_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "not PEM").unwrap();
    let error = Outbound::new(AddressPolicy::default(), Some(&path)).err().unwrap();
    assert_eq!(error.path(), path);
}
