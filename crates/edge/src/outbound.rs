//! The one client for outgoing HTTP: webhooks, event handlers, push services.
//!
//! Whom it calls is chosen by users and by strangers, so it is guarded: addresses are checked after
//! the name is resolved ([`AddressPolicy`]), redirects are not followed, answers have limits in time
//! and size ([`Limits`]), and no environment variable sends it through a proxy. It keeps connections
//! for reuse, speaks HTTP/1.1 or, where the server offers it over TLS, HTTP/2, and never repeats a
//! request that may have arrived: retries are the business of who knows what the request means. Where
//! a request belongs to a journey, its receiver is told (`traceparent`).

mod address;
mod connect;
mod error;
mod trust;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::{HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Request, Response, Uri};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kernel::Journey;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::request::traced::TRACEPARENT;
use crate::tls::TlsError;
pub use address::{AddressPolicy, Cidr, CidrError};
use connect::{Connector, host, is_https, place};
pub use error::OutboundError;
use trust::Trust;

/// Many servers close a connection that is idle for five seconds; one that is about to be closed
/// must not be taken for the next request.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept for each host.
const IDLE_PER_HOST: usize = 64;
/// What the parser takes of the head of an answer, whatever the call allows.
const HEAD_BYTES: usize = 64 * 1024;
const _: () = assert!(HEAD_BYTES <= u32::MAX as usize);

/// What the answer to a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the call to the last byte of the answer.
    pub timeout: Duration,
    /// Names and values of the headers, in bytes; never more than 64 KiB.
    pub header_bytes: usize,
    /// The body, in bytes.
    pub body_bytes: usize,
}

/// The client. Clones share its connections.
#[derive(Clone)]
pub struct Outbound {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
}

impl Outbound {
    /// A client that keeps to `policy` and trusts the machine's certificate authorities and those in
    /// the PEM file `extra_ca`, which is read here.
    ///
    /// # Errors
    /// [`TlsError`] when the extra file cannot be read or used.
    pub fn new(policy: AddressPolicy, extra_ca: Option<&Path>) -> Result<Self, TlsError> {
        let connector = Connector::new(policy, Trust::new(extra_ca)?);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(HEAD_BYTES)
            .http2_max_header_list_size(HEAD_BYTES as u32)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_keep_alive_timeout(Duration::from_secs(20))
            .build(connector.clone());
        Ok(Self { client, connector })
    }

    /// Sends one request, with an absolute URL, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`OutboundError`] when no whole answer came within the limits. Whether the request arrived is
    /// then unknown, except for `BadUrl`, `Refused`, `Resolve`, `Connect` and `Tls`: it did not.
    pub async fn send(
        &self,
        mut request: Request<Bytes>,
        limits: Limits,
    ) -> Result<Response<Bytes>, OutboundError> {
        let uri = request.uri();
        is_https(uri)?;
        host(uri)?;
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            let problem = "holds a user name or password; give a credential in a header instead";
            return Err(OutboundError::BadUrl(problem));
        }
        let place = place(uri);
        let agent = HeaderValue::from_static(concat!("tidings/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        if let Some(journey) = Journey::current()
            && let Ok(value) = HeaderValue::from_str(&journey.context().to_string())
        {
            request.headers_mut().entry(TRACEPARENT).or_insert(value);
        }
        let exchange = self.exchange(request, &place, limits);
        match tokio::time::timeout(limits.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::Timeout { place, limit: limits.timeout }),
        }
    }

    /// Opens one connection to the host of an `https` URL, for who speaks HTTP/2 over it in a way of
    /// their own: guarded and trusted as every other, but kept and closed by the caller.
    ///
    /// # Errors
    /// [`OutboundError`] when there is no connection within `limit`, or the server does not speak
    /// HTTP/2.
    pub async fn connect_http2(
        &self,
        url: &Uri,
        limit: Duration,
    ) -> Result<TlsStream<TcpStream>, OutboundError> {
        if !is_https(url)? {
            return Err(OutboundError::BadUrl("must begin with https://"));
        }
        let place = place(url);
        let opening = self.connector.open_tls(url);
        let opened = tokio::time::timeout(limit, opening).await;
        let tls = opened
            .unwrap_or_else(|_| Err(OutboundError::Timeout { place: place.clone(), limit }))?;
        if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
            return Ok(tls);
        }
        Err(OutboundError::Tls { place, cause: "the server does not speak HTTP/2".to_owned() })
    }

    async fn exchange(
        &self,
        request: Request<Bytes>,
        place: &str,
        limits: Limits,
    ) -> Result<Response<Bytes>, OutboundError> {
        let too_large =
            |part, limit| OutboundError::TooLarge { place: place.to_owned(), part, limit };
        let answer = self.client.request(request.map(Full::new)).await;
        let (head, body) = answer.map_err(|error| explain(&error, place))?.into_parts();
        if head_bytes(&head.headers) > limits.header_bytes {
            return Err(too_large("headers", limits.header_bytes));
        }
        match Limited::new(body, limits.body_bytes).collect().await {
            Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(too_large("body", limits.body_bytes))
            }
            Err(error) => Err(broken(error.as_ref(), place)),
        }
    }
}

fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// What the client's own error means.
fn explain(error: &legacy::Error, place: &str) -> OutboundError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(it) = cause {
        if let Some(ours) = it.downcast_ref::<OutboundError>() {
            return ours.clone();
        }
        if it.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
            let (place, part) = (place.to_owned(), "headers");
            return OutboundError::TooLarge { place, part, limit: HEAD_BYTES };
        }
        cause = it.source();
    }
    broken(error, place)
}

/// The innermost cause says most; the outer ones say that there was an error.
fn broken(error: &(dyn Error + 'static), place: &str) -> OutboundError {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    OutboundError::Broken { place: place.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests;
