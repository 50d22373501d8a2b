//! The hubs as requests and sends see them: read from the store, replaced as a whole when it changes.

use std::collections::HashMap;
use std::sync::Arc;

use kernel::Result;

use crate::Platform;
use crate::credential::Policy;
use crate::metrics::Counters;
use crate::pns_credentials::PnsCredentials;
use crate::push::Senders;
use crate::push::fcm::FcmEndpoints;
use crate::route::Route;
use crate::store::{Hub, HubKey, NamespaceRow, Store};

/// Everything at one moment.
#[derive(Default)]
pub(crate) struct Snapshot {
    hubs: HashMap<HubKey, Arc<HubEntry>>,
    by_name: HashMap<(String, String), HubKey>,
    namespaces: HashMap<String, NamespaceEntry>,
}

/// A namespace.
pub(crate) struct NamespaceEntry {
    pub(crate) row: NamespaceRow,
    pub(crate) policies: Vec<Policy>,
}

/// A hub.
pub(crate) struct HubEntry {
    pub(crate) hub: Hub,
    pub(crate) policies: Vec<Policy>,
    pub(crate) credentials: PnsCredentials,
    /// Kept for as long as the hub is, whatever changes about it.
    pub(crate) counters: Arc<Counters>,
    routes: HashMap<Platform, Arc<Route>>,
}

impl HubEntry {
    /// The way to the devices of a platform, if the hub has a credential for it.
    pub(crate) fn route(&self, platform: Platform) -> Option<&Arc<Route>> {
        self.routes.get(&platform)
    }

    /// All ways.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values()
    }
}

impl Snapshot {
    /// Reads everything; a route whose credential is as before is taken over from `before`.
    pub(crate) async fn read(
        store: &Store,
        before: &Self,
        senders: &Senders,
        fcm: &FcmEndpoints,
    ) -> Result<Self> {
        let mut snapshot = Self::default();
        for row in store.namespaces().await? {
            let policies = store.policies(&row.name, None).await?;
            snapshot.namespaces.insert(row.name.clone(), NamespaceEntry { row, policies });
        }
        for hub in store.hubs().await? {
            let policies = store.policies(&hub.namespace, Some(hub.key)).await?;
            let credentials = PnsCredentials::parse(hub.credentials.expose())?;
            let old = before.hubs.get(&hub.key);
            let unchanged = old.filter(|old| {
                old.hub.credentials.expose() == hub.credentials.expose() && old.hub.name == hub.name
            });
            let routes = match unchanged {
                Some(old) => old.routes.clone(),
                None => routes(&hub.name, &credentials, senders, fcm),
            };
            let name = (hub.namespace.clone(), hub.name.to_ascii_lowercase());
            snapshot.by_name.insert(name, hub.key);
            let key = hub.key;
            let counters = old.map(|old| Arc::clone(&old.counters)).unwrap_or_default();
            let entry = HubEntry { hub, policies, credentials, counters, routes };
            snapshot.hubs.insert(key, Arc::new(entry));
        }
        Ok(snapshot)
    }

    /// A hub by its names, whatever their case.
    pub(crate) fn hub(&self, namespace: &str, name: &str) -> Option<&Arc<HubEntry>> {
        let name = (namespace.to_ascii_lowercase(), name.to_ascii_lowercase());
        self.hubs.get(self.by_name.get(&name)?)
    }

    /// The hubs of this name in all namespaces: first that of the namespace `first`, then by namespace.
    pub(crate) fn hubs_named(&self, name: &str, first: &str) -> Vec<&Arc<HubEntry>> {
        let mut namespaces: Vec<&str> = self.namespaces.keys().map(String::as_str).collect();
        namespaces.sort_unstable_by_key(|it| (!it.eq_ignore_ascii_case(first), *it));
        namespaces.into_iter().filter_map(|namespace| self.hub(namespace, name)).collect()
    }

    /// A hub by its key.
    pub(crate) fn hub_of(&self, key: HubKey) -> Option<&Arc<HubEntry>> {
        self.hubs.get(&key)
    }

    /// All hubs, by namespace and name.
    pub(crate) fn hubs(&self) -> Vec<&Arc<HubEntry>> {
        let mut hubs: Vec<_> = self.hubs.values().collect();
        hubs.sort_by(|a, b| (&a.hub.namespace, &a.hub.name).cmp(&(&b.hub.namespace, &b.hub.name)));
        hubs
    }

    /// A namespace by its name, whatever its case.
    pub(crate) fn namespace(&self, name: &str) -> Option<&NamespaceEntry> {
        self.namespaces.get(&name.to_ascii_lowercase())
    }
}

fn routes(
    hub: &str,
    credentials: &PnsCredentials,
    senders: &Senders,
    fcm: &FcmEndpoints,
) -> HashMap<Platform, Arc<Route>> {
    let route = |platform: Platform| {
        let credential = credentials.usable(platform, fcm)?;
        Some((platform, Arc::new(Route::new(hub, platform, credential, senders))))
    };
    Platform::ALL.into_iter().filter_map(route).collect()
}
