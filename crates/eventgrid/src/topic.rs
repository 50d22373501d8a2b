//! Topics: what events are published to, and what event subscriptions watch.
//!
//! Custom topics are published to over HTTP; system topics carry the events of another resource of
//! this installation. The forms read and written here are those of `properties` in resource manager
//! calls. Keys are no part of a topic; see [`TopicKeys`].

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge::outbound::Cidr;
use kernel::{Error, ErrorKind, Result, Secret, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::{InputSchema, InputSchemaMapping};
use wire::ResourceId;

/// The type of custom topics.
pub const TOPICS: &str = "Microsoft.EventGrid/topics";
/// The type of system topics.
pub const SYSTEM_TOPICS: &str = "Microsoft.EventGrid/systemTopics";

/// IP rules of one topic.
const MAX_IP_RULES: usize = 16;

/// A custom or system topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its id; unique without regard to case.
    pub id: ResourceId,
    /// Where it would be; kept as given and without meaning here.
    pub location: String,
    /// What callers attach to it.
    pub tags: BTreeMap<String, String>,
    /// Which kind, with the settings of that kind.
    pub kind: TopicKind,
    /// Whether the configuration file defines it; calls cannot change it then.
    pub owned_by_file: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// The kinds of topics.
#[derive(Clone, Debug, PartialEq)]
pub enum TopicKind {
    /// Published to over HTTP.
    Custom(CustomTopic),
    /// Fed by another resource.
    System(SystemTopic),
}

/// The settings of a custom topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomTopic {
    /// The schema that publishers use; fixed when the topic is created.
    pub input_schema: InputSchema,
    /// Whether keys and SAS tokens are refused, so that only bearer tokens pass.
    pub disable_local_auth: bool,
    /// Whether anybody may publish at all.
    pub public_network_access: NetworkAccess,
    /// Addresses that may publish; empty for all.
    pub inbound_ip_rules: Vec<IpRule>,
}

/// Whether a topic can be published to over the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum NetworkAccess {
    /// By every address that the IP rules admit.
    #[default]
    Enabled,
    /// By nobody: private endpoints do not exist here.
    Disabled,
    /// The same, by a network perimeter.
    SecuredByPerimeter,
}

/// An address range that may publish.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IpRule {
    /// The range, such as `10.0.0.0/8`.
    pub ip_mask: String,
    /// Always `Allow`.
    #[serde(default = "allow")]
    pub action: String,
}

fn allow() -> String {
    "Allow".to_owned()
}

/// The settings of a system topic.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemTopic {
    /// The resource whose events it carries.
    pub source: ResourceId,
    /// What kind of resource that is, such as `Microsoft.Communication.CommunicationServices`.
    pub topic_type: String,
}

/// What a caller gives to create or replace a topic.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TopicRequest {
    /// Where it would be.
    pub location: String,
    /// What is attached to it.
    pub tags: BTreeMap<String, String>,
    /// `properties` of a resource manager call.
    pub properties: Value,
}

/// `properties` of a custom topic as they are written; what the service generates is ignored.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct CustomForm {
    input_schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_schema_mapping: Option<Value>,
    disable_local_auth: bool,
    public_network_access: NetworkAccess,
    inbound_ip_rules: Option<Vec<IpRule>>,
}

impl TopicKind {
    /// Reads `properties` for a topic with this id, whose type says which kind it is.
    ///
    /// # Errors
    /// `Invalid`, saying which property is wrong.
    pub fn parse(id: &ResourceId, properties: Value) -> Result<Self> {
        let properties = if properties.is_null() { json!({}) } else { properties };
        if id.is_of_type(TOPICS) {
            let form: CustomForm =
                serde_json::from_value(properties).map_err(|error| wrong_form(&error))?;
            CustomTopic::of(form).map(Self::Custom)
        } else if id.is_of_type(SYSTEM_TOPICS) {
            serde_json::from_value(properties).map(Self::System).map_err(|error| wrong_form(&error))
        } else {
            let message =
                format!("'{id}' names no topic: its type is neither {TOPICS} nor {SYSTEM_TOPICS}.");
            Err(Error::new(ErrorKind::Invalid, "InvalidResourceType", message))
        }
    }

    /// The settings as `properties`, which [`TopicKind::parse`] reads back.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Custom(topic) => json!(CustomForm {
                input_schema: Some(topic.input_schema.name().to_owned()),
                input_schema_mapping: topic.input_schema.mapping().map(InputSchemaMapping::to_json),
                disable_local_auth: topic.disable_local_auth,
                public_network_access: topic.public_network_access,
                inbound_ip_rules: Some(topic.inbound_ip_rules.clone()),
            }),
            Self::System(topic) => json!(topic),
        }
    }
}

