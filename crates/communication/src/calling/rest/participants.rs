//! `/calling/callConnections/{id}/participants…`

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{Signed, Told, callee, invalid};
use crate::calling::machine::call_is_over;
use crate::calling::model::Person;
use crate::calling::repeat::Reply;
use crate::calling::service::{Addition, Calling};
use crate::identifier::IdentifierModel;
use crate::rest::Answer;

/// Longest time that an invitation may ring.
const MAX_RING: u64 = 180;

/// `GET …/participants`
pub(super) async fn list(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let seen = calling.seen(call.asked().resource, &connection).await?;
    let value: Vec<Value> = seen.call.joined().map(Person::to_json).collect();
    Ok(Json(json!({ "value": value })).into_response())
}

/// `GET …/participants/{rawId}`
pub(super) async fn get(
    State(calling): State<Calling>,
    Path((connection, participant)): Path<(String, String)>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let seen = calling.seen(call.asked().resource, &connection).await?;
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
pub(super) async fn add(
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
    let told = Told::of(order.operation_callback_uri, order.operation_context)?;
    let addition = Addition {
        user: user.clone(),
        timeout: order.invitation_timeout_in_seconds.map(Duration::from_secs),
        callback: told.uri,
        operation_context: told.context.clone(),
    };
    let reply = calling.add(call.asked(), &connection, addition, |invitation| {
        let person = json!({ "identifier": user.to_json(), "isMuted": false, "isOnHold": false });
        let body = json!({ "participant": person, "invitationId": invitation });
        accepted(body, told.context.as_deref())
    });
    Ok(call.answer(reply.await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody {
    invitation_id: String,
    operation_context: Option<String>,
}

/// `POST …/participants:cancelAddParticipant`
pub(super) async fn cancel(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: CancelBody = call.order()?;
    let id = &order.invitation_id;
    let reply = calling.with(call.asked(), &connection, |change| {
        change.cancel(id)?;
        Ok(accepted(json!({ "invitationId": id }), order.operation_context.as_deref()))
    });
    Ok(call.answer(reply.await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoveBody {
    participant_to_remove: IdentifierModel,
    operation_context: Option<String>,
    operation_callback_uri: Option<String>,
}

/// `POST …/participants:remove`
pub(super) async fn remove(
    State(calling): State<Calling>,
    Path(connection): Path<String>,
    request: Request<Body>,
) -> Answer {
    let call = Signed::read(&calling, request).await?;
    let order: RemoveBody = call.order()?;
    let user = callee(&order.participant_to_remove, "participantToRemove")?;
    let told = Told::of(order.operation_callback_uri, order.operation_context)?;
    let reply = calling.with(call.asked(), &connection, |change| {
        change.remove(&connection, &user, (told.uri.clone(), told.context.clone()))?;
        Ok(accepted(json!({}), told.context.as_deref()))
    });
    Ok(call.answer(reply.await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MuteBody {
    target_participants: Vec<IdentifierModel>,
    operation_context: Option<String>,
}

/// `POST …/participants:mute`
pub(super) async fn mute(
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
    let reply = calling.with(call.asked(), &connection, |change| {
        change.mute(&connection, &user)?;
        let reply = accepted(json!({}), order.operation_context.as_deref());
        Ok(Reply { status: StatusCode::OK, ..reply })
    });
    Ok(call.answer(reply.await?))
}

fn accepted(mut body: Value, operation_context: Option<&str>) -> Reply {
    if let Some(context) = operation_context {
        body["operationContext"] = context.into();
    }
    Reply::new(StatusCode::ACCEPTED, body)
}
