//! The commands that work on access keys.

use anyhow::{Context as _, bail};
use auth::{AccessKeys, KeySlot};
use wire::{ConnectionString, Endpoint};

use crate::config::{Config, Resource};
use crate::key_store::{KeyStore, Owner};
use crate::terminal;

/// What the keys of management calls are called where a resource is expected.
const MANAGEMENT: &str = "management";

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
    let owner = owner(config, resource)?;
    let store = KeyStore::open(config).await?;
    let key = store.rotate(owner, which.slot()).await?;
    store.close().await;
    Ok(terminal::say(&format!("{}\n", key.expose()))?)
}

/// Prints a connection string, for `endpoint` if given.
///
/// # Errors
/// For an unknown resource, an unreadable store, or a resource without any known address.
pub async fn connection_string(
    config: &Config,
    resource: &str,
    which: Which,
    endpoint: Option<&str>,
) -> anyhow::Result<()> {
    let Access { endpoint, keys } = access(config, resource, endpoint).await?;
    let access_key = keys.get(which.slot()).clone();
    let text = ConnectionString { endpoint, access_key }.build();
    Ok(terminal::say(&format!("{}\n", text.expose()))?)
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
        Err(error) => bail!("{error}; and {MANAGEMENT}, the server itself"),
    }
}

fn find<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Resource> {
    if let Some(found) = config.resources.iter().find(|resource| resource.name == name) {
        return Ok(found);
    }
    let names: Vec<&str> = config.resources.iter().map(|it| it.name.as_str()).collect();
    bail!("there is no resource '{name}'; there is: {}", names.join(", "))
}
