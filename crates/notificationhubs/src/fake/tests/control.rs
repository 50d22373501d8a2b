//! The window to the fakes over HTTP.

use serde_json::json;

use super::*;
use crate::fake::Service;

fn received(device: &str, payload: &str) -> Received {
    Received {
        sequence: 0,
        service: Service::Fcm,
        device: device.into(),
        id: "id".into(),
        headers: Vec::new(),
        payload: Bytes::from(payload.to_owned()),
        time: START,
    }
}

#[tokio::test]
async fn the_inbox_is_read_filtered_and_emptied() {
    let world = World::start().await;
    world.fake.inbox.push(received("a", r#"{"n":1}"#));
    world.fake.inbox.push(received("b", "text"));
    let (status, all) = world.ask("GET", "/inbox", "").await;
    assert_eq!((status, &all["last"], &all["forgotten"]), (200, &json!(2), &json!(0)));
    assert_eq!(
        all["notifications"][0],
        json!({
            "sequence": 1, "service": "fcm", "device": "a", "id": "id", "headers": {},
            "payload": { "n": 1 }, "time": "2023-11-14T22:13:20Z"
        })
    );
    for (query, expected) in [
        ("?device=b", vec![2]),
        ("?service=apns", vec![]),
        ("?service=fcm&after=1", vec![2]),
        ("?contains=ext", vec![2]),
        ("?limit=1", vec![1]),
    ] {
        let (_, found) = world.ask("GET", &format!("/inbox{query}"), "").await;
        let numbers: Vec<u64> = found["notifications"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["sequence"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, expected, "{query}");
    }
    assert_eq!(world.ask("DELETE", "/inbox", "").await.0, 204);
    assert_eq!(world.ask("GET", "/inbox", "").await.1["notifications"], json!([]));
}

#[tokio::test]
async fn a_long_poll_ends_when_the_notification_comes() {
    let world = World::start().await;
    let (found, ()) = tokio::join!(world.ask("GET", "/inbox?wait=50&device=b", ""), async {
        world.fake.inbox.push(received("a", "x"));
        world.fake.inbox.push(received("b", "x"));
    });
    assert_eq!(found.1["notifications"][0]["device"], "b");
    let (status, none) = world.ask("GET", "/inbox?wait=0&device=c", "").await;
    assert_eq!((status, &none["notifications"]), (200, &json!([])));
}

#[tokio::test]
async fn failures_are_set_listed_and_cleared() {
    let world = World::start().await;
    let rule = json!({ "service": "apns", "device": "d", "failure": "Unregistered", "count": 2 });
    assert_eq!(world.ask("POST", "/failures", &rule.to_string()).await.0, 201);
    let (_, listed) = world.ask("GET", "/failures", "").await;
    assert_eq!(listed["active"], json!([rule]));
    for (service, failure) in [
        ("apns", "GoAway"),
        ("fcm", "UNREGISTERED"),
        ("oauth", "invalid_grant"),
        ("webpush", "Gone"),
    ] {
        let names = listed["catalog"][service].as_array().unwrap();
        assert!(names.contains(&json!(failure)), "{service} {names:?}");
    }
    assert_eq!(world.ask("DELETE", "/failures", "").await.0, 204);
    assert_eq!(world.fake.failures.list(), []);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_with_what_can() {
    let world = World::start().await;
    for (method, path, body, says) in [
        ("POST", "/failures", r#"{"service":"apns","failure":"Nonsense"}"#, "BadDeviceToken"),
        ("POST", "/failures", r#"{"service":"sms","failure":"x"}"#, "apns"),
        ("POST", "/failures", "", "cannot be read"),
        ("GET", "/inbox?color=red", "", "contains"),
        ("GET", "/inbox?after=x", "", "after"),
        ("POST", "/subscriptions", r#"{"applicationServerKey":"AAAA"}"#, "65 bytes"),
        ("PUT", "/accounts/apns", r#"{"keyId":"k"}"#, "appId"),
    ] {
        let (status, text) = world.ask(method, path, body).await;
        assert_eq!(status, 400, "{path} {text}");
        assert!(text.as_str().unwrap().contains(says), "{path}: {text}");
    }
}

#[tokio::test]
async fn accounts_are_shown_and_others_can_be_told() {
    let world = World::start().await;
    let (_, shown) = world.ask("GET", "/accounts", "").await;
    assert_eq!(shown["fcmV1"]["projectId"], "fake-project");
    let mut other = serde_json::to_value(Accounts::generate()).unwrap();
    other["apns"]["keyId"] = "OTHERKEY01".into();
    other["fcmV1"]["clientEmail"] = "other@example.com".into();
    assert_eq!(world.ask("PUT", "/accounts/apns", &other["apns"].to_string()).await.0, 204);
    assert_eq!(world.ask("PUT", "/accounts/fcm", &other["fcmV1"].to_string()).await.0, 204);
    assert!(world.fake.trusted().apns_key("FAKETEAM01", "OTHERKEY01").is_some());
    assert!(world.fake.trusted().fcm_key("other@example.com").is_some());
}

#[tokio::test]
async fn the_page_is_there() {
    let world = World::start().await;
    let (status, page) = world.ask("GET", "", "").await;
    assert_eq!(status, 200);
    assert!(page.as_str().unwrap().contains("Push inbox"));
}
