//! The transports of a session, from an HTTP request to a connection of a device.
//!
//! A connection is registered in the engine and with its device before the client hears of it, so
//! whatever is told from then on reaches it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use edge::websocket::{switching_protocols, websocket_key};
use gateway::{ConnectionId, Opening, Reservation, Session, Socket, Variant};
use hyper::upgrade::OnUpgrade;
use kernel::{Error, ErrorKind, Result};

use super::Signaling;
use super::devices::Refused;
use super::polling::Polling;
use super::ticket::Ticket;
use super::websocket::{BEGIN_ANEW, RefusedSession, SignalingSession, WebSocketLink};
use crate::chat::rules::invalid;
use crate::resource::Resource;
use crate::rest::{Answer, Query};

/// How long after the handshake a session may be opened.
const TICKET_LIFETIME: Duration = Duration::from_mins(2);
/// A peer that is gone without a word is noticed within three of these.
const KEEP_ALIVE_SECS: u32 = 30;
/// What a client says at once: answers and signs of life, all of them small.
const MAX_POST: usize = 1024 * 1024;
/// All connections have one wire form, since nothing is published to them: they are told one by one.
const PACKETS: Variant = Variant::new(0);

impl Signaling {
    /// Whom a session belongs to; `None` when it is not ours or was not opened in time.
    fn ticket(&self, sid: &str, resource: &Resource) -> Option<Ticket> {
        let ticket = Ticket::open(sid, resource)?;
        (self.now().since(ticket.issued) <= TICKET_LIFETIME).then_some(ticket)
    }

    /// Brings a device back that only the store remembers.
    async fn remember(&self, ticket: &Ticket) -> Result<()> {
        let (devices, now) = (&self.0.devices, self.now());
        if !devices.knows(ticket)
            && let Some(missed) = self.0.journal.missed(ticket, now).await?
        {
            // Known from here on, so what comes while the store is asked again is not lost.
            devices.expect(ticket, now);
            let missed = self.0.journal.missed(ticket, now).await?.unwrap_or(missed);
            devices.restore(ticket, missed, now);
        }
        Ok(())
    }
}

/// `GET /socket.io/1/websocket/{sid}`
pub(super) async fn websocket(
    State(signaling): State<Signaling>,
    Path(sid): Path<String>,
    request: Request,
) -> Answer {
    let (mut parts, _) = request.into_parts();
    let resource = signaling.resource(&parts)?;
    let key = websocket_key(&parts.headers).map_err(invalid)?;
    let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(|| {
        invalid("This HTTP connection cannot become a WebSocket. Connect with HTTP/1.1.")
    })?;
    let backplane = &signaling.0.backplane;
    let id = backplane.allocate();
    let (session, attach): (Box<dyn Session>, _) = match signaling.ticket(&sid, &resource) {
        None => (Box::new(RefusedSession::begin_anew()), None),
        Some(ticket) => {
            signaling.remember(&ticket).await?;
            let member = signaling.0.devices.member(&ticket);
            let session = SignalingSession::new(member.clone(), Arc::clone(&signaling.0.devices));
            (Box::new(session), Some((member, ticket)))
        }
    };
    let hub = signaling.hub(&resource);
    let reservation = signaling.reserve(&resource, id, session).await?;
    let Some((member, ticket)) = attach else {
        return Ok(upgraded(&key, upgrade, reservation, id));
    };
    let link = Box::new(WebSocketLink { backplane: backplane.clone(), hub, id });
    match signaling.0.devices.attach(&member, &ticket, link, signaling.now()) {
        Ok(()) => Ok(upgraded(&key, upgrade, reservation, id)),
        Err(Refused::Closing) => Err(shutting_down().into()),
        Err(Refused::Unauthorized) => {
            drop(reservation);
            let (id, session) = (backplane.allocate(), Box::new(RefusedSession::unauthorized()));
            let reservation = signaling.reserve(&resource, id, session).await?;
            Ok(upgraded(&key, upgrade, reservation, id))
        }
    }
}

