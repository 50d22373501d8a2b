//! A notification on its way to many: encoded once, then completed for each receiver by copying.
//!
//! A pushed request is `3:::{"id":…,"url":…,"body":"…"}` with the notification as JSON within the text
//! `body`. Who receives it stands first in the body and the number of the request first of all, so
//! everything behind them, nearly all, is the same for everybody.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use gateway::frame::{self, OpCode};
use kernel::{Journey, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::body::{self, EventKind};
use crate::chat::{ChatChange, Thread};
use crate::identifier::RawId;

/// The path under which clients get their notifications. One for all of them: it says nothing, and so
/// a notification is the same text for everybody.
pub(super) const PUSH_PATH: &str = "/v4/f/chat/";

/// A notification without its receiver.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// Which one it is.
    pub(super) kind: EventKind,
    /// Names the change that it tells of.
    pub(super) transaction: Arc<str>,
    /// The rest of the packet, from the text that follows the receiver on.
    tail: String,
    /// Where its way is recorded, if it is.
    journey: Option<Journey>,
}

impl Notice {
    /// The notification of a change.
    pub(super) fn of(change: &ChatChange) -> Self {
        let transaction = Arc::clone(&change.transaction);
        Self::with_fields(EventKind::of(change), transaction, &body::fields(change))
    }

    /// A notification with these fields.
    pub(super) fn with_fields(
        kind: EventKind,
        transaction: Arc<str>,
        fields: &Map<String, Value>,
    ) -> Self {
        let json = serde_json::to_string(fields).expect("a map of JSON is JSON");
        // The text goes on after the receiver: `","eventId":…}`, quoted once more.
        let rest = format!("\",{}", &json[1..]);
        let mut tail = quoted(&rest);
        tail.push_str("\"}");
        Self { kind, transaction, tail, journey: Journey::recorded() }
    }

    /// A notification as [`Notice::tail`] was kept.
    pub(super) fn restored(kind: EventKind, transaction: Arc<str>, tail: String) -> Self {
        Self { kind, transaction, tail, journey: None }
    }

    /// The journey in whose course it was made.
    pub(super) fn journey(&self) -> Option<&Journey> {
        self.journey.as_ref()
    }

    /// What makes the notification, with kind and transaction.
    pub(super) fn tail(&self) -> &str {
        &self.tail
    }

    /// What it tells of; `None` when it is of no message. Reads its own text, so it is for those alone
    /// who need it.
    pub(super) fn about(&self) -> Option<About> {
        let packet = format!("{{\"body\":\"{{\\\"receiver\\\":\\\"{}", self.tail);
        let packet: Packet = serde_json::from_str(&packet).ok()?;
        serde_json::from_str(&packet.body).ok().filter(|about: &About| !about.message.is_empty())
    }

    /// The request that pushes it to a user, with this number.
    pub(super) fn push(&self, position: u64, receiver: &RawId) -> Push {
        let id = quoted(&quoted(receiver.as_str()));
        let short = quoted(&quoted(receiver.without_network()));
        let text = format!(
            "3:::{{\"id\":{position},\"method\":\"POST\",\"url\":\"{PUSH_PATH}{name}\",\"headers\":\
             {{\"Content-Type\":\"application/json; charset=utf-8\"}},\"body\":\"\
             {{\\\"recipientMri\\\":\\\"{id}\\\",\\\"recipientId\\\":\\\"{short}{tail}",
            name = self.kind.name(),
            tail = self.tail,
        );
        Push { text, frame: OnceLock::new() }
    }
}

/// What a notification of a message tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct About {
    /// The thread.
    #[serde(rename = "groupId")]
    pub thread: String,
    /// The message; a number.
    #[serde(rename = "messageId")]
    pub message: String,
    /// Who wrote, edited or deleted it.
    #[serde(rename = "senderId")]
    pub sender: String,
}

#[derive(Deserialize)]
struct Packet {
    body: String,
}

/// A notification and whom to tell.
#[derive(Clone, Debug)]
pub(super) struct Announcement {
    /// What.
    pub(super) notice: Arc<Notice>,
    /// When it happened.
    pub(super) at: Timestamp,
    /// The one who is not told, since it was their own doing.
    pub(super) spared: Option<RawId>,
    thread: Arc<Thread>,
    removed: Box<[RawId]>,
}

