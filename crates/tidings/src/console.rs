//! The console over the resources of this program: what its session is told, how it replaces keys, and
//! who signs in.

mod oidc;

use std::sync::Arc;

use ::console::{Console, Description, Installation, Key, Pending, Resource};
use ::notificationhubs::NotificationHubs;
use ::notificationhubs::control::{PolicyKey, connection_string};
use auth::KeySlot;
use kernel::{Clock, Error, ErrorKind, Result, Secret};

use crate::addresses::Listening;
use crate::config::{Config, KeySource, Mode};
use crate::key_store::{KeyStore, Owner};
use crate::wiring::{Services, Wired, outbound};
use crate::{communication, event_grid};

const WEB_PUBSUB: &str = "webpubsub";
const COMMUNICATION: &str = "communication";
const NOTIFICATION_HUBS: &str = "notificationhubs";

/// The keys of a resource, as people know them.
const SLOTS: [(&str, KeySlot); 2] =
    [("primary", KeySlot::Primary), ("secondary", KeySlot::Secondary)];

/// The console of a server that listens.
///
/// # Errors
/// When the management key, or the authorities to trust in outgoing calls, cannot be read.
pub async fn console(
    config: &Config,
    listening: Listening,
    store: &Arc<KeyStore>,
    services: &Services,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Console> {
    let own = listening.https_url().unwrap_or_else(|| listening.http_url());
    let public = config.console.public_endpoint.clone();
    let public = public
        .or_else(|| config.resources.iter().find_map(|it| it.public_endpoints.first().cloned()));
    let installation = Operated {
        store: Arc::clone(store),
        development: config.mode == Mode::Dev,
        web_pubsub: services.resources.clone(),
        shown: config.resources.iter().map(|it| listening.shown(it)).collect(),
        communication: services.communication.clone(),
        notification_hubs: services.notification_hubs.service.clone(),
        address: own.clone(),
    };
    // What cannot be described should be known before anybody signs in.
    installation.description().await?;
    let oidc = match &config.console.oidc {
        Some(oidc) => Some(oidc::oidc(oidc, outbound(config)?, Arc::clone(&clock))),
        None => None,
    };
    Ok(Console::new(installation, &public.unwrap_or(own), oidc, clock))
}

/// The resources, and the store that has their keys.
struct Operated {
    store: Arc<KeyStore>,
    development: bool,
    web_pubsub: Vec<Wired>,
    /// The address of each.
    shown: Vec<String>,
    communication: communication::Wired,
    notification_hubs: NotificationHubs,
    address: String,
}

impl Installation for Operated {
    fn describe(&self) -> Pending<'_, Description> {
        Box::pin(async { self.description().await.map_err(|error| failed(&error)) })
    }

    fn replace_key<'a>(&'a self, service: &'a str, name: &'a str, key: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            match service {
                WEB_PUBSUB => self.replace_access_key(name, slot(key)?).await,
                NOTIFICATION_HUBS => self.replace_policy_key(name, key).await,
                _ => Err(unknown(&format!("keys of '{service}'"))),
            }
        })
    }
}

impl Operated {
    async fn description(&self) -> anyhow::Result<Description> {
        let management = match self.development {
            // Any token will do.
            true => Secret::new("development"),
            false => self.store.keys(Owner::MANAGEMENT).await?.primary().clone(),
        };
        let mut resources = Vec::new();
        for (resource, endpoint) in self.web_pubsub.iter().zip(&self.shown) {
            let several = self.web_pubsub.len() > 1;
            resources.push(web_pubsub(resource, endpoint, several)?);
        }
        resources.push(self.communication()?);
        for hub in self.hubs() {
            resources.push(self.hub(&hub)?);
        }
        let version = env!("CARGO_PKG_VERSION");
        Ok(Description { version, development: self.development, management, resources })
    }

    fn communication(&self) -> anyhow::Result<Resource> {
        let service = &self.communication;
        let keys = SLOTS.map(|(name, slot)| Key {
            name: name.to_owned(),
            rights: None,
            connection_string: service.connection_string_of(&self.address, slot),
        });
        Ok(Resource {
            service: COMMUNICATION,
            name: service.name().to_owned(),
            endpoint: service.endpoint(&self.address).to_owned(),
            host: None,
            id: Some(event_grid::communication_id(service.name())?.to_string()),
            keys: keys.into(),
        })
    }

