//! Which members a message may have, and of what kind. Google refuses unknown members and numbers
//! where it wants strings; it takes names in snake_case and in camelCase.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::push::fcm::message::is_registration_token;

/// What a member may be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    /// A number, or text with one.
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Seconds as text, such as `3.5s`.
    Seconds,
    Texts,
    /// Names and strings.
    StringMap,
    /// Any JSON object.
    Open,
    Object(&'static [(&'static str, Self)]),
}

use Kind::{Flag, Number, Object, Open, Seconds, StringMap, Text, Texts, Word};

const DOCUMENT: &[(&str, Kind)] = &[("validate_only", Flag), ("message", Object(MESSAGE))];

const MESSAGE: &[(&str, Kind)] = &[
    ("name", Text),
    ("data", StringMap),
    ("notification", Object(&[("title", Text), ("body", Text), ("image", Text)])),
    ("android", Object(ANDROID)),
    ("webpush", Object(WEBPUSH)),
    ("apns", Object(APNS)),
    ("fcm_options", Object(&[("analytics_label", Text)])),
    ("token", Text),
    ("topic", Text),
    ("condition", Text),
];

const ANDROID: &[(&str, Kind)] = &[
    ("collapse_key", Text),
    ("priority", Word(&["NORMAL", "HIGH"])),
    ("ttl", Seconds),
    ("restricted_package_name", Text),
    ("data", StringMap),
    ("notification", Object(ANDROID_NOTIFICATION)),
    ("fcm_options", Object(&[("analytics_label", Text)])),
    ("direct_boot_ok", Flag),
    ("bandwidth_constrained_ok", Flag),
    ("restricted_satellite_ok", Flag),
];

const ANDROID_NOTIFICATION: &[(&str, Kind)] = &[
    ("title", Text),
    ("body", Text),
    ("icon", Text),
    ("color", Text),
    ("sound", Text),
    ("tag", Text),
    ("click_action", Text),
    ("body_loc_key", Text),
    ("body_loc_args", Texts),
    ("title_loc_key", Text),
    ("title_loc_args", Texts),
    ("channel_id", Text),
    ("ticker", Text),
    ("sticky", Flag),
    ("event_time", Text),
    ("local_only", Flag),
    ("notification_priority", Text),
    ("default_sound", Flag),
    ("default_vibrate_timings", Flag),
    ("default_light_settings", Flag),
    ("vibrate_timings", Texts),
    ("visibility", Text),
    ("notification_count", Number),
    ("light_settings", Open),
    ("image", Text),
    ("bypass_proxy_notification", Flag),
    ("proxy", Text),
];

const WEBPUSH: &[(&str, Kind)] = &[
    ("headers", StringMap),
    ("data", StringMap),
    ("notification", Open),
    ("fcm_options", Object(&[("link", Text), ("analytics_label", Text)])),
];

const APNS: &[(&str, Kind)] = &[
    ("headers", StringMap),
    ("payload", Open),
    ("fcm_options", Object(&[("analytics_label", Text), ("image", Text)])),
    ("live_activity_token", Text),
];

/// Checks a whole request.
///
/// # Errors
/// What Google says of the first member that does not fit.
pub(super) fn check(document: &Value) -> Result<(), Refusal> {
    check_value(document, Object(DOCUMENT), "")?;
    match document.get("message") {
        Some(_) => Ok(()),
        None => Err(Refusal::invalid_argument("message", "Message is not set.")),
    }
}

/// The receiver: exactly one, and here always a token.
pub(super) fn token(message: &Value) -> Result<&str, Refusal> {
    let targets = ["token", "topic", "condition"];
    let mut given = targets.iter().filter_map(|name| Some((*name, message.get(*name)?.as_str()?)));
    let Some((name, target)) = given.next() else {
        let text = "Recipient of the message is not set.";
        return Err(Refusal::invalid_argument("message", text));
    };
    if let Some((second, _)) = given.next() {
        let text = format!(
            "Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set \
             '{second}'"
        );
        return Err(Refusal::invalid_field("message", &text));
    }
    if name != "token" {
        let text = "This fake has devices alone: send to a token.";
        return Err(Refusal::invalid_argument(&format!("message.{name}"), text));
    }
    if is_registration_token(target) { Ok(target) } else { Err(Refusal::invalid_token()) }
}

/// Keys of data that Google keeps for itself.
pub(super) fn check_data_keys(message: &Value) -> Result<(), Refusal> {
    let data = message.get("data").and_then(Value::as_object);
    let keys = data.into_iter().flat_map(Map::keys);
    let reserved =
        |key: &str| matches!(key, "from" | "gcm" | "message_type") || key.starts_with("google");
    match keys.enumerate().find(|(_, key)| reserved(key)) {
        None => Ok(()),
        Some((at, key)) => {
            let text = format!("Invalid data payload key: {key}");
            Err(Refusal::invalid_argument(&format!("message.data[{at}].key"), &text))
        }
    }
}

/// The bytes of keys and values that count.
pub(super) fn size(message: &Value) -> usize {
    fn bytes(value: &Value) -> usize {
        match value {
            Value::Object(members) => {
                members.iter().map(|(key, value)| key.len() + bytes(value)).sum()
            }
            Value::Array(items) => items.iter().map(bytes).sum(),
            Value::String(text) => text.len(),
            Value::Null => 0,
            Value::Bool(_) | Value::Number(_) => value.to_string().len(),
        }
    }
    ["data", "notification"].iter().filter_map(|part| message.get(*part)).map(bytes).sum()
}

/// A member under either of its names.
pub(super) fn either<'a>(value: &'a Value, snake: &str, camel: &str) -> Option<&'a Value> {
    value.get(snake).or_else(|| value.get(camel))
}

