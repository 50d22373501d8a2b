//! What every entrance of the service needs.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use auth::{ClientGrant, Expected, Purpose};
use cluster::Backplane;
use kernel::{Clock, Error, ErrorKind, Result, Secret, Timestamp};

use crate::hub::Hub;
use crate::inside::ConnectionObserver;
use crate::name::HubName;
use crate::recovery::ReconnectionTokens;
use crate::resource::{Resource, Resources};
use crate::upstream::Upstream;

/// The Web PubSub service of one node. Cheap to clone.
#[derive(Clone)]
pub struct WebPubSub(Arc<Inner>);

struct Inner {
    resources: Resources,
    backplane: Backplane,
    clock: Arc<dyn Clock>,
    upstream: Upstream,
    reconnection_tokens: ReconnectionTokens,
    observer: OnceLock<Arc<dyn ConnectionObserver>>,
    /// By resource and name.
    hubs: RwLock<HashMap<Box<str>, Arc<Hub>>>,
}

impl WebPubSub {
    /// The service over its resources and the connections of the installation.
    pub fn new(
        resources: Resources,
        backplane: Backplane,
        upstream: Upstream,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let reconnection_tokens = ReconnectionTokens::new();
        Self(Arc::new(Inner {
            resources,
            backplane,
            upstream,
            clock,
            reconnection_tokens,
            observer: OnceLock::new(),
            hubs: RwLock::default(),
        }))
    }

    /// Lets `observer` know of clients that come and go from now on. There is one at most; a second
    /// one changes nothing.
    pub fn observe(&self, observer: Arc<dyn ConnectionObserver>) {
        let _first_wins = self.0.observer.set(observer);
    }

    pub(crate) fn observer(&self) -> Option<&Arc<dyn ConnectionObserver>> {
        self.0.observer.get()
    }

    pub(crate) fn resource_named(&self, name: &str) -> Option<&Arc<Resource>> {
        self.0.resources.named(name)
    }

    pub(crate) fn resources(&self) -> &[Arc<Resource>] {
        self.0.resources.all()
    }

    /// The hubs of a resource that somebody has named since the start.
    pub(crate) fn used_hubs(&self, resource: &Resource) -> Vec<HubName> {
        let prefix = format!("webpubsub/{}/", resource.name);
        let hubs = self.0.hubs.read().unwrap_or_else(PoisonError::into_inner);
        let own = hubs.iter().filter(|(key, _)| key.starts_with(&prefix));
        own.map(|(_, hub)| hub.name.clone()).collect()
    }

    pub(crate) fn backplane(&self) -> &Backplane {
        &self.0.backplane
    }

    pub(crate) fn reconnection_tokens(&self) -> &ReconnectionTokens {
        &self.0.reconnection_tokens
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Signs a client token with the primary key, for the first address of the resource.
    pub(crate) fn mint(&self, resource: &Resource, grant: &ClientGrant<'_>) -> Result<Secret> {
        let endpoint = resource.endpoints.iter().next().ok_or_else(|| {
            let message = "The resource has no address to make a token for.";
            Error::new(ErrorKind::Internal, "Error.InternalServerError", message)
        })?;
        let keys = resource.keys.current();
        Ok(auth::mint_client_token(keys.primary(), endpoint, grant, self.now()))
    }

    pub(crate) fn resource(&self, host: Option<&str>) -> Result<&Arc<Resource>> {
        self.0.resources.pick(host)
    }

    /// A hub of a resource. Hubs come into being when they are first named by someone who may.
    pub(crate) fn hub(&self, resource: &Resource, name: &HubName) -> Arc<Hub> {
        let key = format!("webpubsub/{}/{}", resource.name, name.as_str());
        let hubs = self.0.hubs.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(hub) = hubs.get(&*key) {
            return Arc::clone(hub);
        }
        drop(hubs);
        let id = self.0.backplane.hub(&key);
        let mut hubs = self.0.hubs.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hubs.entry(key.into()).or_insert_with(|| {
            Arc::new(Hub::new(id, name.clone(), resource.hub(name), &resource.origin))
        }))
    }

    /// The event handlers whose last event failed.
    pub fn failing_handlers(&self) -> Vec<crate::upstream::Failing> {
        self.0.upstream.failing()
    }

    /// Where the events of a connection go.
    pub(crate) fn upstream(&self) -> &Upstream {
        &self.0.upstream
    }

    /// Checks an access token for a resource.
    pub(crate) fn verify(
        &self,
        resource: &Resource,
        token: &str,
        purpose: Purpose<'_>,
    ) -> Result<auth::Claims> {
        let expected =
            Expected { resource: &resource.name, endpoints: &resource.endpoints, purpose };
        let claims = auth::verify(token, &resource.keys.current(), &expected, self.0.clock.now())?;
        Ok(claims)
    }
}
