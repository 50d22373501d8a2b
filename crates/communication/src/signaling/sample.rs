//! Changes of one small thread for the tests of this module.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth::{AccessKeys, KeyRing};
use kernel::{Secret, Timestamp};

use super::notice::{Notice, Push};
use crate::chat::{
    Actor, ChangeKind, ChatChange, Content, Message, MessageKind, Participant, Retention, Thread,
};
use crate::{DEFAULT_CLOCK_SKEW, RawId, Resource};

pub(super) const THREAD: &str = "19:acsV1_sample@thread.v2";
pub(super) const ALICE: &str = "8:acs:r_alice";
pub(super) const BOB: &str = "8:acs:r_bob";
const START: Timestamp = Timestamp::from_secs(1_767_366_245);

/// A resource with keys of its own.
pub(super) fn resource(key: &str) -> Resource {
    let keys = AccessKeys::new(
        Secret::new(format!("{key}PrimaryPrimaryPrimaryPrimaryPrimaryPrimary")),
        Secret::new(format!("{key}SecondarySecondarySecondarySecondarySecondary")),
    );
    Resource {
        name: "local".to_owned(),
        id: "r".to_owned(),
        hosts: Vec::new(),
        keys: KeyRing::new(keys.unwrap()),
        clock_skew: DEFAULT_CLOCK_SKEW,
        public_endpoint: None,
    }
}

fn participant(id: &str, name: &str) -> Participant {
    Participant {
        id: RawId::new(id),
        display_name: Some(name.into()),
        share_history: Some(START),
        metadata: Arc::new(BTreeMap::from([("role".to_owned(), "100%25".to_owned())])),
        visible_from: 0,
    }
}

/// A change by Alice in her thread with Bob, a minute after its creation.
pub(super) fn change(kind: ChangeKind) -> ChatChange {
    let thread = Thread {
        id: THREAD.into(),
        resource: "local".into(),
        topic: "T 100%25 ☃ \"quoted\"".into(),
        metadata: Arc::new(BTreeMap::from([("k".to_owned(), "%41".to_owned())])),
        retention: Retention::Days(30),
        created_by: RawId::new(ALICE),
        created: START,
        participants: [participant(ALICE, "Alice 50%41"), participant(BOB, "Боб")].into(),
        revision: 1,
    };
    ChatChange {
        thread: Arc::new(thread),
        actor: Some(Actor { id: RawId::new(ALICE), display_name: Some("Alice 50%41".into()) }),
        at: START + Duration::from_mins(1),
        transaction: "tx".into(),
        kind,
    }
}

/// A message of Alice.
pub(super) fn message(text: &str) -> ChatChange {
    message_at(text, START + Duration::from_mins(1))
}

/// A message of Alice at a moment, which names its transaction.
pub(super) fn message_at(text: &str, at: Timestamp) -> ChatChange {
    let id = at.as_micros() / 1_000;
    let transaction = format!("tx{id}").into();
    ChatChange { at, transaction, ..change(ChangeKind::MessageReceived(written(id, text))) }
}

fn written(id: i64, text: &str) -> Message {
    Message {
        id,
        sequence: 3,
        version: id,
        content: Some(Content::Text(text.to_owned())),
        kind: MessageKind::Text,
        sender: Some(RawId::new(ALICE)),
        sender_display_name: Some("Alice 50%41".into()),
        metadata: BTreeMap::from([("k".to_owned(), "50%41".to_owned())]),
        edited: None,
        deleted: None,
    }
}

/// A message of Alice, pushed to Bob.
pub(super) fn push(text: &str) -> Push {
    Notice::of(&message(text)).push(1, &RawId::new(BOB))
}

/// One change of each kind.
pub(super) fn every_change() -> [ChatChange; 10] {
    let id = 1_767_366_305_000;
    let later = START + Duration::from_mins(2);
    let version = later.as_micros() / 1_000;
    let edited = Message { version, edited: Some(later), ..written(id, "☃ 50%41") };
    let deleted = Message { version, content: None, deleted: Some(later), ..written(id, "") };
    [
        ChangeKind::MessageReceived(written(id, "hello 50%41 ☃")),
        ChangeKind::MessageEdited(edited),
        ChangeKind::MessageDeleted(deleted),
        ChangeKind::Typing,
        ChangeKind::Read { message: id },
        ChangeKind::ThreadCreated,
        ChangeKind::ThreadUpdated,
        ChangeKind::ThreadDeleted,
        ChangeKind::ParticipantsAdded(vec![participant(BOB, "Боб")]),
        ChangeKind::ParticipantsRemoved(vec![participant("8:acs:r_carol", "Carol")]),
    ]
    .map(change)
}
