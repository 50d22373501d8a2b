//! What can happen to a call, without a store.

use kernel::Timestamp;

use crate::calling::machine::{Change, Effect, Invite, change};
use crate::calling::model::{Added, Call, Connection, State};
use crate::calling::outcome::{Silence, Unanswered};
use crate::identifier::RawId;

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);
const LATER: Timestamp = Timestamp::from_secs(1_767_366_345);

pub(super) fn user(name: &str) -> RawId {
    RawId::user("r", name)
}

fn connection(id: &str, answered_for: Option<&RawId>) -> Connection {
    Connection {
        id: id.to_owned(),
        callback: Some(format!("https://app/{id}")),
        operation_context: None,
        state: State::Connecting,
        answered_for: answered_for.map(|it| it.as_str().to_owned()),
        sequence: 0,
    }
}

pub(super) fn invite(name: &str, added: Option<Added>) -> Invite {
    let until = NOW + std::time::Duration::from_secs(60);
    Invite { user: user(name), exists: true, secret: format!("secret of {name}"), until, added }
}

/// A call of an application that rings these users.
pub(super) fn ringing(names: &[&str]) -> Call {
    let mut call = Call {
        id: "c".to_owned(),
        resource: "local".to_owned(),
        correlation: "x".to_owned(),
        from: "28:acs:r_app".to_owned(),
        display_name: None,
        connections: vec![connection("app", None)],
        people: Vec::new(),
        started: None,
        ended: false,
        trace: None,
    };
    let effects = act(&mut call, |it| names.iter().for_each(|name| it.invite(invite(name, None))));
    assert_eq!(effects, names.iter().map(|name| Effect::Ring(user(name))).collect::<Vec<_>>());
    call
}

pub(super) fn act(call: &mut Call, act: impl FnOnce(&mut Change<'_>)) -> Vec<Effect> {
    let done = change(call, |it| {
        act(it);
        Ok(())
    });
    done.unwrap().1
}

/// The callbacks among effects: to whom, and what.
fn told(effects: &[Effect]) -> Vec<(&str, &str)> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Callback(it) => Some((it.connection.as_str(), it.kind)),
        _ => None,
    });
    told.collect()
}

pub(super) fn answered(call: &mut Call, name: &str) -> Vec<Effect> {
    let who = user(name);
    act(call, |it| it.answer(&who, Some(connection(name, Some(&who))), NOW).unwrap())
}

fn stops(effects: &[Effect]) -> Vec<(RawId, bool)> {
    let stops = effects.iter().filter_map(|effect| match effect {
        Effect::Stop { user, why } => Some((user.clone(), why.is_missed())),
        _ => None,
    });
    stops.collect()
}

#[test]
fn an_answer_connects_both_sides_and_stops_the_ringing() {
    let mut call = ringing(&["bob"]);
    let effects = answered(&mut call, "bob");
    assert_eq!(
        told(&effects),
        [
            ("app", "CallConnected"),
            ("bob", "CallConnected"),
            ("app", "ParticipantsUpdated"),
            ("bob", "ParticipantsUpdated"),
        ]
    );
    assert_eq!(stops(&effects), [(user("bob"), false)]);
    assert!(effects.contains(&Effect::Started(user("bob"))));
    assert!(effects.contains(&Effect::Joined(user("bob"))));
    assert_eq!(call.due(), None);
}

#[test]
fn the_first_answer_wins() {
    let mut call = ringing(&["bob"]);
    let secret = "secret of bob";
    assert_eq!(change(&mut call, |it| it.rung(secret, NOW)).unwrap().0, user("bob"));
    answered(&mut call, "bob");
    let refused = change(&mut call, |it| it.rung(secret, NOW)).unwrap_err();
    assert_eq!(refused.target_name(), Some("incomingCallContext"));
    let again = change(&mut call, |it| it.answer(&user("bob"), None, NOW));
    assert!(again.is_err());
}

#[test]
fn a_call_that_nobody_answers_fails_and_is_missed() {
    let mut call = ringing(&["bob"]);
    assert_eq!(act(&mut call, |it| it.expire(NOW)), []);
    assert!(change(&mut call, |it| it.rung("secret of bob", LATER)).is_err());
    let effects = act(&mut call, |it| it.expire(LATER));
    assert_eq!(told(&effects), [("app", "CreateCallFailed")]);
    assert_eq!(stops(&effects), [(user("bob"), true)]);
    assert!(call.ended);
}

