//! What is said of a hub, for each place in which a notification can be dropped.

use serde_json::json;

use super::*;

/// A hub where all is well, with a change.
fn hub(change: &Value) -> Value {
    let mut hub = json!({
        "namespace": "local", "hub": "news",
        "policies": [{"name": "Full", "rights": "Listen,Manage,Send"}],
        "sends": {"waiting": 0, "accepted": 1, "refused": 0, "lastRefused": null},
        "lastRefusedDevice": null, "lastUnknownHub": null,
        "kinds": [{"platform": "apple", "isTemplate": false, "devices": 2}],
        "platforms": [platform(&json!({}))],
    });
    for (name, value) in change.as_object().unwrap() {
        hub[name] = value.clone();
    }
    hub
}

fn platform(change: &Value) -> Value {
    let mut platform = json!({
        "platform": "apple", "unusable": null, "credentialRefused": false,
        "keepsDeadDevices": false, "lastSuccess": "10:00", "lastProblem": null,
    });
    for (name, value) in change.as_object().unwrap() {
        platform[name] = value.clone();
    }
    platform
}

fn send(state: &str, outcomes: &[(&str, i64)]) -> Value {
    let outcome = |(name, devices): &(&str, i64)| json!({"platform": "apple", "outcome": name, "devices": devices});
    let outcomes: Vec<Value> = outcomes.iter().map(outcome).collect();
    json!({"enqueued": "10:00", "state": state, "format": "apple", "tags": "a && b",
        "outcomes": outcomes})
}

#[test]
fn where_all_is_well_nothing_is_to_be_done() {
    let text = findings(&hub(&json!({})), &send("Completed", &[("Success", 2)]));
    assert!(!text.contains("!!"), "{text}");
    for expected in ["local/news", "ok  accepted", "2 devices: taken", "Nothing found"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

/// A change of the hub, its latest send, and what is said then.
type Case = (Value, Value, &'static str);

/// Each has a line with !!, and is where to begin.
fn begins_at(place: &str, cases: &[Case]) {
    for (change, send, expected) in cases {
        let text = findings(&hub(change), send);
        let line = text.lines().find(|it| it.contains(expected));
        assert!(line.is_some_and(|it| it.starts_with("    !!")), "{expected} in {text}");
        assert!(text.contains(&format!("Begin here: {place},")), "{place} in {text}");
    }
}

fn done() -> Value {
    send("Completed", &[("Success", 2)])
}

#[test]
fn what_the_hub_has_refused_is_said_first() {
    let refused = json!({"at": "10:01", "status": 401, "message": "InvalidSignature: no."});
    begins_at(
        "The hub",
        &[
            (json!({"policies": []}), Value::Null, "no policy may send"),
            (
                json!({"sends": {"refused": 3, "lastRefused": refused}}),
                done(),
                "sends refused: 3, last at 10:01: 401 InvalidSignature",
            ),
            (json!({"lastUnknownHub": refused}), done(), "a hub that does not exist"),
            (json!({"lastRefusedDevice": refused}), done(), "refused a device"),
        ],
    );
}

#[test]
fn what_a_push_service_has_refused_is_said_with_its_cure() {
    let problem = json!({"at": "10:02", "outcome": "InvalidCredentials",
        "reason": "InvalidProviderToken", "explanation": "check the key"});
    let bad = json!({"at": "10:02", "outcome": "BadChannel", "reason": "BadDeviceToken",
        "explanation": "x"});
    let with = |change: Value| json!({ "platforms": [platform(&change)] });
    let adm = json!({"platform": "adm", "isTemplate": false, "devices": 1, "hasSender": false});
    begins_at(
        "The push services",
        &[
            (json!({"platforms": []}), done(), "no credential: set one"),
            (
                with(json!({"platform": "fcmv1"})),
                done(),
                "apple: no credential, though 2 are registered",
            ),
            (json!({"kinds": [adm]}), done(), "adm: this server has no sender for it yet"),
            (
                with(json!({"unusable": "the key is none"})),
                done(),
                "cannot be used: the key is none",
            ),
            (
                with(json!({"credentialRefused": true, "lastProblem": problem})),
                done(),
                "REFUSES the credential; one message a minute tries it, all others wait; last \
                 problem at 10:02: InvalidCredentials, InvalidProviderToken, check the key",
            ),
            (
                with(json!({"keepsDeadDevices": true, "lastProblem": bad, "lastSuccess": null})),
                done(),
                "knows none of the devices",
            ),
            (
                json!({}),
                send("Completed", &[("InvalidNotificationSize", 1)]),
                "1 apple devices: InvalidNotificationSize, the payload is too large",
            ),
        ],
    );
}

#[test]
fn a_device_that_is_gone_or_not_meant_is_said_with_the_reason() {
    let templates = json!({"platform": "apple", "isTemplate": true, "devices": 2});
    begins_at(
        "The devices",
        &[
            (json!({"kinds": []}), done(), "no device is registered"),
            (
                json!({}),
                send("Completed", &[("ExpiredChannel", 1), ("Success", 1)]),
                "1 apple devices: ExpiredChannel, the app was removed",
            ),
            (json!({}), send("NoTargetFound", &[]), "none has the tags 'a && b'"),
            (
                json!({"kinds": [templates]}),
                send("NoTargetFound", &[]),
                "devices of this platform that have no template: there is none",
            ),
        ],
    );
}

#[test]
fn a_send_for_templates_that_nobody_has_is_explained() {
    let mut nobody = send("NoTargetFound", &[]);
    nobody["format"] = "template".into();
    let text = findings(&hub(&json!({})), &nobody);
    assert!(text.contains("no device has one: register a template"), "{text}");
}
