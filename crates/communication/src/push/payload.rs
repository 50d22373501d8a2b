//! What a device is sent. Pure.
//!
//! A payload is a few fields, the same as those of a real-time notification. Sealed they are one text,
//! `e`; in the clear they stand beside `eventId`. Apple and Google take 4 KB, so a long message is cut:
//! the application reads the whole one when it opens the thread.

use bytes::Bytes;
use kernel::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::seal::{ContentKeys, room};
use crate::chat::{ChatChange, Message};
use crate::identifier::RawId;
use crate::link::{Platform, Push};
use crate::time;

/// What is left for the fields, sealed or not, beside what surrounds them.
const LIMIT: usize = 3_600;

/// Fields for one device, with the number by which clients know what they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Payload {
    pub(crate) event: u16,
    pub(crate) urgency: Urgency,
    pub(crate) fields: Map<String, Value>,
}

/// How a device is to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Urgency {
    /// With something to see.
    Alert,
    /// As a telephone.
    Ring,
}

/// The number of a new message.
const MESSAGE_RECEIVED: u16 = 200;

/// A message for everybody but its sender; the receiver's name is filled in by [`Payload::to`].
pub(crate) fn message(change: &ChatChange, message: &Message) -> Payload {
    let sender = message.sender.as_ref().map_or("", RawId::as_str);
    let fields = json!({
        "senderId": sender,
        "recipientId": "",
        "transactionId": &*change.transaction,
        "groupId": &*change.thread.id,
        "messageId": message.id.to_string(),
        "collapseId": "",
        "messageType": message.kind.notified_as(),
        "messageBody": message.text(),
        "senderDisplayName": message.sender_display_name.as_deref().unwrap_or_default(),
        "clientMessageId": "",
        "originalArrivalTime": iso(message.created()),
        "priority": "",
        "version": message.version.to_string(),
        "acsChatMessageMetadata": json!(message.metadata).to_string(),
    });
    Payload { event: MESSAGE_RECEIVED, urgency: Urgency::Alert, fields: members(fields) }
}

pub(crate) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

impl Payload {
    /// The same for one receiver.
    #[must_use]
    pub(crate) fn to(&self, recipient: &RawId) -> Self {
        let mut payload = self.clone();
        payload.fields.insert("recipientId".to_owned(), recipient.as_str().into());
        payload
    }

    /// As a device is sent it.
    pub(crate) fn push(
        &self,
        platform: Platform,
        handle: &str,
        keys: Option<&ContentKeys>,
    ) -> Push {
        let data = self.data(platform, keys);
        let (body, headers) = match (platform, self.urgency) {
            (Platform::Apns, Urgency::Alert) => (apns_alert(&data), ALERT),
            (Platform::Apns, Urgency::Ring) => (json!({ "aps": {}, "data": data }), VOIP),
            (Platform::Fcm, _) => {
                let android = json!({ "priority": "HIGH" });
                (json!({ "message": { "data": data, "android": android } }), NONE)
            }
        };
        Push { platform, handle: handle.to_owned(), body: Bytes::from(body.to_string()), headers }
    }

    fn data(&self, platform: Platform, keys: Option<&ContentKeys>) -> Map<String, Value> {
        let fields = self.fitting(keys.map_or(LIMIT, |_| room(LIMIT)));
        let mut data = match keys {
            None => fields,
            Some(keys) => {
                let text = Value::Object(fields).to_string();
                members(json!({ "e": keys.seal(text.as_bytes()) }))
            }
        };
        data.insert("eventId".to_owned(), self.event.into());
        if platform == Platform::Fcm {
            // Google carries texts and nothing else.
            for value in data.values_mut().filter(|value| !value.is_string()) {
                *value = value.to_string().into();
            }
        }
        data
    }

    /// The fields in at most `limit` bytes: without metadata if need be, and with a shorter message.
    fn fitting(&self, limit: usize) -> Map<String, Value> {
        let mut fields = self.fields.clone();
        let length = |fields: &Map<String, Value>| json!(fields).to_string().len();
        if length(&fields) > limit && fields.contains_key("acsChatMessageMetadata") {
            fields.insert("acsChatMessageMetadata".to_owned(), "{}".into());
        }
        while length(&fields) > limit {
            let excess = length(&fields) - limit;
            let Some(Value::String(body)) = fields.get_mut("messageBody") else { break };
            // A character takes up to six bytes when it is escaped, so what is cut may be too much
            // by that factor, but never too little for ever.
            let keep = body.len().saturating_sub(excess.div_ceil(6).max(1));
            if body.is_empty() {
                break;
            }
            body.truncate(body.floor_char_boundary(keep));
        }
        fields
    }
}

type Headers = &'static [(&'static str, &'static str)];
const ALERT: Headers = &[("apns-push-type", "alert"), ("apns-priority", "10")];
const VOIP: Headers =
    &[("apns-push-type", "voip"), ("apns-priority", "10"), ("apns-expiration", "0")];
const NONE: Headers = &[];

/// The text is for applications without an extension that decrypts the message, so it says nothing of
/// it. What the real service writes here is not published.
fn apns_alert(data: &Map<String, Value>) -> Value {
    let alert = json!({ "title": "New message", "body": "Open the app to read it." });
    json!({ "aps": { "alert": alert, "sound": "default", "mutable-content": 1 }, "data": data })
}

fn iso(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(time::to_millis(moment)).unwrap_or_default();
    format!("{moment:.3}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn payload(body: &str) -> Payload {
        let fields = members(json!({ "recipientId": "", "messageBody": body, "n": 1 }));
        Payload { event: 200, urgency: Urgency::Alert, fields }
    }

    fn sent(payload: &Payload, platform: Platform) -> Value {
        serde_json::from_slice(&payload.push(platform, "h", None).body).unwrap()
    }

    #[test]
    fn each_platform_has_its_form() {
        let payload = payload("hi").to(&RawId::new("8:acs:r_b"));
        let apple = sent(&payload, Platform::Apns);
        assert_eq!(apple["data"]["eventId"], 200);
        assert_eq!(apple["data"]["recipientId"], "8:acs:r_b");
        assert_eq!(apple["aps"]["mutable-content"], 1);
        let google = &sent(&payload, Platform::Fcm)["message"];
        assert_eq!(
            (&google["data"]["eventId"], &google["data"]["n"]),
            (&json!("200"), &json!("1"))
        );
        assert_eq!(google["android"]["priority"], "HIGH");
    }

    #[test]
    fn a_call_rings_without_anything_to_see() {
        let ring = Payload { urgency: Urgency::Ring, ..payload("") };
        assert_eq!(sent(&ring, Platform::Apns)["aps"], json!({}));
        assert_eq!(ring.push(Platform::Apns, "h", None).headers[0], ("apns-push-type", "voip"));
    }

    #[test]
    fn sealed_fields_are_one_text() {
        let keys = ContentKeys::parse(
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
        );
        let push = payload("secret").push(Platform::Apns, "h", keys.as_ref());
        let body: Value = serde_json::from_slice(&push.body).unwrap();
        let names: Vec<_> = body["data"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["e", "eventId"]);
        assert!(!String::from_utf8_lossy(&push.body).contains("secret"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_message_fits(part in "\\PC{1,40}", times in 1_usize..900) {
            for platform in Platform::ALL {
                let push = payload(&part.repeat(times)).push(platform, "h", None);
                prop_assert!(push.body.len() <= 4096, "{} bytes", push.body.len());
            }
        }
    }
}
