//! The stack around a router, called without a socket.

use axum::Extension;
use axum::routing::get;
use kernel::journey::{self, Bounds};
use kernel::{ErrorKind, Note, Stage, SystemClock};
use testkit::LogLines;

use super::*;

fn refuse() -> Response {
    let error = Error::new(ErrorKind::Forbidden, "Forbidden", "The token is for hub \"a\".")
        .context("key: primary");
    Rejection::new(error, Envelope::WebPubSub).into_response()
}

fn app() -> App {
    let router = Router::new()
        .route("/api/hubs", get(async |uri: Uri| uri.to_string()))
        .route("/id", get(async |Extension(id): Extension<RequestId>| id.as_str().to_owned()))
        .route("/refused", get(async || refuse()))
        .route("/broken", get(async || -> &'static str { panic!("on purpose") }));
    layer(router)
}

async fn ask(uri: &str) -> (Response<()>, String) {
    let request = Request::get(uri).header("x-ms-client-request-id", "mine-1");
    let response = app().handle(request.body(Body::empty()).unwrap()).await;
    let (parts, body) = response.into_parts();
    let body = crate::body::read(body, 10_000).await.unwrap();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_handler_and_the_answer_have_the_same_fresh_id() {
    let (first, seen) = ask("/id").await;
    assert_eq!(first.headers()["x-ms-request-id"], seen.as_str());
    let (second, _) = ask("/id").await;
    assert_ne!(first.headers()["x-ms-request-id"], second.headers()["x-ms-request-id"]);
}

#[tokio::test]
async fn the_clients_own_id_is_echoed_whatever_the_answer() {
    for path in ["/id", "/refused", "/nowhere", "/broken"] {
        assert_eq!(ask(path).await.0.headers()["x-ms-client-request-id"], "mine-1", "{path}");
    }
}

#[test]
fn ids_are_random_uuids() {
    let id = uuid_v4([0xff; 16]);
    assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid_v4([0; 16]), "00000000-0000-4000-8000-000000000000");
}

#[tokio::test]
async fn duplicate_slashes_are_collapsed_before_routing() {
    for (sent, routed) in [
        ("//api///hubs", "/api/hubs"),
        ("/api//hubs?next=http://a//b", "/api/hubs?next=http://a//b"),
        ("http://localhost//api/hubs?x", "http://localhost/api/hubs?x"),
        ("/api/hubs?a=//", "/api/hubs?a=//"),
    ] {
        let (response, seen) = ask(sent).await;
        assert_eq!((response.status(), seen.as_str()), (StatusCode::OK, routed), "{sent}");
    }
    assert_eq!(ask("/api%2F%2Fhubs").await.0.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refusal_is_logged_with_its_reason_and_without_the_query() {
    let log = LogLines::catch();
    let (response, body) = ask("/refused?access_token=s3cr3t").await;
    let log = log.text();
    let id = response.headers()["x-ms-request-id"].to_str().unwrap();
    assert!(log.contains("INFO") && log.contains(id), "{log}");
    assert!(log.contains("The token is for hub") && log.contains("key: primary"), "{log}");
    assert!(log.contains("path=\"/refused\"") && log.contains("status=403"), "{log}");
    assert!(!log.contains("s3cr3t") && !log.contains("mine-1"), "{log}");
    assert!(body.contains("The token is for hub"), "{body}");
}

#[tokio::test]
async fn an_answer_that_is_no_refusal_is_not_logged() {
    let log = LogLines::catch();
    ask("/id").await;
    assert_eq!(log.text(), "");
}

#[tokio::test]
async fn a_long_path_is_cut_in_the_log() {
    let log = LogLines::catch();
    ask(&format!("/{}", "a".repeat(5_000))).await;
    assert!(log.text().contains("Not Found") && log.text().len() < 1_000, "{}", log.text());
}

/// Asks an app that notes a step at `/noted`; the answer, and what was recorded.
async fn traced(path: &str, traceparent: Option<&str>) -> (Response, Vec<kernel::Milestone>) {
    let noted = || async {
        journey::note("test", || Note::new(Stage::Accepted, "a step"));
        "done"
    };
    let router = Router::new()
        .route("/noted", get(noted))
        .route("/silent", get(|| async { "done" }))
        .route("/refused", get(async || refuse()));
    let milestones = Milestones::new(std::sync::Arc::new(SystemClock), Bounds::default());
    let app = layer(router).recording(milestones.clone());
    let mut request = Request::get(path).header("x-ms-client-request-id", "mine-1");
    if let Some(traceparent) = traceparent {
        request = request.header("traceparent", traceparent);
    }
    let response = app.handle(request.body(Body::empty()).unwrap()).await;
    (response, milestones.take())
}

#[tokio::test]
async fn a_journey_is_found_by_the_id_of_the_request_and_ends_with_its_answer() {
    let (response, recorded) = traced("/noted", None).await;
    let id = response.headers()["x-ms-request-id"].to_str().unwrap();
    let stages: Vec<_> = recorded.iter().map(|it| (it.service, it.stage)).collect();
    assert_eq!(stages, [("test", Stage::Accepted), ("edge", Stage::Answered)]);
    assert!(recorded.iter().all(|it| Some(it.trace) == TraceId::parse(id)));
    let subjects: Vec<_> = recorded[1].subjects.iter().map(|it| (it.kind, &*it.value)).collect();
    assert_eq!(subjects, [("request", id), ("client request", "mine-1")]);
    assert!(response.headers().get("traceresponse").is_none());
}

#[tokio::test]
async fn the_journey_of_a_caller_is_gone_on_with_and_told() {
    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (response, recorded) = traced("/noted", Some(given)).await;
    assert!(recorded.iter().all(|it| it.trace.to_string() == given[3..35]));
    let told = response.headers()["traceresponse"].to_str().unwrap();
    let told = kernel::TraceContext::parse(told).unwrap();
    assert_eq!(told.trace.to_string(), given[3..35]);
    assert_eq!((told.span, told.sampled), (recorded[0].span, true));
    assert_eq!(recorded[1].ends.unwrap().parent.unwrap().to_string(), given[36..52]);
}

#[tokio::test]
async fn a_refusal_is_recorded_with_its_reason_and_silence_is_not() {
    let (_, recorded) = traced("/refused", None).await;
    assert_eq!(recorded[0].stage, Stage::Refused);
    assert!(recorded[0].detail.contains("403 Forbidden: The token is for hub"), "{recorded:?}");
    assert_eq!(traced("/silent", Some("not a traceparent")).await.1, []);
}

#[tokio::test]
async fn a_panicking_handler_costs_its_request_alone() {
    let log = LogLines::catch();
    let (response, body) = ask("/broken").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("x-ms-request-id") && !body.contains("on purpose"), "{body}");
    let log = log.text();
    assert!(log.contains("WARN") && log.contains("the handler panicked: on purpose"), "{log}");
}
