//! `json.webpubsub.azure.v1`: one JSON object in each text frame.
//!
//! Data is never parsed beyond the check that it is JSON: it passes through as the sender wrote it.
//! Source: the JSON subprotocol reference and the parsing rules of the public emulator.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::{Data, Message, Source};
use crate::name;

/// The name in the WebSocket handshake.
pub const NAME: &str = "json.webpubsub.azure.v1";

/// A message from a client.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// Join a group.
    JoinGroup {
        /// The group.
        group: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
    },
    /// Leave a group.
    LeaveGroup {
        /// The group.
        group: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
    },
    /// Publish to a group.
    SendToGroup {
        /// The group.
        group: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
        /// Whether the sending connection gets no copy.
        no_echo: bool,
        /// What to publish.
        data: Data,
    },
    /// Tell the application's event handler.
    Event {
        /// The event's name.
        event: Cow<'a, str>,
        /// Asks for an answer with this number.
        ack_id: Option<u64>,
        /// What to tell.
        data: Data,
    },
    /// Ask for a `pong`.
    Ping,
}

/// Why a text is no message of this subprotocol.
#[derive(Debug, PartialEq, Eq)]
pub struct DecodeError(Cow<'static, str>);

impl DecodeError {
    /// The sentence for the close frame, at most 123 bytes.
    pub fn reason(&self) -> String {
        // The first half is what the emulated service says; the second says what was wrong.
        format!("The client message is not a valid JSON protocol message. {}", self.0)
    }
}

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
}

/// Reads a message from a client.
///
/// # Errors
/// [`DecodeError`] when the text is not JSON, or not a message of this subprotocol.
pub fn decode(text: &str) -> Result<ClientMessage<'_>, DecodeError> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
        // Line and column, not the text: payloads are repeated nowhere.
        DecodeError(format!("At line {} column {}.", error.line(), error.column()).into())
    })?;
    let ack_id = envelope.ack_id;
    match KINDS.iter().find(|kind| kind.eq_ignore_ascii_case(&envelope.kind)).copied() {
        Some("joinGroup") => Ok(ClientMessage::JoinGroup { group: envelope.group()?, ack_id }),
        Some("leaveGroup") => Ok(ClientMessage::LeaveGroup { group: envelope.group()?, ack_id }),
        Some("sendToGroup") => {
            let (no_echo, data) = (envelope.no_echo.unwrap_or(false), envelope.data()?);
            Ok(ClientMessage::SendToGroup { group: envelope.group()?, ack_id, no_echo, data })
        }
        Some("event") => {
            let data = envelope.data()?;
            Ok(ClientMessage::Event { event: envelope.event()?, ack_id, data })
        }
        Some("ping") => Ok(ClientMessage::Ping),
        _ => Err(DecodeError("Unknown type.".into())),
    }
}

const KINDS: [&str; 5] = ["joinGroup", "leaveGroup", "sendToGroup", "event", "ping"];

impl<'a> Envelope<'a> {
    fn group(self) -> Result<Cow<'a, str>, DecodeError> {
        let group = self.group.ok_or(DecodeError("'group' is missing.".into()))?;
        name::check_group(&group).map_err(|_| DecodeError("'group' is no group name.".into()))?;
        Ok(group)
    }

    fn event(self) -> Result<Cow<'a, str>, DecodeError> {
        let event = self.event.ok_or(DecodeError("'event' is missing.".into()))?;
        if name::is_event(&event) {
            Ok(event)
        } else {
            Err(DecodeError("'event' is no event name.".into()))
        }
    }

    fn data(&self) -> Result<Data, DecodeError> {
        let data = self.data.ok_or(DecodeError("'data' is missing.".into()))?.get();
        let text = || {
            serde_json::from_str::<Cow<'_, str>>(data)
                .map_err(|_| DecodeError("'data' must be a string for this dataType.".into()))
        };
        let bytes = || {
            let decoded = STANDARD.decode(text()?.as_bytes());
            decoded.map(Bytes::from).map_err(|_| DecodeError("'data' is not base64.".into()))
        };
        let data_type = self.data_type.as_deref().unwrap_or("json");
        match DATA_TYPES.iter().find(|known| known.eq_ignore_ascii_case(data_type)).copied() {
            Some("json") => Ok(Data::Json(data.into())),
            Some("text") => Ok(Data::Text(text()?.into())),
            Some("binary") => Ok(Data::Binary(bytes()?)),
            Some("protobuf") => Ok(Data::Protobuf(bytes()?)),
            _ => Err(DecodeError("Unknown dataType.".into())),
        }
    }
}

const DATA_TYPES: [&str; 4] = ["json", "text", "binary", "protobuf"];

/// The `connected` message, the first that a client reads.
pub fn connected(connection_id: &str, user: Option<&str>) -> Vec<u8> {
    let mut out = br#"{"type":"system","event":"connected""#.to_vec();
    if let Some(user) = user {
        out.extend_from_slice(br#","userId":"#);
        put_string(&mut out, user);
    }
    out.extend_from_slice(br#","connectionId":"#);
    put_string(&mut out, connection_id);
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

/// A data message.
pub fn message(message: &Message) -> Vec<u8> {
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
    let (data_type, data): (&str, Cow<'_, str>) = match &message.data {
        Data::Json(json) => ("json", Cow::Borrowed(json)),
        Data::Text(text) => ("text", Cow::Borrowed(text)),
        Data::Binary(bytes) => ("binary", STANDARD.encode(bytes).into()),
        Data::Protobuf(bytes) => ("protobuf", STANDARD.encode(bytes).into()),
    };
    out.extend_from_slice(br#","dataType":""#);
    out.extend_from_slice(data_type.as_bytes());
    out.extend_from_slice(br#"","data":"#);
    match message.data {
        Data::Json(_) => out.extend_from_slice(data.as_bytes()),
        _ => put_string(&mut out, &data),
    }
    out.push(b'}');
    out
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string is always JSON, and a vector takes it");
}

#[cfg(test)]
mod tests;
