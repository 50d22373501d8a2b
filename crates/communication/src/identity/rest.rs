//! The REST calls about identities: `/identities…`, `/access…`. All but the key set are signed with an
//! access key of the resource.

use std::sync::Arc;
use std::time::Duration;

use auth::KeySlot;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderName, Request, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use axum::{Extension, Json};
use bytes::Bytes;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::hmac::{self, SignedRequest};
use super::scope::Scopes;
use super::service::{Identity, Issued, Wanted};
use super::{MAX_LIFETIME, MIN_LIFETIME};
use crate::identifier::RawId;
use crate::resource::Resource;
use crate::rest::{self, Answer};
use crate::service::Communication;
use crate::{time, version};

/// No body of these calls needs more.
const MAX_BODY: usize = 64 * 1024;

const DATE: HeaderName = HeaderName::from_static("x-ms-date");
const CONTENT_HASH: HeaderName = HeaderName::from_static("x-ms-content-sha256");

pub(crate) fn router(service: Communication) -> Router {
    Router::new()
        // Paths here have segments such as ":issueAccessToken", once a syntax for parameters.
        .without_v07_checks()
        .route("/identities", post(create))
        .route("/identities/{id}", get(read).delete(delete))
        .route("/identities/{id}/:issueAccessToken", post(issue))
        .route("/identities/{id}/:revokeAccessTokens", post(revoke))
        .route("/teamsUser/:exchangeAccessToken", post(no_exchange))
        .route("/access/teamsExtension/:exchangeAccessToken", post(no_exchange))
        .route("/access/entra/:exchangeAccessToken", post(no_exchange))
        .route("/access/.well-known/jwks.json", get(key_set))
        .with_state(service)
}

/// What was granted to whom, for the layers around these routes: an extension of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The identity that was made or got a token.
    pub identity: RawId,
    /// What the token permits, such as `chat`; empty without one.
    pub scopes: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CreateBody {
    create_token_with_scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i64>,
    custom_id: Option<String>,
}

/// `POST /identities`
async fn create(State(service): State<Communication>, request: Request<Body>) -> Answer {
    let call = Call::signed(&service, request).await?;
    let order: CreateBody = call.order()?;
    let names = order.create_token_with_scopes.unwrap_or_default();
    let scopes = Scopes::parse(names.iter().map(String::as_str), "createTokenWithScopes")?;
    let lifetime = lifetime(order.expires_in_minutes)?;
    let wanted = (!scopes.is_empty()).then_some(Wanted { scopes, lifetime, slot: call.slot });
    let (identity, issued) =
        service.identities().create(&call.resource, order.custom_id.as_deref(), wanted).await?;
    let mut answer = json!({ "identity": identity_json(&identity) });
    if let Some(issued) = issued {
        answer["accessToken"] = issued_json(&issued);
    }
    let granted = Granted { identity: identity.id, scopes: names };
    Ok((StatusCode::CREATED, Extension(granted), Json(answer)).into_response())
}

/// `GET /identities/{id}`
async fn read(
    State(service): State<Communication>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Call::signed(&service, request).await?;
    let identity = service.identities().get(&call.resource, &RawId::new(id)).await?;
    Ok(Json(identity_json(&identity)).into_response())
}

