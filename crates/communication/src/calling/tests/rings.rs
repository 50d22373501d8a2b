//! What devices are told, from what a call was and is.

use super::machine::{NOW, act, answered, invite, ringing, user};
use crate::calling::context::Context;
use crate::calling::outcome::Unanswered;
use crate::calling::ports::{Signal, What};
use crate::calling::rings::Rings;

/// Whose devices ring (`+`), are still (`-`), or have missed a call (`!`).
fn told(signals: &[Signal]) -> Vec<String> {
    let name = |signal: &Signal| signal.user.as_str().rsplit('_').next().unwrap().to_owned();
    let mark = |signal: &Signal| match signal.what {
        What::Ring { .. } => '+',
        What::Stop { missed: false } => '-',
        What::Stop { missed: true } => '!',
    };
    signals.iter().map(|signal| format!("{}{}", mark(signal), name(signal))).collect()
}

#[test]
fn everybody_rings_until_the_call_is_theirs_or_over() {
    let (mut rings, mut call) = (Rings::default(), ringing(&["bob", "eve"]));
    let signals = rings.see(&call, 0);
    assert_eq!(told(&signals), ["+bob", "+eve"]);
    let What::Ring { context, until } = &signals[0].what else { panic!("{signals:?}") };
    assert_eq!(Context::decode(context).unwrap().secret, "secret of bob");
    assert_eq!(*until, NOW + std::time::Duration::from_secs(60));
    assert_eq!(told(&rings.see(&call, 0)), [""; 0], "seen already");

    answered(&mut call, "bob");
    assert_eq!(told(&rings.see(&call, 1)), ["-bob"]);
    act(&mut call, |it| it.unanswered(&user("eve"), Unanswered::NoAnswer));
    assert_eq!(told(&rings.see(&call, 2)), ["!eve"]);
}

#[test]
fn what_was_not_seen_between_is_told_as_far_as_it_matters() {
    let (mut rings, mut call) = (Rings::default(), ringing(&["bob"]));
    rings.see(&call, 0);
    act(&mut call, |it| it.redirect(&user("bob"), invite("eve", None)).unwrap());
    answered(&mut call, "eve");
    act(&mut call, |it| it.invite(invite("dan", None)));
    assert_eq!(told(&rings.see(&call, 3)), ["-bob", "+dan"]);
    assert_eq!(told(&rings.see(&call, 2)), [""; 0], "that was before");
}

#[test]
fn who_is_called_again_stops_and_rings() {
    let (mut rings, mut call) = (Rings::default(), ringing(&["bob"]));
    rings.see(&call, 0);
    let again = || {
        let mut again = invite("bob", None);
        again.secret = "another secret".to_owned();
        again
    };
    act(&mut call, |it| it.redirect(&user("bob"), again()).unwrap());
    assert_eq!(told(&rings.see(&call, 1)), ["-bob", "+bob"]);
}

#[test]
fn calls_are_read_again_when_they_have_changed_or_ring_no_more() {
    let (mut rings, call) = (Rings::default(), ringing(&["bob"]));
    let now = |revision| [(call.id.clone(), revision)];
    assert_eq!(rings.stale(&now(4)), ["c"]);
    rings.see(&call, 4);
    assert_eq!(rings.stale(&now(4)), [""; 0]);
    assert_eq!(rings.stale(&now(5)), ["c"]);
    assert_eq!(rings.stale(&[]), ["c"]);
    rings.forget("c");
    assert_eq!(rings.stale(&[]), [""; 0]);
}
