//! The client's side of the JSON subprotocols: writing what a client says, reading what it hears.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{data_of, metadata, put_data, put_metadata, put_string};
use crate::message::{Data, Message, Source};
use crate::metadata::Metadata;
use crate::protocol::{AckError, ClientMessage, DecodeError, ServerMessage};

/// Writes a message from a client.
pub fn encode(message: &ClientMessage<'_>) -> Vec<u8> {
    match message {
        ClientMessage::JoinGroup { group, ack_id } => {
            close(about("joinGroup", "group", group, *ack_id))
        }
        ClientMessage::LeaveGroup { group, ack_id } => {
            close(about("leaveGroup", "group", group, *ack_id))
        }
        ClientMessage::SendToGroup { group, ack_id, no_echo, data, ttl_seconds, metadata } => {
            let mut out = about("sendToGroup", "group", group, *ack_id);
            if *no_echo {
                out.extend_from_slice(br#","noEcho":true"#);
            }
            if let Some(ttl) = ttl_seconds {
                out.extend_from_slice(format!(r#","ttlSeconds":{ttl}"#).as_bytes());
            }
            close(with_data(out, data, metadata))
        }
        ClientMessage::Event { event, ack_id, data, metadata } => {
            close(with_data(about("event", "event", event, *ack_id), data, metadata))
        }
        ClientMessage::SequenceAck { sequence_id } => {
            format!(r#"{{"type":"sequenceAck","sequenceId":{sequence_id}}}"#).into_bytes()
        }
        ClientMessage::Ping => br#"{"type":"ping"}"#.to_vec(),
    }
}

/// An object that is still open: its type, the name that it is about, and its ack id.
fn about(kind: &str, member: &str, name: &str, ack_id: Option<u64>) -> Vec<u8> {
    let mut out = format!(r#"{{"type":"{kind}","{member}":"#).into_bytes();
    put_string(&mut out, name);
    if let Some(id) = ack_id {
        out.extend_from_slice(format!(r#","ackId":{id}"#).as_bytes());
    }
    out
}

fn with_data(mut out: Vec<u8>, data: &Data, metadata: &Metadata) -> Vec<u8> {
    put_metadata(&mut out, metadata);
    put_data(&mut out, data);
    out
}

fn close(mut out: Vec<u8>) -> Vec<u8> {
    out.push(b'}');
    out
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    user_id: Option<String>,
    connection_id: Option<String>,
    reconnection_token: Option<String>,
    message: Option<String>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from_user_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    group: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    sequence_id: Option<u64>,
    ack_id: Option<u64>,
    success: Option<bool>,
    error: Option<Failure>,
    #[serde(default, deserialize_with = "metadata")]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Failure {
    name: String,
    #[serde(default)]
    message: String,
}

/// Reads a message from the service.
///
/// # Errors
/// [`DecodeError`] when the text is not JSON, or nothing that this client knows.
pub fn decode(text: &str) -> Result<ServerMessage, DecodeError> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
        DecodeError::json(format!("At line {} column {}.", error.line(), error.column()))
    })?;
    match &*envelope.kind {
        "message" => envelope.data(),
        "ack" => envelope.ack(),
        "system" => envelope.system(),
        "pong" => Ok(ServerMessage::Pong),
        _ => Err(DecodeError::json("Unknown type.")),
    }
}

impl Envelope<'_> {
    fn system(self) -> Result<ServerMessage, DecodeError> {
        match self.event.as_deref() {
            Some("connected") => Ok(ServerMessage::Connected {
                connection_id: self.connection_id.ok_or(missing("connectionId"))?,
                user: self.user_id.filter(|user| !user.is_empty()),
                reconnection_token: self.reconnection_token,
            }),
            Some("disconnected") => {
                Ok(ServerMessage::Disconnected { reason: self.message.unwrap_or_default() })
            }
            _ => Err(DecodeError::json("Unknown event.")),
        }
    }

    fn ack(self) -> Result<ServerMessage, DecodeError> {
        let failure = self.error.map(|it| AckError { name: it.name, message: it.message });
        let outcome = match self.success.ok_or(missing("success"))? {
            true => Ok(()),
            false => Err(failure.unwrap_or_default()),
        };
        Ok(ServerMessage::Ack { ack_id: self.ack_id.ok_or(missing("ackId"))?, outcome })
    }

    fn data(self) -> Result<ServerMessage, DecodeError> {
        let source = match self.from.as_deref() {
            Some("server") => Source::Server,
            Some("group") => Source::Group {
                group: self.group.ok_or(missing("group"))?.into(),
                user: self.from_user_id.map(Into::into),
            },
            _ => return Err(DecodeError::json("'from' is neither 'group' nor 'server'.")),
        };
        let data = data_of(self.data_type.as_deref(), self.data.ok_or(missing("data"))?)?;
        let message = Message { source, data, metadata: self.metadata };
        Ok(ServerMessage::Data { message, sequence_id: self.sequence_id })
    }
}

fn missing(member: &str) -> DecodeError {
    DecodeError::json(format!("'{member}' is missing."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super as service;
    use super::*;
    use crate::protocol::samples::{any_client_message, any_message};

    #[test]
    fn control_messages_read_as_they_were_written() {
        let connected = |user: Option<&str>, token: Option<&str>| ServerMessage::Connected {
            connection_id: "c\"1".to_owned(),
            user: user.map(str::to_owned),
            reconnection_token: token.map(str::to_owned),
        };
        let error = AckError { name: "Forbidden".to_owned(), message: "No \"way\".".to_owned() };
        let failed = Err((&*error.name, &*error.message));
        for (written, read) in [
            (service::connected("c\"1", None, None), connected(None, None)),
            (service::connected("c\"1", Some("ü"), Some("t")), connected(Some("ü"), Some("t"))),
            (
                service::disconnected("bye"),
                ServerMessage::Disconnected { reason: "bye".to_owned() },
            ),
            (service::pong().to_vec(), ServerMessage::Pong),
            (service::ack(7, Ok(())), ServerMessage::Ack { ack_id: 7, outcome: Ok(()) }),
            (
                service::ack(8, failed),
                ServerMessage::Ack { ack_id: 8, outcome: Err(error.clone()) },
            ),
        ] {
            let text = String::from_utf8(written).unwrap();
            assert_eq!(decode(&text), Ok(read), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_says_why() {
        for (text, problem) in [
            ("", "At line 1"),
            ("{}", "At line 1"),
            (r#"{"type":"streamAck"}"#, "Unknown type."),
            (r#"{"type":"system","event":"moved"}"#, "Unknown event."),
            (r#"{"type":"ack","success":true}"#, "'ackId' is missing."),
            (r#"{"type":"message","from":"moon","data":1}"#, "neither"),
            (r#"{"type":"message","from":"server"}"#, "'data' is missing."),
        ] {
            let error = decode(text).unwrap_err();
            assert!(error.problem().contains(problem), "{text}: {}", error.problem());
        }
    }

    proptest! {
        #[test]
        fn what_a_client_writes_is_what_the_service_reads(message in any_client_message()) {
            let text = String::from_utf8(encode(&message)).unwrap();
            prop_assert_eq!(service::decode(&text), Ok(message), "{}", text);
        }

        #[test]
        fn what_the_service_writes_is_what_a_client_reads(message in any_message(), id: u64) {
            let text = String::from_utf8(service::message(&message)).unwrap();
            let plain = ServerMessage::Data { message: message.clone(), sequence_id: None };
            prop_assert_eq!(decode(&text), Ok(plain), "{}", text);
            let body = service::numbered_body(&message);
            let text = String::from_utf8(service::number(&body, id)).unwrap();
            let numbered = ServerMessage::Data { message, sequence_id: Some(id) };
            prop_assert_eq!(decode(&text), Ok(numbered), "{}", text);
        }

        #[test]
        fn arbitrary_text_never_panics(text in any::<String>()) {
            let _ = decode(&text);
        }

        #[test]
        fn damaged_messages_never_panic(
            message in any_message(), at: prop::sample::Index, with: char,
        ) {
            let text = String::from_utf8(service::message(&message)).unwrap();
            let mut letters: Vec<char> = text.chars().collect();
            let at = at.index(letters.len());
            letters[at] = with;
            let _ = decode(&letters.into_iter().collect::<String>());
        }
    }
}
