//! The API over counters, as clients call it.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

use super::*;
use crate::query::AnyBearer;

const HUB: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.SignalRService/WebPubSub/local";
const CHAT: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Communication/CommunicationServices/local";

/// Counters and a clock set by hand.
#[derive(Default)]
struct Stage {
    text: Mutex<String>,
    now: Mutex<i64>,
}

impl Counters for Stage {
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl Clock for Stage {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(*self.now.lock().unwrap())
    }
}

impl Stage {
    fn set(&self, minute: i64, text: &str) {
        *self.now.lock().unwrap() = 1_800_000_000 + minute * 60 + 30;
        text.clone_into(&mut self.text.lock().unwrap());
    }
}

fn metrics() -> (Arc<Stage>, Metrics) {
    let stage = Arc::new(Stage::default());
    let metrics = Metrics::new(stage.clone(), Arc::new(AnyBearer), stage.clone());
    (stage, metrics)
}

async fn get(metrics: &Metrics, path: &str) -> (StatusCode, Json) {
    let router = metrics.in_front_of(Router::new().fallback(async || "the resource manager"));
    let request = Request::get(path).header("authorization", "Bearer x").body(Body::empty());
    let response = router.oneshot(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = edge::body::read(body, 10_000_000).await.unwrap();
    (parts.status, serde_json::from_slice(&body).unwrap_or(Json::Null))
}

#[tokio::test]
async fn a_counter_is_told_minute_by_minute_and_by_dimension() {
    let (stage, metrics) = metrics();
    let closed = |normal: u32, slow: u32| {
        let name = "tidings_webpubsub_connections_closed_total";
        format!(
            "{name}{{resource=\"local\",category=\"Normal\"}} {normal}\n\
             {name}{{resource=\"local\",category=\"SlowClient\"}} {slow}\n\
             {name}{{resource=\"other\",category=\"Normal\"}} 100\n"
        )
    };
    stage.set(0, &closed(2, 0));
    metrics.look();
    stage.set(1, &closed(5, 1));
    let path =
        format!("{HUB}/providers/microsoft.insights/METRICS?metricnames=connectionclosecount");
    let (status, body) =
        get(&metrics, &format!("{path}&timespan=PT2M&api-version=2018-01-01")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["namespace"], "Microsoft.SignalRService/WebPubSub");
    assert_eq!(body["value"][0]["name"]["value"], "ConnectionCloseCount");
    let expected = json!([{ "metadatavalues": [], "data": [
        { "timeStamp": "2027-01-15T08:00:00Z", "total": 2.0 },
        { "timeStamp": "2027-01-15T08:01:00Z", "total": 4.0 },
    ] }]);
    assert_eq!(body["value"][0]["timeseries"], expected);
    let filter = "%24filter=ConnectionCloseCategory%20eq%20'*'";
    let (_, body) = get(&metrics, &format!("{path}&timespan=PT2M&interval=PT5M&{filter}")).await;
    let series = body["value"][0]["timeseries"].as_array().unwrap();
    let told: Vec<_> = series
        .iter()
        .map(|it| (&it["metadatavalues"][0]["value"], &it["data"][0]["total"]))
        .collect();
    assert_eq!(told, [(&json!("Normal"), &json!(5.0)), (&json!("SlowClient"), &json!(1.0))]);
}

#[tokio::test]
async fn a_gauge_has_an_average_and_extremes() {
    let (stage, metrics) = metrics();
    for (minute, value) in [(0, 3), (1, 5), (2, 1)] {
        stage
            .set(minute, &format!("tidings_webpubsub_connections{{resource=\"local\"}} {value}\n"));
        metrics.look();
    }
    let path =
        format!("{HUB}/providers/Microsoft.Insights/metrics?metricnames=TotalConnectionCount");
    let (_, body) = get(
        &metrics,
        &format!("{path}&interval=PT15M&timespan=PT3M&aggregation=Average,Maximum,Minimum,Total"),
    )
    .await;
    let data = &body["value"][0]["timeseries"][0]["data"][0];
    assert_eq!(
        (&data["average"], &data["maximum"], &data["minimum"]),
        (&json!(3.0), &json!(5.0), &json!(1.0))
    );
    assert_eq!(data["total"], Json::Null, "connections are not added up over time");
}

#[tokio::test]
async fn definitions_namespaces_and_refusals() {
    let (stage, metrics) = metrics();
    stage.set(0, "tidings_communication_requests_total{service=\"chat\",operation=\"SendChatMessage\",status_code=\"201\",status_class=\"2xx\"} 4\n");
    let below = |what: &str| format!("{CHAT}/providers/Microsoft.Insights/{what}");
    let (_, body) = get(&metrics, &below("metricDefinitions")).await;
    assert_eq!(body["value"][0]["primaryAggregationType"], "Count");
    assert_eq!(body["value"][0]["dimensions"][2]["value"], "StatusCodeClass");
    let (_, body) = get(&metrics, &below("metricNamespaces")).await;
    assert_eq!(
        body["value"][0]["properties"]["metricNamespaceName"],
        "Microsoft.Communication/CommunicationServices"
    );
    let filter = "$filter=Operation%20eq%20'sendchatmessage'%20or%20Operation%20eq%20'x'%20and%20StatusSubClass%20eq%20'2xx'";
    let (_, body) = get(
        &metrics,
        &below(&format!(
            "metrics?metricnames=APIRequestChat,APIRequestAuthentication&timespan=PT1M&{filter}"
        )),
    )
    .await;
    assert_eq!(body["value"][0]["timeseries"][0]["data"][0]["count"], 4.0);
    assert_eq!(body["value"][1]["timeseries"], json!([]));
    for wrong in [
        "metricnames=Nothing",
        "interval=PT2M",
        "aggregation=Sum",
        "timespan=x",
        "$filter=a",
        "$filter=a%20eq%20'1'%20or%20b%20eq%20'2'",
    ] {
        let (status, body) = get(&metrics, &below(&format!("metrics?{wrong}"))).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::BAD_REQUEST, &json!("BadRequest")),
            "{wrong}"
        );
    }
    let (status, _) = get(&metrics, "/subscriptions/s/providers/Microsoft.Insights/metrics").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, body) = get(&metrics, CHAT).await;
    assert_eq!((status, body), (StatusCode::OK, Json::Null), "everything else goes on");
}
