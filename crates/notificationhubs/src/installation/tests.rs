//! Documents in the spellings of all clients, and every path of a patch.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Platform, date};

fn parse(value: &Value) -> Result<Installation> {
    Installation::parse(value.to_string().as_bytes(), "i1")
}

fn apple() -> Value {
    json!({
        "installationId": "i1", "platform": "APNS", "pushChannel": "62bc", "userId": "ann",
        "tags": ["news"], "pushVariables": {"city": "Rome"},
        "templates": {"T": {"body": "{\"aps\":{\"alert\":\"$(m)\"}}", "headers": {"apns-priority": "5"}, "tags": ["x"]}},
    })
}

fn patched(operations: &Value) -> Value {
    let patch = Patch::parse(operations.to_string().as_bytes()).unwrap();
    let installation = parse(&apple()).unwrap().patched(&patch).unwrap();
    serde_json::from_str(&installation.to_json()).unwrap()
}

fn patch_refusal(operations: &Value) -> String {
    let patch = Patch::parse(operations.to_string().as_bytes());
    let error = patch.and_then(|patch| parse(&apple()).unwrap().patched(&patch)).unwrap_err();
    error.message().to_owned()
}

#[test]
fn a_document_is_written_as_the_service_does() {
    assert_eq!(
        parse(&apple()).unwrap().to_json(),
        "{\"installationId\":\"i1\",\"pushChannel\":\"62BC\",\"pushChannelExpired\":false,\
         \"platform\":\"apns\",\"expirationTime\":\"9999-12-31T23:59:59.9999999Z\",\"userId\":\"ann\",\
         \"tags\":[\"news\"],\"pushVariables\":{\"city\":\"Rome\"},\"templates\":{\"T\":{\"body\":\
         \"{\\\"aps\\\":{\\\"alert\\\":\\\"$(m)\\\"}}\",\"headers\":{\"apns-priority\":\"5\"},\
         \"tags\":[\"x\",\"T\"]}}}"
    );
}

#[test]
fn what_is_written_is_read_back() {
    let mut value = apple();
    value["secondaryTiles"] =
        json!({"tile": {"pushChannel": "AA", "tags": ["t"], "templates": {"U": {"body": "{}"}}}});
    let installation = parse(&value).unwrap();
    assert_eq!(Installation::parse(installation.to_json().as_bytes(), "i1").unwrap(), installation);
}

#[test]
fn a_browsers_channel_comes_back_as_it_was_sent() {
    let channel = json!({"endpoint": "https://p.example/1", "p256dh": "P", "auth": "A"});
    for sent in [channel.clone(), Value::from(channel.to_string())] {
        let installation = parse(&json!({"platform": "browser", "pushChannel": sent})).unwrap();
        let read: Value = serde_json::from_str(&installation.to_json()).unwrap();
        assert_eq!(read["pushChannel"], sent);
        assert_eq!(installation.target.handle.address(), "https://p.example/1");
    }
}

#[test]
fn device_clients_spellings_are_read() {
    let installation = parse(&json!({
        "platform": "fcmV1", "pushChannel": "f:1", "expirationTime": "2024-05-01T10:20+0000",
        "templates": {"T": {"name": "T", "bodyTemplate": "{\"message\":{}}", "expiration": "$(e)"}},
        "tags": null, "userId": "",
    }))
    .unwrap();
    assert_eq!(installation.expires_at, Timestamp::from_secs(1_714_558_800));
    let expiry = installation.target.templates["T"].text.expiry.as_deref();
    assert_eq!(expiry, Some("$(e)"));
    assert_eq!(installation.user_id, None);
}

