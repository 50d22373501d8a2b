//! Calls about notification hubs, their credentials, and test sends.

use std::time::Duration;

use axum::http::Method;
use kernel::{Error, ErrorKind, Result};
use serde_json::{Map, Value, json};
use wire::ResourceId;

use super::port::{
    HUBS, HubNamespace, HubRequest, NotificationHub, NotificationHubsProvider, SentTo, TestSend,
};
use super::{NotificationHubs, namespaces, time_span};
use crate::call::{Answer, Call};
use crate::page::{self, Listed};
use crate::{envelope, fault};

const FORMAT: &str = "servicebusnotification-format";
const TAGS: &str = "servicebusnotification-tags";

/// From here on clients take 200 for a test send, older ones 201 alone. Known of 2017-04-01 and
/// 2023-10-01-preview; versions between them are taken for newer ones. Dates compare as texts.
const TEST_SEND_IS_OK_SINCE: &str = "2020";

impl<P: NotificationHubsProvider> NotificationHubs<P> {
    /// `POST …/checkNotificationHubAvailability`
    pub(super) async fn hub_availability(
        &self,
        namespace: &ResourceId,
        call: &Call,
    ) -> Result<Answer> {
        let name = namespaces::name(call)?;
        self.parent(namespace).await?;
        let is_available = self.provider.is_hub_available(namespace, name).await?;
        Ok(namespaces::availability(call, HUBS, name, is_available))
    }

    /// `GET …/notificationHubs`
    pub(super) async fn hubs(&self, namespace: &ResourceId, call: &Call) -> Result<Answer> {
        self.parent(namespace).await?;
        let hubs = self.provider.hubs(namespace).await?;
        page::page(call, hubs.into_iter().map(|hub| Listed::of(shown(hub))).collect())
    }

    /// `GET`, `PUT`, `PATCH` and `DELETE` of one hub. Clients take 200 alone for DELETE, whether or
    /// not there was one.
    pub(super) async fn hub(&self, id: &ResourceId, call: &Call) -> Result<Answer> {
        let old = self.provider.hub(id).await?;
        match call.method {
            Method::GET => Ok(Answer::ok(shown(old.ok_or_else(|| fault::no_resource(id))?))),
            Method::PUT => {
                let namespace = self.parent(&namespace_of(id)?).await?;
                let request = request(id, call, &namespace, old.as_ref())?;
                let put = self.provider.put_hub(id, request).await?;
                let is_new = old.is_none();
                Ok(if is_new { Answer::created(shown(put)) } else { Answer::ok(shown(put)) })
            }
            Method::PATCH => {
                let old = old.ok_or_else(|| fault::no_resource(id))?;
                let request = changed(call, old)?;
                Ok(Answer::ok(shown(self.provider.put_hub(id, request).await?)))
            }
            Method::DELETE => {
                self.provider.delete_hub(id).await?;
                Ok(Answer::done())
            }
            _ => Err(fault::method(&call.method, "GET, PUT, PATCH and DELETE")),
        }
    }

    /// `POST …/pnsCredentials`: the one call that tells credentials.
    pub(super) async fn credentials(&self, hub: &ResourceId) -> Result<Answer> {
        let credentials = self.provider.credentials(hub).await?;
        let credentials = credentials.ok_or_else(|| fault::no_resource(hub))?;
        Ok(Answer::ok(json!({
            "id": format!("{hub}/pnsCredentials"), "name": hub.name(),
            "type": format!("{HUBS}/pnsCredentials"), "properties": credentials
        })))
    }

    /// `POST …/debugsend`
    pub(super) async fn test_send(&self, hub: &ResourceId, call: &Call) -> Result<Answer> {
        if self.provider.hub(hub).await?.is_none() {
            return Err(fault::no_resource(hub));
        }
        let outcome = self.provider.test_send(hub, test_send(call)?).await?;
        let result = |it: &SentTo| {
            json!({
                "applicationPlatform": it.platform, "pnsHandle": it.handle,
                "registrationId": it.registration, "outcome": it.outcome
            })
        };
        let body = json!({
            "id": format!("{hub}/debugsend"), "name": hub.name(),
            "type": format!("{HUBS}/debugsend"),
            "properties": {
                "success": outcome.success, "failure": outcome.failure,
                "results": outcome.results.iter().map(result).collect::<Vec<_>>()
            }
        });
        let version = call.query.one("api-version").unwrap_or_default();
        let is_new = version >= TEST_SEND_IS_OK_SINCE;
        Ok(if is_new { Answer::ok(body) } else { Answer::created(body) })
    }
}

