//! `/chat/threads…`

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse as _;
use kernel::{Result, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, order, wrong_cursor};
use super::json::{self as form, MetadataBody, ParticipantBody, RetentionBody};
use crate::chat::rules::invalid;
use crate::chat::{Metadata, NewThread, Page, Retention, ThreadPatch};
use crate::rest::Answer;
use crate::service::Communication;

const REQUEST_ID: HeaderName = HeaderName::from_static("repeatability-request-id");
/// A request id is a UUID; nothing much longer is remembered.
const MAX_REQUEST_ID: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody {
    topic: String,
    #[serde(default)]
    participants: Option<Vec<ParticipantBody>>,
    metadata: Option<Metadata>,
    retention_policy: Option<RetentionBody>,
}

/// `POST /chat/threads`
pub(super) async fn create(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: CreateBody = order(body).await?;
    let participants = body.participants.unwrap_or_default().into_iter();
    let new = NewThread {
        topic: body.topic,
        participants: participants.map(ParticipantBody::read).collect::<Result<_>>()?,
        metadata: body.metadata.unwrap_or_default(),
        retention: body
            .retention_policy
            .map_or(Ok(Retention::None), |retention| retention.read())?,
        request_id: request_id(&call)?,
    };
    let created = service.chat().create_thread(&call.access, new).await?;
    let mut answer = json!({ "chatThread": form::thread(&created.thread) });
    if !created.refused.is_empty() {
        answer["invalidParticipants"] = form::refused(&created.refused);
    }
    let id = utf8_percent_encode(&created.thread.id, NON_ALPHANUMERIC);
    let location = call.location(&format!("/chat/threads/{id}"));
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(answer)).into_response())
}

fn request_id(call: &Call) -> Result<Option<String>> {
    let Some(value) = call.headers.get(REQUEST_ID) else { return Ok(None) };
    match value.to_str() {
        Ok(text) if (1..=MAX_REQUEST_ID).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(invalid("The header repeatability-request-id is a UUID.")
            .target("repeatability-request-id")),
    }
}

/// `GET /chat/threads`
pub(super) async fn list(State(service): State<Communication>, call: Call) -> Answer {
    let after = call.cursor()?.map(|cursor| read_cursor(&cursor)).transpose()?;
    let page = Page { size: call.page_size()?, since: call.start_time()?, after };
    let page = service.chat().threads(&call.access, &page).await?;
    let value: Vec<Value> = page.threads.iter().map(form::listed).collect();
    let next =
        page.next.map(|(changed, id)| call.next_page(&format!("{}/{id}", changed.as_micros())));
    Ok(Json(form::page(value, next)).into_response())
}

fn read_cursor(cursor: &str) -> Result<(Timestamp, String)> {
    let (changed, id) = cursor.split_once('/').ok_or_else(wrong_cursor)?;
    let changed = changed.parse().map_err(|_| wrong_cursor())?;
    Ok((Timestamp::from_micros(changed), id.to_owned()))
}

/// `GET /chat/threads/{chatThreadId}`
pub(super) async fn get(State(service): State<Communication>, call: Call) -> Answer {
    let thread = service.chat().get_thread(&call.access, call.thread()).await?;
    Ok(Json(form::thread(&thread)).into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PatchBody {
    topic: Option<String>,
    #[serde(default)]
    metadata: MetadataBody,
    retention_policy: Option<RetentionBody>,
}

/// `PATCH /chat/threads/{chatThreadId}`
pub(super) async fn update(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: PatchBody = order(body).await?;
    let patch = ThreadPatch {
        topic: body.topic,
        metadata: body.metadata.0,
        retention: body.retention_policy.map(|retention| retention.read()).transpose()?,
    };
    service.chat().update_thread(&call.access, call.thread(), &patch).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /chat/threads/{chatThreadId}`
pub(super) async fn delete(State(service): State<Communication>, call: Call) -> Answer {
    service.chat().delete_thread(&call.access, call.thread()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
