//! The calls of Call Automation: `/calling/callConnections…`.
//!
//! They are signed with an access key of the resource. Two of them, answering and rejecting, are also
//! taken from a user's own device, with an access token that has the scope `voip` or `voip.join`: this
//! is an addition of this server, since the protocol of the real calling clients is not public.

mod participants;
mod request;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use kernel::Result;
use serde::Deserialize;
use serde_json::Value;

use self::request::{Signed, callback, callee, invalid, short, unsupported};
use super::outcome::Unanswered;
use super::repeat::Reply;
use super::service::{Calling, NewCall};
use crate::identifier::{IdentifierModel, RawId};
use crate::rest::{Answer, Failure};

const MAX_TARGETS: usize = 100;

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
        .route("/calling/.well-known/acsopenidconfiguration", get(issuer))
        .route(&at("/{connection}"), get(read).delete(hang_up).post(act))
        .route(&at("/{connection}/participants"), get(participants::list))
        .route(&at("/{connection}/participants/{participant}"), get(participants::get))
        .route(&at("/{connection}/participants:add"), post(participants::add))
        .route(&at("/{connection}/participants:cancelAddParticipant"), post(participants::cancel))
        .route(&at("/{connection}/participants:remove"), post(participants::remove))
        .route(&at("/{connection}/participants:mute"), post(participants::mute))
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
    // Python writes the user without a nested model.
    let source = order.source.as_ref().map(|it| callee(it, "source")).transpose()?;
    let new = NewCall {
        targets: targets?,
        source,
        display_name: short("sourceDisplayName", order.source_display_name)?,
        callback: callback("callbackUri", order.callback_uri)?,
        operation_context: short("operationContext", order.operation_context)?,
    };
    Ok(call.answer(calling.create(call.asked(), new).await?))
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
    let reply = calling.answer(call.asked(), context, call.user.as_ref(), application).await?;
    Ok(call.answer(reply))
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
    Ok(call.answer(calling.reject(call.asked(), context, call.user.as_ref(), why).await?))
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
    let reply = calling.redirect(call.asked(), &order.incoming_call_context, target).await?;
    Ok(call.answer(reply))
}

/// `GET /calling/callConnections/{id}`
async fn read(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let seen = calling.seen(call.asked().resource, &connection).await?;
    Ok(Json(seen.properties()?).into_response())
}

/// `DELETE /calling/callConnections/{id}`
async fn hang_up(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let reply = calling.with(call.asked(), &connection, |change| {
        change.hang_up(&connection)?;
        Ok(Reply::no_content())
    });
    Ok(call.answer(reply.await?))
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
    let reply = calling.with(call.asked(), connection, |change| {
        change.terminate(connection)?;
        Ok(Reply::no_content())
    });
    Ok(call.answer(reply.await?))
}

/// `GET /calling/.well-known/acsopenidconfiguration`: how applications check who calls back; no
/// credential needed
async fn issuer(State(calling): State<Calling>) -> Json<Value> {
    Json(calling.attestation().configuration())
}