fn check_value(value: &Value, kind: Kind, path: &str) -> Result<(), Refusal> {
    let wrong = |expected: &str| {
        let text = format!("Invalid value at '{path}' ({expected}), {value}");
        Err(Refusal::invalid_field(path, &text))
    };
    match (kind, value) {
        (_, Value::Null)
        | (Text, Value::String(_))
        | (Flag, Value::Bool(_))
        | (Number, Value::Number(_))
        | (Open, Value::Object(_)) => Ok(()),
        (Number, Value::String(text)) if text.parse::<i64>().is_ok() => Ok(()),
        (Word(words), Value::String(word)) if words.contains(&word.as_str()) => Ok(()),
        (Seconds, Value::String(text)) if is_seconds(text) => Ok(()),
        (Texts, Value::Array(items)) => each(items.iter().enumerate(), Text, path),
        (StringMap, Value::Object(members)) => {
            for (at, value) in members.values().enumerate() {
                check_value(value, Text, &format!("{path}[{at}].value"))?;
            }
            Ok(())
        }
        (Object(known), Value::Object(members)) => check_members(members, known, path),
        (Text | Texts | StringMap, _) => wrong("TYPE_STRING"),
        (Flag, _) => wrong("TYPE_BOOL"),
        (Number, _) => wrong("TYPE_INT32"),
        (Word(_), _) => wrong("TYPE_ENUM"),
        (Seconds, _) => wrong("type.googleapis.com/google.protobuf.Duration"),
        (Open | Object(_), _) => wrong("TYPE_MESSAGE"),
    }
}

fn each<'a>(
    items: impl Iterator<Item = (usize, &'a Value)>,
    kind: Kind,
    path: &str,
) -> Result<(), Refusal> {
    for (at, item) in items {
        check_value(item, kind, &format!("{path}[{at}]"))?;
    }
    Ok(())
}

fn check_members(
    members: &Map<String, Value>,
    known: &[(&str, Kind)],
    path: &str,
) -> Result<(), Refusal> {
    for (name, value) in members {
        let Some((snake, kind)) = known.iter().find(|(it, _)| it == name || camel(it) == *name)
        else {
            let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
            let text = format!(
                "Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."
            );
            return Err(Refusal::invalid_field(path, &text));
        };
        let dot = if path.is_empty() { "" } else { "." };
        check_value(value, *kind, &format!("{path}{dot}{snake}"))?;
    }
    Ok(())
}

fn camel(snake: &str) -> String {
    let mut name = String::with_capacity(snake.len());
    let mut upper = false;
    for letter in snake.chars() {
        match letter {
            '_' => upper = true,
            letter if upper => {
                name.extend(letter.to_uppercase());
                upper = false;
            }
            letter => name.push(letter),
        }
    }
    name
}

fn is_seconds(text: &str) -> bool {
    let number = text.strip_suffix('s').and_then(|it| it.parse::<f64>().ok());
    // Four weeks at most.
    number.is_some_and(|seconds| (0.0..=2_419_200.0).contains(&seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(document: &Value) -> Option<String> {
        let refusal = check(document).err()?;
        let error = refusal.document();
        let field = error["error"]["details"][0]["fieldViolations"][0]["field"].as_str();
        Some(field.unwrap_or_default().to_owned())
    }

    #[test]
    fn both_spellings_and_every_part_are_taken() {
        let document = json!({ "validateOnly": false, "message": {
            "token": "t", "data": { "a": "b" },
            "notification": { "title": "t", "body": "b" },
            "android": {
                "priority": "HIGH", "ttl": "3.5s", "collapseKey": "c",
                "notification": { "channel_id": "c", "titleLocArgs": ["x"], "notification_count": 1 }
            },
            "apns": { "payload": { "aps": { "alert": 1 } }, "headers": { "apns-priority": "5" } },
            "webpush": { "notification": { "any": ["thing"] } },
            "fcmOptions": { "analyticsLabel": "l" }
        }});
        assert_eq!(fields(&document), None);
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_field() {
        for (message, field) in [
            (json!({ "data": { "a": 1 } }), "message.data[0].value"),
            (json!({ "data": [] }), "message.data"),
            (json!({ "alert": "x" }), "message"),
            (json!({ "notification": { "sound": "x" } }), "message.notification"),
            (json!({ "android": { "ttl": 60 } }), "message.android.ttl"),
            (json!({ "android": { "ttl": "60" } }), "message.android.ttl"),
            (json!({ "android": { "priority": "high" } }), "message.android.priority"),
            (
                json!({ "android": { "notification": { "title_loc_args": [1] } } }),
                "message.android.notification.title_loc_args[0]",
            ),
        ] {
            let document = json!({ "message": message });
            assert_eq!(fields(&document).as_deref(), Some(field), "{document}");
        }
        assert_eq!(fields(&json!([])).as_deref(), Some(""));
        assert_eq!(fields(&json!({})).as_deref(), Some("message"));
    }

    #[test]
    fn there_is_exactly_one_receiver() {
        assert_eq!(token(&json!({ "token": "t" })).unwrap(), "t");
        for message in [
            json!({}),
            json!({ "token": "t", "topic": "x" }),
            json!({ "topic": "x" }),
            json!({ "token": "a b" }),
        ] {
            assert!(token(&message).is_err(), "{message}");
        }
    }

    #[test]
    fn googles_own_keys_are_refused() {
        for key in ["from", "gcm", "message_type", "google.x", "googleX"] {
            let message = json!({ "data": { "a": "b", key: "x" } });
            assert!(check_data_keys(&message).is_err(), "{key}");
        }
        assert!(check_data_keys(&json!({ "data": { "fromage": "x" } })).is_ok());
    }
}
