//! The HTTP side: where the service is, a place in it, a session, registrations.
//!
//! | request | answer |
//! |---|---|
//! | `GET /chat/config/realTimeNotifications` | the addresses of the rest |
//! | `POST /v4/a` | an allocation: what the client says about itself from now on |
//! | `GET /socket.io/1/` | the name of a session, to be opened by one of the transports |
//! | `GET /socket.io/1/websocket/{sid}` | the WebSocket ([`super::connect`]) |
//! | `GET`, `POST /socket.io/1/xhr-polling/{sid}` | the fallback ([`super::connect`]) |
//! | `POST /registrar/prod/v3/registrations`, `DELETE …/{id}` | the device is, or is no more |
//!
//! All but the transports carry the user's token, as `Authorization` or as `X-Skypetoken`.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use kernel::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::journal::Registration;
use super::notice::PUSH_PATH;
use super::ticket::{Allocation, Ticket};
use super::trouter::CONNECTION_TTL_SECS;
use super::{Signaling, connect};
use crate::chat::Access;
use crate::chat::rules::{Right, check_scope, invalid};
use crate::identity::TokenRefusal;
use crate::rest::{self, Answer, Failure, Query};
use crate::version;

/// The path of the registrar below the origin of the service.
const REGISTRAR: &str = "/registrar/prod";
/// Seconds without any packet after which a client gives a connection up.
const HEARTBEAT_SECS: u32 = 180;
/// An allocation that ends sooner is replaced by a new one: clients drop those with an hour left.
const SHORTEST_ALLOCATION: Duration = Duration::from_hours(24);
/// The longest life of a registration, which is what browsers ask for.
const MAX_REGISTRATION: Duration = Duration::from_secs(7_200);
const MAX_REGISTRATION_BODY: usize = 64 * 1024;
/// The longest name of a device, which real clients make a UUID.
const MAX_DEVICE: usize = 128;

pub(super) fn router(signaling: Signaling) -> Router {
    Router::new()
        .route("/chat/config/realTimeNotifications", get(discover))
        .route("/v4/a", post(allocate))
        .route("/socket.io/1", get(handshake))
        .route("/socket.io/1/", get(handshake))
        .route("/socket.io/1/websocket/{sid}", get(connect::websocket))
        .route("/socket.io/1/xhr-polling/{sid}", get(connect::poll_fetch).post(connect::poll_send))
        .route(&format!("{REGISTRAR}/v3/registrations"), post(register))
        .route(&format!("{REGISTRAR}/v3/registrations/{{name}}"), delete(unregister))
        .with_state(signaling)
}

/// A request with the user's token.
pub(super) struct Call {
    access: Access,
    query: Query,
    origin: String,
}

impl FromRequestParts<Signaling> for Call {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut Parts,
        signaling: &Signaling,
    ) -> std::result::Result<Self, Failure> {
        let resource = signaling.resource(parts)?;
        let token = token(parts).ok_or_else(|| Failure::silent(TokenRefusal::Absent))?;
        let caller = match signaling.0.identities.authenticate(&resource, token).await {
            Err(error) if error.kind() == ErrorKind::Unauthenticated => {
                return Err(Failure::silent_as(error));
            }
            outcome => outcome?,
        };
        let origin = rest::origin(parts, &resource);
        let query = Query::of(&parts.uri);
        Ok(Self { access: Access { resource, caller }, query, origin })
    }
}

fn token(parts: &Parts) -> Option<&str> {
    let text = |name: &str| parts.headers.get(name)?.to_str().ok();
    let bearer = || text("authorization")?.split_once(' ').map(|(_, token)| token);
    text("x-skypetoken").or_else(bearer).map(str::trim).filter(|token| !token.is_empty())
}

async fn discover(call: Call) -> Answer {
    version::CHAT.check(call.query.one("api-version"))?;
    // The only place where a missing right shows: later on clients would try again for ever.
    check_scope(&call.access.caller, Right::TakePart)?;
    let body = json!({
        "trouterServiceUrl": call.origin,
        "registrarServiceUrl": format!("{}{REGISTRAR}", call.origin),
        "cloudType": "public",
    });
    Ok(axum::Json(body).into_response())
}

async fn allocate(State(signaling): State<Signaling>, call: Call) -> Answer {
    signaling.check_open()?;
    let (user, resource) = (&call.access.caller.id, &call.access.resource);
    let now = signaling.now();
    let now_ms = crate::time::to_millis(now);
    // A client that comes back keeps its name while that is good for long enough.
    let known = allocation(&call.query).filter(|(allocation, signature)| {
        let left = allocation.expires_ms.saturating_sub(now_ms);
        left >= SHORTEST_ALLOCATION.as_millis() as i64
            && allocation.is_signed(user, resource, signature)
    });
    let lifetime_ms = i64::from(CONNECTION_TTL_SECS) * 1_000;
    let allocation =
        known.map_or_else(|| Allocation::new(now_ms + lifetime_ms), |(allocation, _)| allocation);
    let ttl_secs = (allocation.expires_ms - now_ms) / 1_000;
    let url = format!("{}{PUSH_PATH}", call.origin);
    let body = json!({
        "socketio": format!("{}/", call.origin),
        "surl": url,
        "url": url,
        "ttl": ttl_secs.to_string(),
        "connectparams": {
            "sr": allocation.name,
            "issuer": "tidings",
            "sp": "connect",
            "se": allocation.expires_ms.to_string(),
            "st": now_ms.to_string(),
            "sig": allocation.sign(user, resource),
        },
        "ccid": allocation.name,
        "curlb": call.origin,
        "id": allocation.name,
    });
    Ok(axum::Json(body).into_response())
}

