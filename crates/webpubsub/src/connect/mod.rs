//! `/client/hubs/{hub}`: from an HTTP request to a connection of the gateway.
//!
//! The order of checks is the service's: handshake, token, names, the event handler's word, then
//! the upgrade. The connection is registered before the client hears "101", so whatever is published
//! from then on reaches it.

mod entrant;
mod handshake;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use edge::websocket::{switching_protocols, websocket_key};
use edge::{Envelope, Rejection};
use gateway::{ConnectionId, Opening, Reservation, Session, Socket};
use hyper::upgrade::OnUpgrade;
use kernel::{Error, ErrorKind, Result};

use crate::events::ConnectionEvents;
use crate::hub::Hub;
use crate::name::{self, HubName};
use crate::protocol::Subprotocol;
use crate::query::Query;
use crate::resource::Resource;
use crate::role::Permissions;
use crate::service::WebPubSub;
use crate::session::{EventSink, EventSource, PubSubSession, RefusedSession};
use crate::session::{SimpleMode, SimpleSession};
use crate::upstream;

use entrant::{Admission, Entrant};
use handshake::offered;

/// The engine's hub of those who are let in only to be told that they may not come back.
const NOWHERE: &str = "webpubsub//nowhere";
/// Longer than such a connection lives.
const REFUSED_KEEP_ALIVE_SECS: u32 = 60;

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

/// One request to connect, with what has been read from it.
struct Attempt<'a> {
    service: &'a WebPubSub,
    resource: Arc<Resource>,
    /// The hub as the URL writes it; a token's audience has the same text.
    hub: &'a str,
    headers: HeaderMap,
    query: Query,
    /// What the client and we both speak, and its name as the client wrote it.
    common: (Subprotocol, Option<String>),
    key: String,
    upgrade: OnUpgrade,
}

async fn connect(service: &WebPubSub, hub: &str, mut parts: Parts) -> Result<Response> {
    let resource = Arc::clone(service.resource(text(&parts.headers, &HOST))?);
    let key = websocket_key(&parts.headers).map_err(bad_request)?;
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(|| {
        bad_request("This HTTP connection cannot become a WebSocket. Connect with HTTP/1.1.")
    })?;
    let query = Query::of(&parts.uri);
    let headers = parts.headers;
    let (subprotocol, name) = Subprotocol::negotiate(offered(&headers));
    let common = (subprotocol, name.map(str::to_owned));
    let attempt = Attempt { service, resource, hub, headers, query, common, key, upgrade };
    match (attempt.query.one("awps_connection_id"), subprotocol.numbering()) {
        (Some(id), Some(_)) => {
            let id = id.to_owned();
            attempt.recover(&id).await
        }
        _ => attempt.begin().await,
    }
}

