//! What every entrance of the service needs.

use std::sync::Arc;

use auth::{Expected, Purpose};
use cluster::Backplane;
use gateway::HubId;
use kernel::{Clock, Result};

use crate::name::HubName;
use crate::resource::{Resource, Resources};

/// The Web PubSub service of one node. Cheap to clone.
#[derive(Clone)]
pub struct WebPubSub(Arc<Inner>);

struct Inner {
    resources: Resources,
    backplane: Backplane,
    clock: Arc<dyn Clock>,
}

impl WebPubSub {
    /// The service over its resources and the connections of the installation.
    pub fn new(resources: Resources, backplane: Backplane, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { resources, backplane, clock }))
    }

    pub(crate) fn backplane(&self) -> &Backplane {
        &self.0.backplane
    }

    pub(crate) fn resource(&self, host: Option<&str>) -> Result<&Arc<Resource>> {
        self.0.resources.pick(host)
    }

    /// The engine's number for a hub of a resource.
    pub(crate) fn hub(&self, resource: &Resource, hub: &HubName) -> HubId {
        self.0.backplane.hub(&format!("webpubsub/{}/{}", resource.name, hub.as_str()))
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
