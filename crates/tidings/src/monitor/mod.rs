//! The log tables, fed from the services by their observers and by a layer around their routes.
//!
//! - [`Wired`]: tables, their writer, the Logs query API over them, and the Metrics API
//! - `connectivity`: clients that come and go, and what they publish
//! - `chat`: chat messages that somebody is told of
//! - `deliveries`: events that were not delivered
//! - `operations`: which operation a request is; `call`: what is known of a request; `claims`: what
//!   its token says; `requests`: the layer that makes rows of them
//! - `metrics`: what the documented metrics count; `counters`: rows taken and dropped; `process`: what
//!   the process itself takes
//!
//! Invariants: nobody waits for a row; no row has a key, a token, a query string or a payload.

mod bearer;
mod call;
mod chat;

mod claims;
mod connectivity;
mod counters;
mod deliveries;
mod metrics;
mod operations;
mod process;
mod requests;
mod store;

use std::sync::Arc;
use std::time::Duration;

use ::communication::{push, signaling};
use ::management::Authority;
use ::monitor::query::{Logs, Settings};
use ::monitor::table::{Intake, LogTables, Store, Writer};
use anyhow::Context as _;
use axum::Router;
use axum::middleware::from_fn_with_state;
use delivery::Observer;
use edge::Tasks;
use kernel::Clock;
use prometheus_client::registry::Registry;
use storage::Db;
use webpubsub::ConnectionObserver;

use crate::config::{self, Config};
use crate::event_grid;
use crate::key_store::KeyStore;

pub use counters::Counted;
use metrics::Metrics;

/// The id of the one workspace. It is no secret, and the same everywhere, so that it can be written
/// into the configuration of applications.
pub const WORKSPACE: &str = "10ca1000-0000-4000-8000-000000000001";

/// The monitor, ready to be fed and asked.
#[derive(Clone)]
pub struct Wired {
    /// The Logs query API.
    pub logs: Logs,
    tables: LogTables,
    metrics: Metrics,
    counters: counters::Registered,
    history: ::monitor::metrics::Metrics,
    clock: Arc<dyn Clock>,
    /// The writer: it ends after everything that makes rows.
    tasks: Tasks,
    db: Db,
}

impl Wired {
    /// Opens the tables and starts their writer. Queries are let in by `authority`, like management
    /// calls.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn new(
        config: &Config,
        keys: &KeyStore,
        authority: Authority,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let config::Monitor { log_tables, retention, rows_per_second } = config.monitor;
        let db = store::database(&config.data, keys)?;
        let store = Store::open(db.clone(), WORKSPACE).await;
        let store = store.context("the log tables cannot be opened")?;
        let rows_per_second = if log_tables { rows_per_second } else { 0 };
        let tables = LogTables::new(Intake { rows_per_second, ..Intake::default() });
        let writer = Writer::new(tables.clone(), store.clone(), retention, Arc::clone(&clock));
        let tasks = Tasks::new();
        tasks.spawn("log tables", writer.run(tasks.token().clone()));
        let bearer = Arc::new(bearer::AsManagement(authority));
        let counters = counters::Registered::default();
        let history = ::monitor::metrics::Metrics::new(
            Arc::new(counters.clone()),
            counters::hub_metrics(),
            bearer.clone(),
            Arc::clone(&clock),
        );
        tasks.spawn("metrics", history.clone().run(tasks.token().clone()));
        let settings = Settings::default();
        let logs = Logs::new(store, tables.clone(), bearer, Arc::clone(&clock), settings);
        let metrics = Metrics::default();
        Ok(Self { logs, tables, metrics, counters, history, clock, tasks, db })
    }

    /// Where the tables are, for what else is recorded and may be lost.
    pub fn db(&self) -> Db {
        self.db.clone()
    }

    /// Tells the tables of clients, and `next` as before.
    pub fn connections(&self, next: Arc<dyn ConnectionObserver>) -> Arc<dyn ConnectionObserver> {
        let (tables, clock) = (self.tables.clone(), Arc::clone(&self.clock));
        let metrics = self.metrics.clone();
        Arc::new(connectivity::Connectivity { tables, metrics, clock, next })
    }

    /// Tells the tables of failed deliveries, and `next` as before.
    pub fn deliveries(&self, next: Arc<dyn Observer>) -> Arc<dyn Observer> {
        let (tables, clock) = (self.tables.clone(), Arc::clone(&self.clock));
        Arc::new(deliveries::Failures { tables, metrics: self.metrics.clone(), clock, next })
    }

    /// Tells the tables what chat clients answer.
    pub fn answers(&self) -> Arc<dyn signaling::Observer> {
        Arc::new(self.told())
    }

    /// Tells the tables what becomes of pushes.
    pub fn pushes(&self) -> Arc<dyn push::Observer> {
        Arc::new(self.told())
    }

    fn told(&self) -> chat::Told {
        chat::Told { tables: self.tables.clone(), clock: Arc::clone(&self.clock) }
    }

    /// The routes, with every call of an operation told to the tables. `resources` are those of Web
    /// PubSub.
    pub fn watched(
        &self,
        router: Router,
        resources: webpubsub::Resources,
        event_grid: &event_grid::Wired,
    ) -> Router {
        let (tables, clock) = (self.tables.clone(), Arc::clone(&self.clock));
        let metrics = self.metrics.clone();
        let event_grid = event_grid.service.clone();
        let state = requests::Watch { tables, clock, metrics, resources, event_grid };
        router.layer(from_fn_with_state(state, requests::watch))
    }

    /// The routes of the resource manager, with queries of logs and metrics in front of them.
    pub fn in_front_of(&self, resource_manager: Router) -> Router {
        self.history.in_front_of(self.logs.in_front_of(resource_manager))
    }

    /// Where everything is counted, once all is registered: what the Metrics API reads.
    pub fn counted_in(&self, counted: Counted) {
        self.counters.set(counted);
    }

    /// Has everything counted in the metrics.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
        registry.register_collector(Box::new(process::Process));
        registry.register_collector(Box::new(counters::Rows(self.tables.clone())));
    }

    /// Writes what is left and closes the store. After everything that makes rows has ended.
    pub async fn close(&self, patience: Duration) {
        if let Err(unfinished) = self.tasks.shutdown(patience).await {
            tracing::warn!(%unfinished, "the last log rows are lost");
        }
        store::close(&self.db).await;
    }
}
