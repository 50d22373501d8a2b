//! Sessions without sockets: inputs in, effects out.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gateway::{Audience, Close, ConnectionId, Effect, Input, Session};
use kernel::Timestamp;

use super::*;
use crate::message::Data;
use crate::metadata::Metadata;
use crate::protocol::Envelope;
use crate::upstream::Answer;

/// Writes down what a session raises.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl EventSink for Recorder {
    fn connected(&self) {
        self.0.lock().unwrap().push("connected".to_owned());
    }

    fn disconnected(&self, reason: &str) {
        self.0.lock().unwrap().push(format!("disconnected {reason}"));
    }

    fn user(&self, event: UserEvent) {
        self.0.lock().unwrap().push(format!("{} {:?} {:?}", event.name, event.data, event.reply));
    }
}

struct Stage {
    session: Box<dyn Session>,
    recorder: Arc<Recorder>,
}

impl Stage {
    fn json(roles: &[&str]) -> Self {
        Self::pubsub(roles, Some("token"), true)
    }

    fn pubsub(roles: &[&str], token: Option<&str>, listened: bool) -> Self {
        let recorder = Arc::<Recorder>::default();
        let permissions = Permissions::from_roles(roles.iter().copied());
        let session = Box::new(PubSubSession::new(
            id(),
            Some("ann".into()),
            permissions,
            Envelope::Json,
            token.map(Into::into),
            events(&recorder, listened),
        ));
        Self { session, recorder }
    }

    fn simple(roles: &[&str], mode: SimpleMode, listened: bool) -> Self {
        let recorder = Arc::<Recorder>::default();
        let permissions = Permissions::from_roles(roles.iter().copied());
        let events = events(&recorder, listened);
        let session =
            Box::new(SimpleSession::new(id(), Some("ann".into()), permissions, mode, events));
        Self { session, recorder }
    }

    /// The effects of an input, in short.
    fn step(&mut self, input: Input<'_>) -> Vec<String> {
        let mut effects = Vec::new();
        self.session.step(Timestamp::from_secs(100), input, &mut effects);
        shorten(effects)
    }

    fn text(&mut self, text: &str) -> Vec<String> {
        self.step(Input::Text(text))
    }

    fn answer(&mut self, reply: Reply, outcome: UserOutcome) -> Vec<String> {
        let mut effects = Vec::new();
        let answered = Box::new(Instruction::EventAnswered { reply, outcome });
        assert!(self.session.instruct(Timestamp::default(), answered, &mut effects));
        shorten(effects)
    }

    fn ask(&mut self, verb: Verb, permission: Permission, group: Option<&str>) -> bool {
        let group = group.map(Into::into);
        let question = Instruction::Permission(PermissionQuestion { verb, permission, group });
        self.session.instruct(Timestamp::default(), Box::new(question), &mut Vec::new())
    }

    fn raised(&self) -> Vec<String> {
        std::mem::take(&mut self.recorder.0.lock().unwrap())
    }
}

fn id() -> ConnectionId {
    ConnectionId::parse(&"A".repeat(24)).unwrap()
}

fn events(recorder: &Arc<Recorder>, listened: bool) -> EventSource {
    let sink: Arc<dyn EventSink> = Arc::<Recorder>::clone(recorder);
    EventSource::new(listened.then_some(sink))
}

fn shorten(effects: Vec<Effect>) -> Vec<String> {
    effects.into_iter().filter_map(short).collect()
}

/// Frames in these tests are short, so their header has two bytes, or four.
fn payload(frame: &Bytes) -> String {
    let header = if frame[1] < 126 { 2 } else { 4 };
    String::from_utf8_lossy(&frame[header..]).into_owned()
}

