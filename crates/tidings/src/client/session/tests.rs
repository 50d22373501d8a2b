//! The client's life, told as inputs and effects.

use webpubsub::message::{Message, Source};

use super::*;

/// A session and its clock; `step` returns the effects of one input.
struct Client {
    session: Session,
    now: Timestamp,
}

impl Client {
    /// A reliable client in group `g`, connected with id `c` and token `t`.
    fn connected(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            reliable: true,
            envelope: true,
            groups: vec!["g".to_owned()],
            interactive: true,
        };
        change(&mut settings);
        let (now, mut effects) = (Timestamp::from_secs(1000), Vec::new());
        let groups = settings.groups.clone();
        let session = Session::new(settings, now, &mut effects);
        assert_eq!(effects, [Effect::Dial(Dial::Anew(groups))]);
        let mut client = Self { session, now };
        client.step(Input::Opened);
        client.step(Input::Received(hello("c", "t")));
        client
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.session.step(self.now, input, &mut effects);
        effects
    }

    fn later(&mut self, seconds: u64) -> Vec<Effect> {
        self.now = self.now + Duration::from_secs(seconds);
        self.step(Input::Tick)
    }

    fn type_in(&mut self, line: &str) -> Vec<Effect> {
        assert!(self.session.wants_input());
        self.step(Input::Line(super::super::lines::parse(line)))
    }

    fn ack(&mut self, ack_id: u64, error: Option<&str>) -> Vec<Effect> {
        let outcome = error
            .map_or(Ok(()), |name| Err(AckError { name: name.to_owned(), message: String::new() }));
        self.step(Input::Received(ServerMessage::Ack { ack_id, outcome }))
    }

    fn close(&mut self, code: u16) -> Vec<Effect> {
        self.step(Input::Ended(Some((code, "bye".to_owned()))))
    }
}

fn hello(id: &str, token: &str) -> ServerMessage {
    ServerMessage::Connected {
        connection_id: id.to_owned(),
        user: None,
        reconnection_token: Some(token.to_owned()),
    }
}

fn data(sequence_id: u64) -> Input {
    let (source, data) = (Source::Server, Data::Text("x".into()));
    let message = Message { source, data, metadata: Metadata::default() };
    Input::Received(ServerMessage::Data { message, sequence_id: Some(sequence_id) })
}

fn recovery() -> Effect {
    Effect::Dial(Dial::Recover { connection_id: "c".to_owned(), token: "t".to_owned() })
}

fn anew(groups: &[&str]) -> Effect {
    Effect::Dial(Dial::Anew(groups.iter().map(|&group| group.to_owned()).collect()))
}

fn sent(effects: &[Effect]) -> &ClientMessage<'static> {
    match effects {
        [Effect::Send(message)] => message,
        other => panic!("not one message: {other:?}"),
    }
}

fn finish(effects: &[Effect]) -> Option<Result<(), &str>> {
    effects.iter().find_map(|effect| match effect {
        Effect::Finish(outcome) => Some(outcome.as_ref().map(|&()| ()).map_err(String::as_str)),
        _ => None,
    })
}

#[test]
fn lines_go_to_the_current_group_or_to_the_event_handler() {
    let mut client = Client::connected(|_| {});
    let effects = client.type_in("hello");
    assert!(
        matches!(sent(&effects), ClientMessage::SendToGroup { group, ack_id: Some(1), .. } if group == "g")
    );
    client.type_in("/group");
    let effects = client.type_in("hello");
    assert!(
        matches!(sent(&effects), ClientMessage::Event { event, ack_id: Some(2), .. } if event == "message")
    );
    let effects = client.type_in("/event order 1");
    assert!(matches!(sent(&effects), ClientMessage::Event { event, .. } if event == "order"));
    let effects = client.type_in("/json [1]");
    assert!(matches!(sent(&effects), ClientMessage::Event { data: Data::Json(_), .. }));
}

