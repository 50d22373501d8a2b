//! Sends that wait for their time, that come twice, and what is counted of them.

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const PAYLOAD: &str = r#"{"message":{"data":{"text":"later"}}}"#;

impl Hubs {
    async fn schedule(&self, at: &str) -> Answer {
        let headers = [
            ("ServiceBusNotification-Format", "fcmv1"),
            ("ServiceBusNotification-ScheduleTime", at),
        ];
        let path = ("POST", "/schedulednotifications/?api-version=2020-06");
        self.ask_as(DEFAULT_FULL, path, &headers, PAYLOAD).await
    }

    async fn send_with_id(&self, request: &str, body: &str) -> Answer {
        let headers =
            [("ServiceBusNotification-Format", "fcmv1"), ("x-ms-client-request-id", request)];
        self.ask_as(DEFAULT_FULL, ("POST", "/messages/"), &headers, body).await
    }

    async fn pending(&self) -> i64 {
        self.service.count_scheduled().await.unwrap();
        self.metric("scheduled.pending")
    }

    /// What people are told of the ways to the devices of a platform.
    pub(super) async fn standing(&self, platform: &str) -> Vec<Value> {
        let app = self.service.operator_router();
        let request = Request::get("/push/hubs").body(Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(app, request).await.unwrap();
        let body = edge::body::read(answer.into_body(), 1 << 20).await.unwrap();
        let told: Value = serde_json::from_slice(&body).unwrap();
        let platforms = told[0]["platforms"].as_array().unwrap().iter();
        platforms.filter(|it| it["platform"] == platform).cloned().collect()
    }
}

#[tokio::test]
async fn a_scheduled_send_goes_out_at_its_time_to_whoever_is_there_then() {
    let hubs = Hubs::start().await;
    hubs.androids(1).await;
    // The clock stands at 2023-11-14T22:13:20.
    let id = hubs.schedule("2023-11-14T23:13:20").await.id();
    assert_eq!((hubs.details(&id).await.state, hubs.pending().await), (State::Scheduled, 1));
    hubs.register("FcmV1", "<FcmV1RegistrationId>late</FcmV1RegistrationId>").await;
    hubs.world.pass(HOUR);
    assert_eq!(hubs.settled(&id).await.state, State::Completed);
    assert_eq!((hubs.count(&id, "Success").await, hubs.pending().await), (2, 0));
    assert_eq!((hubs.metric("incoming"), hubs.metric("incoming.scheduled")), (1, 1));
}

#[tokio::test]
async fn a_scheduled_send_that_is_taken_back_reaches_nobody() {
    let hubs = Hubs::start().await;
    hubs.androids(1).await;
    let id = hubs.schedule("2023-11-14T23:13:20.000Z").await.id();
    let path = format!("/schedulednotifications/{id}");
    assert_eq!(hubs.ask("DELETE", &path, "").await.status, 200);
    assert_eq!(hubs.ask("DELETE", &path, "").await.status, 404);
    hubs.world.pass(2 * HOUR);
    let other = hubs.send("fcmv1").await;
    hubs.settled(&other).await;
    assert_eq!(hubs.details(&id).await.state, State::Canceled);
    assert_eq!(hubs.world.inbox().len(), 1, "the other one's");
    assert_eq!((hubs.metric("incoming.scheduled.cancel"), hubs.pending().await), (1, 0));
}

#[tokio::test]
async fn a_time_that_is_over_is_refused_but_for_clocks_that_differ() {
    let hubs = Hubs::start().await;
    assert_eq!(hubs.schedule("2023-11-14T22:12:55Z").await.status, 201);
    let late = hubs.schedule("2023-11-14T22:12:00Z").await;
    assert_eq!(late.status, 400);
    assert!(late.body.contains("80 seconds ago"), "{}", late.body);
}

#[tokio::test]
async fn a_request_that_comes_again_is_carried_out_once_for_some_minutes() {
    let hubs = Hubs::start().await;
    hubs.androids(1).await;
    let (first, again) =
        (hubs.send_with_id("r1", PAYLOAD).await.id(), hubs.send_with_id("r1", PAYLOAD).await.id());
    assert_eq!(first, again);
    let other = hubs.send_with_id("r2", PAYLOAD).await.id();
    let changed = hubs.send_with_id("r1", r#"{"message":{"data":{}}}"#).await.id();
    for id in [&first, &other, &changed] {
        hubs.settled(id).await;
    }
    assert_eq!(hubs.world.inbox().len(), 3);
    assert!(first != other && first != changed);
}

#[tokio::test]
async fn what_is_counted_is_told_in_both_worlds_names() {
    let hubs = Hubs::start().await;
    hubs.androids(2).await;
    let id = hubs.send("fcmv1").await;
    hubs.settled(&id).await;
    let refused = hubs.ask_as(DEFAULT_LISTEN, ("POST", "/messages"), &[], "{}").await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    for (name, value) in [
        ("incoming", 1),
        ("incoming.all.requests", 4),
        ("incoming.all.failedrequests", 1),
        ("registration.create", 2),
        ("outgoing.fcmv1.success", 2),
        ("outgoing.allpns.success", 2),
        ("notificationhub.pushes", 2),
    ] {
        assert_eq!(hubs.metric(name), value, "{name}");
    }
    let mut registry = Registry::default();
    hubs.service.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let of = r#"namespace="local",hub="news""#;
    for line in [
        format!(r#"tidings_push_requests_total{{{of},operation="send",result="accepted"}} 1"#),
        format!(r#"tidings_push_requests_total{{{of},operation="send",result="refused"}} 1"#),
        format!(r#"tidings_push_outcomes_total{{{of},platform="fcmv1",outcome="Success"}} 2"#),
        format!("tidings_push_scheduled{{{of}}} 0"),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[tokio::test]
async fn a_platform_without_a_sender_is_named_wherever_somebody_asks() {
    let hubs = Hubs::start().await;
    for (kind, member, format) in [
        ("Windows", "<ChannelUri>https://w.example/1</ChannelUri>", "windows"),
        ("Mpns", "<ChannelUri>https://w.example/1</ChannelUri>", "windowsphone"),
        ("Adm", "<AdmRegistrationId>a</AdmRegistrationId>", "adm"),
        ("Baidu", "<BaiduUserId>u</BaiduUserId><BaiduChannelId>1</BaiduChannelId>", "baidu"),
        ("Xiaomi", "<XiaomiRegistrationId>x</XiaomiRegistrationId>", "xiaomi"),
    ] {
        hubs.register(kind, member).await;
        let plain = format!("has no sender for the platform {format} yet");
        let headers = [("ServiceBusNotification-Format", format)];
        let send = async |path: &str, more: &[(&str, &str)]| {
            let headers: Vec<_> = headers.iter().chain(more).copied().collect();
            hubs.ask_as(DEFAULT_FULL, ("POST", path), &headers, "{}").await
        };
        let id = send("/messages", &[]).await.id();
        assert_eq!(hubs.settled(&id).await.state, State::Completed, "{format}");
        assert_eq!(hubs.count(&id, "Skipped").await, 1, "{format}");
        let tested = send("/messages?test", &[]).await;
        assert!(tested.body.contains(&plain), "{format}: {}", tested.body);
        let handle = if format.starts_with("windows") { "https://w.example/1" } else { "u-1" };
        let device = [("ServiceBusNotification-DeviceHandle", handle)];
        let direct = send("/messages?direct", &device).await;
        assert_eq!(direct.status, 400);
        assert!(direct.body.contains(&plain), "{format}: {}", direct.body);
    }
    assert_eq!(hubs.devices().await, 5, "they are kept");
}
