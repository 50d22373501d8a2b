//! Opening a WebSocket as a client does, and telling how far it came: the host's name, the connection
//! (perhaps through a proxy), TLS with the certificate, the handshake with the clock of the answer.
//!
//! What is asked for is the road of chat clients with a session that does not exist: the server answers
//! 101 and closes, without a token and without a word to any application. No credential is sent, so
//! nothing is lost where a certificate turns out to be bad.
//!
//! - `tunnel`: through a proxy
//! - `certificate`: what is shown, and whether a client would take it

mod certificate;
mod tunnel;

use std::sync::Arc;
use std::time::Duration;

use ::monitor::playbook::{End, Reach};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use kernel::{Clock, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use wire::{Endpoint, Scheme};

use crate::client::handshake::Handshake;
use crate::client::socket::random;
use crate::config::Config;
use certificate::Judge;

/// How long each step may take.
const STEP: Duration = Duration::from_secs(2);
/// How long all of them may: there are up to five, and the report waits for them.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Addresses that are tried.
const MOST: usize = 8;
/// As much of an answer as is read.
const SAID: usize = 4 * 1024;
/// A session that no server has given.
const PATH: &str = "/socket.io/1/websocket/tidings-doctor";

/// Opens WebSockets. Cheap to clone.
#[derive(Clone)]
pub(super) struct Dialer {
    judge: Judge,
    clock: Arc<dyn Clock>,
}

/// When an attempt must end.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    /// When the step that begins now must end.
    fn step(self) -> Instant {
        self.0.min(Instant::now() + STEP)
    }
}

/// How far an attempt came.
struct Course {
    end: End,
    certificate: Option<::monitor::playbook::Certificate>,
    clock_ahead: Option<i64>,
}

impl From<End> for Course {
    fn from(end: End) -> Self {
        Self { end, certificate: None, clock_ahead: None }
    }
}

impl Dialer {
    /// Trusts what clients of this machine trust, and in development our own authority.
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Ok(Self { judge: Judge::new(config)?, clock })
    }

    /// Tries each address at the same time.
    pub(super) async fn dial_all(&self, urls: &[String], proxy: Option<&str>) -> Vec<Reach> {
        let mut attempts = JoinSet::new();
        for (index, url) in urls.iter().take(MOST).cloned().enumerate() {
            let (dialer, proxy) = (self.clone(), proxy.map(str::to_owned));
            attempts.spawn(async move { (index, dialer.dial(url, proxy).await) });
        }
        let mut reached = attempts.join_all().await;
        reached.sort_by_key(|(index, _)| *index);
        reached.into_iter().map(|(_, reach)| reach).collect()
    }

    async fn dial(&self, url: String, proxy: Option<String>) -> Reach {
        let begun = Instant::now();
        let Course { end, certificate, clock_ahead } = self.course(&url, proxy.as_deref()).await;
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Reach { url, proxy, end, certificate, clock_ahead, millis }
    }

    async fn course(&self, url: &str, proxy: Option<&str>) -> Course {
        let endpoint = match Endpoint::parse(&as_http(url)) {
            Ok(endpoint) => endpoint,
            Err(error) => return End::Unusable(error.to_string()).into(),
        };
        let deadline = Deadline(Instant::now() + ATTEMPT);
        let tcp = match connected(&endpoint, proxy, deadline).await {
            Ok(tcp) => tcp,
            Err(end) => return end.into(),
        };
        let now = self.clock.now();
        if endpoint.scheme() == Scheme::Http {
            return shaken(tcp, &endpoint, now, deadline).await;
        }
        let (stream, certificate) =
            match self.judge.secured(tcp, &endpoint, deadline.step(), now).await {
                Ok(secured) => secured,
                Err(why) => return End::TlsBroken(why).into(),
            };
        Course { certificate, ..shaken(stream, &endpoint, now, deadline).await }
    }
}

/// Clients name the same places with another scheme.
fn as_http(url: &str) -> String {
    let url = url.trim();
    match (url.strip_prefix("wss://"), url.strip_prefix("ws://")) {
        (Some(rest), _) => format!("https://{rest}"),
        (_, Some(rest)) => format!("http://{rest}"),
        _ => url.to_owned(),
    }
}

async fn connected(
    endpoint: &Endpoint,
    proxy: Option<&str>,
    deadline: Deadline,
) -> Result<TcpStream, End> {
    let Some(proxy) = proxy else { return open(endpoint, deadline).await };
    let proxy = Endpoint::parse(proxy)
        .map_err(|error| End::Unusable(format!("the proxy is none: {error}")))?;
    if proxy.scheme() == Scheme::Https {
        let why = "the proxy is reached over https, which browsers alone do; give its http address";
        return Err(End::Unusable(why.to_owned()));
    }
    let tcp = open(&proxy, deadline).await?;
    let authority = format!("{}:{}", endpoint.host(), endpoint.port());
    let answered = timeout_at(deadline.step(), tunnel::through(tcp, &authority)).await;
    answered.unwrap_or_else(|_| Err(End::ProxyRefused("it does not answer CONNECT".to_owned())))
}

async fn open(endpoint: &Endpoint, deadline: Deadline) -> Result<TcpStream, End> {
    let host = endpoint.host().trim_start_matches('[').trim_end_matches(']');
    let looking = tokio::net::lookup_host((host, endpoint.port()));
    let resolving = timeout_at(deadline.step(), looking).await;
    let addresses: Vec<_> = match resolving {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(End::NotResolved(error.to_string())),
        Err(_) => return Err(End::NotResolved("the resolver does not answer".to_owned())),
    };
    if addresses.is_empty() {
        return Err(End::NotResolved("the resolver knows none".to_owned()));
    }
    match timeout_at(deadline.step(), TcpStream::connect(&*addresses)).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(error)) => Err(End::NotConnected(error.to_string())),
        Err(_) => Err(End::NotConnected("no answer, as behind a firewall".to_owned())),
    }
}

async fn shaken(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    endpoint: &Endpoint,
    now: Timestamp,
    deadline: Deadline,
) -> Course {
    match timeout_at(deadline.step(), shake_hands(stream, endpoint, now)).await {
        Ok(Ok(course)) => course,
        Ok(Err(error)) => End::Silent(error.to_string()).into(),
        Err(_) => End::Silent("nothing came in time".to_owned()).into(),
    }
}

async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    endpoint: &Endpoint,
    now: Timestamp,
) -> anyhow::Result<Course> {
    let handshake =
        Handshake { path: PATH.to_owned(), token: None, subprotocol: None, nonce: random() };
    let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(stream)).await?;
    // It ends with the answer, or with the upgrade that nobody takes up.
    let connection = tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(handshake.request(endpoint)?).await?;
    let (parts, body) = answer.into_parts();
    let clock_ahead = clock_ahead(&parts.headers, now);
    let end = if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        match handshake.check(&parts.headers) {
            Ok(()) => End::Open,
            Err(wrong) => End::Answered { status: 101, said: wrong.to_owned() },
        }
    } else {
        let said = Limited::new(body, SAID).collect().await;
        let said = said.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        End::Answered { status: parts.status.as_u16(), said }
    };
    connection.abort();
    Ok(Course { end, certificate: None, clock_ahead })
}

/// How many seconds the clock of an answer is ahead of ours.
fn clock_ahead(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    notificationhubs::push::outcome::clock_skew(headers, now).map(|ours| -ours)
}

#[cfg(test)]
mod tests;
