//! From a URL to a connection: resolve, check, connect, TLS.
//!
//! The address that is checked is the address that is connected to; no name is resolved twice.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::address::AddressPolicy;
use super::error::OutboundError;
use super::trust::Trust;

/// How long one address of several may take, so that a dead one does not use up the whole time.
const PER_ADDRESS: Duration = Duration::from_secs(10);

/// Makes connections for the client's pool.
#[derive(Clone)]
pub(super) struct Connector {
    policy: Arc<AddressPolicy>,
    trust: Arc<Trust>,
}

impl Connector {
    pub(super) fn new(policy: AddressPolicy, trust: Trust) -> Self {
        Self { policy: Arc::new(policy), trust: Arc::new(trust) }
    }

    async fn connect(self, uri: Uri) -> Result<Stream, OutboundError> {
        if is_https(&uri)? {
            return Ok(Stream::Tls(Box::new(TokioIo::new(self.open_tls(&uri).await?))));
        }
        Ok(Stream::Plain(TokioIo::new(self.open_tcp(&uri, 80).await?)))
    }

    /// A connection to the host of `uri`, after its TLS handshake.
    pub(super) async fn open_tls(&self, uri: &Uri) -> Result<TlsStream<TcpStream>, OutboundError> {
        let tcp = self.open_tcp(uri, 443).await?;
        let failed = |cause: String| OutboundError::Tls { place: place(uri), cause };
        let name = ServerName::try_from(host(uri)?.to_owned());
        let name = name.map_err(|it| failed(it.to_string()))?;
        let tls = self.trust.connector().await.connect(name, tcp).await;
        tls.map_err(|it| failed(it.to_string()))
    }

    async fn open_tcp(&self, uri: &Uri, default_port: u16) -> Result<TcpStream, OutboundError> {
        let place = place(uri);
        let port = uri.port_u16().unwrap_or(default_port);
        let addresses = resolve(host(uri)?, port, &place).await?;
        self.open(&addresses, &place).await
    }

    /// Connects to the first address that is allowed and answers.
    async fn open(
        &self,
        addresses: &[SocketAddr],
        place: &str,
    ) -> Result<TcpStream, OutboundError> {
        let mut last = None;
        for &address in addresses {
            if let Err(kind) = self.policy.check(address.ip()) {
                let refused = || OutboundError::Refused {
                    place: place.to_owned(),
                    address: address.ip(),
                    kind,
                };
                last.get_or_insert_with(refused);
                continue;
            }
            let opened = tokio::time::timeout(PER_ADDRESS, TcpStream::connect(address)).await;
            let opened = opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match opened.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp)) {
                Ok(tcp) => return Ok(tcp),
                Err(cause) => {
                    let (place, cause) = (place.to_owned(), cause.to_string());
                    last = Some(OutboundError::Connect { place, cause });
                }
            }
        }
        Err(last.unwrap_or_else(|| OutboundError::Resolve {
            place: place.to_owned(),
            cause: "it has no address".to_owned(),
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, OutboundError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OutboundError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// The addresses of a host name, or of an address written out.
async fn resolve(host: &str, port: u16, place: &str) -> Result<Vec<SocketAddr>, OutboundError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = tokio::net::lookup_host((host, port)).await;
    found.map(Iterator::collect).map_err(|cause| OutboundError::Resolve {
        place: place.to_owned(),
        cause: cause.to_string(),
    })
}

/// Whether a URL asks for TLS.
pub(super) fn is_https(uri: &Uri) -> Result<bool, OutboundError> {
    match uri.scheme_str() {
        Some("https") => Ok(true),
        Some("http") => Ok(false),
        Some(_) => Err(OutboundError::BadUrl("has a scheme other than http and https")),
        None => {
            Err(OutboundError::BadUrl("is not absolute; it must begin with http:// or https://"))
        }
    }
}

/// The host of a URL, an IPv6 address without its brackets.
pub(super) fn host(uri: &Uri) -> Result<&str, OutboundError> {
    let host = uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() { Err(OutboundError::BadUrl("names no host")) } else { Ok(bare) }
}

/// As much of a URL as belongs into messages: scheme, host and port.
pub(super) fn place(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    uri.port_u16()
        .map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
}

/// A connection, after its TLS handshake if it has one.
pub(super) enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        match self {
            Self::Tls(tls) if tls.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Self::Plain(_) | Self::Tls(_) => Connected::new(),
        }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }
}
