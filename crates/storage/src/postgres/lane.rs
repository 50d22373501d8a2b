//! Connections of one purpose: a pool of them, and a gate that bounds who waits for one.

use std::sync::Arc;

use deadpool_postgres::{
    Client, ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError,
    RecyclingMethod, Runtime,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::{Failure, Remedy};
use super::options::{PostgresOptions, Target};
use crate::{Durability, Error, Result};

/// What the connections of a lane may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// A bounded way to a connection.
pub(super) struct Lane {
    pool: Pool,
    gate: Arc<Semaphore>,
    places: u32,
    server: String,
}

impl Lane {
    /// Opens no connection yet.
    pub(super) fn new(target: &Target, options: &PostgresOptions, access: Access) -> Self {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(target.config.clone(), target.tls.clone(), recycling);
        let size = match access {
            Access::Read => options.readers,
            Access::Write => options.writers,
        };
        let pool = Pool::builder(manager)
            .max_size(size.max(1))
            .create_timeout(Some(options.connect_timeout))
            .runtime(Runtime::Tokio1)
            .post_create(set_up(session(options, access)))
            .build()
            .expect("a pool with a runtime may have timeouts");
        let places = u32::try_from(options.queue.max(1)).unwrap_or(u32::MAX);
        let places = places.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        let gate = Arc::new(Semaphore::new(places as usize));
        Self { pool, gate, places, server: target.name.clone() }
    }

    /// Waits for a place among those who use the lane.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.gate).acquire_owned().await.map_err(|_| Error::Closed)
    }

    /// A connection, opened if none is free and the pool has room.
    pub(super) async fn client(&self) -> Result<Client, Failure> {
        let client = self.pool.get().await;
        client.map_err(|error: PoolError| Failure::connecting(&self.server, error))
    }

    /// Gives a connection back, unless what happened on it says that it is of no more use.
    pub(super) fn keep(&self, client: Client, failure: Option<&Failure>) {
        let spoilt = |failure: &Failure| {
            matches!(failure.remedy, Remedy::Replace | Remedy::Reconnect)
                || matches!(failure.error, Error::Unknown(_))
        };
        if failure.is_some_and(spoilt) {
            drop(Object::take(client));
        }
    }

    /// Lets everyone inside finish, then nobody in.
    pub(super) async fn close(&self) {
        let everyone_has_left = self.gate.acquire_many(self.places).await;
        self.gate.close();
        drop(everyone_has_left);
        self.pool.close();
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }
}

/// What every session is told first. A node that dies in the middle of a transaction keeps its locks
/// for a minute at most.
fn session(options: &PostgresOptions, access: Access) -> String {
    let lock_timeout = options.patience.as_millis().clamp(1, 1 << 30);
    let synchronous = match options.durability {
        Durability::Full => "on",
        Durability::Relaxed => "off",
    };
    let read_only = match access {
        Access::Read => "on",
        Access::Write => "off",
    };
    format!(
        "SET default_transaction_isolation = 'read committed';
         SET default_transaction_read_only = {read_only};
         SET synchronous_commit = {synchronous};
         SET lock_timeout = {lock_timeout};
         SET idle_in_transaction_session_timeout = 60000"
    )
}

fn set_up(session: String) -> Hook {
    let session: Arc<str> = session.into();
    Hook::async_fn(move |client: &mut ClientWrapper, _| {
        let session = Arc::clone(&session);
        Box::pin(async move { client.batch_execute(&session).await.map_err(HookError::Backend) })
    })
}
