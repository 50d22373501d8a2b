//! A healthy installation, and what spoils it.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel::milestone::Outcome;
use kernel::{Cause, Stage, Timestamp, TraceId};

use crate::journey::{self, Journey, Step, Summary};

use super::facts::{
    Answers, Audience, Certificate, End, Facts, Fault, Hub, HubCheck, Link, LinkedHub, Phone,
    Problem, Reach, Receiver, Record, Records, Route, Subscription, Table,
};
use super::hypotheses::Hypothesis;
use super::question::Question;
use super::report::{Finding, Verdict};

const NOW: Timestamp = Timestamp::from_secs(1_767_366_245);

/// Everything works, and much is in use.
pub(super) fn healthy() -> Facts {
    Facts {
        reach: Ok(vec![reach(End::Open)]),
        token: Ok(None),
        audience: Ok(Audience { receivers: vec![receiver()], more: false }),
        membership: Ok(None),
        answers: Ok(vec![Answers {
            event: "chatMessageReceived".to_owned(),
            handled: 7,
            unhandled: 0,
            failed: 0,
        }]),
        link: Ok(Link {
            hub: Some(LinkedHub {
                id: "/…/notificationHubs/hub".to_owned(),
                linked_at: NOW - Duration::from_secs(600),
                last_fault: None,
                check: HubCheck::Asked(Vec::new()),
            }),
            refused: Vec::new(),
            phones: BTreeMap::from([("apple".to_owned(), 1)]),
        }),
        hubs: Ok(vec![hub()]),
        pushes: Ok(Vec::new()),
        subscriptions: Ok(vec![subscription()]),
        handlers: Ok(Vec::new()),
        records: Ok(Records::default()),
        journeys: Ok(Vec::new()),
        ..Facts::unasked(NOW, Duration::from_hours(1))
    }
}

fn hub() -> Hub {
    let outcome = ("apple".to_owned(), "Success".to_owned(), 5);
    Hub {
        namespace: "local".to_owned(),
        name: "local".to_owned(),
        devices: BTreeMap::from([("apple".to_owned(), 3)]),
        routes: vec![Route {
            platform: "apple".to_owned(),
            last_success: Some(NOW),
            ..Route::default()
        }],
        outcomes: vec![outcome],
    }
}

fn subscription() -> Subscription {
    Subscription {
        name: "orders".to_owned(),
        topic: "local".to_owned(),
        destination: "http://localhost/events".to_owned(),
        state: "Succeeded".to_owned(),
        delivered: 4,
        last_outcome: Some("Delivered".to_owned()),
        last_attempt: Some(NOW),
        ..Subscription::default()
    }
}

/// Somebody who listens.
pub(super) fn receiver() -> Receiver {
    Receiver {
        user: "8:acs:r_ann".to_owned(),
        exists: true,
        messages: 3,
        connected: 1,
        registered_until: Some(NOW + Duration::from_secs(3_600)),
        ..Receiver::default()
    }
}

/// A device whose registration ends so many seconds from now.
pub(super) fn phone(facts: &Facts, seconds: i64) -> Phone {
    let expires = Timestamp::from_secs(facts.now.as_secs() + seconds);
    Phone { id: "d".to_owned(), platform: "apple".to_owned(), expires }
}

/// An attempt that ended so.
pub(super) fn reach(end: End) -> Reach {
    Reach {
        url: "https://localhost:8443".to_owned(),
        proxy: None,
        end,
        certificate: Some(certificate(None)),
        clock_ahead: Some(0),
        millis: 3,
    }
}

/// A certificate, with a problem or none.
pub(super) fn certificate(problem: Option<&str>) -> Certificate {
    Certificate {
        names: vec!["localhost".to_owned()],
        not_before: NOW - Duration::from_secs(86_400),
        not_after: NOW + Duration::from_secs(86_400),
        issuer: "Tidings development CA".to_owned(),
        problem: problem.map(str::to_owned),
    }
}

/// Puts a failure into a log table, with a cause.
pub(super) fn failure(facts: &mut Facts, table: Table, cause: Cause) {
    record(facts, table, "401", Some(cause));
}

