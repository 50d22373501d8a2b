//! The resource manager over the services of this program, and the keys that open it.
//!
//! One file a namespace: what its port needs, over the service that has it.

mod communication;
mod event_grid;

use std::sync::Arc;

use ::eventgrid::EventGrid;
use ::management::{Authority, Management, Namespace};
use auth::KeyRing;
use kernel::Clock;
use wire::Endpoint;

use crate::config::{Config, Mode};
use crate::key_store::{KeyStore, Owner};
pub use communication::CommunicationServices;
use event_grid::EventGridCalls;

/// Who may make management calls: in development everybody, since it listens on loopback only; in
/// production whoever has a management key.
///
/// # Errors
/// When the keys cannot be read or made.
pub async fn authority(config: &Config, store: &KeyStore) -> anyhow::Result<Authority> {
    Ok(match config.mode {
        Mode::Dev => Authority::AnyBearer,
        Mode::Serve => {
            Authority::Keys(Arc::new(KeyRing::new(store.keys(Owner::MANAGEMENT).await?)))
        }
    })
}

/// Takes over a management key that another process has replaced.
///
/// # Errors
/// When the store fails; the keys in force stay.
pub async fn reload_keys(authority: &Authority, store: &KeyStore) -> anyhow::Result<()> {
    let Authority::Keys(ring) = authority else { return Ok(()) };
    let keys = store.keys(Owner::MANAGEMENT).await?;
    if keys != *ring.current() {
        ring.replace(keys);
        tracing::info!("management keys replaced");
    }
    Ok(())
}

/// The resource manager of the services.
pub fn management(
    config: &Config,
    authority: Authority,
    event_grid: EventGrid,
    communication: CommunicationServices,
    clock: Arc<dyn Clock>,
) -> Management {
    let public = config.resources.iter().flat_map(|resource| &resource.public_endpoints);
    let endpoints = public.filter_map(|it| Endpoint::parse(it).ok()).collect();
    let event_grid = EventGridCalls::new(event_grid, clock);
    let namespaces: Vec<Arc<dyn Namespace>> = vec![
        Arc::new(::management::eventgrid::EventGrid::new(event_grid)),
        Arc::new(communication),
    ];
    Management::new(authority, namespaces, endpoints)
}
