//! The calls of Call Automation: `/calling/callConnections…`.
//!
//! They are signed with an access key of the resource. Two of them, answering and rejecting, are also
//! taken from a user's own device, with an access token that has the scope `voip` or `voip.join`: this
//! is an addition of this server, since the protocol of the real calling clients is not public.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use kernel::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::machine::call_is_over;
use super::model::Person;
use super::outcome::Unanswered;
use super::service::{Addition, Calling, NewCall};
use crate::identifier::{IdentifierModel, RawId};
use crate::identity::Scope;
use crate::resource::Resource;
use crate::rest::{self, Answer, Failure, Query};

/// No body of these calls needs more.
const MAX_BODY: usize = 64 * 1024;
/// Longest text that is kept as it is, such as `operationContext`.
const MAX_TEXT: usize = 5_000;
const MAX_TARGETS: usize = 100;
/// Longest time that an invitation may ring.
const MAX_RING: u64 = 180;

/// The routes.
pub fn router(calling: Calling) -> Router {
    const BASE: &str = "/calling/callConnections";
    let at = |rest: &str| format!("{BASE}{rest}");
    Router::new()
        // Paths here have actions such as ":answer", once a syntax for parameters.
        .without_v07_checks()
        .route(BASE, post(create))
        .route(&at(":answer"), post(answer))
        .route(&at(":reject"), post(reject))
        .route(&at(":redirect"), post(redirect))
        .route(&at("/{connection}"), get(read).delete(hang_up).post(act))
        .route(&at("/{connection}/participants"), get(participants))
        .route(&at("/{connection}/participants/{participant}"), get(participant))
        .route(&at("/{connection}/participants:add"), post(add))
        .route(&at("/{connection}/participants:cancelAddParticipant"), post(cancel))
        .route(&at("/{connection}/participants:remove"), post(remove))
        .route(&at("/{connection}/participants:mute"), post(mute))
        .with_state(calling)
}

