//! The playbook as a whole: what it asks for, how long it takes, how it is asked over HTTP.

use std::collections::HashSet;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use kernel::milestone::Outcome;
use kernel::{Stage, SystemClock};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::journey::{Journey, Verdict as Standing};

use super::facts::{Found, Need, Unknown};
use super::testing::{healthy, journey, step};
use super::*;

/// Knows that everything is well; what is not implemented is not known.
struct Well;

impl Probes for Well {
    fn reach<'a>(&'a self, _: &'a Question) -> Doing<'a, Vec<Reach>> {
        Box::pin(future::ready(healthy().reach))
    }

    fn records<'a>(&'a self, _: &'a Question, _: Option<&'a [String]>) -> Doing<'a, Records> {
        Box::pin(future::ready(healthy().records))
    }

    fn journeys<'a>(&'a self, question: &'a Question) -> Doing<'a, Vec<Journey>> {
        let steps = vec![step("eventgrid", Stage::WebhookAnswered, Outcome::Failed)];
        let failed = journey(Standing::Failed, steps);
        let known = question.journey.as_deref() != Some("unknown");
        let asked = question.journey.is_some() && known;
        Box::pin(future::ready(Ok(asked.then_some(failed).into_iter().collect())))
    }

    fn token<'a>(&'a self, _: &'a Question) -> Doing<'a, Option<Token>> {
        Box::pin(future::ready(Ok(None)))
    }
}

/// Never answers.
struct Stuck;

impl Probes for Stuck {
    fn reach<'a>(&'a self, _: &'a Question) -> Doing<'a, Vec<Reach>> {
        Box::pin(future::pending())
    }
}

fn playbook(probes: impl Probes) -> Playbook {
    Playbook::new(Arc::new(probes), Arc::new(SystemClock))
}

fn about(symptom: Symptom) -> Question {
    Question { symptom: Some(symptom), ..Question::default() }
}

#[test]
fn each_hypothesis_has_a_name_of_its_own_and_some_symptom_and_need() {
    assert!(ALL.len() >= 30, "{}", ALL.len());
    let names: HashSet<&str> = ALL.iter().map(|it| it.name).collect();
    assert_eq!(names.len(), ALL.len());
    for it in ALL {
        assert!(!it.symptoms.is_empty() && !it.needs.is_empty(), "{}", it.name);
        assert!(!it.title.ends_with('.'), "{}", it.name);
    }
    for symptom in Symptom::ALL {
        assert!(ALL.iter().any(|it| it.symptoms.contains(&symptom)), "{}", symptom.name());
    }
}

#[test]
fn on_a_healthy_system_everything_is_ruled_out() {
    let (question, facts) = (Question::default(), healthy());
    let findings: Vec<Finding> = ALL.iter().map(|it| it.judged(&question, &facts)).collect();
    let report = Report::new(findings, Duration::ZERO);
    let others: Vec<_> =
        report.findings.iter().filter(|it| it.verdict != Verdict::RuledOut).collect();
    assert_eq!(others, Vec::<&Finding>::new());
    assert!(report.healthy);
    assert_eq!(report.checked, ALL.len());
}

#[test]
fn a_judge_uses_no_fact_that_its_hypothesis_does_not_ask_for() {
    let question = Question::default();
    for hypothesis in ALL {
        let whole = hypothesis.judged(&question, &healthy());
        let mut facts = healthy();
        fn forget<T>(needs: &[Need], need: Need, fact: &mut Found<T>) {
            if !needs.contains(&need) {
                *fact = Err(Unknown::new("It was not looked at.", "Ask."));
            }
        }
        let needs = hypothesis.needs;
        forget(needs, Need::Reach, &mut facts.reach);
        forget(needs, Need::Token, &mut facts.token);
        forget(needs, Need::Audience, &mut facts.audience);
        forget(needs, Need::Membership, &mut facts.membership);
        forget(needs, Need::Answers, &mut facts.answers);
        forget(needs, Need::Link, &mut facts.link);
        forget(needs, Need::Hubs, &mut facts.hubs);
        forget(needs, Need::Pushes, &mut facts.pushes);
        forget(needs, Need::Subscriptions, &mut facts.subscriptions);
        forget(needs, Need::Handlers, &mut facts.handlers);
        forget(needs, Need::Records, &mut facts.records);
        forget(needs, Need::Journeys, &mut facts.journeys);
        assert_eq!(hypothesis.judged(&question, &facts), whole, "{}", hypothesis.name);
    }
}