#[test]
fn registrations_are_made_for_the_device_its_templates_and_tiles() {
    let mut value = apple();
    value["secondaryTiles"] =
        json!({"s": {"pushChannel": "AA", "templates": {"U": {"body": "{}"}}}});
    let all = parse(&value).unwrap().registrations();
    let shown: Vec<String> = all
        .iter()
        .map(|it| {
            format!(
                "{} {} {}",
                it.part,
                it.description.handle.address(),
                it.description.tags.to_list()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            " 62BC $InstallationId:{i1},$UserId:{ann},news",
            "template/T 62BC $InstallationId:{i1},$UserId:{ann},news,x,T",
            "tile/s/ AA $InstallationId:{i1},$UserId:{ann}",
            "tile/s/template/U AA $InstallationId:{i1},$UserId:{ann},U",
        ]
    );
    assert_eq!(all[1].description.push_variables.as_deref(), Some("{\"city\":\"Rome\"}"));
}

#[test]
fn a_wrong_field_is_named() {
    for (field, wrong, reason) in [
        ("platform", json!("palm"), "platform 'palm'"),
        ("platform", json!(null), "has no platform"),
        ("pushChannel", json!(null), "has no pushChannel"),
        ("pushChannel", json!(7), "pushChannel is no text"),
        ("pushChannel", json!("xyz"), "not hexadecimal"),
        ("installationId", json!("i2"), "must be the same"),
        ("userId", json!("a b"), "userId 'a b'"),
        ("tags", json!(["$x"]), "Tags can not start with $."),
        ("tags", json!([1]), "no array of texts"),
        ("expirationTime", json!("soon"), "no date"),
        ("templates", json!({"T": {}}), "no body of the template 'T'"),
        ("templates", json!({"T": {"body": "{\"a\":\"$(\"}"}}), "This is about template/T."),
        ("pushVariables", json!({"a": []}), "pushVariables are no object"),
    ] {
        let mut value = apple();
        value[field] = wrong;
        let error = parse(&value).unwrap_err();
        assert!(error.message().contains(reason), "{field}: {error}");
    }
    assert!(Installation::parse(b"[]", "i1").is_err());
    assert!(Installation::parse(b"{}", "a/b").is_err());
}

#[test]
fn every_path_can_be_patched() {
    let read = patched(&json!([
        {"op": "replace", "path": "/pushChannel", "value": "ff"},
        {"op": "replace", "path": "/userId", "value": "bob"},
        {"op": "add", "path": "/expirationTime", "value": "2030-01-01T00:00:00Z"},
        {"op": "add", "path": "/tags", "value": "a"},
        {"op": "add", "path": "/tags", "value": "[\"b\",\"c\"]"},
        {"op": "add", "path": "/tags/d", "value": ""},
        {"op": "remove", "path": "/tags/NEWS"},
        {"op": "add", "path": "/templates/U~1x", "value": "{\"body\":\"{}\"}"},
        {"op": "replace", "path": "/templates/T/body", "value": "{\"b\":1}"},
        {"op": "replace", "path": "/templates/T/headers", "value": {"apns-topic": "t"}},
        {"op": "add", "path": "/templates/T/expiry", "value": "$(e)"},
        {"op": "remove", "path": "/templates/T/tags/x"},
        {"op": "add", "path": "/pushVariables/k", "value": "v"},
        {"op": "remove", "path": "/pushVariables/city"},
        {"op": "add", "path": "/secondaryTiles/s", "value": {"pushChannel": "AA"}},
        {"op": "add", "path": "/secondaryTiles/s/tags/q", "value": ""},
        {"op": "replace", "path": "/secondaryTiles/s/pushChannel", "value": "bb"},
    ]));
    assert_eq!(read["pushChannel"], "FF");
    assert_eq!(read["userId"], "bob");
    assert_eq!(read["expirationTime"], "2030-01-01T00:00:00.0000000Z");
    assert_eq!(read["tags"], json!(["a", "b", "c", "d"]));
    assert_eq!(read["templates"]["U/x"], json!({"body": "{}"}));
    assert_eq!(
        read["templates"]["T"],
        json!({"body": "{\"b\":1}", "headers": {"apns-topic": "t"}, "expiry": "$(e)", "tags": ["T"]})
    );
    assert_eq!(read["pushVariables"], json!({"k": "v"}));
    assert_eq!(read["secondaryTiles"], json!({"s": {"pushChannel": "BB", "tags": ["q"]}}));
}

#[test]
fn removals_take_whole_properties() {
    let read = patched(&json!([
        {"op": "remove", "path": "/tags"},
        {"op": "remove", "path": "/userId"},
        {"op": "remove", "path": "/templates/T"},
        {"op": "Remove", "path": "/PushVariables"},
    ]));
    for gone in ["tags", "userId", "templates", "pushVariables"] {
        assert_eq!(read.get(gone), None, "{gone}");
    }
}

#[test]
fn a_wrong_operation_is_refused() {
    for (operation, reason) in [
        (json!({"op": "remove", "path": "/pushChannel"}), "cannot be removed"),
        (json!({"op": "remove", "path": "/templates/T/body"}), "cannot be removed"),
        (
            json!({"op": "add", "path": "/color", "value": "red"}),
            "path '/color' of the patch is unknown",
        ),
        (json!({"op": "add", "path": "tags", "value": "red"}), "is unknown"),
        (json!({"op": "add", "path": "/templates/X/body", "value": "{}"}), "does not have"),
        (json!({"op": "add", "path": "/tags"}), "has no value"),
        (json!({"op": "add", "path": "/tags", "value": "$x"}), "Tags can not start with $."),
        (json!({"op": "add", "path": "/userId", "value": 7}), "is no text"),
        (json!({"op": "move", "path": "/tags", "value": "a"}), "'move' is unknown"),
        (json!({"op": "add", "value": "a"}), "has no path"),
        (json!({"op": "replace", "path": "/templates/T/body", "value": "x"}), "not JSON"),
    ] {
        let message = patch_refusal(&json!([operation]));
        assert!(message.contains(reason), "{operation}: {message}");
    }
    assert!(Patch::parse(b"{}").is_err());
    let many = vec![json!({"op": "remove", "path": "/tags"}); MAX_OPERATIONS + 1];
    assert!(Patch::parse(Value::from(many).to_string().as_bytes()).is_err());
}

#[test]
fn a_new_channel_is_taken_for_a_good_one() {
    let mut installation = parse(&apple()).unwrap();
    installation.channel_expired = true;
    let patch = Patch::parse(br#"[{"op":"replace","path":"/pushChannel","value":"AB"}]"#).unwrap();
    assert!(!installation.patched(&patch).unwrap().channel_expired);
    assert_eq!(installation.expires_at, date::NEVER);
    assert_eq!(installation.target.handle.platform(), Platform::Apple);
}

#[test]
fn the_fuzzing_corpus_is_read() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/push_device");
    for file in std::fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let body = text.as_bytes();
        let read = Installation::parse(body, "i").is_ok()
            || Patch::parse(body).is_ok()
            || crate::entry::read_registration(body).is_ok();
        assert!(read, "{}", path.display());
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Installation::parse(&body, "i");
        let _ = Patch::parse(&body);
    }

    #[test]
    fn arbitrary_paths_never_panic(path in "(/(tags|templates|secondaryTiles|pushVariables|T|~1|))*", value in ".{0,8}") {
        let operation = json!([{"op": "add", "path": path, "value": value}, {"op": "remove", "path": path}]);
        let patch = Patch::parse(operation.to_string().as_bytes()).unwrap();
        let _ = parse(&apple()).unwrap().patched(&patch);
    }
}
