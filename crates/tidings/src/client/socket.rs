//! A WebSocket to the server: TCP, TLS where the address asks for it, the handshake, then frames.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::body::Body;
use axum::http::StatusCode;
use gateway::frame::{self, OpCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming as Answer;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wire::{Endpoint, Scheme};

use super::frames::{Frames, Incoming};
use super::handshake::Handshake;

/// How long a dial may take as a whole.
const DIAL: Duration = Duration::from_secs(15);
/// As much of a refusal as is read.
const REFUSAL_BYTES: usize = 16 * 1024;

/// An open WebSocket.
pub struct Socket {
    io: TokioIo<Upgraded>,
    frames: Frames,
}

impl Socket {
    /// Connects to a server and shakes hands.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses; says what it said.
    pub async fn dial(
        endpoint: &Endpoint,
        tls: &TlsConnector,
        handshake: &Handshake,
    ) -> anyhow::Result<Self> {
        let dialing = open(endpoint, tls, handshake);
        tokio::time::timeout(DIAL, dialing)
            .await
            .with_context(|| format!("{endpoint} did not answer within {} s", DIAL.as_secs()))?
    }

    /// The next thing that the server says; `None` when the connection broke. May be dropped and
    /// called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            match self.frames.take() {
                Ok(Some(incoming)) => return Some(incoming),
                Ok(None) => {}
                // As if the server had closed for the reason that it gave.
                Err(violation) => {
                    let reason = violation.reason().to_owned();
                    return Some(Incoming::Close(Some((violation.close_code(), reason))));
                }
            }
            match self.io.read_buf(self.frames.buffer()).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Sends one frame. That the connection broke shows when it is read.
    pub async fn send(&mut self, opcode: OpCode, payload: &[u8]) {
        let frame = frame::encode_masked(opcode, payload, random());
        let _ = self.io.write_all(&frame).await;
        let _ = self.io.flush().await;
    }

    /// Sends a close frame.
    pub async fn close(&mut self, code: u16) {
        self.send(OpCode::Close, &code.to_be_bytes()).await;
    }
}

/// What shakes hands: the machine's certificate authorities and one more are trusted.
///
/// # Errors
/// When the file of the additional one cannot be used.
pub fn tls(extra_ca: Option<&Path>) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    // Without any of its own the machine still reaches the server of the additional one.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra_ca {
        let unusable = || format!("{} holds no certificate that can be trusted", path.display());
        for certificate in CertificateDer::pem_file_iter(path).with_context(unusable)? {
            roots.add(certificate.with_context(unusable)?).with_context(unusable)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("cannot set TLS up")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

/// Random bytes, for masks and nonces.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random source answers");
    bytes
}

async fn open(
    endpoint: &Endpoint,
    tls: &TlsConnector,
    handshake: &Handshake,
) -> anyhow::Result<Socket> {
    let host = endpoint.host().trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((host, endpoint.port())).await.with_context(|| {
        format!("{endpoint} cannot be reached; is the server running, and is this its address?")
    })?;
    tcp.set_nodelay(true)?;
    match endpoint.scheme() {
        Scheme::Http => shake_hands(tcp, endpoint, handshake).await,
        Scheme::Https => {
            let name = ServerName::try_from(host.to_owned())?;
            let tls = tls.connect(name, tcp).await.with_context(|| {
                format!(
                    "the TLS handshake with {endpoint} failed; set SSL_CERT_FILE to the \
                         certificate of its authority if that is a private one"
                )
            })?;
            shake_hands(tls, endpoint, handshake).await
        }
    }
}

async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    endpoint: &Endpoint,
    handshake: &Handshake,
) -> anyhow::Result<Socket> {
    let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(stream)).await?;
    // It ends by itself, after the upgrade or with the refusal.
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(handshake.request(endpoint)?).await;
    let answer = answer.with_context(|| format!("{endpoint} does not speak HTTP"))?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = answer.status();
        bail!(
            "the server refused the connection with {status}: {}",
            text(answer.into_body()).await
        );
    }
    handshake
        .check(answer.headers())
        .map_err(|problem| anyhow!("the server's handshake is wrong: {problem}"))?;
    let upgraded = hyper::upgrade::on(answer).await.context("the handshake broke off")?;
    Ok(Socket { io: TokioIo::new(upgraded), frames: Frames::default() })
}

/// What a refusal says, as far as it can be read.
async fn text(body: Answer) -> String {
    match Limited::new(body, REFUSAL_BYTES).collect().await {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
        Err(_) => "(its reason could not be read)".to_owned(),
    }
}
