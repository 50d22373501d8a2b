//! `/chat/threads/{chatThreadId}/participants…`

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use kernel::Result;
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, order};
use super::json::{self as form, ParticipantBody};
use crate::identifier::{IdentifierModel, RawId};
use crate::rest::Answer;
use crate::service::Communication;

/// `GET …/participants`
pub(super) async fn list(State(service): State<Communication>, call: Call) -> Answer {
    let (skip, size) = (call.skip()?, call.page_size()?);
    let first = usize::try_from(skip).unwrap_or(usize::MAX);
    let (participants, more) =
        service.chat().participants(&call.access, call.thread(), first, size).await?;
    let value = participants.iter().map(form::participant).collect();
    let next =
        more.then(|| call.next_link("skip", &(skip.saturating_add(size.into())).to_string()));
    Ok(Json(form::page(value, next)).into_response())
}

#[derive(Deserialize)]
struct AddBody {
    participants: Vec<ParticipantBody>,
}

/// `POST …/participants/:add`
pub(super) async fn add(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: AddBody = order(body).await?;
    let new = body.participants.into_iter().map(ParticipantBody::read).collect::<Result<_>>()?;
    let refused = service.chat().add_participants(&call.access, call.thread(), new).await?;
    let answer = match refused.is_empty() {
        true => json!({}),
        false => json!({ "invalidParticipants": form::refused(&refused) }),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `POST …/participants/:remove`
pub(super) async fn remove(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: IdentifierModel = order(body).await?;
    let gone = RawId::from_model(&body, "communicationIdentifier")?;
    service.chat().remove_participant(&call.access, call.thread(), &gone).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
