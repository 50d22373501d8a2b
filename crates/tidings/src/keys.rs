//! The commands that work on access keys.

use anyhow::{Context as _, bail};
use auth::{AccessKeys, KeySlot};
use eventgrid::Catalogue;
use eventgrid::topic::{Topic, TopicKey, TopicKeys};
use kernel::Secret;
use wire::{ConnectionString, Endpoint};

use crate::config::{Config, KeySource, Resource};
use crate::event_grid;
use crate::key_store::{KeyStore, Owner};
use crate::notification_hubs::access as hub_access;
use crate::terminal;

/// What the keys of management calls are called where a resource is expected.
const MANAGEMENT: &str = "management";
/// What the keys of the Communication Services are called there.
const COMMUNICATION: &str = "communication";
/// What stands before the name of a topic there.
const TOPIC: &str = "topic/";

/// One of the two keys of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// The key that connection strings carry unless asked otherwise.
    Primary,
    /// The key that clients use while the primary one is replaced.
    Secondary,
}

impl Which {
    fn slot(self) -> KeySlot {
        match self {
            Self::Primary => KeySlot::Primary,
            Self::Secondary => KeySlot::Secondary,
        }
    }
}

/// Prints a key.
///
/// # Errors
/// For an unknown resource or an unreadable store.
pub async fn show(config: &Config, resource: &str, which: Which) -> anyhow::Result<()> {
    if let Some(topic) = resource.strip_prefix(TOPIC) {
        let key = topic_access(config, topic).await?.key(which);
        return Ok(terminal::say(&format!("{}\n", key.expose()))?);
    }
    let owner = owner(config, resource)?;
    let store = KeyStore::open(config).await?;
    let keys = store.keys(owner).await?;
    store.close().await;
    Ok(terminal::say(&format!("{}\n", keys.get(which.slot()).expose()))?)
}

/// Replaces a key by a new one and prints it.
///
/// # Errors
/// For an unknown resource, an unreadable store, or a key that the configuration owns.
pub async fn rotate(config: &Config, resource: &str, which: Which) -> anyhow::Result<()> {
    if let Some(topic) = resource.strip_prefix(TOPIC) {
        return rotate_topic(config, topic, which).await;
    }
    let owner = owner(config, resource)?;
    let store = KeyStore::open(config).await?;
    let key = store.rotate(owner, which.slot()).await?;
    store.close().await;
    Ok(terminal::say(&format!("{}\n", key.expose()))?)
}

/// Prints a connection string, for `endpoint` if given: of a resource, or of a notification hub as
/// `hub/NAME` or `hub/NAME/POLICY`.
///
/// # Errors
/// For an unknown resource, an unreadable store, or a resource without any known address.
pub async fn connection_string(
    config: &Config,
    resource: &str,
    which: Which,
    endpoint: Option<&str>,
) -> anyhow::Result<()> {
    if let Some(hub) = resource.strip_prefix(hub_access::PREFIX) {
        let text = hub_access::of_hub(config, hub, which, endpoint).await?;
        return Ok(terminal::say(&format!("{}\n", text.expose()))?);
    }
    let Access { endpoint, keys } = access(config, resource, endpoint).await?;
    let access_key = keys.get(which.slot()).clone();
    let text = ConnectionString { endpoint, access_key }.build();
    Ok(terminal::say(&format!("{}\n", text.expose()))?)
}

/// What it takes to publish to a topic.
pub struct TopicAccess {
    /// The topic.
    pub topic: Topic,
    /// Its keys.
    pub keys: TopicKeys,
    /// Where topics were last published to, without a path.
    pub served: Option<String>,
}

impl TopicAccess {
    fn key(self, which: Which) -> Secret {
        match which {
            Which::Primary => self.keys.key1,
            Which::Secondary => self.keys.key2,
        }
    }
}

/// How to publish to a topic.
///
/// # Errors
/// For an unknown topic or an unreadable store.
pub async fn topic_access(config: &Config, name: &str) -> anyhow::Result<TopicAccess> {
    let store = KeyStore::open(config).await?;
    let catalogue = Catalogue::open(store.db().clone(), store.master().clone()).await?;
    let found = catalogue.topic(name).await;
    let served = store.last_address(event_grid::ENDPOINT).await?;
    store.close().await;
    let (topic, kept) = found?;
    let configured = config.event_grid.topics.iter().find(|it| it.name == topic.id.name());
    let keys = match (configured.map(|it| (&it.key1, &it.key2)), kept) {
        (
            Some((KeySource::Given { secret: key1, .. }, KeySource::Given { secret: key2, .. })),
            _,
        ) => TopicKeys { key1: key1.clone(), key2: key2.clone() },
        (_, Some(keys)) => keys,
        (_, None) => bail!("the topic '{name}' has no keys yet; start the server once"),
    };
    Ok(TopicAccess { topic, keys, served })
}

async fn rotate_topic(config: &Config, name: &str, which: Which) -> anyhow::Result<()> {
    let store = KeyStore::open(config).await?;
    let catalogue = Catalogue::open(store.db().clone(), store.master().clone()).await?;
    let slot = match which {
        Which::Primary => TopicKey::First,
        Which::Secondary => TopicKey::Second,
    };
    let keys = catalogue.regenerate(name, slot).await;
    store.close().await;
    let keys = keys?;
    let key = match which {
        Which::Primary => keys.key1,
        Which::Secondary => keys.key2,
    };
    Ok(terminal::say(&format!("{}\n", key.expose()))?)
}

/// What it takes to call a resource.
pub struct Access {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Its keys.
    pub keys: AccessKeys,
}

/// How to call a resource: at `endpoint` if given, else where it is known to be.
///
/// # Errors
/// For an unknown resource, an unreadable store, or a resource without any known address.
pub async fn access(
    config: &Config,
    resource: &str,
    endpoint: Option<&str>,
) -> anyhow::Result<Access> {
    let resource = find(config, resource)?;
    let store = KeyStore::open(config).await?;
    let keys = store.keys(resource).await?;
    let served = store.last_address(&resource.name).await?;
    store.close().await;
    let endpoint = endpoint
        .map(str::to_owned)
        .or_else(|| resource.public_endpoints.first().cloned())
        .or(served)
        .with_context(|| {
            format!(
                "'{}' has no address yet: start the server once, or name one with --endpoint",
                resource.name
            )
        })?;
    Ok(Access { endpoint: Endpoint::parse(&endpoint)?, keys })
}

/// The resource of this name, or the server's own management.
fn owner<'a>(config: &'a Config, name: &str) -> anyhow::Result<Owner<'a>> {
    match find(config, name) {
        Ok(resource) => Ok(resource.into()),
        Err(_) if name == MANAGEMENT => Ok(Owner::MANAGEMENT),
        Err(_) if name == COMMUNICATION => Ok(Owner::COMMUNICATION),
        Err(error) => bail!(
            "{error}; and {MANAGEMENT}, the server itself, and {COMMUNICATION}, the Communication \
             Services, and topic/NAME, a topic of Event Grid"
        ),
    }
}

fn find<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Resource> {
    if let Some(found) = config.resources.iter().find(|resource| resource.name == name) {
        return Ok(found);
    }
    let names: Vec<&str> = config.resources.iter().map(|it| it.name.as_str()).collect();
    bail!("there is no resource '{name}'; there is: {}", names.join(", "))
}
