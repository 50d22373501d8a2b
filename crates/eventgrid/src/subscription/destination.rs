//! Where the events of an event subscription go.
//!
//! Webhooks, and as an extension of this server a hub or group of its own Web PubSub:
//! `{"endpointType":"WebPubSub","properties":{"hub":"news","group":"sports"}}`. Azure's other
//! endpoint types are refused by name, since an event accepted for one would go nowhere.

use hyper::Uri;
use kernel::{Result, Secret};
use serde_json::{Map, Value, json};

use super::attributes::{self, DeliveryAttribute};
use crate::topic::invalid;

/// Longest URL of a webhook, in bytes.
const MAX_URL_BYTES: usize = 8 * 1024;
/// Azure's limits of what goes into one request to a webhook.
const MAX_EVENTS_PER_BATCH: u64 = 5000;
const MAX_BATCH_KILOBYTES: u64 = 1024;

/// Where events go.
#[derive(Clone, Debug, PartialEq)]
pub enum Destination {
    /// HTTP requests to a URL.
    WebHook(WebHook),
    /// Messages to clients of a hub of this server.
    WebPubSub(HubTarget),
}

/// A webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct WebHook {
    /// Its URL; queries of webhook URLs hold secrets.
    pub url: Secret,
    /// Events in one request, 1 to 5000.
    pub max_events_per_batch: usize,
    /// Soft limit of one request, 1 to 1024 kilobytes.
    pub preferred_batch_kilobytes: usize,
    /// Headers that are added to each request.
    pub attributes: Vec<DeliveryAttribute>,
    /// The tenant whose tokens the webhook wants; kept and shown, not acted upon.
    pub tenant: Option<String>,
    /// The application that the webhook's tokens are for; kept and shown, not acted upon.
    pub application: Option<String>,
}

/// Clients of a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubTarget {
    /// The Web PubSub resource; the first one of the server where none is named.
    pub resource: Option<String>,
    /// The hub.
    pub hub: String,
    /// Only members of this group.
    pub group: Option<String>,
    /// Only this user.
    pub user: Option<String>,
}

impl Destination {
    /// Reads a destination of a resource manager call.
    ///
    /// # Errors
    /// `Invalid`, naming the property and what it may be.
    pub fn parse(value: &Value) -> Result<Self> {
        let kind = value.get("endpointType").and_then(Value::as_str).unwrap_or_default();
        let empty = Map::new();
        let properties = value.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        if kind.eq_ignore_ascii_case("WebHook") {
            return WebHook::parse(properties).map(Self::WebHook);
        }
        if kind.eq_ignore_ascii_case("WebPubSub") {
            return HubTarget::parse(properties).map(Self::WebPubSub);
        }
        let message = format!(
            "The endpointType '{}' is not available here. Use WebHook, with the URL in \
             properties.endpointUrl, or WebPubSub, with a hub of this server in properties.hub and \
             perhaps a group or user.",
            kind.chars().take(40).collect::<String>().escape_debug()
        );
        Err(invalid("destination.endpointType", message))
    }

    /// The destination with its secrets, as it is kept; [`Destination::parse`] reads it back.
    pub fn to_json(&self) -> Value {
        match self {
            Self::WebHook(hook) => {
                let mut json = hook.shown(|attribute| attribute.to_json());
                json["properties"]["endpointUrl"] = hook.url.expose().into();
                json
            }
            Self::WebPubSub(target) => target.to_json(),
        }
    }

    /// The destination as anybody may see it: no query of the URL, no secret attribute.
    pub fn shown(&self) -> Value {
        match self {
            Self::WebHook(hook) => {
                let mut json = hook.shown(DeliveryAttribute::shown);
                json["properties"]["endpointBaseUrl"] = hook.base_url().into();
                json
            }
            Self::WebPubSub(target) => target.to_json(),
        }
    }

    /// The destination in words for logs and people, without secrets.
    pub fn label(&self) -> String {
        match self {
            Self::WebHook(hook) => hook.base_url(),
            Self::WebPubSub(HubTarget { hub, group, user, .. }) => match (group, user) {
                (Some(group), _) => format!("hub {hub}, group {group}"),
                (None, Some(user)) => format!("hub {hub}, user {user}"),
                (None, None) => format!("hub {hub}"),
            },
        }
    }

    /// The webhook, if it is one.
    pub fn web_hook(&self) -> Option<&WebHook> {
        match self {
            Self::WebHook(hook) => Some(hook),
            Self::WebPubSub(_) => None,
        }
    }
}