#[test]
fn without_any_fact_nothing_is_confirmed_and_nothing_ruled_out() {
    let facts = Facts::unasked(healthy().now, Duration::from_hours(1));
    for hypothesis in ALL {
        let finding = hypothesis.judged(&Question::default(), &facts);
        assert_eq!(finding.verdict, Verdict::CannotTell, "{finding:#?}");
    }
}

#[tokio::test]
async fn a_symptom_chooses_hypotheses() {
    let report = playbook(Well).examine(&about(Symptom::Webhook)).await;
    let names: Vec<&str> = report.findings.iter().map(|it| it.hypothesis.as_str()).collect();
    assert!(names.contains(&"webhook-failing") && !names.contains(&"tls-mismatch"), "{names:?}");
}

#[tokio::test]
async fn a_journey_chooses_hypotheses_by_what_it_went_through() {
    let about = |id: &str| Question { journey: Some(id.to_owned()), ..Question::default() };
    let report = playbook(Well).examine(&about("7")).await;
    let names: Vec<&str> = report.findings.iter().map(|it| it.hypothesis.as_str()).collect();
    assert!(names.contains(&"webhook-failing") && !names.contains(&"tls-mismatch"), "{names:?}");
    assert_eq!(report.findings[0].hypothesis, "stopped-on-the-way");
    assert_eq!(report.findings[0].verdict, Verdict::Confirmed);
    let report = playbook(Well).examine(&about("unknown")).await;
    assert!(report.findings.iter().all(|it| it.verdict == Verdict::CannotTell), "{report:#?}");
}

#[tokio::test]
async fn what_no_probe_knows_cannot_be_told() {
    let report = playbook(Well).examine(&Question::default()).await;
    let verdict =
        |name: &str| report.findings.iter().find(|it| it.hypothesis == name).map(|it| it.verdict);
    assert_eq!(verdict("websocket-blocked"), Some(Verdict::RuledOut));
    assert_eq!(verdict("hub-not-linked"), Some(Verdict::CannotTell));
    assert!(report.healthy, "nothing is confirmed");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_never_answers_delays_the_report_by_the_limit() {
    let begun = tokio::time::Instant::now();
    let report = playbook(Stuck).examine(&about(Symptom::Connect)).await;
    assert_eq!(begun.elapsed(), LIMIT);
    let mut unknown = report.with(Verdict::CannotTell);
    let blocked = unknown.find(|it| it.hypothesis == "websocket-blocked").unwrap();
    let blocked = &blocked.evidence[0];
    assert!(blocked.text.contains("within 6 seconds"), "{}", blocked.text);
}

async fn ask(request: Request<Body>) -> (StatusCode, Value) {
    let response = playbook(Well).operator_router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = edge::body::read(body, usize::MAX).await.unwrap();
    (parts.status, serde_json::from_slice(&body).unwrap())
}

fn post(kind: &str, body: &Value) -> Request<Body> {
    Request::post("/playbook")
        .header("content-type", kind)
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn a_question_is_asked_over_http() {
    let body = json!({ "symptom": "connect" });
    let (status, report) = ask(post("application/json", &body)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(report["healthy"], true);
    assert_eq!(report["findings"][0]["verdict"], "cannotTell");
    let tags = report["findings"].as_array().unwrap();
    assert!(tags.iter().any(|it| it["evidence"][0]["tag"] == "Measured"), "{report}");
    let (status, list) = ask(Request::get("/playbook").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(list["hypotheses"].as_array().unwrap().len(), ALL.len());
}

#[tokio::test]
async fn a_web_page_cannot_ask() {
    let body = json!({});
    let (status, _) = ask(post("text/plain", &body)).await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let (status, refusal) = ask(post("application/json", &json!({ "x": 1 }))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{refusal}");
}
