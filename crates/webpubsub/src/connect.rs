//! `/client/hubs/{hub}`: from an HTTP request to a connection of the gateway.
//!
//! The order of checks is the service's: address, token, names, then the upgrade. The connection is
//! registered before the client hears "101", so whatever is published from then on reaches it.

use std::sync::Arc;

use auth::{Claims, Purpose};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    AUTHORIZATION, CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge::{Envelope, Rejection};
use gateway::{ConnectionId, Opening, Reservation, Session, Socket};
use hyper::upgrade::OnUpgrade;
use kernel::{Error, ErrorKind, Result};

use crate::name::{self, HubName};
use crate::protocol::Subprotocol;
use crate::query::Query;
use crate::role::Permissions;
use crate::service::WebPubSub;
use crate::session::{JsonSession, SimpleMode, SimpleSession};

pub(crate) fn router(service: WebPubSub) -> Router {
    Router::new()
        // Merged routers must agree on it; see the routes of `rest`.
        .without_v07_checks()
        .route("/client/hubs/{hub}", get(by_path))
        .route("/client", get(by_query))
        .route("/client/", get(by_query))
        .with_state(service)
}

/// `GET /client/hubs/{hub}`
async fn by_path(
    State(service): State<WebPubSub>,
    Path(hub): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    answer(connect(&service, &hub, parts).await)
}

/// `GET /client/?hub={hub}`
async fn by_query(State(service): State<WebPubSub>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let Some(hub) = Query::of(&parts.uri).one("hub").map(str::to_owned) else {
        return answer(Err(bad_request(
            "The URL names no hub. Connect to /client/hubs/<hub>, or add ?hub=<hub>.",
        )));
    };
    answer(connect(&service, &hub, parts).await)
}

fn answer(outcome: Result<Response>) -> Response {
    outcome.unwrap_or_else(|error| Rejection::new(error, Envelope::Text).into_response())
}

async fn connect(service: &WebPubSub, hub: &str, mut parts: Parts) -> Result<Response> {
    let resource = Arc::clone(service.resource(text(&parts.headers, &HOST))?);
    let key = websocket_key(&parts.headers)?;
    let query = Query::of(&parts.uri);
    let token =
        auth::client_token(query.one("access_token"), text(&parts.headers, &AUTHORIZATION))?;
    let claims = service.verify(&resource, token, Purpose::Client { hub })?;
    let hub_name = HubName::parse(hub)?;
    for group in &claims.groups {
        name::check_group(group).map_err(|error| {
            bad_request(format!("The token contains an invalid group name. {error}"))
        })?;
    }
    let (subprotocol, echoed) = Subprotocol::negotiate(offered(&parts.headers));
    let echoed = echoed.and_then(|name| HeaderValue::from_str(name).ok());
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(|| {
        bad_request("This HTTP connection cannot become a WebSocket. Connect with HTTP/1.1.")
    })?;

    let id = service.backplane().allocate();
    let opening = Opening {
        id,
        hub: service.hub(&resource, &hub_name),
        user: claims.user_id.as_deref().map(Into::into),
        groups: claims.groups.iter().map(|group| group.as_str().into()).collect(),
        variant: subprotocol.variant(),
        keep_alive_secs: resource.keep_alive_secs,
        reliable: None,
        session: session(subprotocol, id, &claims, &query)?,
    };
    let reservation = service.backplane().open(opening).await.map_err(|_| shutting_down())?;
    tracing::debug!(connection = %id, hub = hub_name.as_str(), ?subprotocol, "client connecting");
    tokio::spawn(hand_over(upgrade, reservation, id));
    Ok(switching_protocols(&key, echoed))
}

fn session(
    subprotocol: Subprotocol,
    id: ConnectionId,
    claims: &Claims,
    query: &Query,
) -> Result<Box<dyn Session>> {
    let user = claims.user_id.as_deref().map(Into::into);
    let permissions = Permissions::from_roles(claims.roles.iter().map(String::as_str));
    Ok(match subprotocol {
        Subprotocol::Json => Box::new(JsonSession::new(id, user, permissions)),
        Subprotocol::Simple => Box::new(SimpleSession::new(user, permissions, simple_mode(query)?)),
    })
}

