//! CloudEvents in binary mode: attributes in `ce-` headers, data in the body.
//!
//! Source: the HTTP protocol binding of CloudEvents 1.0, section 3.1. The event is put into its
//! structured form at once, after which nobody needs to know how it came.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::percent_decode_str;

use super::Event;
use super::accept::{Intake, Publication, read as read_object};
use super::refusal::Problem;
use crate::json::quoted;

const PREFIX: &str = "ce-";

/// The attributes that the specification itself defines, in the order in which they are written.
const ATTRIBUTES: [&str; 7] =
    ["specversion", "id", "source", "type", "subject", "time", "dataschema"];

/// Whether a request is one event in binary mode, by the attribute that all of them have.
pub(super) fn is_binary(headers: &HeaderMap) -> bool {
    headers.contains_key("ce-specversion") || headers.contains_key("ce-id")
}

/// Reads the one event of a request.
pub(super) fn read(publication: &Publication<'_>, intake: &Intake<'_>) -> Result<Event, Problem> {
    let (bytes, limit) = (publication.body.len(), intake.limits.event_bytes);
    if bytes > limit {
        return Err(Problem::EventTooLarge { bytes, limit });
    }
    let mut event = String::from("{");
    for (name, value) in attributes(publication.headers)? {
        let _ = write!(event, "{}:{},", quoted(&name), quoted(&value));
    }
    let content_type = publication.headers.get(CONTENT_TYPE);
    let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
    if let Some(content_type) = &content_type {
        let _ = write!(event, "\"datacontenttype\":{},", quoted(content_type));
    }
    write_data(&mut event, content_type.as_deref(), publication.body)?;
    if event.ends_with(',') {
        event.pop();
    }
    event.push('}');
    let original = Bytes::from(event);
    let item = std::str::from_utf8(&original).expect("it was built from text");
    read_object(item, original.clone(), intake)
}

/// Name and value of each attribute, those of the specification first.
fn attributes(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let rank = |name: &str| ATTRIBUTES.iter().position(|known| *known == name);
    let mut found = Vec::new();
    for (header, value) in headers {
        // The content type of the data is not an attribute in this mode.
        let name = match header.as_str().strip_prefix(PREFIX) {
            Some(name) if !matches!(name, "datacontenttype" | "data" | "data_base64") => name,
            _ => continue,
        };
        let text = std::str::from_utf8(value.as_bytes()).ok();
        let text = text.and_then(|text| percent_decode_str(text).decode_utf8().ok());
        let text = text.ok_or_else(|| Problem::Header(header.as_str().to_owned()))?;
        found.push((name.to_owned(), text.into_owned()));
    }
    found.sort_by_key(|(name, _)| rank(name).unwrap_or(ATTRIBUTES.len()));
    Ok(found)
}

/// JSON stays what it is, text becomes a JSON string, everything else base64.
fn write_data(event: &mut String, content_type: Option<&str>, body: &Bytes) -> Result<(), Problem> {
    if body.is_empty() {
        return Ok(());
    }
    let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    let text = std::str::from_utf8(body);
    if kind == "application/json" || kind == "text/json" || kind.ends_with("+json") {
        let text = text.map_err(|error| Problem::Encoding { valid: error.valid_up_to() })?;
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|error| Problem::BinaryData(error.to_string()))?;
        event.push_str("\"data\":");
        event.push_str(text.trim_ascii());
    } else if let (true, Ok(text)) = (kind.starts_with("text/"), text) {
        let _ = write!(event, "\"data\":{}", quoted(text));
    } else {
        let _ = write!(event, "\"data_base64\":\"{}\"", STANDARD.encode(body));
    }
    Ok(())
}
