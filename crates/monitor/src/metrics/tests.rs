//! The API over counters, as clients call it.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::request::Builder;
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
    hubs: Mutex<Vec<HubValue>>,
    now: Mutex<i64>,
}

impl Counters for Stage {
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn hubs(&self) -> Vec<HubValue> {
        self.hubs.lock().unwrap().clone()
    }

    fn source_of(&self, system_topic: &ResourceId) -> Option<String> {
        (system_topic.name() == "chat-events").then(|| CHAT.to_owned())
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

const INCOMING: HubMetric =
    HubMetric { name: "incoming.all.requests", description: "All requests", is_state: false };
const PENDING: HubMetric =
    HubMetric { name: "scheduled.pending", description: "Waiting", is_state: true };

fn metrics() -> (Arc<Stage>, Metrics) {
    let stage = Arc::new(Stage::default());
    let hubs = [INCOMING, PENDING];
    let metrics = Metrics::new(stage.clone(), hubs, Arc::new(AnyBearer), stage.clone());
    (stage, metrics)
}

async fn get(metrics: &Metrics, path: &str) -> (StatusCode, Json) {
    call(metrics, Request::get(path), String::new()).await
}

async fn batch(metrics: &Metrics, query: &str, resources: &[&str]) -> (StatusCode, Json) {
    let request = Request::post(format!("/subscriptions/s/metrics:getBatch?{query}"));
    call(metrics, request, json!({ "resourceids": resources }).to_string()).await
}

async fn call(metrics: &Metrics, request: Builder, body: String) -> (StatusCode, Json) {
    let router = metrics.in_front_of(Router::new().fallback(async || "the resource manager"));
    let request = request.header("authorization", "Bearer x").body(Body::from(body));
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
    let (status, body) = get(&metrics, &below("metrics?metricnamespace=Other/type")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let (status, _) = get(&metrics, "/subscriptions/s/providers/Microsoft.Insights/metrics").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, body) = get(&metrics, CHAT).await;
    assert_eq!((status, body), (StatusCode::OK, Json::Null), "everything else goes on");
}

#[tokio::test]
async fn a_batch_tells_each_resource_by_itself() {
    let (stage, metrics) = metrics();
    let closed = |resource: &str, category: &str, count: u32| {
        let name = "tidings_webpubsub_connections_closed_total";
        format!("{name}{{resource=\"{resource}\",category=\"{category}\"}} {count}\n")
    };
    let text =
        [closed("local", "Normal", 3), closed("local", "SlowClient", 4), closed("b", "Normal", 5)];
    stage.set(0, &text.concat());
    let other = HUB.replace("/local", "/b");
    // As one SDK writes names.
    let query = "api%2Dversion=2024-02-01&starttime=2027-01-15T08:00:00.000Z&interval=FULL\
                 &metricnamespace=microsoft.signalrservice%2Fwebpubsub&metricnames=ConnectionCloseCount";
    let (status, body) = batch(&metrics, query, &[HUB, &other]).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let values = body["values"].as_array().unwrap();
    let told = |value: &Json| {
        let total = &value["value"][0]["timeseries"][0]["data"][0]["total"];
        (value["resourceid"].as_str().unwrap().to_owned(), total.as_f64().unwrap())
    };
    let told: Vec<_> = values.iter().map(told).collect();
    assert_eq!(told, [(HUB.to_owned(), 7.0), (other.clone(), 5.0)]);
    assert_eq!(values[0]["starttime"], "2027-01-15T08:00:00Z");
    assert_eq!(values[0]["endtime"], "2027-01-15T08:01:00Z");
    assert_eq!(
        (&values[0]["interval"], &values[0]["namespace"]),
        (&json!("FULL"), &json!("Microsoft.SignalRService/WebPubSub"))
    );
    let split = format!("{query}&filter=ConnectionCloseCategory%20eq%20'*'");
    for (options, expected) in [
        ("", vec!["SlowClient", "Normal"]),
        ("&orderby=sum%20asc", vec!["Normal", "SlowClient"]),
        ("&top=1", vec!["SlowClient"]),
    ] {
        let (_, body) = batch(&metrics, &format!("{split}{options}"), &[HUB]).await;
        let series = body["values"][0]["value"][0]["timeseries"].as_array().unwrap();
        let told: Vec<_> =
            series.iter().map(|it| it["metadatavalues"][0]["value"].as_str().unwrap()).collect();
        assert_eq!(told, expected, "{options}");
    }
    let (_, body) =
        batch(&metrics, &format!("{split}&rollupby=ConnectionCloseCategory"), &[HUB]).await;
    let series = &body["values"][0]["value"][0]["timeseries"];
    assert_eq!((&series[0]["data"][0]["total"], &series[1]), (&json!(7.0), &Json::Null));
}

#[tokio::test]
async fn a_batch_of_what_does_not_belong_together_is_refused() {
    let (_, metrics) = metrics();
    let hubs = "metricnamespace=Microsoft.SignalRService/WebPubSub&metricnames=ConnectionOpenCount";
    let many = [HUB; 51];
    for (query, resources, status) in [
        (hubs, &[CHAT][..], StatusCode::BAD_REQUEST),
        (hubs, &[], StatusCode::BAD_REQUEST),
        (hubs, &many, StatusCode::BAD_REQUEST),
        (hubs, &["/subscriptions/s"], StatusCode::NOT_FOUND),
        ("metricnames=ConnectionOpenCount", &[HUB], StatusCode::BAD_REQUEST),
        ("metricnamespace=Microsoft.SignalRService/WebPubSub", &[HUB], StatusCode::BAD_REQUEST),
        ("metricnamespace=Other/type&metricnames=x", &[HUB], StatusCode::BAD_REQUEST),
    ] {
        let (found, body) = batch(&metrics, query, resources).await;
        assert_eq!(found, status, "{query}: {body}");
        assert!(body["error"]["message"].is_string(), "{body}");
    }
    let request = Request::post("/subscriptions/s/metrics:getBatch?".to_owned() + hubs);
    let (status, _) = call(&metrics, request, "[]".to_owned()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let request = Request::post("/subscriptions/s/metrics:getBatch/more");
    assert_eq!(call(&metrics, request, String::new()).await.0, StatusCode::OK, "that goes on");
}

#[tokio::test]
async fn too_many_points_are_refused_and_not_gathered() {
    let (stage, metrics) = metrics();
    let series = |at: u32| {
        format!(
            "tidings_webpubsub_connections_closed_total{{resource=\"local\",category=\"{at}\"}} 1\n"
        )
    };
    stage.set(0, &(0..10).map(series).collect::<String>());
    let query = "metricnamespace=Microsoft.SignalRService/WebPubSub&metricnames=ConnectionCloseCount\
                 &starttime=2027-01-01&filter=ConnectionCloseCategory%20eq%20'*'";
    let (status, body) = batch(&metrics, query, &[HUB; 50]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["error"]["message"].as_str().unwrap().contains("longer intervals"), "{body}");
    let (status, _) = batch(&metrics, &format!("{query}&interval=PT1H"), &[HUB; 50]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn notification_hubs_have_the_metrics_of_their_own_catalogue() {
    let (stage, metrics) = metrics();
    let value = |hub: &str, metric, value| HubValue {
        namespace: "ns".to_owned(),
        hub: hub.to_owned(),
        metric,
        value,
    };
    *stage.hubs.lock().unwrap() =
        vec![value("a", INCOMING, 5), value("a", PENDING, 2), value("b", INCOMING, 9)];
    stage.set(0, "");
    let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.NotificationHubs/namespaces/NS/notificationHubs/a";
    let names = "incoming.all.requests,scheduled.pending";
    let path =
        format!("{id}/providers/Microsoft.Insights/metrics?metricnames={names}&timespan=PT1M");
    let (status, body) = get(&metrics, &path).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let total = |at: usize| &body["value"][at]["timeseries"][0]["data"][0]["total"];
    assert_eq!((total(0), total(1)), (&json!(5.0), &json!(2.0)));
    let (_, body) =
        get(&metrics, &format!("{id}/providers/Microsoft.Insights/metricDefinitions")).await;
    assert_eq!(body["value"][0]["name"]["value"], "incoming.all.requests");
}

#[tokio::test]
async fn a_system_topic_has_what_its_source_raised_and_a_mean_is_of_all_attempts() {
    let (stage, metrics) = metrics();
    let chat = "topic_type=\"microsoft.communication/communicationservices\",topic=\"local\"";
    let topic = "topic_type=\"microsoft.eventgrid/systemtopics\",topic=\"chat-events\"";
    let other = "topic_type=\"microsoft.signalrservice/webpubsub\",topic=\"local\"";
    let line = |name: &str, labels: &str, value: f64| {
        format!("tidings_eventgrid_{name}{{{labels}}} {value}\n")
    };
    let with = |labels: &str, name: &str| format!("{labels},event_subscription=\"{name}\"");
    stage.set(
        0,
        &[
            line("events_published_total", chat, 7.0),
            line("events_published_total", other, 100.0),
            line("attempt_seconds_sum", &with(chat, "one"), 0.5),
            line("attempt_seconds_count", &with(chat, "one"), 1.0),
            line("attempt_seconds_sum", &with(topic, "two"), 0.1),
            line("attempt_seconds_count", &with(topic, "two"), 3.0),
        ]
        .concat(),
    );
    let id =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/systemTopics/chat-events";
    let below = |id: &str, what: &str| {
        format!("{id}/providers/Microsoft.Insights/metrics?timespan=PT1M&metricnames={what}")
    };
    let duration = "DestinationProcessingDurationInMs";
    let (_, body) = get(&metrics, &below(id, &format!("PublishSuccessCount,{duration}"))).await;
    let point = |body: &Json, at: usize| body["value"][at]["timeseries"][0]["data"][0].clone();
    assert_eq!(point(&body, 0)["total"], 7.0);
    assert_eq!(point(&body, 1)["average"], 150.0);
    let subscription = format!("{CHAT}/providers/Microsoft.EventGrid/eventSubscriptions/ONE");
    let (_, body) = get(&metrics, &below(&subscription, duration)).await;
    assert_eq!(point(&body, 0)["average"], 500.0);
    let (_, body) =
        get(&metrics, &format!("{}&aggregation=Total", below(&subscription, duration))).await;
    assert_eq!(point(&body, 0)["total"], Json::Null, "durations are not added up");
}