/// The refusal of an operation that is not here; `None` for a path of somebody else's.
pub fn refuse_unknown(method: &Method, uri: &Uri) -> Option<Response> {
    uri.path()
        .starts_with("/calling/")
        .then(|| Failure::from(unsupported(&format!("{method} {}", uri.path()))).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody {
    targets: Vec<IdentifierModel>,
    callback_uri: String,
    source: Option<IdentifierModel>,
    source_display_name: Option<String>,
    operation_context: Option<String>,
}

/// `POST /calling/callConnections`
async fn create(State(calling): State<Calling>, request: Request<Body>) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: CreateBody = call.order()?;
    if !(1..=MAX_TARGETS).contains(&order.targets.len()) {
        let message = format!("targets are 1 to {MAX_TARGETS}.");
        return Err(invalid("targets", message).into());
    }
    let targets: Result<Vec<RawId>> =
        order.targets.iter().map(|it| callee(it, "targets")).collect();
    let source = order.source.as_ref().map(source).transpose()?;
    let repeated = call.parts.headers.get("repeatability-request-id");
    let request = repeated.and_then(|it| it.to_str().ok()).map(|it| {
        let it: String = it.chars().take(128).collect();
        format!("{}/{it}", call.resource.name)
    });
    let new = NewCall {
        targets: targets?,
        source,
        display_name: short("sourceDisplayName", order.source_display_name)?,
        callback: callback("callbackUri", order.callback_uri)?,
        operation_context: short("operationContext", order.operation_context)?,
        request,
    };
    let seen = calling.create(&call.resource, new).await?;
    Ok((StatusCode::CREATED, Json(seen.properties()?)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerBody {
    incoming_call_context: String,
    callback_uri: Option<String>,
    operation_context: Option<String>,
}

/// `POST /calling/callConnections:answer`
async fn answer(State(calling): State<Calling>, request: Request<Body>) -> Answer {
    let call = Signed::or_user(&calling, request).await?;
    let order: AnswerBody = call.order()?;
    let uri = order.callback_uri.map(|uri| callback("callbackUri", uri)).transpose()?;
    if uri.is_none() && call.user.is_none() {
        return Err(invalid("callbackUri", "callbackUri is missing.").into());
    }
    let application = (uri, short("operationContext", order.operation_context)?);
    let context = &order.incoming_call_context;
    let seen = calling.answer(&call.resource, context, call.user.as_ref(), application).await?;
    Ok(Json(seen.properties()?).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RejectBody {
    incoming_call_context: String,
    call_reject_reason: Option<String>,
}

/// `POST /calling/callConnections:reject`
async fn reject(State(calling): State<Calling>, request: Request<Body>) -> Answer {
    let call = Signed::or_user(&calling, request).await?;
    let order: RejectBody = call.order()?;
    let why = match order.call_reject_reason.as_deref() {
        None | Some("none") => Unanswered::Declined,
        Some("busy") => Unanswered::Busy,
        Some("forbidden") => Unanswered::Forbidden,
        Some(_) => {
            let message = "callRejectReason is none, busy or forbidden.";
            return Err(invalid("callRejectReason", message).into());
        }
    };
    let context = &order.incoming_call_context;
    calling.reject(&call.resource, context, call.user.as_ref(), why).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedirectBody {
    incoming_call_context: String,
    target: IdentifierModel,
}

/// `POST /calling/callConnections:redirect`
async fn redirect(State(calling): State<Calling>, request: Request<Body>) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: RedirectBody = call.order()?;
    let target = callee(&order.target, "target")?;
    calling.redirect(&call.resource, &order.incoming_call_context, target).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /calling/callConnections/{id}`
async fn read(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let seen = calling.seen(&call.resource, &connection).await?;
    Ok(Json(seen.properties()?).into_response())
}

/// `DELETE /calling/callConnections/{id}`
async fn hang_up(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    calling.with(&call.resource, &connection, |change| change.hang_up(&connection)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /calling/callConnections/{id}:terminate`, and the operations that are not here.
async fn act(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let (connection, action) = connection.rsplit_once(':').unwrap_or((&connection, ""));
    if action != "terminate" {
        return Err(unsupported(action).into());
    }
    calling.with(&call.resource, connection, |change| change.terminate(connection)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET …/participants`
async fn participants(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let seen = calling.seen(&call.resource, &connection).await?;
    let value: Vec<Value> = seen.call.joined().map(Person::to_json).collect();
    Ok(Json(json!({ "value": value })).into_response())
}

/// `GET …/participants/{rawId}`
async fn participant(
    State(calling): State<Calling>,
    Path((connection, participant)): Path<(String, String)>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let seen = calling.seen(&call.resource, &connection).await?;
    let found = seen.call.joined().find(|it| it.id == participant).map(Person::to_json);
    Ok(Json(found.ok_or_else(call_is_over)?).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddBody {
    participant_to_add: IdentifierModel,
    invitation_timeout_in_seconds: Option<u64>,
    operation_context: Option<String>,
    operation_callback_uri: Option<String>,
}

/// `POST …/participants:add`
async fn add(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: AddBody = call.order()?;
    let user = callee(&order.participant_to_add, "participantToAdd")?;
    if order.invitation_timeout_in_seconds.is_some_and(|it| it > MAX_RING) {
        let message = format!("invitationTimeoutInSeconds is 0 to {MAX_RING}.");
        return Err(invalid("invitationTimeoutInSeconds", message).into());
    }
    let reply = Reply::of(order.operation_callback_uri, order.operation_context)?;
    let addition = Addition {
        user: user.clone(),
        timeout: order.invitation_timeout_in_seconds.map(Duration::from_secs),
        callback: reply.uri,
        operation_context: reply.context.clone(),
    };
    let invitation = calling.add(&call.resource, &connection, addition).await?;
    let participant = json!({ "identifier": user.to_json(), "isMuted": false, "isOnHold": false });
    let mut body = json!({ "participant": participant, "invitationId": invitation });
    put_context(&mut body, reply.context.as_deref());
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody {
    invitation_id: String,
    operation_context: Option<String>,
}

/// `POST …/participants:cancelAddParticipant`
async fn cancel(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: CancelBody = call.order()?;
    let id = &order.invitation_id;
    calling.with(&call.resource, &connection, |change| change.cancel(id)).await?;
    let mut body = json!({ "invitationId": id });
    put_context(&mut body, order.operation_context.as_deref());
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoveBody {
    participant_to_remove: IdentifierModel,
    operation_context: Option<String>,
    operation_callback_uri: Option<String>,
}

/// `POST …/participants:remove`
async fn remove(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: RemoveBody = call.order()?;
    let user = callee(&order.participant_to_remove, "participantToRemove")?;
    let reply = Reply::of(order.operation_callback_uri, order.operation_context)?;
    let change = |change: &mut super::machine::Change<'_>| {
        change.remove(&connection, &user, (reply.uri.clone(), reply.context.clone()))
    };
    calling.with(&call.resource, &connection, change).await?;
    let mut body = json!({});
    put_context(&mut body, reply.context.as_deref());
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MuteBody {
    target_participants: Vec<IdentifierModel>,
    operation_context: Option<String>,
}

/// `POST …/participants:mute`
async fn mute(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: MuteBody = call.order()?;
    let [target] = order.target_participants.as_slice() else {
        return Err(invalid("targetParticipants", "targetParticipants is one.").into());
    };
    let user = callee(target, "targetParticipants")?;
    calling.with(&call.resource, &connection, |change| change.mute(&connection, &user)).await?;
    let mut body = json!({});
    put_context(&mut body, order.operation_context.as_deref());
    Ok(Json(body).into_response())
}

/// A call whose credential holds.
struct Signed {
    resource: Arc<Resource>,
    /// The user whose token came in place of a signature.
    user: Option<RawId>,
    parts: Parts,
    body: Bytes,
}

impl Signed {
    /// Signed with an access key.
    async fn read(calling: &Calling, request: Request<Body>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let foundations = calling.foundations();
        let resource = Arc::clone(foundations.resources.pick(rest::host(&parts))?);
        let body = edge::body::read(body, MAX_BODY).await?;
        let now = foundations.clock.now();
        crate::identity::rest::check_signature(&resource, &parts, &body, now)?;
        check_version(&parts.uri)?;
        Ok(Self { resource, user: None, parts, body })
    }

    /// Signed with an access key, or with the token of a user who may call.
    async fn or_user(calling: &Calling, request: Request<Body>) -> Result<Self> {
        let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|it| it.strip_prefix("Bearer ")).map(str::to_owned);
        let Some(token) = token else { return Self::read(calling, request).await };
        let (parts, body) = request.into_parts();
        let foundations = calling.foundations();
        let resource = Arc::clone(foundations.resources.pick(rest::host(&parts))?);
        let caller = foundations.identities.authenticate(&resource, token.trim()).await?;
        if !caller.scopes.has_any(&[Scope::Voip, Scope::VoipJoin]) {
            let message = "The access token has not the scope voip or voip.join.";
            return Err(Error::new(ErrorKind::Forbidden, "Forbidden", message));
        }
        check_version(&parts.uri)?;
        let body = edge::body::read(body, MAX_BODY).await?;
        Ok(Self { resource, user: Some(caller.id), parts, body })
    }

    fn order<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            invalid("body", format!("The request body is not what this operation takes: {error}."))
        })
    }
}

/// Whom to tell how an operation ends.
struct Reply {
    uri: Option<String>,
    context: Option<String>,
}

impl Reply {
    fn of(uri: Option<String>, context: Option<String>) -> Result<Self> {
        let uri = uri.map(|uri| callback("operationCallbackUri", uri)).transpose()?;
        Ok(Self { uri, context: short("operationContext", context)? })
    }
}

/// Versions of Call Automation differ in what is not here, so every one is taken.
fn check_version(uri: &Uri) -> Result<()> {
    match Query::of(uri).one("api-version") {
        Some(version) if !version.is_empty() => Ok(()),
        _ => Err(invalid("api-version", "The query parameter api-version is missing.")),
    }
}

/// Somebody who can be rung: a user of this installation.
fn callee(model: &IdentifierModel, target: &'static str) -> Result<RawId> {
    let id = RawId::from_model(model, target)?;
    if id.as_str().starts_with("8:acs:") {
        return Ok(id);
    }
    let message = "Only users of this service can be called: no telephone network and no Teams \
                   tenant is connected.";
    Err(invalid(target, message))
}

/// Who calls. Python writes the user without a nested model.
fn source(model: &IdentifierModel) -> Result<RawId> {
    callee(model, "source")
}

fn callback(name: &'static str, uri: String) -> Result<String> {
    let parsed: Option<Uri> = uri.parse().ok();
    let scheme = parsed.as_ref().filter(|it| it.host().is_some()).and_then(Uri::scheme_str);
    if uri.len() <= 2048 && matches!(scheme, Some("https" | "http")) {
        return Ok(uri);
    }
    Err(invalid(name, format!("{name} is an absolute address, such as https://app.example/calls.")))
}

fn short(name: &'static str, text: Option<String>) -> Result<Option<String>> {
    match &text {
        Some(it) if it.len() > MAX_TEXT => {
            Err(invalid(name, format!("{name} has at most {MAX_TEXT} bytes.")))
        }
        _ => Ok(text),
    }
}

fn put_context(body: &mut Value, context: Option<&str>) {
    if let Some(context) = context {
        body["operationContext"] = context.into();
    }
}

fn unsupported(what: &str) -> Error {
    let shown: String = what.chars().take(200).collect();
    let message = format!(
        "There is no operation '{}' here. Calls are created, answered, rejected, redirected and hung \
         up, and their participants added, removed and muted; media, recording and transfer are not \
         part of this server.",
        shown.escape_debug()
    );
    Error::new(ErrorKind::NotFound, "OperationNotSupported", message)
}

fn invalid(target: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(target)
}
