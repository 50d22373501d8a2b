//! `json.webpubsub.azure.v1`: one JSON object in each text frame.
//!
//! Data is never parsed beyond the check that it is JSON: it passes through as the sender wrote it.
//! Source: the JSON subprotocol reference and the parsing rules of the public emulator.

pub mod client;

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::message::{Data, Message, Source};
use crate::metadata::Metadata;
use crate::name;
use crate::protocol::{ClientMessage, DecodeError, MAX_TTL_SECONDS};

/// The name in the WebSocket handshake.
pub const NAME: &str = "json.webpubsub.azure.v1";

/// The name of the form that recovers.
pub const RELIABLE_NAME: &str = "json.reliable.webpubsub.azure.v1";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    group: Option<Cow<'a, str>>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    ack_id: Option<u64>,
    no_echo: Option<bool>,
    #[serde(borrow)]
    data_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    ttl_seconds: Option<u16>,
    sequence_id: Option<u64>,
    #[serde(default, deserialize_with = "metadata")]
    metadata: Metadata,
}

/// Reads a message from a client.
///
/// # Errors
/// [`DecodeError`] when the text is not JSON, or not a message of this subprotocol.
pub fn decode(text: &str) -> Result<ClientMessage<'_>, DecodeError> {
    let mut envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
        // Line and column, not the text: payloads are repeated nowhere.
        DecodeError::json(format!("At line {} column {}.", error.line(), error.column()))
    })?;
    let ack_id = envelope.ack_id;
    match KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(&envelope.kind)).copied() {
        Some("joinGroup") => Ok(ClientMessage::JoinGroup { group: envelope.group()?, ack_id }),
        Some("leaveGroup") => Ok(ClientMessage::LeaveGroup { group: envelope.group()?, ack_id }),
        Some("sendToGroup") => {
            let (no_echo, ttl_seconds) = (envelope.no_echo.unwrap_or(false), envelope.ttl_seconds);
            if ttl_seconds.is_some_and(|ttl| ttl > MAX_TTL_SECONDS) {
                return Err(DecodeError::json("'ttlSeconds' must be 0 to 300."));
            }
            let (data, metadata) = (envelope.data()?, std::mem::take(&mut envelope.metadata));
            let group = envelope.group()?;
            Ok(ClientMessage::SendToGroup { group, ack_id, no_echo, data, ttl_seconds, metadata })
        }
        Some("event") => {
            let (data, metadata) = (envelope.data()?, std::mem::take(&mut envelope.metadata));
            Ok(ClientMessage::Event { event: envelope.event()?, ack_id, data, metadata })
        }
        Some("sequenceAck") => match envelope.sequence_id {
            Some(sequence_id) => Ok(ClientMessage::SequenceAck { sequence_id }),
            None => Err(DecodeError::json("'sequenceId' is missing.")),
        },
        Some("ping") => Ok(ClientMessage::Ping),
        _ => Err(DecodeError::json("Unknown type.")),
    }
}

const KINDS: [&str; 6] = ["joinGroup", "leaveGroup", "sendToGroup", "event", "sequenceAck", "ping"];

/// Reads an object of strings under the rules of [`Metadata`]; no key may stand twice.
fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Metadata, D::Error> {
    struct Pairs;

    impl<'de> Visitor<'de> for Pairs {
        type Value = Metadata;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("an object of strings")
        }

        fn visit_unit<E>(self) -> Result<Metadata, E> {
            Ok(Metadata::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
            let mut metadata = Metadata::default();
            while let Some((key, value)) = map.next_entry::<Cow<'_, str>, Cow<'_, str>>()? {
                if metadata.contains(&key) {
                    return Err(de::Error::custom("a metadata key stands twice"));
                }
                metadata.insert(&key, &value).map_err(de::Error::custom)?;
            }
            Ok(metadata)
        }
    }

    deserializer.deserialize_any(Pairs)
}

impl<'a> Envelope<'a> {
    fn group(self) -> Result<Cow<'a, str>, DecodeError> {
        let group = self.group.ok_or(DecodeError::json("'group' is missing."))?;
        name::check_group(&group).map_err(|_| DecodeError::json("'group' is no group name."))?;
        Ok(group)
    }

    fn event(self) -> Result<Cow<'a, str>, DecodeError> {
        let event = self.event.ok_or(DecodeError::json("'event' is missing."))?;
        if name::is_event(&event) {
            Ok(event)
        } else {
            Err(DecodeError::json("'event' is no event name."))
        }
    }

    fn data(&self) -> Result<Data, DecodeError> {
        let Some(data) = self.data else {
            // Metadata may travel alone, with an empty text.
            return match self.metadata.is_empty() {
                true => Err(DecodeError::json("'data' is missing.")),
                false => Ok(Data::Text("".into())),
            };
        };
        data_of(self.data_type.as_deref(), data)
    }
}

