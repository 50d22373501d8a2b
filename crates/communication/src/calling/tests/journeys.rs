//! What is recorded of a call.

use std::sync::Arc;

use kernel::journey::Bounds;
use kernel::milestone::{Milestone, Outcome};
use kernel::{Clock, Milestones, Timestamp, TraceId};

use super::machine::{NOW, act, answered, invite, ringing, user};
use crate::calling::journeys::{Before, begun, changed, of, taken_along, told_elsewhere};
use crate::calling::machine::{Effect, Invite};
use crate::calling::model::Call;
use crate::calling::outcome::Unanswered;

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// What is recorded while `work` is done with a call that rings for bob and eve.
fn recorded(work: impl FnOnce(&mut Call)) -> Vec<Milestone> {
    let milestones = Milestones::new(Arc::new(Standing), Bounds::default());
    let request = milestones.begin(None, TraceId::from_bytes([1; 16]).unwrap());
    request.within(|| {
        let mut call = ringing(&["bob", "eve"]);
        call.trace = taken_along();
        let effects = [Effect::Ring(user("bob")), Effect::Ring(user("eve"))];
        begun(&call, &effects, NOW);
        work(&mut call);
    });
    milestones.take()
}

fn changing(call: &mut Call, change: impl FnOnce(&mut Call) -> Vec<Effect>) {
    let before = Before::of(call);
    let effects = change(call);
    changed(call, before, &effects, NOW);
}

#[test]
fn a_call_waits_as_long_as_somebody_is_rung() {
    let told = recorded(|call| {
        changing(call, |call| answered(call, "bob"));
        changing(call, |call| act(call, |it| it.unanswered(&user("eve"), Unanswered::Declined)));
    });
    let pending: Vec<i32> = told.iter().map(|it| it.pending).filter(|it| *it != 0).collect();
    assert_eq!(pending, [1, 1, -1, -1]);
    assert!(told.iter().all(|it| it.outcome == Outcome::Done));
    let last = &told.last().unwrap().detail;
    assert!(last.ends_with("is rung no more: declined"), "{last}");
}

#[test]
fn a_missed_call_has_failed_and_ends() {
    let told = recorded(|call| {
        changing(call, |call| act(call, |it| it.expire(NOW + std::time::Duration::from_hours(1))));
    });
    let failed = told.iter().filter(|it| it.outcome == Outcome::Failed).count();
    assert_eq!((failed, told.iter().map(|it| it.pending).sum::<i32>()), (2, 0));
    assert_eq!(told.last().unwrap().detail, "ended before anybody answered");
}

#[test]
fn somebody_who_does_not_exist_was_never_rung() {
    let told = recorded(|call| {
        changing(call, |call| {
            act(call, |it| it.invite(Invite { exists: false, ..invite("nobody", None) }))
        });
    });
    let last = told.last().unwrap();
    assert_eq!((last.outcome, last.pending), (Outcome::Failed, 0));
    assert!(last.detail.ends_with("there is no such user"), "{}", last.detail);
}

#[test]
fn a_call_is_found_by_every_id_that_others_have_of_it() {
    let told = recorded(|call| changing(call, |call| answered(call, "bob")));
    let kinds = told.iter().flat_map(|it| &it.subjects).map(|it| it.kind);
    let expected =
        ["call", "server call", "call correlation", "call connection", "call connection"];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

#[test]
fn another_request_goes_on_with_the_journey_of_the_call() {
    let milestones = Milestones::new(Arc::new(Standing), Bounds::default());
    let first = milestones.begin(None, TraceId::from_bytes([1; 16]).unwrap());
    let mut call = ringing(&["bob"]);
    call.trace = first.within(taken_along);
    let second = milestones.begin(None, TraceId::from_bytes([2; 16]).unwrap());
    second.within(|| {
        let journey = of(&milestones, &call);
        assert_eq!(journey.as_ref().unwrap().context().trace, first.context().trace);
        told_elsewhere(journey.as_ref());
    });
    let told = milestones.take();
    assert_eq!((told.len(), told[0].trace), (1, second.context().trace));
    assert!(told[0].detail.ends_with(&first.context().trace.to_string()), "{}", told[0].detail);
}
