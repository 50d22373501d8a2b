//! What is recorded is found again, on every engine, and sent to a collector.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use edge::outbound::{AddressPolicy, Outbound};
use kernel::{Clock, Milestones, Note, Stage, Timestamp, TraceId};
use prost::Message as _;
use storage::testing::TestDb;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::otlp::{Collector, Exporter};
use super::*;

storage::conformance!(
    a_journey_is_told_in_order_and_found_by_any_subject,
    the_newest_come_first_and_can_be_narrowed,
    a_journey_waits_until_its_work_is_done,
    old_ones_are_forgotten_by_age_and_by_number,
    operators_are_answered_in_json,
);

/// A clock that goes on by a second each time it is looked at.
#[derive(Default)]
struct Steady(AtomicI64);

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct Fixture {
    milestones: Milestones,
    journeys: Journeys,
}

async fn fixture(db: &TestDb) -> Fixture {
    fixture_with(storage::Db::clone(db), None).await
}

async fn fixture_with(db: storage::Db, exporter: Option<Exporter>) -> Fixture {
    let clock: Arc<dyn Clock> = Arc::new(Steady::default());
    let milestones = Milestones::new(Arc::clone(&clock), Default::default());
    let retention = Retention::default();
    let journeys = Journeys::open(db, milestones.clone(), retention, clock, exporter);
    Fixture { journeys: journeys.await.unwrap(), milestones }
}

fn id(number: u8) -> TraceId {
    TraceId::from_bytes([number; 16]).unwrap()
}

impl Fixture {
    fn note(&self, number: u8, stage: Stage, detail: &'static str) {
        self.note_all(number, Note::new(stage, detail));
    }

    fn note_all(&self, number: u8, note: Note) {
        self.milestones.begin(None, id(number)).note("test", note);
    }

    async fn listed(&self, query: Query) -> Vec<TraceId> {
        let query = Query { limit: 10, ..query };
        self.journeys.list(&query).await.unwrap().into_iter().map(|it| it.id).collect()
    }

    async fn verdict(&self, number: u8) -> Verdict {
        let found = self.journeys.find(&id(number).to_string()).await.unwrap().unwrap();
        found.journey.summary.verdict
    }
}

async fn a_journey_is_told_in_order_and_found_by_any_subject(db: TestDb) {
    let it = fixture(&db).await;
    let first = Note::new(Stage::Accepted, "taken \0 with care").subject("client request", "mine");
    it.note_all(1, first.took(Duration::from_micros(1_500)));
    it.note_all(2, Note::new(Stage::Accepted, "another").subject("thread", "19:x"));
    let found = it.journeys.find("mine").await.unwrap().unwrap();
    assert_eq!(found.journey.summary.stages, 1, "brought at once");
    it.note_all(1, Note::new(Stage::Stored, "kept").subject("thread", "19:x"));
    for subject in ["mine", "01010101-0101-0101-0101-010101010101", &id(1).to_string()] {
        let Journey { summary, steps, subjects } =
            it.journeys.find(subject).await.unwrap().unwrap().journey;
        assert_eq!((summary.id, summary.stages, &*summary.service), (id(1), 2, "test"));
        assert_eq!(summary.what, "taken  with care");
        let stages: Vec<_> = steps.iter().map(|it| (&*it.stage, &*it.detail)).collect();
        assert_eq!(stages, [("accepted", "taken  with care"), ("stored", "kept")]);
        assert_eq!(steps[0].took, Some(Duration::from_micros(1_500)));
        assert_eq!(summary.ended, steps[1].at);
        let expected = [("client request", "mine"), ("thread", "19:x")];
        assert_eq!(subjects, expected.map(|(kind, value)| (kind.to_owned(), value.to_owned())));
    }
    let of_thread = it.journeys.find("19:x").await.unwrap().unwrap();
    assert_eq!((of_thread.journey.summary.id, of_thread.others), (id(2), vec![id(1)]));
    assert_eq!(it.journeys.find("nothing").await.unwrap(), None);
}

async fn the_newest_come_first_and_can_be_narrowed(db: TestDb) {
    let it = fixture(&db).await;
    it.note(1, Stage::Authorised, "let in");
    it.note(1, Stage::Accepted, "first");
    it.note_all(2, Note::new(Stage::Refused, "second").failed().subject("request", "r"));
    it.note_all(3, Note::new(Stage::Queued, "third").opens(1));
    assert_eq!(it.listed(Query::default()).await, [id(3), id(2), id(1)]);
    let oldest = it.journeys.find(&id(1).to_string()).await.unwrap().unwrap();
    assert_eq!(oldest.journey.summary.what, "first");
    let started = it.journeys.find("r").await.unwrap().unwrap().journey.summary.started;
    let since = Query { since: Some(started), ..Query::default() };
    assert_eq!(it.listed(since).await, [id(3), id(2)]);
    let subject = Query { subject: Some("r".to_owned()), ..Query::default() };
    assert_eq!(it.listed(subject).await, [id(2)]);
    for (verdict, expected) in
        [(Verdict::Done, id(1)), (Verdict::Failed, id(2)), (Verdict::Waiting, id(3))]
    {
        let query = Query { verdict: Some(verdict), ..Query::default() };
        assert_eq!(it.listed(query).await, [expected], "{verdict:?}");
    }
}