impl Announcement {
    /// The announcement of a change; this is where the notification is encoded.
    pub(super) fn of(change: &ChatChange) -> Self {
        let notice = Notice::of(change);
        let spared = notice.kind.spares_actor().then(|| body::actor(change).clone());
        Self {
            notice: Arc::new(notice),
            at: change.at,
            spared,
            thread: Arc::clone(&change.thread),
            removed: change.removed().iter().map(|it| it.id.clone()).collect(),
        }
    }

    /// Those who are told.
    pub(super) fn receivers(&self) -> impl Iterator<Item = &RawId> {
        let participants = self.thread.participants.iter().map(|it| &it.id);
        participants.chain(&self.removed).filter(|id| Some(*id) != self.spared.as_ref())
    }
}

/// The inside of a JSON text.
fn quoted(text: &str) -> String {
    let mut json = serde_json::to_string(text).expect("text is JSON");
    json.pop();
    json.remove(0);
    json
}

/// A pushed request, shared by the devices of its receiver.
#[derive(Debug)]
pub(super) struct Push {
    /// The packet.
    pub(super) text: String,
    frame: OnceLock<Bytes>,
}

impl Push {
    /// The packet as a WebSocket frame.
    pub(super) fn frame(&self) -> Bytes {
        self.frame.get_or_init(|| frame::encode(OpCode::Text, self.text.as_bytes())).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signaling::packet::Packet as Read;
    use crate::signaling::sample;

    fn pushed(push: &Push) -> (Value, Value) {
        let packet = Read::decode(&push.text).unwrap();
        let request: Value = serde_json::from_str(packet.data.unwrap()).unwrap();
        let body = serde_json::from_str(request["body"].as_str().unwrap()).unwrap();
        (request, body)
    }

    #[test]
    fn a_push_names_its_receiver_and_is_json_within_json() {
        let text = "50%41 \"quoted\" \\ ☃ 😀\n";
        let notice = Notice::of(&sample::message(text));
        let (request, body) = pushed(&notice.push(17, &RawId::new("8:acs:r_\"bob\"")));
        assert_eq!(request["id"], 17);
        assert_eq!(request["url"], "/v4/f/chat/chatMessageReceived");
        assert_eq!(body["recipientMri"], "8:acs:r_\"bob\"");
        assert_eq!(body["recipientId"], "acs:r_\"bob\"");
        assert_eq!(body["messageBody"], text);
        assert_eq!(body["eventId"], 200);
        assert_eq!(body["senderId"], sample::ALICE);
    }

    #[test]
    fn a_kept_notice_pushes_the_same_text() {
        let notice = Notice::of(&sample::message("hello"));
        let tail = notice.tail().to_owned();
        let restored = Notice::restored(notice.kind, Arc::clone(&notice.transaction), tail);
        let bob = RawId::new(sample::BOB);
        assert_eq!(restored.push(3, &bob).text, notice.push(3, &bob).text);
    }

    #[test]
    fn a_notice_knows_what_it_is_about() {
        let about = Notice::of(&sample::message("say \"hi\" \\ 50%41 ☃")).about().unwrap();
        let sample = sample::message("");
        assert_eq!(
            (about.thread.as_str(), about.sender.as_str()),
            (&*sample.thread.id, sample::ALICE)
        );
        assert_eq!(about.message.parse::<i64>().unwrap(), sample.version());
        let [.., removed] = sample::every_change();
        assert_eq!(Notice::of(&removed).about(), None);
    }

    #[test]
    fn a_frame_carries_the_packet() {
        let push = Notice::of(&sample::message("hello")).push(1, &RawId::new(sample::BOB));
        assert!(push.frame().ends_with(push.text.as_bytes()));
    }

    #[test]
    fn every_notification_is_as_clients_read_it() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/signaling/notifications.txt");
        testkit::golden::check(path, |name| {
            let changes = sample::every_change();
            let change = changes.iter().find(|it| EventKind::of(it).name() == name).unwrap();
            pushed(&Notice::of(change).push(1, &RawId::new(sample::BOB))).1.to_string()
        });
    }
}