#[test]
fn the_first_group_joined_becomes_the_current_one_until_it_is_left() {
    let target = |group: Option<&str>| Effect::Tell(Note::Target(group.map(str::to_owned)));
    let to = |effects: &[Effect], wanted: &str| {
        let is_wanted = |message: &ClientMessage<'_>| matches!(message, ClientMessage::SendToGroup { group, .. } if group == wanted);
        assert!(is_wanted(sent(effects)), "{effects:?}");
    };
    let mut client = Client::connected(|settings| settings.groups.clear());
    assert_eq!(client.type_in("/join a")[0], target(Some("a")));
    to(&client.type_in("said before the ack"), "a");
    client.ack(1, None);
    assert_eq!(client.type_in("/join b").len(), 1, "the current group stays");
    client.ack(3, None);
    to(&client.type_in("x"), "a");
    assert_eq!(client.type_in("/leave a")[0], target(None));
    client.ack(5, None);
    client.close(1008);
    assert_eq!(client.later(1), [anew(&["b"])], "a new connection starts in the groups joined");
}

#[test]
fn a_refused_join_changes_nothing() {
    let mut client = Client::connected(|settings| settings.groups.clear());
    client.type_in("/join a");
    let effects = client.ack(1, Some("Forbidden"));
    let refused =
        matches!(&effects[0], Effect::Tell(Note::Refused { what, .. }) if what == "join a");
    assert!(refused && effects[1] == Effect::Tell(Note::Target(None)), "{effects:?}");
    assert!(matches!(sent(&client.type_in("x")), ClientMessage::Event { .. }));
    client.close(1008);
    assert_eq!(client.later(1), [anew(&[])]);
}

#[test]
fn arrivals_are_delivered_once_and_acknowledged_each_second() {
    let mut client = Client::connected(|_| {});
    assert!(matches!(&client.step(data(1))[..], [Effect::Deliver(_)]));
    assert!(matches!(&client.step(data(2))[..], [Effect::Deliver(_)]));
    assert_eq!(client.step(data(2)), []);
    assert_eq!(client.later(1), [Effect::Send(ClientMessage::SequenceAck { sequence_id: 2 })]);
    assert_eq!(client.later(1), []);
    for id in 3..=301 {
        assert_eq!(client.step(data(id)).len(), 1, "{id}");
    }
    let effects = client.step(data(302));
    assert_eq!(effects[0], Effect::Send(ClientMessage::SequenceAck { sequence_id: 302 }));
}

#[test]
fn a_lost_connection_is_recovered_and_pending_messages_are_sent_again() {
    let mut client = Client::connected(|_| {});
    client.step(data(1));
    let first = client.type_in("one");
    assert!(matches!(&client.step(Input::Ended(None))[..], [Effect::Tell(Note::Lost(_))]));
    assert!(!client.session.wants_input());
    assert_eq!(client.later(1), [recovery()]);
    client.step(Input::NotOpened("refused".to_owned()));
    assert_eq!(client.later(1), [recovery()]);
    assert_eq!(client.step(Input::Opened), first, "the same message under the same ack id");
    assert_eq!(client.step(data(1)), [], "what was delivered is not delivered again");
    let effects = client.ack(1, Some("Duplicate"));
    assert_eq!(effects, [Effect::Tell(Note::Done("send to g".to_owned()))]);
    assert!(client.later(1).contains(&Effect::Tell(Note::Recovered)));
}

#[test]
fn a_refused_recovery_leads_to_a_new_connection() {
    let mut client = Client::connected(|_| {});
    client.type_in("one");
    client.close(1001);
    assert_eq!(client.later(1), [recovery()]);
    client.step(Input::Opened);
    client.close(1008);
    assert_eq!(client.later(1), [anew(&["g"])]);
    assert_eq!(client.step(Input::Opened), [Effect::Tell(Note::Replaced(1))]);
    let effects = client.step(Input::Received(hello("d", "u")));
    assert!(matches!(&effects[..], [Effect::Tell(Note::Connected { .. })]));
    assert!(matches!(&client.step(data(1))[..], [Effect::Deliver(_)]), "numbers start again");
}

#[test]
fn recovery_is_tried_for_thirty_seconds_and_connecting_for_sixty() {
    let mut client = Client::connected(|_| {});
    client.step(Input::Ended(None));
    client.now = client.now + Duration::from_secs(28);
    assert_eq!(client.later(1), [recovery()]);
    client.step(Input::NotOpened("down".to_owned()));
    assert_eq!(client.later(1), [anew(&["g"])]);
    client.now = client.now + Duration::from_secs(29);
    client.step(Input::NotOpened("down".to_owned()));
    assert_eq!(client.later(1), [anew(&["g"])]);
    let effects = client.step(Input::NotOpened("down".to_owned()));
    assert_eq!(finish(&effects), Some(Err("the connection is lost: down")));
}

