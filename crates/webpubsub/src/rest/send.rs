//! `…/:send`: publishing from the backend. Accepted means handed to every shard that has receivers;
//! whether anybody receives it makes no difference to the caller.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use gateway::{Audience, Publication};
use kernel::milestone::{Note, Stage};
use kernel::{Error, ErrorKind, Result, journey};
use serde::de::IgnoredAny;

use super::call::bad_request;
use super::{Answer, Call};
use crate::message::{Data, Message, Source};
use crate::metadata::Metadata;
use crate::protocol::MAX_TTL_SECONDS;
use crate::service::WebPubSub;

/// `POST /api/hubs/{hub}/:send`
pub(super) async fn to_everyone(
    State(service): State<WebPubSub>,
    call: Call,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    send(&service, &call, Some(Audience::Everyone), Source::Server, &headers, body).await
}

/// `POST /api/hubs/{hub}/groups/{group}/:send`
pub(super) async fn to_group(
    State(service): State<WebPubSub>,
    call: Call,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let group = call.group()?;
    let source = Source::Group { group: group.into(), user: None };
    send(&service, &call, Some(Audience::Group(group.into())), source, &headers, body).await
}

/// `POST /api/hubs/{hub}/users/{userId}/:send`
pub(super) async fn to_user(
    State(service): State<WebPubSub>,
    call: Call,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let audience = Audience::User(call.user().into());
    send(&service, &call, Some(audience), Source::Server, &headers, body).await
}

/// `POST /api/hubs/{hub}/connections/{connectionId}/:send`
pub(super) async fn to_connection(
    State(service): State<WebPubSub>,
    call: Call,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let audience = call.connection().map(Audience::Connection);
    send(&service, &call, audience, Source::Server, &headers, body).await
}

async fn send(
    service: &WebPubSub,
    call: &Call,
    audience: Option<Audience>,
    source: Source,
    headers: &HeaderMap,
    body: Body,
) -> Answer {
    let kind = Kind::of(headers)?;
    let ttl = ttl(call.query.one("messageTtlSeconds"))?;
    let body = edge::body::read(body, call.resource.max_message_bytes).await?;
    let bytes = body.len();
    let message = Message { source, data: kind.data(body)?, metadata: metadata(headers)? };
    let expires = ttl.map(|ttl| service.now() + ttl);
    // What is wrong is told whether or not there is anybody to receive it.
    let target = call.target(audience.clone().unwrap_or(Audience::Everyone))?;
    note_accepted(call, audience.as_ref(), kind, bytes);
    if audience.is_some() {
        service.backplane().publish(target, Publication::expiring(message, expires)).await;
    }
    Ok(StatusCode::ACCEPTED)
}

fn note_accepted(call: &Call, audience: Option<&Audience>, kind: Kind, bytes: usize) {
    const SERVICE: &str = "webpubsub";
    let (hub, resource) = (call.segment("hub"), &call.resource.name);
    journey::note(SERVICE, || {
        Note::new(Stage::Authorised, format!("an access token of the resource '{resource}'"))
    });
    journey::note(SERVICE, || match audience {
        Some(to) => {
            let text = format!("{bytes} bytes of {kind:?} for {to} in hub '{hub}'");
            Note::new(Stage::Accepted, text)
        }
        None => {
            let name = call.segment("connection");
            let text = format!("for '{name}' in hub '{hub}', which no connection can be named");
            Note::new(Stage::Dropped, text).failed()
        }
    });
}

/// The message's metadata: headers `X-WebPubSub-Metadata-<key>`; of a repeated one the last counts.
fn metadata(headers: &HeaderMap) -> Result<Metadata> {
    const PREFIX: &str = "x-webpubsub-metadata-";
    let mut metadata = Metadata::default();
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(PREFIX) else { continue };
        let refuse = |rule: &str| bad_request(format!("The header {name} is refused: {rule}."));
        let value = value.to_str().map_err(|_| refuse("its value is not printable ASCII"))?;
        let last = value.rsplit(',').next().unwrap_or_default().trim();
        metadata.insert(key, last).map_err(refuse)?;
    }
    Ok(metadata)
}