#[test]
fn each_way_of_not_answering_has_its_code() {
    for (why, code) in [
        (Unanswered::Declined, 603),
        (Unanswered::Busy, 486),
        (Unanswered::Forbidden, 403),
        (Unanswered::Unknown, 404),
    ] {
        let mut call = ringing(&["bob"]);
        let effects = act(&mut call, |it| it.unanswered(&user("bob"), why));
        let Some(Effect::Callback(failed)) = effects.last() else { panic!("{effects:?}") };
        assert_eq!(failed.data["resultInformation"]["code"], code);
        assert_eq!(stops(&effects), [(user("bob"), false)]);
    }
}

#[test]
fn with_several_the_call_fails_with_the_last_one_only() {
    let mut call = ringing(&["bob", "eve"]);
    let effects = act(&mut call, |it| it.unanswered(&user("bob"), Unanswered::Declined));
    assert_eq!(told(&effects), [] as [(&str, &str); 0]);
    answered(&mut call, "eve");
    assert!(!call.ended);
}

#[test]
fn a_redirected_call_rings_somebody_else() {
    let mut call = ringing(&["bob"]);
    let effects = act(&mut call, |it| it.redirect(&user("bob"), invite("eve", None)).unwrap());
    let stop = Effect::Stop { user: user("bob"), why: Silence::Redirected };
    assert_eq!(effects, [stop, Effect::Ring(user("eve"))]);
    assert!(change(&mut call, |it| it.rung("secret of bob", NOW)).is_err());
    answered(&mut call, "eve");
    assert!(call.joined().any(|it| it.raw() == user("eve")));
}

#[test]
fn the_caller_who_hangs_up_while_it_rings_leaves_a_missed_call() {
    let mut call = ringing(&["bob"]);
    let effects = act(&mut call, |it| it.hang_up("app").unwrap());
    assert_eq!(stops(&effects), [(user("bob"), true)]);
    assert_eq!(told(&effects), [("app", "CallDisconnected")]);
    assert!(call.ended && !effects.contains(&Effect::Ended), "it had not begun");
}

#[test]
fn the_last_but_one_who_leaves_ends_the_call() {
    let mut call = ringing(&["bob"]);
    answered(&mut call, "bob");
    let effects = act(&mut call, |it| it.hang_up("bob").unwrap());
    assert_eq!(told(&effects), [("bob", "CallDisconnected"), ("app", "CallDisconnected")]);
    assert!(effects.contains(&Effect::Left(user("bob"))));
    assert_eq!(effects.last(), Some(&Effect::Ended));
    assert!(change(&mut call, |it| it.hang_up("app")).is_err());
}

#[test]
fn an_addition_is_told_to_who_asked_for_it() {
    let mut call = ringing(&["bob"]);
    answered(&mut call, "bob");
    let added = |id: &str| Added {
        invitation_id: id.to_owned(),
        connection: "app".to_owned(),
        callback: None,
        operation_context: Some("adding".to_owned()),
    };
    act(&mut call, |it| it.invite(invite("eve", Some(added("1")))));
    let effects = answered(&mut call, "eve");
    assert!(told(&effects).contains(&("app", "AddParticipantSucceeded")), "{effects:?}");

    act(&mut call, |it| it.invite(invite("dan", Some(added("2")))));
    let effects = act(&mut call, |it| it.unanswered(&user("dan"), Unanswered::Busy));
    assert_eq!(told(&effects), [("app", "AddParticipantFailed")]);

    act(&mut call, |it| it.invite(invite("dan", Some(added("3")))));
    let effects = act(&mut call, |it| it.cancel("3").unwrap());
    assert_eq!(told(&effects), [("app", "CancelAddParticipantSucceeded")]);
    assert!(change(&mut call, |it| it.cancel("3")).is_err());
    assert!(!call.ended);
}

#[test]
fn somebody_is_muted_and_sent_away() {
    let mut call = ringing(&["bob", "eve"]);
    answered(&mut call, "bob");
    answered(&mut call, "eve");
    act(&mut call, |it| it.mute("app", &user("bob")).unwrap());
    assert!(call.person(&user("bob")).unwrap().muted);
    let effects = act(&mut call, |it| it.remove("app", &user("bob"), (None, None)).unwrap());
    assert!(told(&effects).contains(&("app", "RemoveParticipantSucceeded")), "{effects:?}");
    assert!(told(&effects).contains(&("bob", "CallDisconnected")));
    assert!(!call.ended && call.joined().count() == 1);
}

#[test]
fn terminating_ends_it_for_everybody() {
    let mut call = ringing(&["bob"]);
    answered(&mut call, "bob");
    let effects = act(&mut call, |it| it.terminate("app").unwrap());
    assert_eq!(told(&effects), [("app", "CallDisconnected"), ("bob", "CallDisconnected")]);
    assert_eq!(effects.last(), Some(&Effect::Ended));
}