    fn hubs(&self) -> Vec<String> {
        let namespace = &self.notification_hubs.settings().default_namespace;
        self.notification_hubs.hubs(namespace).into_iter().map(|hub| hub.name).collect()
    }

    fn hub(&self, name: &str) -> anyhow::Result<Resource> {
        let namespace = &self.notification_hubs.settings().default_namespace;
        let mut keys = Vec::new();
        for policy in self.notification_hubs.policies(namespace, Some(name))? {
            for (slot, which) in
                [("primary", PolicyKey::Primary), ("secondary", PolicyKey::Secondary)]
            {
                keys.push(Key {
                    name: format!("{}/{slot}", policy.name),
                    rights: Some(policy.rights.to_list().replace(',', ", ")),
                    connection_string: connection_string(&self.address, &policy, which)?,
                });
            }
        }
        let own = event_grid::communication_id(self.communication.name())?.to_string();
        let (group, _) = own.split_once("/providers/").unwrap_or_default();
        let provider = "providers/Microsoft.NotificationHubs";
        Ok(Resource {
            service: NOTIFICATION_HUBS,
            name: name.to_owned(),
            endpoint: self.address.clone(),
            host: None,
            id: Some(format!("{group}/{provider}/namespaces/{namespace}/notificationHubs/{name}")),
            keys,
        })
    }

    async fn replace_access_key(&self, name: &str, slot: KeySlot) -> Result<()> {
        let found = self.web_pubsub.iter().find(|it| it.config().name == name);
        let wired = found.ok_or_else(|| unknown(&format!("Web PubSub resource '{name}'")))?;
        let config = wired.config();
        let source = match slot {
            KeySlot::Primary => &config.primary_key,
            KeySlot::Secondary => &config.secondary_key,
        };
        if let KeySource::Given { origin, .. } = source {
            let message = format!(
                "This key of '{name}' comes from {origin}: replace it there and restart the server."
            );
            return Err(Error::new(ErrorKind::Conflict, "KeyIsConfigured", message));
        }
        self.store.rotate(config, slot).await.map_err(|error| failed(&error))?;
        wired.reload_keys(&self.store).await.map_err(|error| failed(&error))
    }

    async fn replace_policy_key(&self, hub: &str, key: &str) -> Result<()> {
        let (policy, key) = key.split_once('/').unwrap_or((key, "primary"));
        let which = match slot(key)? {
            KeySlot::Primary => PolicyKey::Primary,
            KeySlot::Secondary => PolicyKey::Secondary,
        };
        let hubs = &self.notification_hubs;
        let namespace = &hubs.settings().default_namespace;
        hubs.regenerate_key(namespace, Some(hub), policy, which).await.map(drop)
    }
}

fn web_pubsub(resource: &Wired, endpoint: &str, several: bool) -> anyhow::Result<Resource> {
    let host = wire::Endpoint::parse(endpoint)?.host().to_owned();
    let host = several.then_some(host);
    let mut keys = Vec::new();
    for (name, slot) in SLOTS {
        keys.push(Key {
            name: name.to_owned(),
            rights: None,
            connection_string: resource.connection_string_of(endpoint, slot)?,
        });
    }
    Ok(Resource {
        service: WEB_PUBSUB,
        name: resource.config().name.clone(),
        endpoint: endpoint.to_owned(),
        host,
        id: None,
        keys,
    })
}

fn slot(name: &str) -> Result<KeySlot> {
    let found = SLOTS.iter().find(|(known, _)| *known == name).map(|(_, slot)| *slot);
    found.ok_or_else(|| unknown(&format!("key '{name}'")))
}

fn unknown(what: &str) -> Error {
    let message = format!("There is no {}.", what.escape_debug());
    Error::new(ErrorKind::NotFound, "NotFound", message)
}

fn failed(error: &anyhow::Error) -> Error {
    let message = "The keys could not be read or written. The log has the reason.";
    Error::new(ErrorKind::Internal, "InternalServerError", message).context(format!("{error:#}"))
}
