//! A hub of a resource: its settings, and what the engine knows it by.

use gateway::HubId;
use std::sync::Arc;

use crate::name::HubName;
use crate::upstream::{EventHandler, HubHandlers};

/// How the hubs of a resource behave.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// Whether clients may connect without a token.
    pub anonymous: bool,
    /// Seconds between keep-alive pings to its clients.
    pub keep_alive_secs: u32,
    /// Where its events go, in order of precedence.
    pub event_handlers: Vec<EventHandler>,
}

/// A hub in use.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) id: HubId,
    pub(crate) name: HubName,
    pub(crate) keep_alive_secs: u32,
    /// `None` where nobody listens to its events.
    pub(crate) handlers: Option<Arc<HubHandlers>>,
}

impl Hub {
    pub(crate) fn new(id: HubId, name: HubName, settings: &HubSettings, origin: &str) -> Self {
        let handlers = settings.event_handlers.clone();
        let handlers = (!handlers.is_empty()).then(|| {
            let concurrency = crate::upstream::hub::DEFAULT_CONCURRENCY;
            Arc::new(HubHandlers::new(name.clone(), origin, handlers, concurrency))
        });
        Self { id, name, keep_alive_secs: settings.keep_alive_secs, handlers }
    }
}
