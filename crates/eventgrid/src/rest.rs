//! The HTTP entrances: publishing, and the validation URLs that people open.
//!
//! A topic is found by path (`/topics/{name}/api/events`, `/{name}/api/events`), else by host
//! (`{name}.…` or a host of its own), else it is the default one: SDKs post to the endpoint exactly
//! as given, but an old one keeps host and port only. Order of checks: topic, network, credential,
//! body, so that strangers learn nothing and send nothing.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge::{Envelope, PeerAddr, Rejection, Scheme};
use kernel::{Error, ErrorKind, Result};
use wire::ResourceId;

use crate::access::Caller;
use crate::event::Publication;
use crate::registry::TopicEntry;
use crate::service::EventGrid;
use crate::unreadable::{Kind, Unreadable};

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// The paths that publish, with and without the slash that some users add.
const PATHS: [&str; 7] = [
    "/",
    "/api/events",
    "/api/events/",
    "/topics/{name}/api/events",
    "/topics/{name}/api/events/",
    "/{name}/api/events",
    "/{name}/api/events/",
];

pub(crate) fn router(service: EventGrid) -> Router {
    let mut router = Router::new();
    for path in PATHS {
        router = router.route(path, post(publish).options(consent).fallback(wrong_method));
    }
    router
        .route("/eventsubscriptions/{name}/validate", get(validate).post(validate))
        .with_state(service)
}

/// An error on its way into the service's envelope.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        Rejection::new(self.0, Envelope::EventGrid).into_response()
    }
}

/// `POST /topics/{name}/api/events` and its other forms. 200 means that all of it is on disk.
async fn publish(
    State(service): State<EventGrid>,
    Addressed(entry): Addressed,
    request: Request<Body>,
) -> std::result::Result<StatusCode, Failure> {
    let (parts, body) = request.into_parts();
    service.admit(&entry, &caller(&parts))?;
    let body = edge::body::read(body, service.settings().max_request_bytes).await?;
    let publication = Publication { headers: &parts.headers, body: &body };
    service.publish(&entry, &publication).await?;
    Ok(StatusCode::OK)
}

/// `OPTIONS` of the same: a topic can be the webhook of another service, and consents.
async fn consent(headers: HeaderMap) -> Response {
    let any = HeaderValue::from_static("*");
    let mut response = StatusCode::OK.into_response();
    let allowed = response.headers_mut();
    allowed.insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    allowed.insert(ALLOWED_ORIGIN, headers.get(REQUEST_ORIGIN).cloned().unwrap_or(any.clone()));
    allowed.insert(ALLOWED_RATE, any);
    response
}

/// `GET /eventsubscriptions/{name}/validate`: what a person opens instead of the webhook's answer.
async fn validate(State(service): State<EventGrid>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default().as_bytes();
    let code = form_urlencoded::parse(query).find(|(name, _)| name == "id");
    let code = code.map(|(_, code)| code.into_owned()).unwrap_or_default();
    let (status, text) = match service.complete_validation(&code).await {
        Ok(true) => {
            (StatusCode::OK, "Webhook successfully validated as an event subscription endpoint.\n")
        }
        Ok(false) => (
            StatusCode::NOT_FOUND,
            "This validation URL is not known: it has been used, or its time is over, or the event \
             subscription was changed since. Create the event subscription again for a new one.\n",
        ),
        Err(error) => return Failure(error).into_response(),
    };
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    (status, [(CONTENT_TYPE, plain)], text).into_response()
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let message =
        format!("{method} {} is no operation. Events are published with POST.", uri.path());
    // What is asked of the root with another method is somebody who looks around.
    let (kind, code) = match uri.path() {
        "/" => (ErrorKind::NotFound, "NotFound"),
        _ => (ErrorKind::MethodNotAllowed, "MethodNotAllowed"),
    };
    Failure(Error::new(kind, code, message))
}

/// The refusal of a request under a path of this service that is no operation.
pub(crate) fn unknown(method: &Method, uri: &Uri) -> Response {
    let message = format!(
        "There is no operation {method} {}. Events are published with POST to \
         /topics/<name>/api/events.",
        uri.path()
    );
    Failure(Error::new(ErrorKind::NotFound, "NotFound", message)).into_response()
}

/// The topic that a request is addressed to.
struct Addressed(Arc<TopicEntry>);

impl FromRequestParts<EventGrid> for Addressed {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &EventGrid,
    ) -> std::result::Result<Self, Failure> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, &()).await;
        let name = path.ok().and_then(|Path(mut segments)| segments.remove("name"));
        let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
        let host = host.or_else(|| parts.uri.host()).map(without_port);
        Ok(Self(service.addressed(name.as_deref(), host)?))
    }
}

impl EventGrid {
    /// The id of the topic that a publication is for: by the name in its path, or else by its host.
    pub fn topic_of(&self, name: Option<&str>, host: Option<&str>) -> Option<ResourceId> {
        let entry = self.addressed(name, host.map(without_port)).ok()?;
        Some(entry.topic.id.clone())
    }

    fn addressed(&self, name: Option<&str>, host: Option<&str>) -> Result<Arc<TopicEntry>> {
        let snapshot = self.snapshot();
        let named = match name {
            Some(name) => snapshot.custom_topic(name),
            None => host.and_then(|host| snapshot.topic_of_host(host)),
        };
        let wanted = name.or_else(|| Some(host?.split_once('.')?.0)).unwrap_or_default();
        let is_wanted = |it: &&Unreadable| it.name().eq_ignore_ascii_case(wanted);
        let unreadable = snapshot.all_unreadable(Kind::Topic).find(is_wanted);
        let found = match (named, unreadable) {
            (None, Some(topic)) => return Err(topic.refusal()),
            (None, None) if name.is_none() => snapshot
                .custom_topic(self.settings().default_topic.as_deref().unwrap_or_default())
                .or_else(|| snapshot.only_topic()),
            (named, _) => named,
        };
        found.cloned().ok_or_else(|| {
            let shown: String = name.or(host).unwrap_or_default().chars().take(100).collect();
            let message = format!(
                "There is no topic for '{}'. Publish to the topic's endpoint, which ends with \
                 /topics/<name>/api/events, or to the host name of the topic.",
                shown.escape_debug()
            );
            Error::new(ErrorKind::NotFound, "NotFound", message)
        })
    }
}

fn caller(parts: &Parts) -> Caller<'_> {
    Caller {
        headers: &parts.headers,
        path: parts.uri.path(),
        query: parts.uri.query(),
        over_tls: parts.extensions.get::<Scheme>() == Some(&Scheme::Https),
        peer: parts.extensions.get::<PeerAddr>().map(|peer| peer.0.ip()),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