/// What a body's content type says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Json,
    Binary,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Self> {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Self::Binary) };
        let value = value.to_str().unwrap_or("(not text)");
        let mut parts = value.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let charset = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
        let kind = match media_type.to_ascii_lowercase().as_str() {
            "application/octet-stream" => return Ok(Self::Binary),
            "text/plain" => Self::Text,
            "application/json" => Self::Json,
            _ => return Err(unsupported(&format!("The content type '{value}' is not supported."))),
        };
        match charset.map(str::to_ascii_lowercase).as_deref() {
            None | Some("utf-8" | "utf8" | "us-ascii") => Ok(kind),
            Some(_) => {
                Err(unsupported(&format!("The charset of '{value}' is not supported; send UTF-8.")))
            }
        }
    }

    fn data(self, body: bytes::Bytes) -> Result<Data> {
        if self == Self::Binary {
            return Ok(Data::Binary(body));
        }
        let text = std::str::from_utf8(&body)
            .map_err(|_| bad_request("The request body is not valid UTF-8."))?;
        if self == Self::Text {
            return Ok(Data::Text(text.into()));
        }
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            bad_request(format!(
                "The request body is not a valid JSON. It goes wrong at line {line} column \
                 {column}. Send JSON, or name the content type text/plain."
            ))
        })?;
        Ok(Data::Json(text.into()))
    }
}

fn unsupported(problem: &str) -> Error {
    let message =
        format!("{problem} Use text/plain, application/json or application/octet-stream.");
    Error::new(ErrorKind::UnsupportedMediaType, "Error.UnsupportedMediaType", message)
        .target("Content-Type")
}

/// How long the message may wait for a reliable receiver; none and zero mean without limit.
fn ttl(text: Option<&str>) -> Result<Option<Duration>> {
    match text.map(str::parse::<u16>) {
        None | Some(Ok(0)) => Ok(None),
        Some(Ok(seconds @ 1..=MAX_TTL_SECONDS)) => Ok(Some(Duration::from_secs(seconds.into()))),
        Some(_) => Err(bad_request(
            "Invalid messageTtlSeconds. It is a whole number of seconds from 0 to 300.",
        )
        .target("messageTtlSeconds")),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use bytes::Bytes;

    use super::*;

    fn kind(content_type: &'static str) -> Result<Kind> {
        Kind::of(&[(CONTENT_TYPE, HeaderValue::from_static(content_type))].into_iter().collect())
    }

    #[test]
    fn the_content_type_decides_what_a_body_is() {
        assert_eq!(Kind::of(&HeaderMap::new()).unwrap(), Kind::Binary);
        assert_eq!(kind("application/octet-stream").unwrap(), Kind::Binary);
        assert_eq!(kind("text/plain; charset=\"UTF-8\"").unwrap(), Kind::Text);
        assert_eq!(kind("Application/JSON;charset=utf-8").unwrap(), Kind::Json);
        for bad in ["image/png", "text/plain;charset=utf-7", ""] {
            assert_eq!(kind(bad).unwrap_err().kind(), ErrorKind::UnsupportedMediaType, "{bad}");
        }
    }

    #[test]
    fn scalars_are_json_and_passed_on_as_written() {
        for json in [r#""hi""#, "1", "null", "{ \"a\" : [1, 2] }"] {
            let data = Kind::Json.data(Bytes::from_static(json.as_bytes())).unwrap();
            assert_eq!(data, Data::Json(json.into()));
        }
        let error = Kind::Json.data(Bytes::from_static(b"{\"a\":}")).unwrap_err();
        assert!(error.message().contains("line 1 column 6"), "{error}");
    }

    #[test]
    fn the_time_to_live_has_a_range() {
        assert_eq!(ttl(None).unwrap(), None);
        assert_eq!(ttl(Some("0")).unwrap(), None);
        assert_eq!(ttl(Some("300")).unwrap(), Some(Duration::from_secs(300)));
        assert!(["", "-1", "301", "1.5"].into_iter().all(|text| ttl(Some(text)).is_err()));
    }
}
