//! From a handler's HTTP answer to what it means.
//!
//! Source: the service's reference of CloudEvents attributes. What a handler says is not trusted:
//! names are checked as if a client had sent them, and a wrong answer is a failure, never half
//! obeyed.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::{CONNECTION_STATE, METADATA_PREFIX};
use crate::message::Data;
use crate::metadata::Metadata;
use crate::name;

/// As much of a refusal's text as is passed on to the client.
const MAX_REFUSAL: usize = 4096;

/// What came of `connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectOutcome {
    /// The client may connect. Without a handler, too.
    Accepted(Grant),
    /// The handler refuses the client.
    Refused(Refusal),
    /// There is no usable answer; the client gets a status of 500. The reason is for the log.
    Failed(String),
}

/// What a handler decides about a client; what it leaves out stays as the token has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The user, in place of the token's.
    pub user_id: Option<String>,
    /// The groups to join, in place of the token's. Never an empty list; names are checked.
    pub groups: Option<Vec<String>>,
    /// The roles, in place of the token's; an empty list takes all away.
    pub roles: Option<Vec<String>>,
    /// The subprotocol to agree on; one of those offered, as the client wrote it.
    pub subprotocol: Option<String>,
}

/// A status in 400 to 499 for the client, with the handler's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The type of the body, if the handler says so.
    pub content_type: Option<HeaderValue>,
    /// The body, cut to 4 KiB.
    pub body: Bytes,
}

/// What came of a user event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserOutcome {
    /// The handler took it, and perhaps has something for the client, to be sent before the ack.
    Handled(Option<Answer>),
    /// Nobody is configured to take it.
    NoHandler,
    /// Too many events of the connection wait already; the handler was not told.
    Overloaded,
    /// The handler does not want it, in its own words' status.
    Refused(StatusCode),
    /// There is no usable answer. The reason is for the log.
    Failed(String),
}

/// A handler's message to the client whose event it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it carries.
    pub data: Data,
    /// What travels along.
    pub metadata: Metadata,
}

/// Reads the answer to `connect`.
pub fn connect(response: &Response<Bytes>, offered: &[String]) -> ConnectOutcome {
    let status = response.status();
    if status.is_client_error() {
        let content_type = response.headers().get(CONTENT_TYPE).cloned();
        let body = response.body();
        let body = body.slice(..body.len().min(MAX_REFUSAL));
        return ConnectOutcome::Refused(Refusal { status, content_type, body });
    }
    if !status.is_success() {
        return ConnectOutcome::Failed(unexpected(status));
    }
    match grant(response.body(), offered) {
        Ok(grant) => ConnectOutcome::Accepted(grant),
        Err(reason) => ConnectOutcome::Failed(reason),
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectBody {
    user_id: Option<String>,
    groups: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    subprotocol: Option<String>,
}

fn grant(body: &[u8], offered: &[String]) -> Result<Grant, String> {
    if body.trim_ascii().is_empty() {
        return Ok(Grant::default());
    }
    // A parser's own words could quote the body.
    let body: ConnectBody = serde_json::from_slice(body).map_err(|error| {
        format!(
            "the answer to 'connect' is not the JSON object that is expected, with userId, groups, \
             roles and subprotocol (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let groups = body.groups.filter(|groups| !groups.is_empty());
    for group in groups.iter().flatten() {
        name::check_group(group)
            .map_err(|_| "the answer to 'connect' has an invalid group name".to_owned())?;
    }
    let chosen = body.subprotocol.filter(|name| !name.is_empty());
    let subprotocol = chosen.map(|name| {
        let found = offered.iter().find(|it| it.eq_ignore_ascii_case(&name)).cloned();
        found.ok_or("the answer to 'connect' has a subprotocol that the client does not offer")
    });
    Ok(Grant {
        user_id: body.user_id.filter(|user| !user.is_empty()),
        groups,
        roles: body.roles,
        subprotocol: subprotocol.transpose()?,
    })
}

/// Reads the answer to a user event.
pub fn user(response: &Response<Bytes>) -> UserOutcome {
    let status = response.status();
    if status.is_client_error() {
        return UserOutcome::Refused(status);
    }
    if !status.is_success() {
        return UserOutcome::Failed(unexpected(status));
    }
    match answer(response) {
        Ok(answer) => UserOutcome::Handled(answer),
        Err(reason) => UserOutcome::Failed(reason),
    }
}

fn answer(response: &Response<Bytes>) -> Result<Option<Answer>, String> {
    let metadata = metadata(response.headers())?;
    let body = response.body();
    if body.is_empty() {
        let data = Data::Text("".into());
        return Ok((!metadata.is_empty()).then_some(Answer { data, metadata }));
    }
    let text =
        || std::str::from_utf8(body).map_err(|_| "the body of the answer is not UTF-8".to_owned());
    let data = match content_type(response.headers()).as_deref() {
        None | Some("application/octet-stream") => Data::Binary(body.clone()),
        Some("text/plain") => Data::Text(text()?.into()),
        Some("application/json") => {
            let value: &RawValue = serde_json::from_str(text()?)
                .map_err(|_| "the body of the answer is not the JSON that it says".to_owned())?;
            Data::Json(value.get().into())
        }
        Some("application/x-protobuf") => Data::Protobuf(body.clone()),
        Some(other) => {
            return Err(format!(
                "the answer has the content type '{}'; expected text/plain, application/json, \
                 application/octet-stream or application/x-protobuf",
                other.chars().take(100).collect::<String>()
            ));
        }
    };
    Ok(Some(Answer { data, metadata }))
}

/// The media type in lower case, without parameters.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().unwrap_or("(not text)");
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn metadata(headers: &HeaderMap) -> Result<Metadata, String> {
    let mut metadata = Metadata::default();
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(METADATA_PREFIX) else { continue };
        let value = value.to_str().map_err(|_| format!("the header {name} is not ASCII"))?;
        metadata.insert(key, value).map_err(|rule| format!("the header {name}: {rule}"))?;
    }
    Ok(metadata)
}

/// The state that a handler sets for the connection; of several headers the last counts. The answer
/// to an event that nobody waits for sets none.
pub fn state(response: &Response<Bytes>) -> Option<&HeaderValue> {
    let mut states = response.headers().get_all(CONNECTION_STATE).iter();
    if response.status().is_success() { states.next_back() } else { None }
}

/// Reads the answer to an event that nobody waits for.
///
/// # Errors
/// Why the handler did not take it.
pub fn acknowledged(response: &Response<Bytes>) -> Result<(), String> {
    let status = response.status();
    if status.is_success() { Ok(()) } else { Err(unexpected(status)) }
}

/// A status that says nothing about the event.
pub(super) fn unexpected(status: StatusCode) -> String {
    format!("got unexpected response with status code {}", status.as_u16())
}

#[cfg(test)]
#[path = "response/tests.rs"]
mod tests;