impl CustomTopic {
    fn of(form: CustomForm) -> Result<Self> {
        let schema = form.input_schema.as_deref();
        let topic = Self {
            input_schema: InputSchema::parse(schema, form.input_schema_mapping.as_ref())?,
            disable_local_auth: form.disable_local_auth,
            public_network_access: form.public_network_access,
            inbound_ip_rules: form.inbound_ip_rules.unwrap_or_default(),
        };
        if topic.inbound_ip_rules.len() > MAX_IP_RULES {
            let message = format!("A topic has at most {MAX_IP_RULES} inboundIpRules.");
            return Err(invalid("inboundIpRules", message));
        }
        for rule in &topic.inbound_ip_rules {
            rule.range().map_err(|cause| {
                invalid("inboundIpRules", format!("An ipMask is wrong: {cause}."))
            })?;
            if !rule.action.eq_ignore_ascii_case("allow") {
                let message = "The action of an IP rule can only be Allow.";
                return Err(invalid("inboundIpRules", message));
            }
        }
        Ok(topic)
    }
}

impl IpRule {
    /// The range as a value.
    ///
    /// # Errors
    /// When the mask is no range of addresses.
    pub fn range(&self) -> std::result::Result<Cidr, edge::outbound::CidrError> {
        self.ip_mask.parse()
    }
}

impl Topic {
    /// The settings, if it is a custom topic.
    pub fn custom(&self) -> Option<&CustomTopic> {
        match &self.kind {
            TopicKind::Custom(topic) => Some(topic),
            TopicKind::System(_) => None,
        }
    }

    /// What its events carry as `topic`: its own id, or its source's.
    pub fn source(&self) -> &ResourceId {
        match &self.kind {
            TopicKind::Custom(_) => &self.id,
            TopicKind::System(topic) => &topic.source,
        }
    }

    /// `properties` as resource manager calls show them; `endpoint` is where it is published to.
    pub fn properties(&self, endpoint: &str) -> Value {
        let mut shown = self.kind.to_json();
        shown["provisioningState"] = "Succeeded".into();
        shown["metricResourceId"] = self.metric_resource_id().into();
        if self.custom().is_some() {
            shown["endpoint"] = endpoint.into();
            shown["dataResidencyBoundary"] = "WithinGeopair".into();
            shown["privateEndpointConnections"] = json!([]);
        }
        shown
    }

    /// A stable number for metrics, derived from the id since nothing else needs to be kept for it.
    fn metric_resource_id(&self) -> String {
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.id.key().as_bytes());
        let mut bits = [0; 16];
        bits.copy_from_slice(&digest.as_ref()[..16]);
        uuid::Builder::from_random_bytes(bits).into_uuid().to_string()
    }
}

/// The two keys of a custom topic: base64 of 32 random bytes each, since SAS tokens sign with what
/// a key decodes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicKeys {
    /// The first.
    pub key1: Secret,
    /// The spare one, in use while the first is replaced.
    pub key2: Secret,
}

/// Which of the two keys of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKey {
    /// `key1`.
    First,
    /// `key2`.
    Second,
}

impl TopicKey {
    /// Reads `keyName` of a call.
    ///
    /// # Errors
    /// `Invalid` for anything but `key1` and `key2`.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("key1") => Ok(Self::First),
            _ if name.eq_ignore_ascii_case("key2") => Ok(Self::Second),
            _ => Err(invalid("keyName", "A topic has the keys key1 and key2.")),
        }
    }
}

impl TopicKeys {
    /// Two new random keys.
    pub fn generate() -> Self {
        Self { key1: generate_topic_key(), key2: generate_topic_key() }
    }

    /// The same keys with a new random one in place of `which`.
    #[must_use]
    pub fn regenerated(&self, which: TopicKey) -> Self {
        let mut keys = self.clone();
        match which {
            TopicKey::First => keys.key1 = generate_topic_key(),
            TopicKey::Second => keys.key2 = generate_topic_key(),
        }
        keys
    }
}

fn generate_topic_key() -> Secret {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).expect("the system's random source answers");
    Secret::new(STANDARD.encode(bytes))
}

/// The refusal of a body that has not the form of the service's documents.
pub(crate) fn wrong_form(error: &serde_json::Error) -> Error {
    let message = format!("The properties cannot be read: {error}.");
    Error::new(ErrorKind::Invalid, "InvalidRequestContent", message)
}

/// The refusal of one property.
pub(crate) fn invalid(target: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequest", message).target(target)
}
