//! The settings of an event subscription, to and from the JSON of resource manager calls.
//!
//! What the service generates (`topic`, `provisioningState`) is ignored when it comes in, so that a
//! body that was read can be sent back.

use kernel::{Result, Timestamp};
use serde_json::{Map, Value, json};

use super::destination::Destination;
use crate::calendar;
use crate::event::{DeliverySchema, InputSchema};
use crate::filter::Filter;
use crate::topic::invalid;

const SCHEMA: &str = "eventDeliverySchema";

/// Azure's limits, and its defaults: 30 attempts within 24 hours.
const MAX_DELIVERY_ATTEMPTS: u64 = 30;
/// The longest time to live of an event, in minutes.
pub const MAX_EVENT_TTL_MINUTES: u64 = 1440;

/// What an event subscription asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Properties {
    /// Where events go.
    pub destination: Destination,
    /// Which events.
    pub filter: Filter,
    /// The schema of deliveries.
    pub delivery_schema: DeliverySchema,
    /// How often and how long deliveries are tried.
    pub retry_policy: RetryPolicy,
    /// Where events go that cannot be delivered.
    pub dead_letter: Option<DeadLetterDestination>,
    /// When it stops.
    pub expires: Option<Timestamp>,
    /// What callers attach to it.
    pub labels: Vec<String>,
}

/// How often and how long a delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// 1 to 30.
    pub max_delivery_attempts: u32,
    /// 1 to 1440.
    pub event_ttl_minutes: u32,
}

/// Where events go that cannot be delivered. Both forms end in the dead letter folder of this
/// server, under the name they give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetterDestination {
    /// Azure's form: a container of a storage account.
    StorageBlob {
        /// The storage account; kept and shown, not acted upon.
        resource_id: String,
        /// The first folder of the path.
        container: String,
    },
    /// Our own: a folder's name.
    Folder {
        /// The first folder of the path.
        name: String,
    },
}

impl Properties {
    /// Reads `properties`; `input` is the schema of the topic, which decides the default schema of
    /// deliveries and which ones are possible.
    ///
    /// # Errors
    /// `Invalid`, naming the property.
    pub fn parse(value: &Value, input: &InputSchema) -> Result<Self> {
        let schema = DeliverySchema::choose(requested_schema(value.get(SCHEMA))?, input)?;
        Self::with_schema(value, schema)
    }

    /// Reads what [`Properties::to_json`] has written, whatever the topic is by now.
    ///
    /// # Errors
    /// As [`Properties::parse`]; a defect, then.
    pub fn read_back(value: &Value) -> Result<Self> {
        let schema = requested_schema(value.get(SCHEMA))?.unwrap_or(DeliverySchema::EventGrid);
        Self::with_schema(value, schema)
    }

    fn with_schema(value: &Value, delivery_schema: DeliverySchema) -> Result<Self> {
        let Some(properties) = value.as_object() else {
            return Err(invalid(
                "properties",
                "An event subscription needs properties with a destination.",
            ));
        };
        let within = |outer: &str, inner: &str| properties.get(outer).and_then(|it| it.get(inner));
        let destination = present(properties, "destination")
            .or_else(|| within("deliveryWithResourceIdentity", "destination"));
        let Some(destination) = destination else {
            return Err(invalid("destination", "An event subscription needs a destination."));
        };
        let dead_letter = present(properties, "deadLetterDestination")
            .or_else(|| within("deadLetterWithResourceIdentity", "deadLetterDestination"));
        Ok(Self {
            destination: Destination::parse(destination)?,
            filter: Filter::parse(properties.get("filter").unwrap_or(&Value::Null))?,
            delivery_schema,
            retry_policy: RetryPolicy::parse(properties.get("retryPolicy"))?,
            dead_letter: dead_letter.map(DeadLetterDestination::parse).transpose()?,
            expires: present(properties, "expirationTimeUtc").map(expiration).transpose()?,
            labels: labels(properties.get("labels"))?,
        })
    }

    /// The settings after a PATCH, whose body names the properties to replace; null resets one.
    /// Both the flat form and one with `properties` around it are in use.
    ///
    /// # Errors
    /// As [`Properties::parse`].
    pub fn patched(&self, patch: &Value, input: &InputSchema) -> Result<Self> {
        let changes = patch.get("properties").filter(|it| it.is_object()).unwrap_or(patch);
        let Some(changes) = changes.as_object() else {
            return Err(invalid("properties", "The body of a PATCH is an object."));
        };
        let mut merged = self.to_json();
        for (name, value) in changes {
            // These carry the same things in another place, which would lose against what is kept.
            match (name.as_str(), value) {
                ("deliveryWithResourceIdentity", Value::Object(it)) => {
                    merged["destination"] = it.get("destination").cloned().unwrap_or_default();
                }
                ("deadLetterWithResourceIdentity", Value::Object(it)) => {
                    merged["deadLetterDestination"] =
                        it.get("deadLetterDestination").cloned().unwrap_or_default();
                }
                _ => merged[name] = value.clone(),
            }
        }
        Self::parse(&merged, input)
    }