/// Reads `data` as its type says; without a type it is JSON.
fn data_of(data_type: Option<&str>, data: &RawValue) -> Result<Data, DecodeError> {
    let data = data.get();
    let text = || {
        serde_json::from_str::<Cow<'_, str>>(data)
            .map_err(|_| DecodeError::json("'data' must be a string for this dataType."))
    };
    let bytes = || {
        let decoded = STANDARD.decode(text()?.as_bytes());
        decoded.map(Bytes::from).map_err(|_| DecodeError::json("'data' is not base64."))
    };
    let data_type = data_type.unwrap_or("json");
    match DATA_TYPES.iter().find(|known| known.eq_ignore_ascii_case(data_type)).copied() {
        Some("json") => Ok(Data::Json(data.into())),
        Some("text") => Ok(Data::Text(text()?.into())),
        Some("binary") => Ok(Data::Binary(bytes()?)),
        Some("protobuf") => Ok(Data::Protobuf(bytes()?)),
        _ => Err(DecodeError::json("Unknown dataType.")),
    }
}

const DATA_TYPES: [&str; 4] = ["json", "text", "binary", "protobuf"];

/// The `connected` message, the first that a client reads; with a token on the reliable form.
pub fn connected(
    connection_id: &str,
    user: Option<&str>,
    reconnection_token: Option<&str>,
) -> Vec<u8> {
    let mut out = br#"{"type":"system","event":"connected""#.to_vec();
    if let Some(user) = user {
        out.extend_from_slice(br#","userId":"#);
        put_string(&mut out, user);
    }
    out.extend_from_slice(br#","connectionId":"#);
    put_string(&mut out, connection_id);
    if let Some(token) = reconnection_token {
        out.extend_from_slice(br#","reconnectionToken":"#);
        put_string(&mut out, token);
    }
    out.push(b'}');
    out
}

/// The `disconnected` message, the last before the service closes.
pub fn disconnected(reason: &str) -> Vec<u8> {
    let mut out = br#"{"type":"system","event":"disconnected","message":"#.to_vec();
    put_string(&mut out, reason);
    out.push(b'}');
    out
}

/// The answer to a `ping`.
pub fn pong() -> &'static [u8] {
    br#"{"type":"pong"}"#
}

/// The answer to a message that carried an `ackId`: success, or an error's name and message.
pub fn ack(ack_id: u64, outcome: Result<(), (&str, &str)>) -> Vec<u8> {
    let mut out =
        format!(r#"{{"type":"ack","ackId":{ack_id},"success":{}"#, outcome.is_ok()).into_bytes();
    if let Err((name, message)) = outcome {
        out.extend_from_slice(br#","error":{"name":"#);
        put_string(&mut out, name);
        out.extend_from_slice(br#","message":"#);
        put_string(&mut out, message);
        out.push(b'}');
    }
    out.push(b'}');
    out
}

/// A data message for a receiver without recovery.
pub fn message(message: &Message) -> Vec<u8> {
    let mut out = numbered_body(message);
    out.push(b'}');
    out
}

/// A data message for one reliable receiver: what [`numbered_body`] gave, and its sequence id.
pub fn number(body: &[u8], sequence_id: u64) -> Vec<u8> {
    const AROUND: usize = br#","sequenceId":18446744073709551615}"#.len();
    let mut out = Vec::with_capacity(body.len() + AROUND);
    out.extend_from_slice(body);
    out.extend_from_slice(format!(r#","sequenceId":{sequence_id}}}"#).as_bytes());
    out
}

/// A data message as all reliable receivers share it, to be completed by [`number`].
pub fn numbered_body(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    match &message.source {
        Source::Server => out.extend_from_slice(br#"{"type":"message","from":"server""#),
        Source::Group { group, user } => {
            out.extend_from_slice(br#"{"type":"message","from":"group""#);
            if let Some(user) = user {
                out.extend_from_slice(br#","fromUserId":"#);
                put_string(&mut out, user);
            }
            out.extend_from_slice(br#","group":"#);
            put_string(&mut out, group);
        }
    }
    put_metadata(&mut out, &message.metadata);
    put_data(&mut out, &message.data);
    out
}

/// The members `dataType` and `data`, after a comma.
fn put_data(out: &mut Vec<u8>, data: &Data) {
    let (data_type, text): (&str, Cow<'_, str>) = match data {
        Data::Json(json) => ("json", Cow::Borrowed(json)),
        Data::Text(text) => ("text", Cow::Borrowed(text)),
        Data::Binary(bytes) => ("binary", STANDARD.encode(bytes).into()),
        Data::Protobuf(bytes) => ("protobuf", STANDARD.encode(bytes).into()),
    };
    out.extend_from_slice(br#","dataType":""#);
    out.extend_from_slice(data_type.as_bytes());
    out.extend_from_slice(br#"","data":"#);
    match data {
        Data::Json(_) => out.extend_from_slice(text.as_bytes()),
        _ => put_string(out, &text),
    }
}

fn put_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    if metadata.is_empty() {
        return;
    }
    out.extend_from_slice(br#","metadata":{"#);
    for (index, (key, value)) in metadata.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put_string(out, key);
        out.push(b':');
        put_string(out, value);
    }
    out.push(b'}');
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is always JSON, and a vector takes it");
}

#[cfg(test)]
mod tests;
