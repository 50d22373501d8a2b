//! One notification for Google: the hub's body with a place for the registration token.
//!
//! The body is read once; for each device only the token is put into the finished text.

use bytes::Bytes;
use kernel::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::legacy;
use crate::push::outcome::{Outcome, OutcomeName};

/// Google's limit for the keys and values of a message, in bytes.
const PAYLOAD_BYTES: usize = 4096;

/// A notification that can be sent to any number of devices.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Everything up to the token.
    before: Box<[u8]>,
    /// Everything after it.
    after: Box<[u8]>,
}

impl Message {
    /// Reads a body: `{"message":{…}}`, or one of the retired API, which is converted. A token in it
    /// is replaced.
    ///
    /// # Errors
    /// `Invalid` when it is no JSON object or names a topic or a condition, since only the hub
    /// chooses receivers.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let body: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|cause| invalid(&format!("it is no JSON object: {cause}")))?;
        let mut document = match body.get("message") {
            Some(Value::Object(_)) => body,
            Some(_) => return Err(invalid("its member message is no object")),
            None => legacy::convert(body),
        };
        let message = match document.remove("message") {
            Some(Value::Object(message)) => message,
            _ => Map::new(),
        };
        if let Some(target) =
            ["topic", "condition"].into_iter().find(|it| message.contains_key(*it))
        {
            return Err(invalid(&format!(
                "its message has a {target}; leave it out, the hub puts in the token of each device"
            )));
        }
        let validate_only = ["validate_only", "validateOnly"]
            .into_iter()
            .any(|it| document.get(it) == Some(&Value::Bool(true)));
        Ok(Self::assemble(message, validate_only))
    }

    fn assemble(mut message: Map<String, Value>, validate_only: bool) -> Self {
        message.remove("token");
        let rest = Value::Object(message).to_string();
        // "{}" has nothing to put a comma before.
        let comma = if rest.len() > 2 { "," } else { "" };
        let dry = if validate_only { "\"validate_only\":true," } else { "" };
        Self {
            before: format!("{{{dry}\"message\":{{\"token\":").into_bytes().into(),
            after: format!("{comma}{}}}", &rest[1..]).into_bytes().into(),
        }
    }

    /// Checks what Google would refuse for every device.
    ///
    /// # Errors
    /// The outcome that every device would get.
    pub fn check_size(&self) -> std::result::Result<(), Box<Outcome>> {
        let whole = self.body("");
        let parsed: Value = serde_json::from_slice(&whole).unwrap_or_default();
        let size = ["data", "notification"].map(|part| bytes_of(&parsed["message"][part]));
        let size: usize = size.iter().sum();
        if size <= PAYLOAD_BYTES {
            return Ok(());
        }
        let text = format!(
            "data and notification have {size} bytes of keys and values; FCM allows {PAYLOAD_BYTES}"
        );
        Err(Box::new(Outcome::of(OutcomeName::InvalidNotificationSize, text)))
    }

    /// The document for one device.
    pub fn body(&self, token: &str) -> Bytes {
        let token = Value::from(token).to_string();
        [&self.before, token.as_bytes(), &self.after].concat().into()
    }
}

/// The bytes of keys and values, as Google counts them.
fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Object(members) => {
            members.iter().map(|(key, value)| key.len() + bytes_of(value)).sum()
        }
        Value::Array(items) => items.iter().map(bytes_of).sum(),
        Value::String(text) => text.len(),
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => value.to_string().len(),
    }
}

fn invalid(problem: &str) -> Error {
    let message = format!("The supplied notification payload is invalid: {problem}.");
    Error::new(ErrorKind::Invalid, "BadRequest", message)
}

/// Whether a handle can be a registration token at all.
pub fn is_registration_token(handle: &str) -> bool {
    (1..=4096).contains(&handle.len()) && handle.bytes().all(|it| it.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn body(sent: &str, token: &str) -> Value {
        serde_json::from_slice(&Message::parse(sent.as_bytes()).unwrap().body(token)).unwrap()
    }

    #[test]
    fn the_token_is_put_in_and_the_rest_is_kept() {
        for (sent, expected) in [
            (
                r#"{"message":{"data":{"k":"v"},"android":{"priority":"HIGH"}}}"#,
                json!({"message":{"token":"T","data":{"k":"v"},"android":{"priority":"HIGH"}}}),
            ),
            (
                r#"{"message":{"token":"other","data":{}},"validate_only":true}"#,
                json!({"validate_only":true,"message":{"token":"T","data":{}}}),
            ),
            (r#"{"message":{}}"#, json!({"message":{"token":"T"}})),
            (r#"{"data":{"n":1}}"#, json!({"message":{"token":"T","data":{"n":"1"}}})),
        ] {
            assert_eq!(body(sent, "T"), expected, "{sent}");
        }
    }

    #[test]
    fn receivers_are_the_hubs_choice() {
        for sent in [
            r#"{"message":{"topic":"news"}}"#,
            r#"{"message":{"condition":"'a' in topics"}}"#,
            r#"{"message":[]}"#,
            "[]",
            "",
        ] {
            let error = Message::parse(sent.as_bytes()).unwrap_err();
            let begin = "The supplied notification payload is invalid";
            assert!(error.message().starts_with(begin), "{error}");
        }
    }

    #[test]
    fn a_large_payload_is_not_sent() {
        let sized = |bytes: usize| {
            let sent = json!({"message":{"data":{"k":"x".repeat(bytes - 1)}}}).to_string();
            Message::parse(sent.as_bytes()).unwrap().check_size().map_err(|it| it.name)
        };
        assert_eq!(sized(4096), Ok(()));
        assert_eq!(sized(4097), Err(OutcomeName::InvalidNotificationSize));
    }

    #[test]
    fn only_printable_handles_without_spaces_are_tokens() {
        for (handle, is_one) in [("a:b-c_d", true), ("", false), ("a b", false), ("ä", false)] {
            assert_eq!(is_registration_token(handle), is_one, "{handle}");
        }
    }

    proptest! {
        #[test]
        fn no_handle_breaks_the_document(token in ".*") {
            let sent = r#"{"message":{"data":{"k":"v"}}}"#;
            prop_assert_eq!(&body(sent, &token)["message"]["token"], &Value::from(token));
        }

        #[test]
        fn no_body_is_too_odd_to_be_read(sent in ".{0,60}") {
            let _either_way = Message::parse(sent.as_bytes());
        }
    }
}
