//! The document of an installation.

use std::collections::BTreeMap;

use kernel::{Result, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Installation, InstallationTemplate, Target};
use crate::refusal::{bad_request, shown};
use crate::tag::{Tag, TagSet};
use crate::template::{Properties, TemplateText};
use crate::{Handle, Platform, date};

type Object = Map<String, Value>;

pub(super) fn parse(body: &[u8], id: &str) -> Result<Installation> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
        return Err(bad_request(
            "The body is no JSON object. An installation is one, such as {\"installationId\":\"i\",\
             \"platform\":\"fcmv1\",\"pushChannel\":\"…\"}.",
        ));
    };
    if let Some(own) = text(&object, "installationId")?.filter(|own| *own != id) {
        return Err(bad_request(format!(
            "The installationId of the body is '{}', that of the path '{}'; they must be the same.",
            shown(own),
            shown(id)
        )));
    }
    let platform = text(&object, "platform")?.ok_or_else(|| missing("platform"))?;
    let platform = Platform::from_installation_name(platform)?;
    let tiles = object_of(&object, "secondaryTiles")?.into_iter().flatten();
    let tile = |(name, value): (&String, &Value)| {
        let tile = as_object(value, name)?;
        Ok((name.clone(), target(platform, tile)?))
    };
    Ok(Installation {
        id: id.to_owned(),
        channel_is_object: object.get("pushChannel").is_some_and(Value::is_object),
        channel_expired: false,
        user_id: text(&object, "userId")?.map(str::to_owned),
        expires_at: moment(text(&object, "expirationTime")?)?,
        push_variables: variables(object.get("pushVariables"))?,
        secondary_tiles: tiles.map(tile).collect::<Result<_>>()?,
        target: target(platform, &object)?,
        updated_at: None,
    })
}

pub(super) fn target(platform: Platform, object: &Object) -> Result<Target> {
    let channel = present(object, "pushChannel").ok_or_else(|| missing("pushChannel"))?;
    let templates = object_of(object, "templates")?.into_iter().flatten();
    let named = |(name, value): (&String, &Value)| Ok((name.clone(), template(name, value)?));
    Ok(Target {
        handle: handle(platform, channel)?,
        tags: tags(object.get("tags"))?,
        templates: templates.map(named).collect::<Result<_>>()?,
    })
}

/// A push channel: a text, or the object of a browser.
pub(super) fn handle(platform: Platform, channel: &Value) -> Result<Handle> {
    match channel {
        Value::String(text) => Handle::new(platform, text),
        Value::Object(_) if platform == Platform::Browser => Handle::from_subscription(channel),
        _ => Err(bad_request(
            "The pushChannel is no text. It is the handle of the device; for a browser also an object \
             with endpoint, p256dh and auth.",
        )),
    }
}

/// Tags: an array, a text that holds one, or one tag.
pub(super) fn tags(value: Option<&Value>) -> Result<TagSet> {
    let wrong = || bad_request("The tags are no array of texts, such as [\"news\",\"sports\"].");
    match value {
        None | Some(Value::Null) => Ok(TagSet::default()),
        Some(Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_str().ok_or_else(wrong));
            TagSet::parse(texts.collect::<Result<Vec<_>>>()?)
        }
        Some(Value::String(text)) if text.trim_start().starts_with('[') => {
            let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
            tags(Some(&value))
        }
        Some(Value::String(text)) => TagSet::parse([text.as_str()]),
        Some(_) => Err(wrong()),
    }
}

/// A template: an object, or a text that holds one. Old documents have other names for two members.
pub(super) fn template(name: &str, value: &Value) -> Result<InstallationTemplate> {
    let parsed: Value;
    let value = match value {
        Value::String(text) => {
            parsed = serde_json::from_str(text).unwrap_or_default();
            &parsed
        }
        other => other,
    };
    let object = as_object(value, name)?;
    let body = match text(object, "body")? {
        Some(body) => Some(body),
        None => text(object, "bodyTemplate")?,
    };
    let expiry = match text(object, "expiry")? {
        Some(expiry) => Some(expiry),
        None => text(object, "expiration")?,
    };
    let text = TemplateText {
        body: body
            .ok_or_else(|| missing(&format!("body of the template '{}'", shown(name))))?
            .to_owned(),
        name: None,
        headers: headers(object.get("headers"))?,
        expiry: expiry.map(str::to_owned),
        priority: None,
    };
    Ok(InstallationTemplate::new(name, text, tags(object.get("tags"))?))
}

