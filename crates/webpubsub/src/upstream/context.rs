//! What handlers are told of a connection, and what they want to be told again.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth::{AccessKeys, KeyRing};
use axum::http::{HeaderValue, Response};
use bytes::Bytes;

use super::cookies::Cookies;
use super::hub::HubHandlers;
use super::queue::{Pending, Queue};
use super::response;
use crate::resource::Resource;

/// Where the keys for signatures come from; asked for each event, since keys rotate.
pub trait SigningKeys: Send + Sync {
    /// The keys that hold now.
    fn signing_keys(&self) -> Arc<AccessKeys>;
}

impl SigningKeys for KeyRing {
    fn signing_keys(&self) -> Arc<AccessKeys> {
        self.current()
    }
}

impl SigningKeys for Resource {
    fn signing_keys(&self) -> Arc<AccessKeys> {
        self.keys.current()
    }
}

/// One connection as handlers see it. It lives as long as the logical connection: a recovery keeps
/// it.
pub struct ConnectionContext {
    pub(super) hub: Arc<HubHandlers>,
    pub(super) keys: Arc<dyn SigningKeys>,
    pub(super) connection_id: Box<str>,
    pub(super) queue: Queue,
    next_event: AtomicU64,
    memory: Mutex<Memory>,
}

/// What may change while a connection lives.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) user_id: Option<Box<str>>,
    pub(super) subprotocol: Option<Box<str>>,
    pub(super) state: Option<HeaderValue>,
    pub(super) cookies: Cookies,
}

impl ConnectionContext {
    /// A connection that is about to open, with the user of its token.
    pub fn new(
        hub: Arc<HubHandlers>,
        keys: Arc<dyn SigningKeys>,
        connection_id: &str,
        user_id: Option<&str>,
    ) -> Arc<Self> {
        let memory = Memory { user_id: user_id.map(Into::into), ..Memory::default() };
        Arc::new(Self {
            hub,
            keys,
            connection_id: connection_id.into(),
            queue: Queue::default(),
            next_event: AtomicU64::new(1),
            memory: Mutex::new(memory),
        })
    }

    /// The handlers of its hub.
    pub fn hub(&self) -> &Arc<HubHandlers> {
        &self.hub
    }

    /// How much waits for handlers.
    pub fn pending(&self) -> Pending {
        self.queue.pending()
    }

    /// Tells later events which subprotocol was agreed on.
    pub fn set_subprotocol(&self, name: Option<&str>) {
        self.memory().subprotocol = name.map(Into::into);
    }

    /// Tells later events another user. A handler's answer to `connect` does so by itself.
    pub fn set_user(&self, user_id: Option<&str>) {
        self.memory().user_id = user_id.map(Into::into);
    }

    /// The number of the next event.
    pub(super) fn next_event(&self) -> u64 {
        self.next_event.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn keep_cookies(&self, origin: &str, response: &Response<Bytes>) {
        self.memory().cookies.keep(origin, response.headers());
    }

    /// Takes the state that the answer to a blocking event sets; an empty one clears it.
    pub(super) fn keep_state(&self, response: &Response<Bytes>) {
        if let Some(state) = response::state(response) {
            self.memory().state = (!state.is_empty()).then(|| state.clone());
        }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is a single step.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ConnectionContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ConnectionContext({})", self.connection_id)
    }
}