    /// The settings with their secrets, as they are kept; [`Properties::parse`] reads them back.
    pub fn to_json(&self) -> Value {
        self.json(&self.destination.to_json())
    }

    /// The settings as anybody may see them.
    pub fn shown(&self) -> Value {
        self.json(&self.destination.shown())
    }

    /// Whether events flow no more at `now`.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    fn json(&self, destination: &Value) -> Value {
        let mut json = json!({
            "destination": destination,
            "filter": self.filter.to_json(),
            "eventDeliverySchema": self.delivery_schema.name(),
            "retryPolicy": {
                "maxDeliveryAttempts": self.retry_policy.max_delivery_attempts,
                "eventTimeToLiveInMinutes": self.retry_policy.event_ttl_minutes,
            },
            "labels": self.labels,
        });
        if let Some(dead_letter) = &self.dead_letter {
            json["deadLetterDestination"] = dead_letter.to_json();
        }
        if let Some(expires) = self.expires {
            json["expirationTimeUtc"] = calendar::rfc3339(expires).into();
        }
        json
    }
}

fn requested_schema(value: Option<&Value>) -> Result<Option<DeliverySchema>> {
    let value = value.filter(|value| !value.is_null());
    value.map(|value| DeliverySchema::parse(value.as_str().unwrap_or_default())).transpose()
}

impl RetryPolicy {
    fn parse(value: Option<&Value>) -> Result<Self> {
        let number = |name: &'static str, max: u64| match value.and_then(|it| it.get(name)) {
            None | Some(Value::Null) => Ok(u32::try_from(max).unwrap_or(u32::MAX)),
            Some(value) => {
                let number = value.as_u64().filter(|number| (1..=max).contains(number));
                let number = number.and_then(|number| u32::try_from(number).ok());
                number.ok_or_else(|| {
                    invalid(name, format!("{name} is a whole number from 1 to {max}."))
                })
            }
        };
        Ok(Self {
            max_delivery_attempts: number("maxDeliveryAttempts", MAX_DELIVERY_ATTEMPTS)?,
            event_ttl_minutes: number("eventTimeToLiveInMinutes", MAX_EVENT_TTL_MINUTES)?,
        })
    }
}

impl DeadLetterDestination {
    fn parse(value: &Value) -> Result<Self> {
        const NAME: &str = "deadLetterDestination";
        let kind = value.get("endpointType").and_then(Value::as_str).unwrap_or_default();
        let text = |name: &str| {
            value
                .get("properties")
                .and_then(|it| it.get(name))
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (folder, parsed) = if kind.eq_ignore_ascii_case("StorageBlob") {
            let container = text("blobContainerName");
            let resource_id = text("resourceId").to_owned();
            (container, Self::StorageBlob { resource_id, container: container.to_owned() })
        } else if kind.eq_ignore_ascii_case("Folder") {
            (text("name"), Self::Folder { name: text("name").to_owned() })
        } else {
            let message = "The endpointType of a deadLetterDestination is StorageBlob, with \
                           properties.blobContainerName, or Folder, with properties.name.";
            return Err(invalid(NAME, message));
        };
        if is_folder_name(folder) {
            return Ok(parsed);
        }
        let message = "The container or folder of a deadLetterDestination has 1 to 63 letters, \
                       digits and inner hyphens.";
        Err(invalid(NAME, message))
    }

    /// The first folder of the path of a dead letter.
    pub fn folder(&self) -> &str {
        match self {
            Self::StorageBlob { container, .. } => container,
            Self::Folder { name } => name,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::StorageBlob { resource_id, container } => json!({
                "endpointType": "StorageBlob",
                "properties": { "resourceId": resource_id, "blobContainerName": container },
            }),
            Self::Folder { name } => {
                json!({ "endpointType": "Folder", "properties": { "name": name } })
            }
        }
    }
}

/// The rules of container names, which also keep paths from leaving their folder. `$web` and the
/// like are no place for dead letters.
fn is_folder_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn present<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    properties.get(name).filter(|value| !value.is_null())
}

fn labels(value: Option<&Value>) -> Result<Vec<String>> {
    let wrong = || invalid("labels", "labels is an array of texts.");
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(labels)) => {
            let text = |label: &Value| label.as_str().map(str::to_owned).ok_or_else(wrong);
            labels.iter().map(text).collect()
        }
        Some(_) => Err(wrong()),
    }
}

fn expiration(value: &Value) -> Result<Timestamp> {
    let moment = value.as_str().and_then(calendar::parse_with_zone);
    moment.ok_or_else(|| {
        invalid("expirationTimeUtc", "expirationTimeUtc is a time such as 2030-01-31T12:00:00Z.")
    })
}