/// `DELETE /identities/{id}`
async fn delete(
    State(service): State<Communication>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Call::signed(&service, request).await?;
    service.identities().delete(&call.resource, &RawId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IssueBody {
    scopes: Vec<String>,
    expires_in_minutes: Option<i64>,
}

/// `POST /identities/{id}/:issueAccessToken`
async fn issue(
    State(service): State<Communication>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Call::signed(&service, request).await?;
    let order: IssueBody = call.order()?;
    let scopes = Scopes::parse(order.scopes.iter().map(String::as_str), "scopes")?;
    if scopes.is_empty() {
        let message = "At least one scope is needed, such as \"chat\".";
        return Err(invalid(message).target("scopes").into());
    }
    let wanted = Wanted { scopes, lifetime: lifetime(order.expires_in_minutes)?, slot: call.slot };
    let identity = RawId::new(id);
    let issued = service.identities().issue(&call.resource, &identity, wanted).await?;
    let granted = Granted { identity, scopes: order.scopes };
    Ok((Extension(granted), Json(issued_json(&issued))).into_response())
}

/// `POST /identities/{id}/:revokeAccessTokens`
async fn revoke(
    State(service): State<Communication>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Call::signed(&service, request).await?;
    service.identities().revoke(&call.resource, &RawId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The exchange of a Microsoft Entra token, which needs a tenant that this server does not trust.
async fn no_exchange() -> Answer {
    let message = "This server trusts no Microsoft Entra tenant, so it exchanges no Entra tokens. \
                   Create an identity and issue a token for it instead.";
    Err(Error::new(ErrorKind::Unauthenticated, "InvalidAccessToken", message).into())
}

/// `GET /access/.well-known/jwks.json`: the public keys of user access tokens; no credential needed
async fn key_set(State(service): State<Communication>) -> Json<Value> {
    Json(service.identities().jwks())
}

/// A call that was signed with an access key.
struct Call {
    resource: Arc<Resource>,
    slot: KeySlot,
    body: Bytes,
}

impl Call {
    async fn signed(service: &Communication, request: Request<Body>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let host = rest::host(&parts).unwrap_or_default();
        let resource = Arc::clone(service.resources().pick(Some(host))?);
        let body = edge::body::read(body, MAX_BODY).await?;
        let now = service.identities().clock().now();
        let slot = check_signature(&resource, &parts, &body, now)?;
        version::IDENTITY.check(rest::Query::of(&parts.uri).one("api-version"))?;
        service.admit(&parts, &resource.name, None).await?;
        Ok(Self { resource, slot, body })
    }

    /// The order in the body; an empty body, which some clients send, orders nothing special.
    fn order<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(T::default());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            invalid(format!("The request body is not what this operation takes: {error}."))
        })
    }
}

/// Checks the signature of a request with the access keys of the resource that it is for.
///
/// # Errors
/// `Unauthenticated` with the reason.
pub(crate) fn check_signature(
    resource: &Resource,
    parts: &Parts,
    body: &[u8],
    now: Timestamp,
) -> Result<KeySlot> {
    let header = |name: HeaderName| parts.headers.get(name).and_then(|it| it.to_str().ok());
    let refuse = |reason: &str| {
        let message = format!("The request is not signed as it must be: {reason}.");
        Error::new(ErrorKind::Unauthenticated, "Unauthorized", message)
    };
    let Some(authorization) = header(AUTHORIZATION) else {
        return Err(refuse("the header Authorization is missing"));
    };
    if authorization.starts_with("Bearer ") {
        return Err(refuse(
            "this server trusts no Microsoft Entra tenant; use the connection string, whose access \
             key signs requests",
        ));
    }
    let signed = SignedRequest {
        method: parts.method.as_str(),
        target: parts.uri.path_and_query().map_or("/", |it| it.as_str()),
        host: rest::host(parts).unwrap_or_default(),
        date: header(DATE),
        content_hash: header(CONTENT_HASH),
        authorization,
        body,
    };
    hmac::verify(&signed, &resource.keys.current(), resource.clock_skew, now)
        .map_err(|reason| refuse(&reason.to_string()).because(reason.cause()))
}

fn lifetime(minutes: Option<i64>) -> Result<Duration> {
    let Some(minutes) = minutes else { return Ok(MAX_LIFETIME) };
    let seconds = u64::try_from(minutes).ok().and_then(|minutes| minutes.checked_mul(60));
    let span = seconds.map(Duration::from_secs);
    span.filter(|span| (MIN_LIFETIME..=MAX_LIFETIME).contains(span))
        .ok_or_else(|| invalid("expiresInMinutes is 60 to 1440.").target("ExpiresInMinutes"))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "ValidationError", message)
}

fn identity_json(identity: &Identity) -> Value {
    let mut json = json!({ "id": identity.id.as_str() });
    if let Some(custom_id) = &identity.custom_id {
        json["customId"] = custom_id.as_str().into();
    }
    if let Some(at) = identity.last_token_at {
        json["lastTokenIssuedAt"] = time::seconds(at).into();
    }
    json
}

fn issued_json(issued: &Issued) -> Value {
    json!({ "token": issued.token.expose(), "expiresOn": time::offset(issued.expires) })
}
