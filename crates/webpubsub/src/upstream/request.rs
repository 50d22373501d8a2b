//! From an event to the HTTP request that a handler gets: CloudEvents in binary mode.
//!
//! Source: the service's reference of CloudEvents attributes. A value that a header cannot carry as
//! it is gets percent-encoded, as the HTTP binding of CloudEvents 1.0 says.

use std::collections::BTreeMap;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use bytes::Bytes;
use kernel::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::settings::{EventName, HandlerAuth};
use crate::message::Data;
use crate::metadata::Metadata;

/// The host name of the service that calls.
pub(super) const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
/// The version of the extension; handlers ignore requests without it.
pub(super) const AWPS_VERSION: HeaderName = HeaderName::from_static("ce-awpsversion");
pub(super) const AWPS_VERSION_VALUE: HeaderValue = HeaderValue::from_static("1.0");
/// What a handler wants to be told again with each event of the connection.
pub(super) const CONNECTION_STATE: HeaderName = HeaderName::from_static("ce-connectionstate");
/// Before the key of a metadata entry.
pub(super) const METADATA_PREFIX: &str = "x-webpubsub-metadata-";

const SYSTEM_CONTENT: &str = "application/json; charset=utf-8";

/// Headers of a handshake that concern its hop alone, or hold a credential of ours.
const WITHHELD: [&str; 9] = [
    "authorization",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Names that handlers may look up in the spelling of the standards; any other is passed on in lower
/// case.
const SPELLINGS: [&str; 14] = [
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Cache-Control",
    "Cookie",
    "Forwarded",
    "Host",
    "Origin",
    "Pragma",
    "Referer",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
];

/// The connection that an event is about.
pub struct Subject<'a> {
    /// Its hub.
    pub hub: &'a str,
    /// Its name.
    pub connection_id: &'a str,
    /// Its user, if it has one.
    pub user_id: Option<&'a str>,
    /// The subprotocol that was agreed on.
    pub subprotocol: Option<&'a str>,
    /// What a handler wants to be told again.
    pub state: Option<&'a HeaderValue>,
    /// The cookies of the handler.
    pub cookies: Option<HeaderValue>,
    /// The host name of the service.
    pub origin: &'a HeaderValue,
    /// Its signature; see [`super::signature`].
    pub signature: &'a str,
}

/// What happened.
pub struct Event<'a> {
    /// Its name.
    pub name: EventName<'a>,
    /// Its number within the connection: 0 for `connect`, the others from 1.
    pub id: u64,
    /// When it happened.
    pub time: Timestamp,
    /// What travels along.
    pub metadata: &'a Metadata,
    /// Its body.
    pub payload: &'a Payload,
}

/// A body with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    content_type: &'static str,
    body: Bytes,
}

/// What a handler is told of a client that wants to connect.
#[derive(Clone, Debug, Default)]
pub struct ConnectEvent {
    /// The claims of its token, as they came.
    pub claims: Map<String, Value>,
    /// The query of its URL, decoded.
    pub query: Vec<(String, String)>,
    /// The headers of its request.
    pub headers: HeaderMap,
    /// The subprotocols that it offers.
    pub subprotocols: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConnectBody<'a> {
    claims: BTreeMap<&'a str, Vec<String>>,
    query: BTreeMap<&'a str, Vec<&'a str>>,
    headers: BTreeMap<&'a str, Vec<String>>,
    subprotocols: &'a [String],
    client_certificates: [(); 0],
}

impl Payload {
    /// Of `connect`. The token itself is left out, wherever it stood.
    pub fn connect(event: &ConnectEvent) -> Self {
        let mut query: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in event.query.iter().filter(|(name, _)| name != "access_token") {
            query.entry(name).or_default().push(value);
        }
        let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in &event.headers {
            let name = name.as_str();
            if !WITHHELD.contains(&name) && !name.starts_with("sec-websocket-") {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                headers.entry(spelled(name)).or_default().push(text);
            }
        }
        Self::system(&ConnectBody {
            claims: event
                .claims
                .iter()
                .map(|(name, value)| (name.as_str(), texts(value)))
                .collect(),
            query,
            headers,
            subprotocols: &event.subprotocols,
            client_certificates: [],
        })
    }