async fn a_journey_waits_until_its_work_is_done(db: TestDb) {
    let it = fixture(&db).await;
    it.note_all(1, Note::new(Stage::Queued, "two webhooks").opens(2));
    it.note_all(1, Note::new(Stage::Delivered, "the one").closes());
    it.note_all(1, Note::new(Stage::Retried, "the other").again());
    assert_eq!(it.verdict(1).await, Verdict::Waiting);
    it.note_all(1, Note::new(Stage::Delivered, "the other").closes());
    assert_eq!(it.verdict(1).await, Verdict::Done);
    it.note_all(1, Note::new(Stage::DeadLettered, "a third").failed().closes());
    assert_eq!(it.verdict(1).await, Verdict::Failed);
}

async fn old_ones_are_forgotten_by_age_and_by_number(db: TestDb) {
    let it = fixture(&db).await;
    for number in 1..=5 {
        it.note_all(number, Note::new(Stage::Accepted, "taken").subject("event", "e"));
        it.note(number, Stage::Stored, "kept");
    }
    let started = it.journeys.find(&id(2).to_string()).await.unwrap().unwrap();
    let store = store::Store::open(storage::Db::clone(&db)).await.unwrap();
    let gone = store.forget(started.journey.summary.started, 1_000).await.unwrap();
    assert_eq!(gone, 1);
    assert_eq!(store.forget(Timestamp::default(), 5).await.unwrap(), 2);
    assert_eq!(it.listed(Query::default()).await, [id(5), id(4)]);
    let subject = Query { subject: Some("e".to_owned()), ..Query::default() };
    assert_eq!(it.listed(subject).await, [id(5), id(4)]);
    let left = "SELECT (SELECT count(*) FROM journey_milestones), count(*) FROM journey_subjects";
    let rows = db.query(left, []).await.unwrap();
    assert_eq!((rows[0].get::<i64>(0), rows[0].get::<i64>(1)), (Ok(4), Ok(2)));
}

async fn operators_are_answered_in_json(db: TestDb) {
    let it = fixture(&db).await;
    it.note(1, Stage::Accepted, "taken");
    it.note_all(1, Note::new(Stage::WebhookAnswered, "HTTP 503").again());
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = it.journeys.operator_router().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = edge::body::read(answer.into_body(), 100_000).await.unwrap();
        (status, serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    let (status, list) = ask("/journeys?limit=5&outcome=done").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(list["journeys"][0]["id"], id(1).to_string());
    assert_eq!(list["journeys"][0]["outcome"], "done");
    assert_eq!(list["missed"]["milestones"], 0);
    let (_, one) = ask(&format!("/journeys/{}", id(1))).await;
    let last = &one["stages"][1];
    assert_eq!((&last["stage"], &last["outcome"]), (&"webhook answered".into(), &"again".into()));
    assert!(last["offsetMs"].as_f64().unwrap() > 0.0, "{last}");
    assert!(one["started"].as_str().unwrap().ends_with('Z'));
    let (status, refusal) = ask("/journeys/unknown").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(refusal["error"]["message"].as_str().unwrap().contains("'unknown'"));
    assert_eq!(ask("/journeys?limit=0").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_collector_gets_what_is_kept_and_is_asked_again_when_it_is_busy() {
    let (sender, mut received) = mpsc::channel(8);
    let collector = axum::Router::new().route(
        "/v1/traces",
        post(async move |request: Request<Body>| {
            let (head, body) = request.into_parts();
            let body = edge::body::read(body, 100_000).await.unwrap();
            let first = sender.capacity() == 8;
            sender.send((head.headers, body)).await.unwrap();
            if first { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, collector).await });

    let credential = (HeaderName::from_static("api-key"), HeaderValue::from_static("k"));
    let collector = Collector {
        url: format!("http://{address}/v1/traces").parse().unwrap(),
        headers: vec![credential],
        node: "node-1".to_owned(),
    };
    let outbound = Outbound::new(AddressPolicy::everything(), None).unwrap();
    let (exporter, sending) = Exporter::new(collector, outbound, CancellationToken::new());
    tokio::spawn(sending);
    let it = fixture_with(storage::Db::in_memory().unwrap(), Some(exporter)).await;
    it.note(1, Stage::Accepted, "taken");
    assert_eq!(it.verdict(1).await, Verdict::Done);

    let mut bodies: Vec<Bytes> = Vec::new();
    for _ in 0..2 {
        let heard = tokio::time::timeout(Duration::from_secs(20), received.recv()).await;
        let (headers, body) = heard.expect("the collector is asked in time").unwrap();
        assert_eq!(headers["content-type"], "application/x-protobuf");
        assert_eq!(headers["api-key"], "k");
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1], "the same request again");
    let sent = otlp::ExportRequest::decode(bodies.remove(1)).unwrap();
    let spans = &sent.resource_spans[0].scope_spans[0].spans;
    assert_eq!((spans.len(), &*spans[0].name), (1, "test accepted"));
    assert_eq!(spans[0].trace_id, id(1).as_bytes());
}
