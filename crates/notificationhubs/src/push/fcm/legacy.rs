//! Bodies of Google's retired API (`{"data":…,"notification":…}`) as those of HTTP v1.
//!
//! Hubs still hold registrations of the old kind, and backends that moved to the new one often still
//! send old bodies.

use serde_json::{Map, Value, json};

/// Members of `notification` that are Android's in the new API: old name, new name.
const ANDROID: [(&str, &str); 8] = [
    ("sound", "sound"),
    ("icon", "icon"),
    ("color", "color"),
    ("tag", "tag"),
    ("click_action", "click_action"),
    ("android_channel_id", "channel_id"),
    ("title_loc_key", "title_loc_key"),
    ("body_loc_key", "body_loc_key"),
];

/// Converts a body; members that have no meaning any more are left out.
pub fn convert(mut legacy: Map<String, Value>) -> Map<String, Value> {
    let mut message = Map::new();
    let mut android = Map::new();
    if let Some(Value::Object(data)) = legacy.remove("data") {
        let text = data.into_iter().map(|(key, value)| (key, text(value)));
        message.insert("data".to_owned(), Value::Object(text.collect()));
    }
    if let Some(Value::Object(notification)) = legacy.remove("notification") {
        convert_notification(notification, &mut message, &mut android);
    }
    if let Some(priority) = legacy.get("priority").and_then(Value::as_str) {
        android.insert("priority".to_owned(), priority.to_ascii_uppercase().into());
    }
    if let Some(seconds) = legacy.get("time_to_live").and_then(whole_seconds) {
        android.insert("ttl".to_owned(), format!("{seconds}s").into());
    }
    for name in ["collapse_key", "restricted_package_name"] {
        if let Some(value) = legacy.remove(name) {
            android.insert(name.to_owned(), value);
        }
    }
    if !android.is_empty() {
        message.insert("android".to_owned(), Value::Object(android));
    }
    let aps = ["content_available", "mutable_content"].into_iter().filter_map(|name| {
        let on = legacy.get(name) == Some(&Value::Bool(true));
        on.then(|| (name.replace('_', "-"), Value::from(1)))
    });
    let aps: Map<String, Value> = aps.collect();
    if !aps.is_empty() {
        message.insert("apns".to_owned(), json!({ "payload": { "aps": aps } }));
    }
    let mut document = Map::new();
    if legacy.get("dry_run") == Some(&Value::Bool(true)) {
        document.insert("validate_only".to_owned(), true.into());
    }
    document.insert("message".to_owned(), Value::Object(message));
    document
}

fn convert_notification(
    mut old: Map<String, Value>,
    message: &mut Map<String, Value>,
    android: &mut Map<String, Value>,
) {
    let mut shared = Map::new();
    for name in ["title", "body", "image"] {
        if let Some(value) = old.remove(name) {
            shared.insert(name.to_owned(), text(value));
        }
    }
    let mut own = Map::new();
    for (old_name, new_name) in ANDROID {
        if let Some(value) = old.remove(old_name) {
            own.insert(new_name.to_owned(), text(value));
        }
    }
    for name in ["title_loc_args", "body_loc_args"] {
        match old.remove(name) {
            Some(Value::String(list)) => {
                if let Ok(list @ Value::Array(_)) = serde_json::from_str(&list) {
                    own.insert(name.to_owned(), list);
                }
            }
            Some(list @ Value::Array(_)) => {
                own.insert(name.to_owned(), list);
            }
            _ => {}
        }
    }
    message.insert("notification".to_owned(), Value::Object(shared));
    if !own.is_empty() {
        android.insert("notification".to_owned(), Value::Object(own));
    }
}

/// The new API takes strings alone.
fn text(value: Value) -> Value {
    match value {
        Value::String(_) => value,
        Value::Null => "".into(),
        other => other.to_string().into(),
    }
}

/// The old API took seconds as a number or as text.
fn whole_seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_finds_its_new_place() {
        let Value::Object(old) = json!({
            "to": "ignored",
            "registration_ids": ["ignored"],
            "delay_while_idle": true,
            "priority": "high",
            "time_to_live": 60,
            "collapse_key": "c",
            "restricted_package_name": "p",
            "dry_run": true,
            "content_available": true,
            "mutable_content": true,
            "data": { "text": "t", "number": 1, "flag": true, "none": null, "nested": { "a": [1] } },
            "notification": {
                "title": "T", "body": "B", "image": "I", "sound": "s", "icon": "i", "color": "#fff",
                "tag": "g", "click_action": "a", "android_channel_id": "ch", "title_loc_key": "k",
                "body_loc_key": "l", "title_loc_args": "[\"x\"]", "body_loc_args": ["y"],
                "badge": "ignored"
            }
        }) else {
            unreachable!()
        };
        assert_eq!(
            Value::Object(convert(old)),
            json!({
                "validate_only": true,
                "message": {
                    "data": {
                        "text": "t", "number": "1", "flag": "true", "none": "",
                        "nested": "{\"a\":[1]}"
                    },
                    "notification": { "title": "T", "body": "B", "image": "I" },
                    "android": {
                        "priority": "HIGH", "ttl": "60s", "collapse_key": "c",
                        "restricted_package_name": "p",
                        "notification": {
                            "sound": "s", "icon": "i", "color": "#fff", "tag": "g",
                            "click_action": "a", "channel_id": "ch", "title_loc_key": "k",
                            "body_loc_key": "l", "title_loc_args": ["x"], "body_loc_args": ["y"]
                        }
                    },
                    "apns": { "payload": { "aps": { "content-available": 1, "mutable-content": 1 } } }
                }
            })
        );
    }

    #[test]
    fn a_body_without_anything_known_becomes_an_empty_message() {
        let converted = convert(Map::from_iter([("x".to_owned(), json!(1))]));
        assert_eq!(Value::Object(converted), json!({ "message": {} }));
    }
}