/// Headers: an object of texts, or a text that holds one.
pub(super) fn headers(value: Option<&Value>) -> Result<Vec<(String, String)>> {
    let headers = strings(value, "headers")?;
    Ok(headers.into_iter().collect())
}

/// Push variables: an object of texts, or a text that holds one.
pub(super) fn variables(value: Option<&Value>) -> Result<BTreeMap<String, String>> {
    strings(value, "pushVariables")
}

fn strings(value: Option<&Value>, field: &str) -> Result<BTreeMap<String, String>> {
    let wrong =
        || bad_request(format!("The {field} are no object of texts, such as {{\"a\":\"b\"}}."));
    match value {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(object)) => {
            // Checked as properties are, but with names as they came.
            Properties::from_object(object.clone()).map_err(|_| wrong())?;
            let text =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let present = object.iter().filter(|(_, value)| !value.is_null());
            Ok(present.map(|(name, value)| (name.clone(), text(value))).collect())
        }
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => strings(Some(&value), field),
            _ => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

/// When an installation ends; never, if that is not said.
pub(super) fn moment(text: Option<&str>) -> Result<Timestamp> {
    let Some(text) = text else { return Ok(date::NEVER) };
    date::parse(text).ok_or_else(|| {
        bad_request(format!(
            "The expirationTime '{}' is no date; expected one such as 2030-01-31T12:00:00Z.",
            shown(text)
        ))
    })
}

fn present<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

fn text<'a>(object: &'a Object, name: &str) -> Result<Option<&'a str>> {
    match present(object, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(bad_request(format!("The field '{name}' is no text."))),
    }
}

fn object_of<'a>(object: &'a Object, name: &str) -> Result<Option<&'a Object>> {
    present(object, name).map(|value| as_object(value, name)).transpose()
}

pub(super) fn as_object<'a>(value: &'a Value, name: &str) -> Result<&'a Object> {
    value
        .as_object()
        .ok_or_else(|| bad_request(format!("The field '{}' is no object.", shown(name))))
}

fn missing(what: &str) -> kernel::Error {
    bad_request(format!("The installation has no {what}."))
}

/// The document on the way out; its members have the order in which the service writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    installation_id: &'a str,
    push_channel: Value,
    push_channel_expired: bool,
    platform: &'static str,
    expiration_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    push_variables: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    templates: BTreeMap<&'a str, Template<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secondary_tiles: BTreeMap<&'a str, Tile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tile<'a> {
    push_channel: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    templates: BTreeMap<&'a str, Template<'a>>,
}

#[derive(Serialize)]
struct Template<'a> {
    body: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiry: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
}

pub(super) fn write(installation: &Installation) -> String {
    let target = &installation.target;
    let tiles = installation.secondary_tiles.iter();
    let document = Document {
        installation_id: &installation.id,
        push_channel: channel(target, installation.channel_is_object),
        push_channel_expired: installation.channel_expired,
        platform: target.handle.platform().installation_name(),
        expiration_time: date::with_ticks(installation.expires_at),
        user_id: installation.user_id.as_deref(),
        tags: names(&target.tags),
        push_variables: &installation.push_variables,
        templates: templates(target),
        secondary_tiles: tiles.map(|(name, it)| (name.as_str(), tile(it))).collect(),
        last_update: installation.updated_at.map(date::with_ticks),
    };
    serde_json::to_string(&document).expect("texts and maps of texts are JSON")
}

fn tile(tile: &Target) -> Tile<'_> {
    Tile { push_channel: channel(tile, false), tags: names(&tile.tags), templates: templates(tile) }
}

fn channel(target: &Target, is_object: bool) -> Value {
    match target.handle.subscription() {
        Some(subscription) if is_object => subscription,
        Some(subscription) => subscription.to_string().into(),
        None => target.handle.address().into(),
    }
}

fn names(tags: &TagSet) -> Vec<&str> {
    tags.iter().map(Tag::as_str).collect()
}

fn templates(target: &Target) -> BTreeMap<&str, Template<'_>> {
    target.templates.iter().map(|(name, it)| (name.as_str(), written(it))).collect()
}

fn written(template: &InstallationTemplate) -> Template<'_> {
    let headers = template.text.headers.iter();
    Template {
        body: &template.text.body,
        headers: headers.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        expiry: template.text.expiry.as_deref(),
        tags: names(&template.tags),
    }
}
