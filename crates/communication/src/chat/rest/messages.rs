//! `/chat/threads/{chatThreadId}/messages…`, `…/typing`, `…/readReceipts`

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::IntoResponse as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use super::call::{Call, message_id, optional_order, order, wrong_cursor};
use super::json::{self as form, MetadataBody};
use crate::chat::rules::invalid;
use crate::chat::{MessageKind, MessagePatch, Metadata, NewMessage, Page};
use crate::rest::Answer;
use crate::service::Communication;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendBody {
    content: String,
    sender_display_name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    metadata: Option<Metadata>,
}

/// `POST …/messages`
pub(super) async fn send(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: SendBody = order(body).await?;
    let kind = match body.kind.as_deref() {
        None => MessageKind::Text,
        // The first clients wrote names with a capital.
        Some(name) if name.eq_ignore_ascii_case("text") => MessageKind::Text,
        Some(name) if name.eq_ignore_ascii_case("html") => MessageKind::Html,
        Some(_) => {
            let message = "The type of a message that users send is text or html.";
            return Err(invalid(message).target("type").into());
        }
    };
    let new = NewMessage {
        content: body.content,
        kind,
        sender_display_name: body.sender_display_name.filter(|name| !name.is_empty()),
        metadata: body.metadata.unwrap_or_default(),
    };
    let message = service.chat().send(&call.access, call.thread(), new).await?;
    let thread = utf8_percent_encode(call.thread(), NON_ALPHANUMERIC);
    let location = call.location(&format!("/chat/threads/{thread}/messages/{}", message.id));
    let answer = json!({ "id": message.id.to_string() });
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(answer)).into_response())
}

/// `GET …/messages`
pub(super) async fn list(State(service): State<Communication>, call: Call) -> Answer {
    let after = call.cursor()?.map(|cursor| cursor.parse().map_err(|_| wrong_cursor()));
    let page =
        Page { size: call.page_size()?, since: call.start_time()?, after: after.transpose()? };
    let page = service.chat().messages(&call.access, call.thread(), &page).await?;
    let value = page.messages.iter().map(form::message).collect();
    let next = page.next.map(|id| call.next_page(&id.to_string()));
    Ok(Json(form::page(value, next)).into_response())
}

/// `GET …/messages/{chatMessageId}`
pub(super) async fn get(State(service): State<Communication>, call: Call) -> Answer {
    let message = service.chat().message(&call.access, call.thread(), call.message()?).await?;
    Ok(Json(form::message(&message)).into_response())
}

#[derive(Deserialize)]
struct PatchBody {
    content: Option<String>,
    #[serde(default)]
    metadata: MetadataBody,
}

/// `PATCH …/messages/{chatMessageId}`
pub(super) async fn edit(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: PatchBody = order(body).await?;
    let patch = MessagePatch { content: body.content, metadata: body.metadata.0 };
    service.chat().edit(&call.access, call.thread(), call.message()?, &patch).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE …/messages/{chatMessageId}`
pub(super) async fn delete(State(service): State<Communication>, call: Call) -> Answer {
    service.chat().delete_message(&call.access, call.thread(), call.message()?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TypingBody {
    sender_display_name: Option<String>,
}

/// `POST …/typing`
pub(super) async fn typing(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: TypingBody = optional_order(body).await?;
    let name = body.sender_display_name.filter(|name| !name.is_empty());
    service.chat().typing(&call.access, call.thread(), name).await?;
    Ok(StatusCode::OK.into_response())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadBody {
    chat_message_id: String,
}

/// `POST …/readReceipts`
pub(super) async fn read(State(service): State<Communication>, call: Call, body: Body) -> Answer {
    let body: ReadBody = order(body).await?;
    let message = message_id(&body.chat_message_id)?;
    service.chat().read(&call.access, call.thread(), message).await?;
    Ok(StatusCode::OK.into_response())
}

/// `GET …/readReceipts`
pub(super) async fn receipts(State(service): State<Communication>, call: Call) -> Answer {
    let (skip, size) = (call.skip()?, call.page_size()?);
    let (receipts, more) = service.chat().receipts(&call.access, call.thread(), skip, size).await?;
    let value = receipts.iter().map(form::receipt).collect();
    let next =
        more.then(|| call.next_link("skip", &(skip.saturating_add(size.into())).to_string()));
    Ok(Json(form::page(value, next)).into_response())
}
