//! Settings of event subscriptions: read, shown, patched, refused.

use std::time::Duration;

use super::*;
use crate::event::{DeliverySchema, InputSchema};

fn hook(extra: &Value) -> Value {
    let mut properties = json!({ "endpointUrl": "https://h.example/in?code=hunter2" });
    for (name, value) in extra.as_object().unwrap() {
        properties[name] = value.clone();
    }
    json!({ "destination": { "endpointType": "WebHook", "properties": properties } })
}

fn parse(value: &Value) -> Result<Properties, String> {
    Properties::parse(value, &InputSchema::EventGrid).map_err(|error| error.message().to_owned())
}

#[test]
fn defaults_are_those_of_azure() {
    let shown = parse(&hook(&json!({}))).unwrap().shown();
    assert_eq!(shown["eventDeliverySchema"], "EventGridSchema");
    assert_eq!(
        shown["retryPolicy"],
        json!({ "maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440 })
    );
    let destination = &shown["destination"]["properties"];
    assert_eq!(destination["maxEventsPerBatch"], 1);
    assert_eq!(destination["preferredBatchSizeInKilobytes"], 64);
}

#[test]
fn readers_see_the_base_of_the_url_only() {
    let parsed = parse(&hook(&json!({}))).unwrap();
    assert!(!parsed.shown().to_string().contains("hunter2"));
    assert!(!format!("{parsed:?}").contains("hunter2"));
    let destination = &parsed.shown()["destination"]["properties"];
    assert_eq!(destination["endpointBaseUrl"], "https://h.example/in");
    assert_eq!(destination.get("endpointUrl"), None);
}

#[test]
fn what_is_kept_reads_back_as_the_same() {
    let mut value = hook(&json!({ "maxEventsPerBatch": 9, "azureActiveDirectoryTenantId": "t" }));
    value["expirationTimeUtc"] = "2030-01-31T12:00:00.25Z".into();
    value["filter"] = json!({ "subjectBeginsWith": "a" });
    value["labels"] = json!(["one"]);
    value["deadLetterDestination"] = json!({ "endpointType": "StorageBlob",
        "properties": { "resourceId": "/x", "blobContainerName": "dead" } });
    let parsed = parse(&value).unwrap();
    assert_eq!(parse(&parsed.to_json()), Ok(parsed));
}

#[test]
fn a_patch_replaces_what_it_names_and_null_resets() {
    let mut value = hook(&json!({}));
    value["labels"] = json!(["one"]);
    value["expirationTimeUtc"] = "2030-01-31T12:00:00Z".into();
    let before = parse(&value).unwrap();
    let patch = json!({ "labels": ["two"], "expirationTimeUtc": null });
    for patch in [patch.clone(), json!({ "properties": patch })] {
        let after = before.patched(&patch, &InputSchema::EventGrid).unwrap();
        assert_eq!((after.labels, after.expires), (vec!["two".to_owned()], None));
        assert_eq!(after.destination, before.destination, "kept with its secret");
    }
}

#[test]
fn refusals_name_what_would_be_right() {
    let with = |name: &str, it: Value| {
        let mut value = hook(&json!({}));
        value[name] = it;
        value
    };
    let url = |url: &str| hook(&json!({ "endpointUrl": url }));
    for (value, says) in [
        (json!({}), "needs a destination"),
        (with("destination", json!({ "endpointType": "EventHub" })), "Use WebHook"),
        (with("destination", json!({ "endpointType": "WebPubSub" })), "name of a hub"),
        (url("ftp://a"), "absolute URL"),
        (url("/a"), "absolute URL"),
        (url("https://u:p@a/"), "user name"),
        (hook(&json!({ "maxEventsPerBatch": 5001 })), "1 to 5000"),
        (hook(&json!({ "preferredBatchSizeInKilobytes": 0 })), "1 to 1024"),
        (with("eventDeliverySchema", "X".into()), "CloudEventSchemaV1_0"),
        (with("eventDeliverySchema", "CustomInputSchema".into()), "cannot be delivered as"),
        (with("retryPolicy", json!({ "maxDeliveryAttempts": 31 })), "1 to 30"),
        (with("expirationTimeUtc", "tomorrow".into()), "2030-01-31T12:00:00Z"),
        (
            with(
                "deadLetterDestination",
                json!({ "endpointType": "Folder",
            "properties": { "name": "../etc" } }),
            ),
            "letters",
        ),
        (with("filter", json!([])), "an object"),
    ] {
        let message = parse(&value).unwrap_err();
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn cloud_events_are_delivered_as_such_only() {
    let properties = Properties::parse(&hook(&json!({})), &InputSchema::CloudEvents).unwrap();
    assert_eq!(properties.delivery_schema, DeliverySchema::CloudEvents);
    let mut value = hook(&json!({}));
    value["eventDeliverySchema"] = "EventGridSchema".into();
    assert!(Properties::parse(&value, &InputSchema::CloudEvents).is_err());
}

#[test]
fn waiting_for_somebody_ends_by_itself() {
    let until = Timestamp::from_secs(600);
    let state = State::AwaitingManualAction { code: "c".to_owned(), until };
    assert_eq!(state.at(until - Duration::from_secs(1)), state);
    assert_eq!(state.at(until).as_str(), "Failed");
}