impl Attempt<'_> {
    /// A new connection.
    async fn begin(self) -> Result<Response> {
        let claims = entrant::claims(&self)?;
        let mode = simple_mode(&self.query)?;
        let name = HubName::parse(self.hub)?;
        // A stranger must not bring a hub into being: memory is for those who may connect.
        let claims = match claims {
            Some(claims) => claims,
            None => entrant::anonymous(self.resource.hub(&name), &self)?,
        };
        let hub = self.service.hub(&self.resource, &name);
        let id = self.service.backplane().allocate();
        match entrant::admit(&self, &hub, id, claims).await? {
            Admission::Admitted(entrant) => self.open(&hub, id, *entrant, mode).await,
            Admission::Refused(refusal) => Ok(refused(refusal)),
        }
    }

    async fn open(
        self,
        hub: &Hub,
        id: ConnectionId,
        entrant: Entrant,
        mode: SimpleMode,
    ) -> Result<Response> {
        let Entrant { user, roles, groups, subprotocol, echoed, context } = entrant;
        let echoed = echoed.as_deref().and_then(|name| HeaderValue::from_str(name).ok());
        let sink = context.map(|context| {
            context.set_subprotocol(echoed.as_ref().and_then(|name| name.to_str().ok()));
            let (service, hub) = (self.service, hub.id);
            let (upstream, backplane) = (service.upstream().clone(), service.backplane().clone());
            Arc::new(ConnectionEvents { upstream, context, backplane, hub, id })
                as Arc<dyn EventSink>
        });
        let user: Option<Arc<str>> = user.map(Into::into);
        let permissions = Permissions::from_roles(roles.iter().map(String::as_str));
        let presence = self.service.presence(&self.resource, &hub.name, id, user.as_ref());
        let events = EventSource::new(sink).seen_by(presence);
        let session: Box<dyn Session> = match subprotocol.envelope() {
            Some(envelope) => {
                let tokens = self.service.reconnection_tokens();
                let token = subprotocol.numbering().map(|_| tokens.issue(id));
                let user = user.clone();
                Box::new(PubSubSession::new(id, user, permissions, envelope, token, events))
            }
            None => Box::new(SimpleSession::new(id, user.clone(), permissions, mode, events)),
        };
        let opening = Opening {
            id,
            hub: hub.id,
            user,
            groups: groups.into_iter().map(Into::into).collect(),
            variant: subprotocol.variant(),
            keep_alive_secs: hub.keep_alive_secs,
            reliable: subprotocol.numbering(),
            session,
        };
        tracing::debug!(connection = %id, hub = hub.name.as_str(), ?subprotocol, "connecting");
        self.register(opening, echoed).await
    }

    /// An old connection that wants to go on. Its token is not looked at: the client comes with the
    /// URL it first had, and that token may have expired (client specification).
    async fn recover(self, id: &str) -> Result<Response> {
        let token = self.query.one("awps_reconnection_token").unwrap_or_default();
        let tokens = self.service.reconnection_tokens();
        let name = HubName::parse(self.hub)?;
        let backplane = self.service.backplane();
        let recovered = match ConnectionId::parse(id).filter(|id| tokens.holds(*id, token)) {
            Some(id) => {
                let hub = self.service.hub(&self.resource, &name).id;
                let variant = self.common.0.variant();
                backplane.recover(hub, id, variant).await.map(|reservation| (reservation, id))
            }
            None => None,
        };
        let (subprotocol, name) = &self.common;
        let echoed = name.as_deref().and_then(|name| HeaderValue::from_str(name).ok());
        if let Some((reservation, id)) = recovered {
            tracing::debug!(connection = %id, "a connection is recovered");
            tokio::spawn(hand_over(self.upgrade, reservation, id));
            return Ok(switching_protocols(&self.key, echoed));
        }
        tracing::debug!(hub = self.hub, "a connection could not be recovered");
        let opening = Opening {
            id: backplane.allocate(),
            hub: backplane.hub(NOWHERE),
            user: None,
            groups: Vec::new(),
            variant: subprotocol.variant(),
            keep_alive_secs: REFUSED_KEEP_ALIVE_SECS,
            reliable: None,
            session: Box::new(RefusedSession),
        };
        self.register(opening, echoed).await
    }

    async fn register(self, opening: Opening, echoed: Option<HeaderValue>) -> Result<Response> {
        let id = opening.id;
        let opened = self.service.backplane().open(opening).await;
        let reservation = opened.map_err(|_| shutting_down())?;
        tokio::spawn(hand_over(self.upgrade, reservation, id));
        Ok(switching_protocols(&self.key, echoed))
    }
}

/// What a client is told that the event handler refuses: the handler's own status and words.
fn refused(refusal: upstream::Refusal) -> Response {
    let mut response = Response::new(Body::from(refusal.body));
    *response.status_mut() = refusal.status;
    if let Some(content_type) = refusal.content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
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
            tracing::warn!(connection = %id, %error, "the socket could not be taken over");
        }
    }
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
