//! Every event of every change, against golden lines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::chat::{Content, MessageKind, Retention};

const START: Timestamp = Timestamp::from_secs(1_704_067_200);

fn participant(name: &str) -> Participant {
    Participant {
        id: RawId::user("r", &name.to_lowercase()),
        display_name: Some(name.into()),
        share_history: Some(Timestamp::default()),
        metadata: Arc::default(),
        visible_from: 0,
    }
}

/// A change in a thread of Alice and Bob, by Alice, a minute after its creation.
fn change(kind: ChangeKind) -> ChatChange {
    let thread = Thread {
        id: "19:x@thread.v2".into(),
        resource: "local".into(),
        topic: "plans".into(),
        metadata: Arc::new(BTreeMap::from([("k".to_owned(), "v".to_owned())])),
        retention: Retention::None,
        created_by: RawId::user("r", "alice"),
        created: START,
        participants: [participant("Alice"), participant("Bob")].into(),
        revision: 1,
    };
    ChatChange {
        thread: Arc::new(thread),
        actor: Some(Actor { id: RawId::user("r", "alice"), display_name: Some("Alice".into()) }),
        at: START + Duration::from_mins(1),
        transaction: "tx".into(),
        kind,
    }
}

fn message() -> Message {
    let id = 1_704_067_260_000;
    Message {
        id,
        sequence: 3,
        version: id,
        content: Some(Content::Text("hi".to_owned())),
        kind: MessageKind::Html,
        sender: Some(RawId::user("r", "alice")),
        sender_display_name: Some("A.".into()),
        metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        edited: None,
        deleted: None,
    }
}

fn changed_message(edited: bool) -> Message {
    let later = Some(START + Duration::from_mins(2));
    let version = 1_704_067_320_000;
    match edited {
        true => Message { version, edited: later, ..message() },
        false => Message {
            version,
            content: None,
            metadata: BTreeMap::new(),
            deleted: later,
            ..message()
        },
    }
}

fn named(name: &str) -> ChatChange {
    change(match name {
        "messageReceived" => ChangeKind::MessageReceived(message()),
        "messageEdited" => ChangeKind::MessageEdited(changed_message(true)),
        "messageDeleted" => ChangeKind::MessageDeleted(changed_message(false)),
        "threadCreated" => ChangeKind::ThreadCreated,
        "threadUpdated" => ChangeKind::ThreadUpdated,
        "threadDeleted" => ChangeKind::ThreadDeleted,
        "participantsAdded" => ChangeKind::ParticipantsAdded(vec![participant("Bob")]),
        "participantsRemoved" => ChangeKind::ParticipantsRemoved(vec![participant("Carol")]),
        other => panic!("no change is called {other}"),
    })
}

#[test]
fn every_change_causes_the_documented_events() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/events/events.txt");
    testkit::golden::check(path, |case| {
        let (name, number) = case.split_once(' ').unwrap();
        let event = &of(&named(name))[number.parse::<usize>().unwrap()];
        format!("{} {} {}", event.event_type, event.subject, event.data)
    });
}

#[test]
fn each_user_concerned_and_the_thread_get_one_event() {
    for (name, count) in [
        ("messageReceived", 2),
        ("messageEdited", 2),
        ("messageDeleted", 2),
        ("threadCreated", 3),
        ("threadUpdated", 3),
        ("threadDeleted", 3),
        ("participantsAdded", 3),
        ("participantsRemoved", 4),
    ] {
        assert_eq!(of(&named(name)).len(), count, "{name}");
    }
}

#[test]
fn typing_and_receipts_cause_none() {
    assert_eq!(of(&change(ChangeKind::Typing)), []);
    assert_eq!(of(&change(ChangeKind::Read { message: 1 })), []);
}

#[test]
fn a_thread_that_ends_by_its_policy_is_deleted_by_its_creator() {
    let ended = ChatChange { actor: None, ..change(ChangeKind::ThreadDeleted) };
    assert!(of(&ended)[0].subject.starts_with("thread/19:x@thread.v2/deletedBy/8:acs:r_alice/"));
}
