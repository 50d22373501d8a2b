//! The API over a store, as clients call it.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use edge::Scheme;
use kernel::{Clock, Timestamp};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::*;
use crate::kql::Limits;
use crate::table::rows::WebPubSubConnectivity;
use crate::table::{LogTables, Retention, Store, Writer};

const WORKSPACE: &str = "10ca1000-0000-4000-8000-000000000001";
const RESOURCE: &str = "/subscriptions/s/resourceGroups/g/providers/P/T/one";

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000)
    }
}

/// A workspace with one row a second before now, for five seconds; the last one of another resource.
async fn workspace(limits: Limits) -> (Logs, storage::testing::TestDb) {
    let db = storage::testing::sqlite().await;
    let store = Store::open(storage::Db::clone(&db), WORKSPACE).await.unwrap();
    let tables = LogTables::default();
    let clock: Arc<dyn Clock> = Arc::new(Fixed);
    for at in 1..=5 {
        tables.append(WebPubSubConnectivity {
            time: Timestamp::from_secs(1_800_000_000 - at),
            resource: if at == 5 { format!("{RESOURCE}-other") } else { RESOURCE.to_owned() },
            connection_id: format!("c{at}"),
            ..WebPubSubConnectivity::default()
        });
    }
    let stop = CancellationToken::new();
    stop.cancel();
    let writer =
        Writer::new(tables.clone(), store.clone(), Retention::default(), Arc::clone(&clock));
    writer.run(stop).await;
    let settings = Settings { limits, ..Settings::default() };
    (Logs::new(store, tables, Arc::new(AnyBearer), clock, settings), db)
}

fn request(method: &str, path: &str, body: &Json) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", "Bearer anything")
        .header("prefer", "wait=60,include-statistics=true, include-render=true")
        .extension(Scheme::Https)
        .body(Body::from(body.to_string()))
        .unwrap()
}

