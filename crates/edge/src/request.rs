//! What happens around every request, whichever service it is for.
//!
//! [`layer`] wraps a finished router into an [`App`], the only thing that [`crate::serve()`] takes,
//! so none of this can be forgotten:
//!
//! - a correlation id: extension [`RequestId`], answer header `x-ms-request-id`
//! - a journey: of the caller's `traceparent`, else with the correlation id as its own (see `traced`)
//! - `x-ms-client-request-id` is echoed
//! - duplicate slashes in the path are collapsed before routing, since some SDKs send them
//! - a refused request leaves one log line: reason, id, method and path. Never the query (clients
//!   put their tokens there), never a header
//! - a panic in a handler costs that request alone

pub(crate) mod traced;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use kernel::{Error, ErrorKind, Milestones, TraceId};
use tower::Service;

use crate::panics;
use crate::respond::{Envelope, Refused, Rejection};
use crate::serve::PeerAddr;
use traced::Traced;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

/// A path longer than this is cut in the log: the caller chooses its length.
const LOGGED_PATH_LIMIT: usize = 256;

/// Wraps `router` with what every request needs; see the module's description.
pub fn layer(router: Router) -> App {
    App { router, milestones: Milestones::default() }
}

/// A router that is ready to be served. As a tower service it can be called without a socket.
#[derive(Clone, Debug)]
pub struct App {
    router: Router,
    milestones: Milestones,
}

/// The correlation id of one request: a random UUID (version 4) as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// A fresh id.
    pub fn random() -> Self {
        let mut bits = [0; 16];
        aws_lc_rs::rand::fill(&mut bits).expect("the system's random source works");
        Self(uuid_v4(bits))
    }

    /// The id as text, 36 characters.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("an id is ASCII")
    }

    /// The same id as that of a journey.
    pub(crate) fn trace(&self) -> TraceId {
        TraceId::parse(self.as_str()).expect("a UUID of version 4 is not zero")
    }
}

impl App {
    /// Records the journeys of requests from now on.
    #[must_use]
    pub fn recording(self, milestones: Milestones) -> Self {
        Self { milestones, ..self }
    }

    /// Answers one request. Never fails: a panic becomes a 500.
    pub async fn handle(&self, mut request: Request<Body>) -> Response {
        let id = RequestId::random();
        let echo = request.headers().get(CLIENT_REQUEST_ID).cloned();
        if let Some(tidy) = without_duplicate_slashes(request.uri()) {
            *request.uri_mut() = tidy;
        }
        let line = LogLine {
            method: request.method().clone(),
            uri: request.uri().clone(),
            peer: request.extensions().get().copied(),
        };
        request.extensions_mut().insert(id.clone());
        let traced = Traced::begin(&self.milestones, request.headers(), &id);

        let mut router = self.router.clone();
        let handled = traced.journey.clone().scope(async move { router.call(request).await });
        let mut response = match panics::caught(handled).await {
            Ok(Ok(response)) => response,
            Err(panic) => Rejection::new(defect(&panic), Envelope::Text).into_response(),
        };
        if response.status().is_client_error() || response.status().is_server_error() {
            line.write(&response, &id);
        }
        traced.end(&line, &mut response, &id, echo.as_ref());
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id.0);
        if let Some(echo) = echo {
            headers.insert(CLIENT_REQUEST_ID, echo);
        }
        response
    }
}

impl Service<Request<Body>> for App {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let app = self.clone();
        Box::pin(async move { Ok(app.handle(request).await) })
    }
}

/// What the log says about a refused request. The URI is shared, not copied.
struct LogLine {
    method: Method,
    uri: Uri,
    peer: Option<PeerAddr>,
}

impl LogLine {
    fn write(&self, response: &Response, id: &RequestId) {
        let status = response.status();
        let refused = response.extensions().get::<Refused>().map(|Refused(error)| error);
        let reason = refused.map_or_else(|| plain_reason(status), Error::message);
        let code = refused.map(Error::code);
        let context = refused.and_then(Error::operator_context);
        let peer = self.peer.map(|peer| tracing::field::display(peer.0));
        let (request_id, status) = (id.as_str(), status.as_u16());
        let (method, path) = (self.method.as_str(), shortened(self.uri.path()));
        // The level of an event is fixed where it is written, hence the two.
        if status >= 500 {
            tracing::warn!(
                request_id,
                status,
                method,
                path,
                code,
                reason,
                context,
                peer,
                "request failed"
            );
        } else {
            tracing::info!(
                request_id,
                status,
                method,
                path,
                code,
                reason,
                context,
                peer,
                "request refused"
            );
        }
    }
}

fn plain_reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("no reason given")
}

fn shortened(path: &str) -> &str {
    // A URI's path is ASCII, so any cut is between characters; `get` holds either way.
    path.get(..LOGGED_PATH_LIMIT).unwrap_or(path)
}

fn defect(panic: &str) -> Error {
    let message = "The server failed on this request. It is a defect; report it with the \
                   x-ms-request-id of this answer.";
    Error::new(ErrorKind::Internal, "InternalServerError", message)
        .context(format!("the handler panicked: {panic}"))
}

/// The URI with every run of slashes in its path made one; `None` when there is none to change.
/// The query is not touched, nor are encoded slashes.
fn without_duplicate_slashes(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.as_bytes().windows(2).any(|pair| pair == b"//") {
        return None;
    }
    let mut tidy = String::with_capacity(uri.path_and_query()?.as_str().len());
    for character in path.chars() {
        if character != '/' || !tidy.ends_with('/') {
            tidy.push(character);
        }
    }
    if let Some(query) = uri.query() {
        tidy.push('?');
        tidy.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(tidy).ok()?);
    Uri::from_parts(parts).ok()
}

/// Random bits as a UUID of version 4 (RFC 9562 section 5.4).
fn uuid_v4(mut bits: [u8; 16]) -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    bits[6] = bits[6] & 0x0f | 0x40;
    bits[8] = bits[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut place = 0;
    for byte in bits {
        if matches!(place, 8 | 13 | 18 | 23) {
            place += 1;
        }
        text[place] = HEX[usize::from(byte >> 4)];
        text[place + 1] = HEX[usize::from(byte & 0x0f)];
        place += 2;
    }
    HeaderValue::from_bytes(&text).expect("hex digits and dashes make a header value")
}

#[cfg(test)]
#[path = "request/tests.rs"]
mod tests;
