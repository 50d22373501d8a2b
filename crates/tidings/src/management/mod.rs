//! The resource manager over the services of this program, and the keys that open it.
//!
//! One file a namespace: what its port needs, over the service that has it.

mod communication;
mod event_grid;
mod notification_hubs;

use std::sync::Arc;

use ::eventgrid::EventGrid;
use ::management::notificationhubs;
use ::management::{Authority, Management, Namespace, TokenCheck};
use ::notificationhubs::NotificationHubs;
use auth::KeyRing;
use kernel::Clock;
use wire::Endpoint;

use crate::addresses::Listening;
use crate::config::{Config, Mode};
use crate::identity_provider::IdentityProvider;
use crate::key_store::{KeyStore, Owner};
pub use communication::CommunicationServices;
use event_grid::EventGridCalls;
use notification_hubs::{Configured, NotificationHubsCalls};

/// Who may make management calls: in development everybody, since it listens on loopback only; in
/// production whoever has a management key, or a token of the identity provider.
///
/// # Errors
/// When the keys cannot be read or made.
pub async fn authority(
    config: &Config,
    store: &KeyStore,
    provider: Option<Arc<IdentityProvider>>,
) -> anyhow::Result<Authority> {
    Ok(match config.mode {
        Mode::Dev => Authority::AnyBearer,
        Mode::Serve => Authority::Keys {
            management: Arc::new(KeyRing::new(store.keys(Owner::MANAGEMENT).await?)),
            provider: provider.map(|it| it as Arc<dyn TokenCheck>),
        },
    })
}

/// Takes over a management key that another process has replaced.
///
/// # Errors
/// When the store fails; the keys in force stay.
pub async fn reload_keys(authority: &Authority, store: &KeyStore) -> anyhow::Result<()> {
    let Authority::Keys { management: ring, .. } = authority else { return Ok(()) };
    let keys = store.keys(Owner::MANAGEMENT).await?;
    if keys != *ring.current() {
        ring.replace(keys);
        tracing::info!("management keys replaced");
    }
    Ok(())
}

/// What is managed.
pub struct Managed {
    /// Event Grid.
    pub event_grid: EventGrid,
    /// The Communication Services.
    pub communication: CommunicationServices,
    /// Notification Hubs.
    pub notification_hubs: NotificationHubs,
}

/// The resource manager of the services.
///
/// # Errors
/// When the credentials of a configured hub are none.
pub fn management(
    config: &Config,
    listening: Listening,
    authority: Authority,
    managed: Managed,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Management> {
    let Managed { event_grid, communication, notification_hubs } = managed;
    let public = config.resources.iter().flat_map(|resource| &resource.public_endpoints);
    let endpoints = public.filter_map(|it| Endpoint::parse(it).ok()).collect();
    let event_grid = EventGridCalls::new(event_grid, clock);
    let own = || listening.https_url().unwrap_or_else(|| listening.http_url());
    let hubs_at = config.resources.first().map_or_else(own, |it| listening.shown(it));
    let hubs = NotificationHubsCalls::new(notification_hubs, Configured::of(config)?, hubs_at);
    let namespaces: Vec<Arc<dyn Namespace>> = vec![
        Arc::new(::management::eventgrid::EventGrid::new(event_grid)),
        Arc::new(communication),
        Arc::new(notificationhubs::NotificationHubs::new(hubs)),
    ];
    Ok(Management::new(authority, namespaces, endpoints))
}