fn namespace_of(hub: &ResourceId) -> Result<ResourceId> {
    let text = hub.as_str();
    let end = text.rmatch_indices('/').nth(1).map_or(text.len(), |(at, _)| at);
    ResourceId::parse(&text[..end])
}

fn request(
    id: &ResourceId,
    call: &Call,
    namespace: &HubNamespace,
    old: Option<&NotificationHub>,
) -> Result<HubRequest> {
    let (body, properties) = (call.object()?, call.properties()?);
    check_rules(&properties)?;
    let place = old.map_or(&namespace.envelope, |old| &old.envelope).location.clone();
    let place = place.unwrap_or_else(|| envelope::GLOBAL.to_owned());
    let location = match &body["location"] {
        Value::Null => place,
        _ => envelope::location(body, id, old.map(|_| place.as_str()))?,
    };
    Ok(HubRequest {
        location,
        tags: envelope::tags(body)?.unwrap_or_default(),
        registration_ttl: ttl(&properties)?.unwrap_or_default(),
        credentials: credentials(&properties),
    })
}

/// PATCH; the JavaScript client may send no body at all.
fn changed(call: &Call, old: NotificationHub) -> Result<HubRequest> {
    let nothing = json!({});
    let body = if call.body.is_null() { &nothing } else { call.object()? };
    let properties = if call.body.is_null() { json!({}) } else { call.properties()? };
    check_rules(&properties)?;
    Ok(HubRequest {
        location: old.envelope.location.unwrap_or_else(|| envelope::GLOBAL.to_owned()),
        tags: envelope::tags(body)?.unwrap_or(old.envelope.tags),
        registration_ttl: ttl(&properties)?.unwrap_or(old.registration_ttl),
        credentials: credentials(&properties),
    })
}

/// `Some(None)` is for ever; `None` when the body names no time.
fn ttl(properties: &Value) -> Result<Option<Option<Duration>>> {
    match &properties["registrationTtl"] {
        Value::Null => Ok(None),
        Value::String(text) => time_span::parse(text).map(Some),
        _ => Err(fault::content("properties.registrationTtl", "registrationTtl must be a text.")),
    }
}

fn check_rules(properties: &Value) -> Result<()> {
    if properties["authorizationRules"].as_array().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let message = "Rules in the body of a hub have no names. Create each with PUT on \
                   …/notificationHubs/{hub}/authorizationRules/{name}.";
    Err(Error::new(ErrorKind::Invalid, "FeatureNotSupported", message).target("authorizationRules"))
}

/// The properties that are credentials; which kinds there are is the service's to know.
fn credentials(properties: &Value) -> Value {
    let is_one = |name: &str| name.to_ascii_lowercase().ends_with("credential");
    let members = properties.as_object().into_iter().flatten();
    let found = members.filter(|(name, _)| is_one(name));
    Value::Object(found.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

fn test_send(call: &Call) -> Result<TestSend> {
    let header = |name: &str| {
        let value = call.headers.get(name)?;
        let text = String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
        Some(text).filter(|text| !text.is_empty())
    };
    let payload = match &call.body {
        Value::Null => {
            let message = "A test send needs the payload as its body, such as \
                           {\"message\":{\"data\":{\"text\":\"hello\"}}} with the header \
                           ServiceBusNotification-Format: fcmv1.";
            return Err(fault::content("body", message));
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let format = header(FORMAT).unwrap_or_else(|| format_of(&call.body).to_owned());
    Ok(TestSend { format, tags: header(TAGS), payload })
}

/// The format of a payload by its shape: the SDKs have no parameter for the header.
fn format_of(payload: &Value) -> &'static str {
    let has = |name: &str| payload.get(name).is_some_and(|it| !it.is_string());
    match () {
        () if has("aps") => "apple",
        () if has("message") => "fcmv1",
        () if has("data") || has("notification") => "gcm",
        () => "template",
    }
}

fn shown(hub: NotificationHub) -> Value {
    let NotificationHub { id, mut envelope, registration_ttl } = hub;
    envelope.location.get_or_insert_with(|| envelope::GLOBAL.to_owned());
    let properties = json!({
        "name": id.name(),
        "registrationTtl": time_span::shown(registration_ttl),
        "authorizationRules": [],
    });
    envelope.around(id.as_str(), HUBS, properties)
}
