//! Notification Hubs over the store and the delivery queue: what the configuration says, and in
//! development fake push services, so that a push works without any account.
//!
//! - `access`: connection strings, asked for on the command line
//! - `fake_push`: the fake push services, beside the server or alone

pub mod access;
pub mod fake_push;

use std::sync::Arc;
use std::time::Duration;

use ::notificationhubs::control::{HubRequest, PolicyKey, connection_string};
use ::notificationhubs::credential::{DEFAULT_FULL, DEFAULT_LISTEN};
use ::notificationhubs::pns_credentials::PnsCredentials;
use ::notificationhubs::push::Senders;
use ::notificationhubs::push::fcm::FcmEndpoints;
use ::notificationhubs::{Foundations, NotificationHubs, Settings};
use anyhow::Context as _;
use axum::Router;
use delivery::Deliveries;
use edge::Tasks;
use edge::outbound::Outbound;
use edge::tls::ServerTls;
use kernel::{Clock, Secret};
use serde_json::json;

use crate::addresses::Listening;
use crate::config::{Config, DEVELOPMENT_RESOURCE, Mode};
use crate::key_store::KeyStore;
use crate::paths::FIRST_SEGMENTS;
use crate::started::HubAccess;
use fake_push::Fake;

/// The name under which commands find where hubs are reached. No resource can have it.
pub const ENDPOINT: &str = ":notificationhubs";

/// The service, and in development what it sends to.
#[derive(Clone)]
pub struct Wired {
    /// The service.
    pub service: NotificationHubs,
    fake: Option<Fake>,
}

/// What the service is built over.
pub struct Parts {
    /// The store.
    pub store: Arc<KeyStore>,
    /// Outgoing calls.
    pub outbound: Outbound,
    /// The queue.
    pub deliveries: Deliveries,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Background work.
    pub tasks: Tasks,
}

impl Wired {
    /// Builds the service with the hubs of the configuration.
    ///
    /// # Errors
    /// When the store fails, its secrets cannot be read, or a hub of the configuration is wrong.
    pub async fn new(config: &Config, listening: Listening, parts: Parts) -> anyhow::Result<Self> {
        let Parts { store, outbound, deliveries, clock, tasks } = parts;
        let fake = match config.mode {
            Mode::Dev => Some(Fake::open(&config.data.folder, Arc::clone(&clock))?),
            Mode::Serve => None,
        };
        let settings = settings_of(config, listening, fake.is_some())?;
        let own = listening.https_url().unwrap_or_else(|| listening.http_url());
        store.remember_address(ENDPOINT, &own).await?;
        let senders = Senders::new(&outbound, &clock, &tasks);
        let foundations = Foundations {
            db: store.db().clone(),
            master_key: Arc::clone(store.master()),
            deliveries,
            senders,
            clock,
            tasks,
        };
        let service = NotificationHubs::open(foundations, settings).await;
        let service = service.context("Notification Hubs cannot start")?;
        let wired = Self { service, fake };
        wired.take_over(config).await?;
        Ok(wired)
    }

    /// The hubs of the configuration: made if they are missing, with the credentials that it gives.
    async fn take_over(&self, config: &Config) -> anyhow::Result<()> {
        let namespace = &config.notification_hubs.namespace;
        if self.service.namespace(namespace).await?.is_none() {
            self.service.put_namespace(namespace, &json!({})).await?;
        }
        for hub in &config.notification_hubs.hubs {
            let credentials =
                hub.credentials.as_ref().map(|text| PnsCredentials::parse(text.expose()));
            let request =
                HubRequest { credentials: credentials.transpose()?, ..HubRequest::default() };
            let put = self.service.put_hub(namespace, &hub.name, request).await;
            put.with_context(|| format!("the notification hub '{}' cannot be set up", hub.name))?;
        }
        Ok(())
    }

    /// In development, starts the fake of Apple's service and gives the hub `local` credentials for
    /// all fakes.
    ///
    /// # Errors
    /// When no port is free, or the store fails.
    pub async fn serve_fake_push(
        &self,
        tls: &ServerTls,
        grace: Duration,
        tasks: &Tasks,
    ) -> anyhow::Result<()> {
        let Some(fake) = &self.fake else { return Ok(()) };
        let apns = fake.serve_apns(0, tls, grace, tasks)?;
        let credentials = PnsCredentials::from_value(&fake.credentials(&apns))?;
        let request = HubRequest { credentials: Some(credentials), ..HubRequest::default() };
        let namespace = &self.service.settings().default_namespace;
        self.service.put_hub(namespace, DEVELOPMENT_RESOURCE, request).await?;
        Ok(())
    }

    /// The routes of the fake push services; in production there are none.
    pub fn fake_router(&self) -> Router {
        self.fake.as_ref().map_or_else(Router::new, Fake::router)
    }

    /// How to reach the hub of development.
    ///
    /// # Errors
    /// When the hub is gone.
    pub fn development_hub(&self, listening: Listening) -> anyhow::Result<HubAccess> {
        let own = listening.https_url().unwrap_or_else(|| listening.http_url());
        let access = |policy| self.connection_string(DEVELOPMENT_RESOURCE, policy, &own);
        Ok(HubAccess {
            hub: DEVELOPMENT_RESOURCE.to_owned(),
            connection_string: access(DEFAULT_FULL)?,
            listen_connection_string: access(DEFAULT_LISTEN)?,
            inbox: format!("{own}/fake-push"),
            apns: self.fake.as_ref().and_then(Fake::apns),
        })
    }

    /// The connection string of a hub's policy, for an address.
    ///
    /// # Errors
    /// When there is no such hub or policy.
    pub fn connection_string(
        &self,
        hub: &str,
        policy: &str,
        endpoint: &str,
    ) -> anyhow::Result<Secret> {
        let namespace = &self.service.settings().default_namespace;
        let policies = self.service.policies(namespace, Some(hub))?;
        let found = policies.iter().find(|it| it.name == policy);
        let found = found.with_context(|| format!("the hub '{hub}' has no policy '{policy}'"))?;
        Ok(connection_string(endpoint, found, PolicyKey::Primary)?)
    }
}

fn settings_of(config: &Config, listening: Listening, fake: bool) -> anyhow::Result<Settings> {
    let wanted = &config.notification_hubs;
    let mut settings = Settings::default();
    let public = config.resources.iter().flat_map(|it| &it.public_endpoints);
    let public = public.filter_map(|it| wire::Endpoint::parse(it).ok());
    let hosts = config.resources.iter().flat_map(|it| it.hosts.iter().cloned());
    settings.hosts.extend(hosts.chain(public.map(|it| it.host().to_owned())));
    let stand_in = wanted.fake_push.clone().or(fake.then(|| listening.http_url()));
    if let Some(url) = stand_in {
        settings.fcm = FcmEndpoints {
            send: format!("{url}/fake-push/fcm").parse()?,
            token: format!("{url}/fake-push/oauth/token").parse()?,
        };
    }
    Ok(Settings {
        default_namespace: wanted.namespace.clone(),
        reserved_hubs: FIRST_SEGMENTS.iter().map(|&segment| segment.to_owned()).collect(),
        namespace_may_send: wanted.namespace_may_send,
        delivery_window: wanted.delivery_window,
        keep_reports: wanted.keep_reports,
        ..settings
    })
}