fn simple_mode(query: &Query) -> Result<SimpleMode> {
    match query.one("webpubsub_mode") {
        None => Ok(SimpleMode::SendEvent),
        Some(mode) if mode.eq_ignore_ascii_case("sendEvent") => Ok(SimpleMode::SendEvent),
        Some(mode) if mode.eq_ignore_ascii_case("sendToGroup") => {
            let group = query.one("group").unwrap_or_default();
            name::check_group(group)?;
            let no_echo = query.one("noEcho").is_some_and(|it| it.eq_ignore_ascii_case("true"));
            Ok(SimpleMode::SendToGroup { group: group.into(), no_echo })
        }
        Some(_) => Err(bad_request("webpubsub_mode must be sendEvent or sendToGroup.")),
    }
}

/// Waits for the socket behind the answer and gives it to the gateway. When the client has gone
/// away meanwhile, dropping the reservation forgets the connection.
async fn hand_over(upgrade: OnUpgrade, reservation: Reservation, id: ConnectionId) {
    let taken = match upgrade.await {
        Ok(upgraded) => edge::upgrade::into_parts(upgraded),
        Err(error) => return tracing::debug!(connection = %id, %error, "the upgrade failed"),
    };
    match taken {
        Ok(it) => {
            reservation.attach(Socket { tcp: it.tcp, tls: it.tls, read_ahead: it.read_ahead });
        }
        Err(error) => {
            tracing::warn!(connection = %id, %error, "the socket could not be taken over")
        }
    }
}

/// Checks that the request is a WebSocket handshake (RFC 6455 section 4.2.1) and returns its key.
fn websocket_key(headers: &HeaderMap) -> Result<String> {
    let has = |name: &HeaderName, wanted: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted)))
    };
    if !has(&CONNECTION, "upgrade") || !has(&UPGRADE, "websocket") {
        return Err(bad_request(
            "This address takes WebSocket connections only, and the request is plain HTTP. \
             Connect with a WebSocket client; behind a proxy, let it pass the headers Connection \
             and Upgrade.",
        ));
    }
    if !has(&SEC_WEBSOCKET_VERSION, "13") {
        return Err(bad_request("The header Sec-WebSocket-Version must be 13."));
    }
    let key = text(headers, &SEC_WEBSOCKET_KEY).unwrap_or_default();
    match STANDARD.decode(key) {
        Ok(bytes) if bytes.len() == 16 => Ok(key.to_owned()),
        _ => Err(bad_request("The header Sec-WebSocket-Key must be 16 bytes in base64.")),
    }
}

fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

fn switching_protocols(key: &str, subprotocol: Option<HeaderValue>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&accept_for(key)).expect("base64 is a header value");
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(name) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    response
}

/// The answer to a handshake key (RFC 6455 section 4.2.2).
fn accept_for(key: &str) -> String {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn bad_request(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "Error.BadRequest", message)
}

fn shutting_down() -> Error {
    let message = "The server is shutting down. Connect again in a moment.";
    Error::new(ErrorKind::Unavailable, "Error.ServiceUnavailable", message)
        .retry_after(std::time::Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_the_key_of_the_rfc() {
        // RFC 6455 section 1.3
        assert_eq!(accept_for("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_handshake_needs_all_its_headers() {
        let whole = [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers = |without: Option<usize>| -> HeaderMap {
            let kept = whole.iter().enumerate().filter(|(index, _)| Some(*index) != without);
            kept.map(|(_, (name, value))| (name.clone(), HeaderValue::from_static(value))).collect()
        };
        assert!(websocket_key(&headers(None)).is_ok());
        for without in 0..whole.len() {
            assert!(websocket_key(&headers(Some(without))).is_err(), "{:?}", whole[without].0);
        }
    }
}