#[test]
fn without_a_reliable_protocol_a_lost_connection_is_replaced() {
    let mut client = Client::connected(|settings| settings.reliable = false);
    client.step(Input::Ended(None));
    assert_eq!(client.later(1), [anew(&["g"])]);
}

#[test]
fn a_first_dial_that_fails_ends_the_client() {
    let settings = Settings { reliable: true, envelope: true, groups: vec![], interactive: true };
    let (now, mut effects) = (Timestamp::default(), Vec::new());
    let mut session = Session::new(settings, now, &mut effects);
    effects.clear();
    session.step(now, Input::NotOpened("401 no".to_owned()), &mut effects);
    assert_eq!(finish(&effects), Some(Err("401 no")));
}

#[test]
fn the_server_ends_the_client_by_a_normal_close_or_a_protocol_error() {
    let effects = Client::connected(|_| {}).close(1000);
    assert_eq!(finish(&effects), Some(Ok(())));
    for code in [1002, 1003, 1007, 1009] {
        let effects = Client::connected(|_| {}).close(code);
        let Some(Err(why)) = finish(&effects) else { panic!("{code}: {effects:?}") };
        assert!(why.contains(&format!("{code} bye")), "{why}");
    }
    // A simple client is dropped when its event failed; connecting again would not help.
    let effects = Client::connected(|settings| settings.envelope = false).close(1011);
    assert!(matches!(finish(&effects), Some(Err(_))), "{effects:?}");
}

#[test]
fn the_end_of_input_closes_once_everything_is_acknowledged() {
    let mut client = Client::connected(|settings| settings.interactive = false);
    client.type_in("one");
    client.type_in("two");
    assert_eq!(client.step(Input::InputEnded), []);
    assert_eq!(client.ack(1, None), [], "only a person is told of every ack");
    assert_eq!(client.ack(2, None), [Effect::Close]);
    assert_eq!(finish(&client.close(1000)), Some(Ok(())));
}

#[test]
fn a_script_fails_when_a_line_was_refused_or_wrong_and_a_person_does_not() {
    for (interactive, outcome) in
        [(false, Some(Err("2 of 2 lines were not accepted"))), (true, Some(Ok(())))]
    {
        let mut client = Client::connected(|settings| settings.interactive = interactive);
        client.type_in("one");
        client.ack(1, Some("Forbidden"));
        client.type_in("/what");
        assert!(client.step(Input::InputEnded).contains(&Effect::Close));
        assert_eq!(finish(&client.close(1000)), outcome);
    }
}

#[test]
fn input_waits_while_too_much_is_pending() {
    let mut client = Client::connected(|_| {});
    for _ in 0..MOST_PENDING {
        client.type_in("x");
    }
    assert!(!client.session.wants_input());
    client.ack(1, None);
    assert!(client.session.wants_input());
}

#[test]
fn the_simple_protocol_sends_without_waiting_and_knows_no_groups() {
    let mut client = Client::connected(|settings| {
        (settings.envelope, settings.reliable, settings.interactive) = (false, false, false);
    });
    assert_eq!(client.type_in("x").len(), 1);
    assert!(matches!(&client.type_in("/join a")[..], [Effect::Tell(Note::Problem(_))]));
    assert_eq!(client.step(Input::InputEnded), [Effect::Close]);
}

#[test]
fn an_interruption_closes_and_does_not_wait_for_ever() {
    let mut client = Client::connected(|_| {});
    client.type_in("one");
    assert_eq!(client.step(Input::Interrupted), [Effect::Close]);
    assert_eq!(client.later(4), []);
    assert_eq!(finish(&client.later(1)), Some(Ok(())));
    assert_eq!(client.step(Input::Interrupted), [], "it ends once");
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let mut client = Client::connected(|_| {});
    assert_eq!(client.later(44), []);
    assert_eq!(client.later(1), [Effect::Ping]);
    assert_eq!(client.later(1), []);
    client.step(Input::Heard);
    assert_eq!(client.later(44), []);
    assert_eq!(client.later(1), [Effect::Ping]);
    let effects = client.later(45);
    assert!(matches!(&effects[..], [Effect::Hang, Effect::Tell(Note::Lost(_))]), "{effects:?}");
    assert_eq!(client.later(1), [recovery()]);
}
