//! Who calls, and what about: the checks that every operation shares.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde::de::DeserializeOwned;

use crate::chat::rules::invalid;
use crate::chat::{Access, MessageId};
use crate::identity::TokenRefusal;
use crate::rest::{self, Failure, Query};
use crate::service::Communication;
use crate::{time, version};

/// A body is at most 200 participants with a kilobyte of metadata each, written without economy.
const MAX_BODY: usize = 1024 * 1024;
/// The largest page, and the one that is given unless asked otherwise.
const MAX_PAGE: u16 = 200;

/// A call whose token and api-version have been checked.
pub(crate) struct Call {
    pub(crate) access: Access,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    origin: String,
    path: String,
    segments: HashMap<String, String>,
}

impl FromRequestParts<Communication> for Call {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Communication,
    ) -> std::result::Result<Self, Failure> {
        let access = authenticated(parts, service).await?;
        let query = Query::of(&parts.uri);
        version::CHAT.check(query.one("api-version"))?;
        let Path(segments) = Path::<HashMap<String, String>>::from_request_parts(parts, &())
            .await
            .map_err(|_| invalid("The path is not percent-encoded UTF-8."))?;
        let thread = segments.get("thread").map(|thread| (&access, thread.as_str()));
        service.admit(parts, access.caller.id.as_str(), thread).await?;
        let origin = rest::origin(parts, &access.resource);
        let path = parts.uri.path().to_owned();
        Ok(Self { access, query, headers: parts.headers.clone(), origin, path, segments })
    }
}

/// The user whose token comes with a request, at the resource that the request is for.
///
/// # Errors
/// `Unauthenticated` without a token that holds.
pub(crate) async fn authenticated(
    parts: &Parts,
    service: &Communication,
) -> std::result::Result<Access, Failure> {
    let resource = Arc::clone(service.resources().pick(rest::host(parts))?);
    let header = parts.headers.get(axum::http::header::AUTHORIZATION);
    let token = header.and_then(|value| value.to_str().ok()).and_then(bearer);
    let token = token.ok_or_else(|| Failure::silent(TokenRefusal::Absent))?;
    match service.identities().authenticate(&resource, token).await {
        Ok(caller) => Ok(Access { resource, caller }),
        Err(error) if error.kind() == ErrorKind::Unauthenticated => Err(Failure::silent_as(error)),
        Err(error) => Err(error.into()),
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token.trim()).filter(|token| !token.is_empty())
}

impl Call {
    /// The thread in the path, URL-decoded.
    pub(crate) fn thread(&self) -> &str {
        self.segments.get("thread").map_or("", String::as_str)
    }

    /// The message in the path.
    ///
    /// # Errors
    /// `Invalid` when no message can have this id.
    pub(crate) fn message(&self) -> Result<MessageId> {
        message_id(self.segments.get("message").map_or("", String::as_str))
    }

    /// How many rows a page has.
    pub(crate) fn page_size(&self) -> Result<u16> {
        match self.query.one("maxPageSize").or_else(|| self.query.one("maxpagesize")) {
            None => Ok(MAX_PAGE),
            Some(text) => match text.parse::<u32>() {
                Ok(size) if size > 0 => Ok(u16::try_from(size).unwrap_or(MAX_PAGE).min(MAX_PAGE)),
                _ => Err(invalid("maxPageSize is a number from 1.").target("maxPageSize")),
            },
        }
    }

    /// How many rows come before the page.
    pub(crate) fn skip(&self) -> Result<u32> {
        let skip = self.query.one("skip").map_or(Ok(0), str::parse);
        skip.map_err(|_| invalid("skip is a number from 0.").target("skip"))
    }

    /// From when on rows are wanted.
    pub(crate) fn start_time(&self) -> Result<Option<Timestamp>> {
        let Some(text) = self.query.one("startTime") else { return Ok(None) };
        let moment = time::parse(text).ok_or_else(|| {
            let message = "startTime is a moment such as 2026-01-02T15:04:05Z (RFC 3339).";
            invalid(message).target("startTime")
        });
        moment.map(Some)
    }

    /// Where the page before has ended.
    pub(crate) fn cursor(&self) -> Result<Option<String>> {
        let Some(text) = self.query.one("syncState") else { return Ok(None) };
        let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|it| String::from_utf8(it).ok());
        decoded.map(Some).ok_or_else(wrong_cursor)
    }

    /// The link to the page after this one: this request with `parameter` set to `value`.
    pub(crate) fn next_link(&self, parameter: &str, value: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(parameter, value);
        query.extend_pairs(self.query.pairs().filter(|(name, _)| *name != parameter));
        format!("{}{}?{}", self.origin, self.path, query.finish())
    }

    /// As [`Call::next_link`], for a cursor that the client need not understand.
    pub(crate) fn next_page(&self, cursor: &str) -> String {
        self.next_link("syncState", &URL_SAFE_NO_PAD.encode(cursor))
    }

    /// The absolute address of a path of this service.
    pub(crate) fn location(&self, path: &str) -> HeaderValue {
        let location = format!("{}{path}", self.origin);
        HeaderValue::try_from(location).unwrap_or_else(|_| HeaderValue::from_static("/"))
    }
}

/// The order in a body.
///
/// # Errors
/// `Invalid` with the place at which it goes wrong; `TooLarge`.
pub(crate) async fn order<T: DeserializeOwned>(body: Body) -> Result<T> {
    let body = edge::body::read(body, MAX_BODY).await?;
    parse(&body)
}

/// As [`order`]; an empty body orders nothing special.
pub(crate) async fn optional_order<T: DeserializeOwned + Default>(body: Body) -> Result<T> {
    let body = edge::body::read(body, MAX_BODY).await?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    parse(&body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        invalid(format!("The request body is not what this operation takes: {error}."))
    })
}

/// A message id as text.
///
/// # Errors
/// `Invalid` when no message can have it.
pub(crate) fn message_id(text: &str) -> Result<MessageId> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let message = format!(
            "'{}' is not the id of a message; ids are digits, such as 1642117343041.",
            text.chars().take(64).collect::<String>().escape_debug()
        );
        invalid(message).target("chatMessageId")
    })
}

pub(crate) fn wrong_cursor() -> Error {
    let message =
        "The link to the page is damaged. Follow the nextLink of the page before as it is.";
    invalid(message).target("syncState")
}