impl Signaling {
    async fn reserve(
        &self,
        resource: &Resource,
        id: ConnectionId,
        session: Box<dyn Session>,
    ) -> Result<Reservation> {
        let opening = Opening {
            id,
            hub: self.hub(resource),
            user: None,
            groups: Vec::new(),
            variant: PACKETS,
            keep_alive_secs: KEEP_ALIVE_SECS,
            // What is unanswered is kept by the device, which outlives the connection by far.
            reliable: None,
            session,
        };
        self.0.backplane.open(opening).await.map_err(|_| shutting_down())
    }
}

fn upgraded(key: &str, upgrade: OnUpgrade, reservation: Reservation, id: ConnectionId) -> Response {
    tokio::spawn(hand_over(upgrade, reservation, id));
    switching_protocols(key, None)
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

/// `GET /socket.io/1/xhr-polling/{sid}`
pub(super) async fn poll_fetch(
    State(signaling): State<Signaling>,
    Path(sid): Path<String>,
    parts: Parts,
) -> Answer {
    let polling = match signaling.0.pollings.get(&sid) {
        Some(polling) => polling,
        None => match signaling.begin_polling(&sid, &parts).await? {
            Ok(polling) => polling,
            Err(packet) => return Ok(text(packet)),
        },
    };
    // Each request of a client has a moment of its own; a browser repeats one as it was.
    let query = Query::of(&parts.uri);
    let answer = polling.fetch(query.one("t"), signaling.now(), &signaling.0.stop).await;
    Ok(text(answer))
}

impl Signaling {
    /// A new polling connection, or the packet that refuses it.
    async fn begin_polling(
        &self,
        sid: &str,
        parts: &Parts,
    ) -> Result<std::result::Result<Arc<Polling>, String>> {
        let resource = self.resource(parts)?;
        let Some(ticket) = self.ticket(sid, &resource) else {
            return Ok(Err(BEGIN_ANEW.to_owned()));
        };
        self.remember(&ticket).await?;
        let (devices, now) = (&self.0.devices, self.now());
        let polling = Polling::new(devices.member(&ticket), Arc::clone(devices), now);
        if !self.0.pollings.insert(sid, &polling) {
            // No room, or another request of the same client was faster.
            return self.0.pollings.get(sid).map(Ok).ok_or_else(crowded);
        }
        match devices.attach(polling.member(), &ticket, polling.link(), now) {
            Ok(()) => Ok(Ok(polling)),
            Err(refused) => {
                polling.end(now);
                match refused {
                    Refused::Closing => Err(shutting_down()),
                    Refused::Unauthorized => Ok(Err(RefusedSession::unauthorized().packet())),
                }
            }
        }
    }
}

/// `POST /socket.io/1/xhr-polling/{sid}`
pub(super) async fn poll_send(
    State(signaling): State<Signaling>,
    Path(sid): Path<String>,
    body: Body,
) -> Answer {
    let body = edge::body::read(body, MAX_POST).await?;
    let batch = std::str::from_utf8(&body).map_err(|_| invalid("Packets are UTF-8."))?;
    let Some(polling) = signaling.0.pollings.get(&sid) else {
        return Ok((StatusCode::INTERNAL_SERVER_ERROR, BEGIN_ANEW).into_response());
    };
    polling.hear(batch, signaling.now()).map_err(|malformed| invalid(malformed.0))?;
    Ok(text("1"))
}

fn text(packets: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], packets.into()).into_response()
}

pub(super) fn shutting_down() -> Error {
    let message = "The server is shutting down. Connect again in a moment.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
        .retry_after(Duration::from_secs(1))
}

fn crowded() -> Error {
    let message = "The server has as many polling connections as it takes. Connect by WebSocket, \
                   or again in a moment.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
        .retry_after(Duration::from_secs(10))
}
