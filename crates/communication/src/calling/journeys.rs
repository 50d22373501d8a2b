//! What is recorded of a call: one journey from its beginning to its end, whichever request or clock
//! changes it, on whichever server.
//!
//! A ringing is a piece of work: as long as somebody is rung, the journey waits.

use std::collections::BTreeSet;
use std::future::Future;

use kernel::milestone::{Note, Stage};
use kernel::{Journey, Milestones, Timestamp, TraceContext, journey};

use super::machine::Effect;
use super::model::Call;
use super::outcome::Silence;
use crate::identifier::RawId;

const SERVICE: &str = "calling";
/// People of a call that are named.
const NAMED: usize = 3;

/// A call before a change, as far as it says what is new.
pub(super) struct Before {
    rang: BTreeSet<String>,
    connections: usize,
    ended: bool,
}

impl Before {
    /// The call as it is.
    pub(super) fn of(call: &Call) -> Self {
        let rang = call.people.iter().filter(|it| it.invitation().is_some());
        let rang = rang.map(|it| it.id.clone()).collect();
        Self { rang, connections: call.connections.len(), ended: call.ended }
    }
}

/// What a call that begins takes along.
pub(super) fn taken_along() -> Option<String> {
    Journey::current().map(|journey| journey.context().to_string())
}

/// The journey of a call: that of the request under way, if it began the call.
pub(super) fn of(milestones: &Milestones, call: &Call) -> Option<Journey> {
    let context = TraceContext::parse(call.trace.as_deref()?)?;
    let current = Journey::current().filter(|it| it.context().trace == context.trace);
    Some(current.unwrap_or_else(|| milestones.resume(context)))
}

/// Does work in the course of a call.
pub(super) fn inside<T>(journey: Option<&Journey>, work: impl FnOnce() -> T) -> T {
    match journey {
        Some(journey) => journey.within(work),
        None => work(),
    }
}

/// Runs a task in the course of a call.
pub(super) async fn within<T>(journey: Option<&Journey>, work: impl Future<Output = T>) -> T {
    match journey {
        Some(journey) => journey.clone().scope(work).await,
        None => work.await,
    }
}

/// A request that did not begin the call has changed it.
pub(super) fn told_elsewhere(journey: Option<&Journey>) {
    let (Some(of_call), Some(own)) = (journey, Journey::current()) else { return };
    let trace = of_call.context().trace;
    if own.context().trace != trace {
        let text = format!("the call has been changed; its journey is {trace}");
        own.note(SERVICE, Note::new(Stage::Call, text));
    }
}

/// A new call is on disk.
pub(super) fn begun(call: &Call, effects: &[Effect], now: Timestamp) {
    journey::note(SERVICE, || {
        let people: Vec<&str> = call.people.iter().take(NAMED).map(|it| it.id.as_str()).collect();
        let more = match call.people.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!("{} calls {}{more}", call.from, people.join(", "));
        let note = Note::new(Stage::Accepted, text)
            .subject("call", &call.id)
            .subject("server call", call.server_call_id())
            .subject("call correlation", &call.correlation);
        named(note, call, 0)
    });
    let before =
        Before { rang: BTreeSet::new(), connections: call.connections.len(), ended: false };
    changed(call, before, effects, now);
}

/// A change of a call is on disk.
pub(super) fn changed(call: &Call, before: Before, effects: &[Effect], now: Timestamp) {
    if Journey::recorded().is_none() {
        return;
    }
    let Before { mut rang, connections, ended } = before;
    for effect in effects {
        let note = match effect {
            Effect::Ring(user) => rings(call, user, now, rang.insert(user.as_str().to_owned())),
            Effect::Stop { user, why } => silent(user, *why, rang.remove(user.as_str())),
            Effect::Joined(user) => step(format!("{user} is in the call")),
            Effect::Left(user) => step(format!("{user} has left")),
            Effect::Callback(_) | Effect::Started(_) | Effect::Ended => continue,
        };
        journey::note(SERVICE, || note);
    }
    if call.connections.len() > connections {
        let note = step("an application holds the call".to_owned());
        journey::note(SERVICE, || named(note, call, connections));
    }
    if call.ended && !ended {
        journey::note(SERVICE, || match call.started.map(Timestamp::from_micros) {
            Some(started) => step(format!("ended after {:.1?}", now.since(started))),
            None => step("ended before anybody answered".to_owned()),
        });
    }
}

fn step(text: String) -> Note {
    Note::new(Stage::Call, text)
}

/// Lets the journey be found by the connections from this one on.
fn named(note: Note, call: &Call, from: usize) -> Note {
    let new = call.connections.iter().skip(from);
    new.fold(note, |note, it| note.subject("call connection", &it.id))
}

fn rings(call: &Call, user: &RawId, now: Timestamp, is_new: bool) -> Note {
    let until = call.person(user).and_then(|it| it.invitation()).map(|it| it.until);
    let left = until.map_or_else(String::new, |until| {
        let span = Timestamp::from_micros(until).since(now);
        format!(" for {:.0} s at most", span.as_secs_f64())
    });
    let note = step(format!("{user} is rung{left}"));
    if is_new { note.opens(1) } else { note }
}

fn silent(user: &RawId, why: Silence, has_rung: bool) -> Note {
    let note = step(format!("{user} is rung no more: {}", why.text()));
    let note = if has_rung { note.closes() } else { note };
    if why.is_failure() { note.failed() } else { note }
}