async fn call(logs: &Logs, request: Request<Body>) -> (StatusCode, Json) {
    let response = logs.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = edge::body::read(body, 10_000_000).await.unwrap();
    (parts.status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn each_address_answers_with_tables_of_typed_columns() {
    let (logs, _db) = workspace(Limits::default()).await;
    let asked = json!({ "query": "WebPubSubConnectivity | where TimeGenerated > ago(1h) | count | render piechart", "timespan": "P1D", "workspaces": null });
    for path in [
        format!("/v1/workspaces/{WORKSPACE}/query"),
        format!("/workspaces/{}/query", WORKSPACE.to_uppercase()),
        "/v1/workspaces/local/query".to_owned(),
    ] {
        let (status, body) = call(&logs, request("POST", &path, &asked)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let expected = json!([{ "name": "PrimaryResult",
            "columns": [{ "name": "Count", "type": "long" }], "rows": [[5]] }]);
        assert_eq!(body["tables"], expected);
        assert_eq!(body["render"]["visualization"], "piechart");
        assert_eq!(body["statistics"]["query"]["inputDatasetStatistics"]["rows"]["scanned"], 5);
    }
    let path = "/v1/workspaces/local/query?query=WebPubSubConnectivity%20%7C%20count&timespan=PT3S";
    let (_, body) = call(&logs, request("GET", path, &json!({}))).await;
    assert_eq!(body["tables"][0]["rows"], json!([[3]]));
    let path = format!("/v1{RESOURCE}/query");
    let asked = json!({ "query": "WebPubSubConnectivity | count" });
    let (_, body) = call(&logs, request("POST", &path, &asked)).await;
    assert_eq!(body["tables"][0]["rows"], json!([[4]]), "a resource sees its own rows");
    let (_, body) = call(&logs, request("GET", "/v1/workspaces/local/metadata", &json!({}))).await;
    assert_eq!(body["tables"][0]["name"], "ACSAuthIncomingOperations");
}

#[tokio::test]
async fn the_timespan_narrows_what_the_query_sees() {
    let (logs, _db) = workspace(Limits::default()).await;
    for (timespan, count) in [
        ("2027-01-15T07:59:56Z/2027-01-15T07:59:58Z", 2),
        ("2027-01-15T07:59:56Z/PT1S", 1),
        ("PT2S/2027-01-15T07:59:57Z", 2),
        ("", 5),
    ] {
        let asked =
            json!({ "query": "union (WebPubSubConnectivity) | count", "timespan": timespan });
        let (_, body) = call(&logs, request("POST", "/v1/workspaces/local/query", &asked)).await;
        assert_eq!(body["tables"][0]["rows"], json!([[count]]), "{timespan}");
    }
}

#[tokio::test]
async fn a_batch_answers_each_query_under_its_id() {
    let (logs, _db) = workspace(Limits::default()).await;
    let one = |id: &str, query: &str, workspace: &str| {
        json!({ "id": id, "headers": { "Prefer": "wait=1" }, "body": { "query": query },
            "path": "/query", "method": "POST", "workspace": workspace })
    };
    let asked = json!({ "requests": [
        one("query-0", "print a = 1", WORKSPACE),
        one("1", "print a =", WORKSPACE),
        one("2", "print 1", "elsewhere"),
    ] });
    for path in ["/v1/$batch", "/$batch"] {
        let (_, body) = call(&logs, request("POST", path, &asked)).await;
        let responses = body["responses"].as_array().unwrap();
        let statuses: Vec<_> =
            responses.iter().map(|it| (it["id"].as_str().unwrap(), it["status"].clone())).collect();
        assert_eq!(statuses, [("query-0", json!(200)), ("1", json!(400)), ("2", json!(404))]);
        assert_eq!(responses[0]["body"]["tables"][0]["rows"], json!([[1]]));
        assert_eq!(responses[1]["body"]["error"]["innererror"]["code"], "SyntaxError");
    }
}

#[tokio::test]
async fn refusals_have_the_codes_that_clients_know() {
    let (logs, _db) = workspace(Limits::default()).await;
    let path = "/v1/workspaces/local/query";
    let asked = |query: &str| json!({ "query": query });
    let (status, body) = call(&logs, request("POST", path, &asked("Nothing"))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"]["code"], "BadArgumentError");
    assert_eq!(body["error"]["innererror"]["code"], "SemanticError");
    assert!(body["error"]["innererror"]["message"].as_str().unwrap().contains("There is no table"));

    let (status, _) = call(&logs, request("POST", path, &json!([]))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let far = json!({ "query": "print 1", "timespan": "yesterday" });
    let (_, body) = call(&logs, request("POST", path, &far)).await;
    assert_eq!(body["error"]["innererror"]["code"], "InvalidTimespan");

    let mut anonymous = request("POST", path, &asked("print 1"));
    anonymous.headers_mut().remove("authorization");
    let (status, body) = call(&logs, anonymous).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (StatusCode::UNAUTHORIZED, &json!("AuthenticationFailed"))
    );
    let mut plain = request("POST", path, &asked("print 1"));
    plain.extensions_mut().insert(Scheme::Http);
    assert_eq!(call(&logs, plain).await.0, StatusCode::UNAUTHORIZED);
    let (status, _) = call(&logs, request("POST", "/v1/subscriptions/s/other", &asked(""))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_cut_answer_is_a_partial_error_with_rows() {
    let (logs, _db) = workspace(Limits { rows: 2, ..Limits::default() }).await;
    let asked = json!({ "query": "WebPubSubConnectivity | project ConnectionId" });
    let (status, body) = call(&logs, request("POST", "/v1/workspaces/local/query", &asked)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["tables"][0]["rows"], json!([["c1"], ["c2"]]));
    assert_eq!(body["error"]["code"], "PartialError");
}

#[tokio::test(start_paused = true)]
async fn a_query_ends_when_the_time_that_it_was_given_does() {
    let (logs, _db) = workspace(Limits::default()).await;
    let asked = request::Asked { query: "print 1".to_owned(), ..Default::default() };
    let scope = service::Scope::Workspace("local".to_owned());
    let prefer = request::Prefer::default();
    // All turns are taken, for ever.
    let _turns = logs.0.running.acquire_many(2).await.unwrap();
    let error = logs.ask(&scope, &asked, prefer).await.unwrap_err();
    assert_eq!(error.code(), "GatewayTimeout");
}