fn short(effect: Effect) -> Option<String> {
    Some(match effect {
        Effect::Send(frame) => payload(&frame),
        Effect::Join(group) => format!("join {group}"),
        Effect::Leave(group) => format!("leave {group}"),
        Effect::Publish { audience, echo, .. } => match audience {
            Audience::Group(group) => format!("publish {group} echo={echo}"),
            Audience::Connection(_) => "reply".to_owned(),
            other => format!("{other:?}"),
        },
        Effect::Acknowledge(sequence_id) => format!("acknowledge {sequence_id}"),
        Effect::Pause => "pause".to_owned(),
        Effect::Resume => "resume".to_owned(),
        Effect::Raise(raised) => {
            raised.raise();
            return None;
        }
        Effect::Close(close) => format!("close {} {}", close.code, close.reason),
    })
}

const JOIN: &str = "webpubsub.joinLeaveGroup";
const SEND: &str = "webpubsub.sendToGroup";

#[test]
fn the_first_message_names_user_connection_and_token() {
    let mut stage = Stage::json(&[]);
    let connected = stage.step(Input::Opened);
    assert!(connected[0].contains(r#""userId":"ann""#), "{connected:?}");
    assert!(connected[0].contains(r#""reconnectionToken":"token""#), "{connected:?}");
    assert_eq!(stage.step(Input::Recovered), connected, "and again after a recovery");
    assert_eq!(stage.raised(), ["connected"], "of which the event handler hears nothing");
}

#[test]
fn groups_need_the_role_and_failures_are_silent_without_an_ack() {
    let mut stage = Stage::json(&[]);
    assert!(stage.text(r#"{"type":"joinGroup","group":"g"}"#).is_empty());
    let refused = stage.text(r#"{"type":"joinGroup","group":"g","ackId":1}"#);
    assert!(refused[0].contains("Forbidden") && refused[0].contains("join group 'g'"));
    let mut stage = Stage::json(&[JOIN]);
    let joined = stage.text(r#"{"type":"joinGroup","group":"g","ackId":1}"#);
    assert_eq!(joined, ["join g", r#"{"type":"ack","ackId":1,"success":true}"#]);
    assert_eq!(stage.text(r#"{"type":"leaveGroup","group":"g"}"#), ["leave g"]);
}

#[test]
fn an_ack_id_is_carried_out_once_but_may_be_tried_again_after_a_failure() {
    let mut stage = Stage::json(&[]);
    let send = r#"{"type":"sendToGroup","group":"g","data":1,"ackId":7,"noEcho":true}"#;
    assert!(stage.text(send)[0].contains("Forbidden"));
    assert!(stage.ask(Verb::Grant, Permission::SendToGroup, Some("g")));
    assert_eq!(stage.text(send)[0], "publish g echo=false");
    let again = stage.text(send);
    assert_eq!(again.len(), 1);
    assert!(again[0].contains("Duplicate") && again[0].contains("ack-id: 7"), "{again:?}");
}

#[test]
fn permissions_are_granted_revoked_and_checked() {
    let mut stage = Stage::json(&[JOIN]);
    assert!(stage.ask(Verb::Check, Permission::JoinLeaveGroup, None));
    assert!(stage.ask(Verb::Revoke, Permission::JoinLeaveGroup, Some("g")));
    assert!(!stage.ask(Verb::Check, Permission::JoinLeaveGroup, Some("g")));
    assert!(stage.ask(Verb::Check, Permission::JoinLeaveGroup, Some("h")));
    assert!(!stage.ask(Verb::Check, Permission::SendToGroup, Some("h")));
    assert!(stage.ask(Verb::Grant, Permission::SendToGroup, None));
    assert!(stage.ask(Verb::Check, Permission::SendToGroup, None));
}

#[test]
fn an_event_is_acked_after_its_answer_and_only_once() {
    let mut stage = Stage::json(&[]);
    let event = r#"{"type":"event","event":"order","dataType":"text","data":"x","ackId":3}"#;
    assert!(stage.text(event).is_empty(), "nothing is said before the handler has spoken");
    assert_eq!(stage.raised(), [r#"order Text("x") Ack(Some(3))"#]);
    assert!(stage.text(event).is_empty() && stage.raised().is_empty(), "sent again meanwhile");
    let answer = Answer { data: Data::Text("y".into()), metadata: Metadata::default() };
    let answered = stage.answer(Reply::Ack(Some(3)), UserOutcome::Handled(Some(answer)));
    assert_eq!(answered, ["reply", r#"{"type":"ack","ackId":3,"success":true}"#]);
    assert!(stage.text(event)[0].contains("Duplicate"));
}

#[test]
fn an_event_that_fails_or_that_nobody_takes_is_an_error_and_no_end() {
    let mut stage = Stage::json(&[]);
    stage.text(r#"{"type":"event","event":"order","data":1,"ackId":3}"#);
    let failed = stage.answer(Reply::Ack(Some(3)), UserOutcome::Failed("down".to_owned()));
    assert!(failed[0].contains("InternalServerError") && !failed[0].contains("down"));
    let mut alone = Stage::pubsub(&[], None, false);
    let refused = alone.text(r#"{"type":"event","event":"order","data":1,"ackId":3}"#);
    assert!(refused[0].contains("InternalServerError"), "{refused:?}");
}

#[test]
fn many_unanswered_events_pause_reading_until_most_are_answered() {
    let mut stage = Stage::json(&[]);
    let event = |stage: &mut Stage| stage.text(r#"{"type":"event","event":"e","data":1}"#);
    let paused = (0..100).position(|_| event(&mut stage) == ["pause"]).unwrap();
    assert_eq!(paused, 64);
    let mut answers = 0;
    while stage.answer(Reply::Ack(None), UserOutcome::Handled(None)) != ["resume"] {
        answers += 1;
        assert!(answers < 100, "never resumed");
    }
    assert_eq!(answers, 64 - 31);
}

#[test]
fn what_is_not_the_subprotocols_closes() {
    let mut stage = Stage::json(&[]);
    assert!(stage.text("{")[0].starts_with("close 1007 The client message is not a valid JSON"));
    let binary = stage.step(Input::Binary(b"x"));
    assert_eq!(binary, ["close 1003 The JSON subprotocol requires text messages."]);
}

#[test]
fn a_goodbye_is_told_to_the_client_and_the_handler() {
    let mut stage = Stage::json(&[]);
    let close = Close::new(1000, "enough");
    let told = stage.step(Input::Closing(&close));
    assert_eq!(told, [r#"{"type":"system","event":"disconnected","message":"enough"}"#]);
    stage.step(Input::Ended(&Close::new(1000, "enough")));
    assert_eq!(stage.raised(), ["disconnected enough"]);
}

#[test]
fn a_sequence_ack_reaches_the_engine() {
    let mut stage = Stage::json(&[]);
    assert_eq!(stage.text(r#"{"type":"sequenceAck","sequenceId":9}"#), ["acknowledge 9"]);
}

#[test]
fn a_simple_client_publishes_to_the_group_of_its_url() {
    let mode = || SimpleMode::SendToGroup { group: "g".into(), no_echo: true };
    let mut stage = Stage::simple(&[SEND], mode(), false);
    assert_eq!(stage.text("hi"), ["publish g echo=false"]);
    let mut stage = Stage::simple(&[], mode(), false);
    assert!(stage.text("hi")[0].starts_with("close 1008"));
}

#[test]
fn a_simple_clients_frames_are_events_and_a_failure_ends_it() {
    let mut stage = Stage::simple(&[], SimpleMode::SendEvent, true);
    assert!(stage.step(Input::Binary(b"x")).is_empty());
    assert_eq!(stage.raised(), [r#"message Binary(b"x") Silence"#]);
    assert!(stage.answer(Reply::Silence, UserOutcome::Handled(None)).is_empty());
    let failed = stage.answer(Reply::Silence, UserOutcome::NoHandler);
    assert!(failed[0].starts_with("close 1011"), "{failed:?}");
    let mut alone = Stage::simple(&[], SimpleMode::SendEvent, false);
    assert!(alone.text("x")[0].starts_with("close 1011"));
}
