//! What applications are given to reach a hub, asked for on the command line: `hub/NAME`, with the
//! policy that may do everything, or `hub/NAME/POLICY`.

use ::notificationhubs::control::{PolicyKey, connection_string};
use ::notificationhubs::credential::{DEFAULT_FULL, Policy};
use ::notificationhubs::store::Store;
use anyhow::{Context as _, bail};
use kernel::Secret;

use super::ENDPOINT;
use crate::config::Config;
use crate::key_store::KeyStore;
use crate::keys::Which;

/// What stands before the name of a hub where a resource is expected.
pub const PREFIX: &str = "hub/";

/// The connection string of a policy of a hub; `wanted` is `NAME` or `NAME/POLICY`. For `endpoint` if
/// given, else for where the server last listened.
///
/// # Errors
/// For an unknown hub or policy, an unreadable store, or a server that was never started.
pub async fn of_hub(
    config: &Config,
    wanted: &str,
    which: Which,
    endpoint: Option<&str>,
) -> anyhow::Result<Secret> {
    let (name, policy) = wanted.split_once('/').unwrap_or((wanted, DEFAULT_FULL));
    let keys = KeyStore::open(config).await?;
    let store = Store::open(keys.db().clone(), keys.master().clone()).await?;
    let namespace = &config.notification_hubs.namespace;
    let found = policies(&store, namespace, name).await;
    let served = keys.last_address(ENDPOINT).await?;
    keys.close().await;
    let policies = found?;
    let Some(found) = policies.iter().find(|it| it.name.eq_ignore_ascii_case(policy)) else {
        let names: Vec<&str> = policies.iter().map(|it| it.name.as_str()).collect();
        bail!("the hub '{name}' has no policy '{policy}'; it has {}", names.join(", "));
    };
    let endpoint = endpoint.map(str::to_owned).or(served);
    let endpoint =
        endpoint.context("the server was not started yet; name its address: --endpoint")?;
    let which = match which {
        Which::Primary => PolicyKey::Primary,
        Which::Secondary => PolicyKey::Secondary,
    };
    Ok(connection_string(&endpoint, found, which)?)
}

async fn policies(store: &Store, namespace: &str, name: &str) -> anyhow::Result<Vec<Policy>> {
    let Some(hub) = store.hub(namespace, name).await? else {
        let hubs = store.hubs().await?;
        let names: Vec<&str> = hubs.iter().map(|it| it.name.as_str()).collect();
        bail!(
            "there is no notification hub '{name}' in '{namespace}'; there are: {}",
            names.join(", ")
        );
    };
    Ok(store.policies(namespace, Some(hub.key)).await?)
}