impl WebHook {
    fn parse(properties: &Map<String, Value>) -> Result<Self> {
        let text =
            |name: &str| properties.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        let Some(url) = text("endpointUrl") else {
            let message = "A WebHook destination needs its URL in endpointUrl. Reading an event \
                           subscription does not return it, so it must be given again.";
            return Err(invalid("destination.properties.endpointUrl", message));
        };
        check_url(url)?;
        let attributes = attributes::parse(properties.get("deliveryAttributeMappings"))?;
        Ok(Self {
            url: Secret::new(url),
            max_events_per_batch: number(properties, "maxEventsPerBatch", 1, MAX_EVENTS_PER_BATCH)?,
            preferred_batch_kilobytes: number(
                properties,
                "preferredBatchSizeInKilobytes",
                64,
                MAX_BATCH_KILOBYTES,
            )?,
            attributes,
            tenant: text("azureActiveDirectoryTenantId").map(str::to_owned),
            application: text("azureActiveDirectoryApplicationIdOrUri").map(str::to_owned),
        })
    }

    /// The URL without user, query and fragment.
    pub fn base_url(&self) -> String {
        let url = self.url.expose();
        let end = url.find(['?', '#']).unwrap_or(url.len());
        url[..end].to_owned()
    }

    fn shown(&self, attribute: impl Fn(&DeliveryAttribute) -> Value) -> Value {
        let attributes: Vec<Value> = self.attributes.iter().map(attribute).collect();
        let mut properties = json!({
            "maxEventsPerBatch": self.max_events_per_batch,
            "preferredBatchSizeInKilobytes": self.preferred_batch_kilobytes,
            "deliveryAttributeMappings": attributes,
        });
        if let Some(tenant) = &self.tenant {
            properties["azureActiveDirectoryTenantId"] = tenant.as_str().into();
        }
        if let Some(application) = &self.application {
            properties["azureActiveDirectoryApplicationIdOrUri"] = application.as_str().into();
        }
        json!({ "endpointType": "WebHook", "properties": properties })
    }
}

impl HubTarget {
    fn parse(properties: &Map<String, Value>) -> Result<Self> {
        let text = |name: &str| {
            let text = properties.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
            text.map(str::to_owned)
        };
        let Some(hub) = text("hub") else {
            let message = "A WebPubSub destination needs the name of a hub in hub.";
            return Err(invalid("destination.properties.hub", message));
        };
        let (group, user) = (text("group"), text("user"));
        if group.is_some() && user.is_some() {
            let message = "A WebPubSub destination is a group or a user, not both.";
            return Err(invalid("destination.properties", message));
        }
        Ok(Self { resource: text("resource"), hub, group, user })
    }

    fn to_json(&self) -> Value {
        let mut properties = json!({ "hub": self.hub });
        if let Some(resource) = &self.resource {
            properties["resource"] = resource.as_str().into();
        }
        if let Some(group) = &self.group {
            properties["group"] = group.as_str().into();
        }
        if let Some(user) = &self.user {
            properties["user"] = user.as_str().into();
        }
        json!({ "endpointType": "WebPubSub", "properties": properties })
    }
}

fn check_url(url: &str) -> Result<()> {
    const NAME: &str = "destination.properties.endpointUrl";
    let uri: Option<Uri> = (url.len() <= MAX_URL_BYTES).then(|| url.parse().ok()).flatten();
    let absolute = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|it| !it.is_empty())
    };
    let Some(uri) = uri.filter(absolute) else {
        let message = "The endpointUrl is no absolute URL that begins with https:// or http://.";
        return Err(invalid(NAME, message));
    };
    if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
        let message = "The endpointUrl holds a user name or password. Give a credential in the \
                       query or in a delivery attribute instead.";
        return Err(invalid(NAME, message));
    }
    Ok(())
}

/// A whole number from 1 to `max`; absent means `preset`.
fn number(
    properties: &Map<String, Value>,
    name: &'static str,
    preset: usize,
    max: u64,
) -> Result<usize> {
    match properties.get(name) {
        None | Some(Value::Null) => Ok(preset),
        Some(value) => {
            let number = value.as_u64().filter(|number| (1..=max).contains(number));
            let number = number.and_then(|number| usize::try_from(number).ok());
            number
                .ok_or_else(|| invalid(name, format!("{name} is a whole number from 1 to {max}.")))
        }
    }
}