/// Puts a failure into a log table, with this status.
pub(super) fn record(facts: &mut Facts, table: Table, status: &str, cause: Option<Cause>) {
    let records = facts.records.as_mut().expect("they are known");
    records.rows.push(Record {
        table,
        operation: "Operation".to_owned(),
        status: status.to_owned(),
        who: String::new(),
        cause,
        message: "It was refused.".to_owned(),
        trace: String::new(),
        count: 1,
        last: facts.now,
    });
}

/// A journey of these stages.
pub(super) fn journey(verdict: journey::Verdict, steps: Vec<Step>) -> Journey {
    let summary = Summary {
        id: TraceId::parse("4bf92f3577b34da6a3ce929d0e0e4736").expect("it is one"),
        service: "webpubsub".to_owned(),
        what: "5 bytes".to_owned(),
        started: NOW,
        ended: NOW,
        stages: steps.len() as u64,
        verdict,
    };
    Journey { summary, subjects: Vec::new(), steps }
}

/// One stage.
pub(super) fn step(service: &str, stage: Stage, outcome: Outcome) -> Step {
    Step {
        at: NOW,
        took: None,
        service: service.to_owned(),
        stage: stage.as_str().to_owned(),
        outcome: outcome.as_str().to_owned(),
        detail: "something".to_owned(),
    }
}

/// Lets the linked hub answer a test send with a fault.
pub(super) fn hub_says(facts: &mut Facts, code: &str) {
    hub_fault(facts, code, "apple");
}

/// The same, for a platform.
pub(super) fn hub_fault(facts: &mut Facts, code: &str, platform: &str) {
    let platform = Some(platform.to_owned());
    let fault = Fault { code: code.to_owned(), detail: "it says so".to_owned(), platform };
    linked(facts).check = HubCheck::Asked(vec![fault]);
}

/// Lets a send have found a fault; whether the hub, asked just now, shows none.
pub(super) fn send_found(facts: &mut Facts, code: &str, works_by_now: bool) {
    let at = facts.now - Duration::from_secs(60);
    let hub = linked(facts);
    let fault = Fault { code: code.to_owned(), detail: "401".to_owned(), platform: None };
    hub.last_fault = Some((fault, at));
    hub.check = match works_by_now {
        true => HubCheck::Asked(Vec::new()),
        false => HubCheck::NotAsked("it is away".to_owned()),
    };
}

/// Lets linking have been refused.
pub(super) fn link_refused(facts: &mut Facts, code: &str) {
    let link = facts.link.as_mut().expect("it is known");
    link.hub = None;
    link.refused = vec![(code.to_owned(), 1)];
}

fn linked(facts: &mut Facts) -> &mut LinkedHub {
    facts.link.as_mut().expect("it is known").hub.as_mut().expect("one is linked")
}

/// What a push service answered.
pub(super) fn problem(facts: &Facts, outcome: &str, reason: &str) -> Problem {
    Problem {
        at: facts.now - Duration::from_secs(5),
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
        explanation: "the key was deleted".to_owned(),
    }
}

fn judged(hypothesis: &Hypothesis, spoil: impl FnOnce(&mut Facts)) -> Finding {
    let mut facts = healthy();
    spoil(&mut facts);
    hypothesis.judged(&Question::default(), &facts)
}

/// Nothing is said of a healthy installation.
#[track_caller]
pub(super) fn silent(hypothesis: &Hypothesis) {
    rules_out(hypothesis, |_| ());
}

/// What is spoilt is no such fault.
#[track_caller]
pub(super) fn rules_out(hypothesis: &Hypothesis, spoil: impl FnOnce(&mut Facts)) {
    let finding = judged(hypothesis, spoil);
    assert_eq!(finding.verdict, Verdict::RuledOut, "{finding:#?}");
    assert!(!finding.evidence.is_empty(), "{finding:#?}");
}

/// The fault is found, with evidence of this tag and a cure; returns what is told.
#[track_caller]
pub(super) fn confirms(
    hypothesis: &Hypothesis,
    tag: &str,
    spoil: impl FnOnce(&mut Facts),
) -> String {
    let finding = judged(hypothesis, spoil);
    assert_eq!(finding.verdict, Verdict::Confirmed, "{finding:#?}");
    assert!(finding.evidence.iter().any(|it| it.tag.name() == tag), "{finding:#?}");
    assert!(!finding.mitigations.is_empty(), "{finding:#?}");
    finding.evidence.into_iter().map(|it| it.text).collect::<Vec<_>>().join(" ")
}