/// The allocation that a query carries, with its signature.
fn allocation(query: &Query) -> Option<(Allocation, &str)> {
    let expires_ms = query.one("se")?.parse().ok()?;
    let name = query.one("sr")?.to_owned();
    Some((Allocation { name, expires_ms }, query.one("sig")?))
}

async fn handshake(State(signaling): State<Signaling>, call: Call) -> Answer {
    signaling.check_open()?;
    let Access { resource, caller } = &call.access;
    if let Some((allocation, signature)) = allocation(&call.query)
        && !allocation.is_signed(&caller.id, resource, signature)
    {
        let message = "The connection parameters were made for another user, or with an access key \
                       that was replaced since. Ask /v4/a for new ones.";
        return Err(Error::new(ErrorKind::Forbidden, "Forbidden", message).target("sig").into());
    }
    let ticket = Ticket {
        user: caller.id.clone(),
        device: device(call.query.one("epid").unwrap_or_default(), "epid")?.to_owned(),
        issued: signaling.now(),
        token_expires: caller.expires,
        generation: caller.generation,
    };
    let sid = ticket.seal(resource);
    let text = format!("{sid}:{HEARTBEAT_SECS}:{HEARTBEAT_SECS}:websocket,xhr-polling");
    Ok(text.into_response())
}

/// A device's name for itself.
fn device<'a>(name: &'a str, target: &'static str) -> Result<&'a str> {
    let usual = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    match !name.is_empty() && name.len() <= MAX_DEVICE && name.bytes().all(usual) {
        true => Ok(name),
        false => {
            let message = format!(
                "{target} is the name of the client, 1 to {MAX_DEVICE} letters, digits, '-', '_' \
                 and '.'; clients use a UUID."
            );
            Err(invalid(message).target(target))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegistrationBody {
    registration_id: String,
    #[serde(default)]
    client_description: ClientDescription,
    transports: serde_json::Map<String, serde_json::Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientDescription {
    #[serde(default)]
    app_id: String,
}

/// One address of a transport.
#[derive(Deserialize)]
struct Address {
    ttl: u64,
    #[serde(rename = "path")]
    _path: IgnoredAny,
}

async fn register(State(signaling): State<Signaling>, call: Call, body: Body) -> Answer {
    let body = edge::body::read(body, MAX_REGISTRATION_BODY).await?;
    let body: RegistrationBody = serde_json::from_slice(&body).map_err(|error| {
        invalid(format!("The request body is not a registration: {error}.")).target("body")
    })?;
    let registration = Registration {
        user: call.access.caller.id,
        name: device(&body.registration_id, "registrationId")?.to_owned(),
        app: body.client_description.app_id.chars().take(MAX_DEVICE).collect(),
        lifetime: lifetime(&body.transports)?,
        transports: serde_json::Value::Object(body.transports).to_string(),
    };
    signaling.0.journal.register(&registration, signaling.now()).await?;
    signaling.0.devices.keep(&registration.user, &registration.name);
    Ok(StatusCode::ACCEPTED.into_response())
}

/// The longest life that a transport asks for, as far as it is granted.
fn lifetime(transports: &serde_json::Map<String, serde_json::Value>) -> Result<Duration> {
    let mut longest = None;
    for (name, addresses) in transports {
        let addresses: Vec<Address> = Vec::deserialize(addresses).map_err(|error| {
            let name = name.escape_debug();
            let message = format!(
                "The transport {name} is not a list of objects with path and ttl: {error}."
            );
            invalid(message).target("transports")
        })?;
        longest = longest.max(addresses.iter().map(|it| it.ttl).max());
    }
    let seconds = longest.filter(|seconds| *seconds > 0).ok_or_else(|| {
        invalid("A registration has a transport with a ttl in seconds.").target("transports")
    })?;
    Ok(Duration::from_secs(seconds).min(MAX_REGISTRATION))
}

async fn unregister(
    State(signaling): State<Signaling>,
    Path(name): Path<String>,
    call: Call,
) -> Answer {
    let user = &call.access.caller.id;
    signaling.0.journal.unregister(user, &name).await?;
    signaling.0.devices.forget(user, &name);
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Whether a path that has no route is one of signaling's, for the refusal.
pub(crate) fn is_ours(path: &str) -> bool {
    ["v4", "socket.io", "registrar"].contains(&path.split('/').nth(1).unwrap_or_default())
}

/// The answer to a client that asks, after troubles, whether the server can be reached at all.
pub(crate) fn probed(method: &Method, uri: &Uri) -> Option<Response> {
    let asks = Query::of(uri).one("check").is_some();
    let probe = *method == Method::GET && uri.path() == "/" && asks;
    probe.then(|| ([(CONTENT_TYPE, "text/plain")], "Trouter").into_response())
}