    /// Of `connected`.
    pub fn connected() -> Self {
        Self { content_type: SYSTEM_CONTENT, body: Bytes::from_static(b"{}") }
    }

    /// Of `disconnected`.
    pub fn disconnected(reason: &str) -> Self {
        #[derive(Serialize)]
        struct Body<'a> {
            reason: &'a str,
        }
        Self::system(&Body { reason })
    }

    /// Of a user event.
    pub fn user(data: Data) -> Self {
        let text = |text: Box<str>| Bytes::from(String::from(text));
        let (content_type, body) = match data {
            Data::Text(data) => ("text/plain", text(data)),
            Data::Json(data) => ("application/json", text(data)),
            Data::Binary(body) => ("application/octet-stream", body),
            Data::Protobuf(body) => ("application/x-protobuf", body),
        };
        Self { content_type, body }
    }

    fn system(body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("texts in maps with text keys are JSON");
        Self { content_type: SYSTEM_CONTENT, body: body.into() }
    }
}

/// The request to a handler.
pub fn build(
    url: Uri,
    auth: &HandlerAuth,
    subject: &Subject<'_>,
    event: &Event<'_>,
) -> Request<Bytes> {
    let mut request = Request::new(event.payload.body.clone());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(event.payload.content_type));
    headers.insert(REQUEST_ORIGIN, subject.origin.clone());
    headers.insert(AWPS_VERSION, AWPS_VERSION_VALUE);
    let source = format!("/hubs/{}/client/{}", subject.hub, subject.connection_id);
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-type", &event_type(event.name)),
        ("ce-source", &source),
        ("ce-id", &event.id.to_string()),
        ("ce-time", &rfc_3339(event.time)),
        ("ce-signature", subject.signature),
        ("ce-connectionid", subject.connection_id),
        ("ce-hub", subject.hub),
        ("ce-eventname", event.name.as_str()),
    ] {
        headers.insert(name, header_text(value));
    }
    let user = subject.user_id.filter(|user| !user.is_empty());
    for (name, value) in [("ce-userid", user), ("ce-subprotocol", subject.subprotocol)] {
        if let Some(value) = value {
            headers.insert(name, header_text(value));
        }
    }
    if let Some(state) = subject.state {
        headers.insert(CONNECTION_STATE, state.clone());
    }
    if let Some(cookies) = &subject.cookies {
        headers.insert(COOKIE, cookies.clone());
    }
    if let HandlerAuth::Bearer(token) = auth {
        headers.insert(AUTHORIZATION, token.clone());
    }
    for (key, value) in event.metadata.iter() {
        let name = HeaderName::try_from(format!("{METADATA_PREFIX}{key}"));
        headers.insert(name.expect("metadata keys are header names"), header_text(value));
    }
    request
}

fn event_type(name: EventName<'_>) -> String {
    match name {
        EventName::User(name) => format!("azure.webpubsub.user.{name}"),
        EventName::Connect | EventName::Connected | EventName::Disconnected => {
            format!("azure.webpubsub.sys.{}", name.as_str())
        }
    }
}

/// UTC in whole seconds, as in `2026-11-22T10:00:00Z`.
fn rfc_3339(time: Timestamp) -> String {
    jiff::Timestamp::from_second(time.as_secs()).unwrap_or_default().to_string()
}

/// A text as a header's value: itself when it is printable ASCII, otherwise percent-encoded.
pub(super) fn header_text(text: &str) -> HeaderValue {
    const ENCODED: AsciiSet = CONTROLS.add(b'%');
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let value = if printable {
        HeaderValue::from_str(text)
    } else {
        HeaderValue::from_str(&utf8_percent_encode(text, &ENCODED).to_string())
    };
    value.expect("printable ASCII is a header value")
}

fn spelled(name: &str) -> &str {
    SPELLINGS.into_iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// A claim as texts, one for each of its values.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null => vec![String::new()],
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![value.to_string()],
    }
}

#[cfg(test)]
#[path = "request/tests.rs"]
mod tests;
