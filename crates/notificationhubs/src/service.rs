//! What every entrance of the service shares, and how it begins.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use delivery::Deliveries;
use edge::Tasks;
use kernel::{Clock, Result, Timestamp};
use storage::{Db, MasterKey};
use tokio::sync::Mutex;

use crate::metrics::LastRefused;
use crate::push::Senders;
use crate::registry::Snapshot;
use crate::settings::Settings;
use crate::store::Store;

/// How often the store is asked whether another process has changed hubs.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// How often sends that wait for their time are counted, for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// How often what has had its time is taken away.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long a request that comes again gets the answer of the first.
const REMEMBER_REQUESTS: Duration = Duration::from_secs(10 * 60);
/// Expired devices that are taken away in one transaction.
const SWEPT_AT_A_TIME: usize = 1000;

/// The Notification Hubs service of one node. Cheap to clone.
#[derive(Clone)]
pub struct NotificationHubs(Arc<Inner>);

/// What the service stands on.
pub struct Foundations {
    /// Where hubs and devices are kept.
    pub db: Db,
    /// What seals their secrets.
    pub master_key: Arc<MasterKey>,
    /// The delivery queue in the same database.
    pub deliveries: Deliveries,
    /// The push services.
    pub senders: Senders,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where background work belongs.
    pub tasks: Tasks,
}

struct Inner {
    foundations: Foundations,
    store: Store,
    settings: Settings,
    snapshot: ArcSwap<Snapshot>,
    /// Held while the snapshot is made, so that an older one never replaces a newer one.
    refreshing: Mutex<()>,
    /// The last request for a hub that does not exist.
    unknown_hubs: LastRefused,
}

impl NotificationHubs {
    /// Opens the service: brings its tables up to date, reads everything, and begins to watch the
    /// store and to take away what has had its time.
    ///
    /// # Errors
    /// When the store fails or a secret cannot be opened.
    pub async fn open(foundations: Foundations, settings: Settings) -> Result<Self> {
        let master_key = Arc::clone(&foundations.master_key);
        let store = Store::open(foundations.db.clone(), master_key).await?;
        let snapshot = ArcSwap::default();
        let refreshing = Mutex::default();
        let unknown_hubs = LastRefused::default();
        let inner = Inner { foundations, store, settings, snapshot, refreshing, unknown_hubs };
        let service = Self(Arc::new(inner));
        service.refresh().await?;
        let stop = || service.0.foundations.tasks.token().clone();
        let (watched, stopped) = (service.clone(), stop());
        service.0.foundations.tasks.spawn("notification hubs refresh", async move {
            stopped.run_until_cancelled(watched.watch_store()).await;
        });
        let (swept, stopped) = (service.clone(), stop());
        service.0.foundations.tasks.spawn("notification hubs sweep", async move {
            stopped.run_until_cancelled(swept.sweep_regularly()).await;
        });
        let (counted, stopped) = (service.clone(), stop());
        service.0.foundations.tasks.spawn("notification hubs count", async move {
            stopped.run_until_cancelled(counted.count_regularly()).await;
        });
        Ok(service)
    }

    /// Reads hubs, policies and credentials from the store.
    ///
    /// # Errors
    /// Errors of the store; what was known stays in force.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let _turn = self.0.refreshing.lock().await;
        let before = self.snapshot();
        let fcm = &self.settings().fcm;
        let snapshot =
            Snapshot::read(&self.0.store, &before, &self.0.foundations.senders, fcm).await?;
        self.0.snapshot.store(Arc::new(snapshot));
        Ok(())
    }

    async fn watch_store(&self) {
        let mut known = None;
        loop {
            match self.0.foundations.db.change_counter().await {
                Ok(counter) if known == Some(counter) => {}
                Ok(counter) => match self.refresh().await {
                    Ok(()) => known = Some(counter),
                    Err(error) => {
                        let context = error.operator_context();
                        tracing::warn!(%error, context, "notification hubs could not be read again");
                    }
                },
                Err(error) => tracing::debug!(%error, "the store could not be asked for changes"),
            }
            tokio::time::sleep(REFRESH_EVERY).await;
        }
    }

    async fn sweep_regularly(&self) {
        loop {
            if let Err(error) = self.sweep().await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "what has expired could not be taken away");
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    async fn count_regularly(&self) {
        loop {
            if let Err(error) = self.count_scheduled().await {
                tracing::debug!(%error, "scheduled sends could not be counted");
            }
            tokio::time::sleep(COUNT_EVERY).await;
        }
    }

    /// Counts the sends that wait for their time.
    pub(crate) async fn count_scheduled(&self) -> Result<()> {
        let waiting = self.0.store.count_scheduled().await?;
        for hub in self.snapshot().hubs() {
            hub.counters.set_scheduled(waiting.get(&hub.hub.key).copied().unwrap_or(0));
        }
        Ok(())
    }

    async fn sweep(&self) -> Result<()> {
        let (store, now) = (&self.0.store, self.now());
        while store.remove_expired(now, SWEPT_AT_A_TIME).await? > 0 {}
        store.forget_requests(before(now, REMEMBER_REQUESTS)).await?;
        store.forget_reports(before(now, self.settings().keep_reports)).await
    }

    /// What the program has decided.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The store of the service.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    pub(crate) fn unknown_hubs(&self) -> &LastRefused {
        &self.0.unknown_hubs
    }

    pub(crate) fn deliveries(&self) -> &Deliveries {
        &self.0.foundations.deliveries
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.foundations.clock)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.foundations.clock.now()
    }
}

impl fmt::Debug for NotificationHubs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("NotificationHubs")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

fn before(now: Timestamp, span: Duration) -> Timestamp {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_sub(micros))
}
