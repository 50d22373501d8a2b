//! What every entrance of the service shares, and how it begins.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use delivery::Deliveries;
use edge::Tasks;
use edge::outbound::Outbound;
use kernel::{Clock, Result, Timestamp};
use storage::{Db, MasterKey, Statement};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore};

use crate::bearer::BearerCheck;
use crate::configured::Configured;
use crate::courier::Pace;
use crate::realtime::Realtime;
use crate::registry::{Registry, Snapshot};
use crate::settings::Settings;
use crate::store::Store;
use crate::topic::TopicKeys;
use crate::unreadable::{Kind, Unreadable};
use crate::validation::Pending;
use crate::watch::Watch;

/// The queue of deliveries to event subscriptions; a target is the key of an event subscription.
pub const QUEUE: &str = "eventgrid";

/// How often the store is asked whether topics or event subscriptions were changed.
const REFRESH_EVERY: Duration = Duration::from_secs(1);
/// System events in the background at a time.
const RAISING: usize = 256;

/// The Event Grid service of one node. Cheap to clone.
#[derive(Clone)]
pub struct EventGrid(Arc<Inner>);

/// What the service stands on.
pub struct Foundations {
    /// Where topics and event subscriptions are kept.
    pub db: Db,
    /// What seals their secrets.
    pub master_key: Arc<MasterKey>,
    /// The delivery queue in the same database, with `watch` as its observer.
    pub deliveries: Deliveries,
    /// What people see.
    pub watch: Arc<Watch>,
    /// Webhooks are called through this.
    pub outbound: Outbound,
    /// Browsers are reached through this.
    pub realtime: Arc<dyn Realtime>,
    /// What decides about bearer tokens.
    pub bearer: Arc<dyn BearerCheck>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where background work belongs.
    pub tasks: Tasks,
}

struct Inner {
    foundations: Foundations,
    store: Store,
    settings: Settings,
    registry: Registry,
    /// Held while the snapshot is made, so that an older one never replaces a newer one.
    refreshing: Mutex<()>,
    /// By topic key; from the configuration file.
    hosts: HashMap<String, Vec<String>>,
    given_keys: HashMap<String, TopicKeys>,
    pending: Pending,
    pace: Pace,
    publishing: Semaphore,
    raising: Arc<Semaphore>,
    /// System events are raised from threads that have no runtime, too.
    runtime: Handle,
}

impl EventGrid {
    /// Opens the service: brings its tables up to date, takes over what the configuration file
    /// defines, reads everything, and begins to watch the store. Event subscriptions of the file
    /// are validated in the background, as often as it takes.
    ///
    /// # Errors
    /// When the store fails, or a definition of the file is wrong. A stored one that cannot be read
    /// is left out.
    pub async fn open(
        foundations: Foundations,
        settings: Settings,
        configured: Configured,
    ) -> Result<Self> {
        let master_key = Arc::clone(&foundations.master_key);
        let store = Store::open(foundations.db.clone(), master_key).await?;
        let service = Self(Arc::new(Inner {
            publishing: Semaphore::new(settings.max_concurrent_publishes),
            raising: Arc::new(Semaphore::new(RAISING)),
            hosts: configured.hosts(),
            given_keys: configured.given_keys(),
            foundations,
            store,
            settings,
            registry: Registry::default(),
            refreshing: Mutex::default(),
            pending: Pending::default(),
            pace: Pace::default(),
            runtime: Handle::current(),
        }));
        service.refresh().await?;
        service.take_over(configured).await?;
        service.start_watching();
        service.start_validating();
        Ok(service)
    }

    /// Carries out statements in one transaction and takes their effect into the snapshot.
    pub(crate) async fn store_and_refresh(&self, statements: Vec<Statement>) -> Result<()> {
        self.store().change(statements).await?;
        self.refresh().await
    }

    /// Reads everything from the store.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let _turn = self.0.refreshing.lock().await;
        let stored = self.store().load().await?;
        let (before, hosts) = (self.snapshot(), &self.0.hosts);
        let next = Snapshot::build(stored, hosts, &self.0.given_keys);
        for kind in [Kind::Topic, Kind::EventSubscription] {
            let is_news = |it: &&Unreadable| before.unreadable(&it.key) != Some(it);
            next.all_unreadable(kind).filter(is_news).for_each(Unreadable::warn);
        }
        self.0.registry.replace(next);
        Ok(())
    }

    /// Reads everything from the store if something else is there by now: a busy store changes all
    /// the time, its topics and event subscriptions seldom.
    pub(crate) async fn refresh_if_changed(&self) -> Result<()> {
        if self.store().revision().await? == self.snapshot().revision {
            return Ok(());
        }
        self.refresh().await
    }

    fn start_watching(&self) {
        let service = self.clone();
        let stop = self.tasks().token().clone();
        self.tasks().spawn("event grid refresh", async move {
            stop.run_until_cancelled(service.watch_store()).await;
        });
    }

    /// Takes into the snapshot what another process has changed, and what a call of this one has
    /// changed whose caller went away before it was answered; removes what has expired.
    async fn watch_store(&self) {
        loop {
            let looked = match self.refresh_if_changed().await {
                Ok(()) => self.remove_expired().await,
                failed => failed,
            };
            if let Err(error) = looked {
                let context = error.operator_context();
                tracing::warn!(%error, context, "topics and event subscriptions are not up to date");
            }
            self.forget_deleted();
            tokio::time::sleep(REFRESH_EVERY).await;
        }
    }

    /// Drops what is remembered of event subscriptions that are gone: another process may have deleted
    /// one, and an attempt that was under way may have ended after its deletion.
    fn forget_deleted(&self) {
        let snapshot = self.snapshot();
        self.watch().retain(|key| snapshot.has_subscription(key));
        self.0.pace.retain(|key| snapshot.has_subscription(key));
    }

    /// The statements that forget what waits for an event subscription, for the transaction that
    /// deletes it.
    pub(crate) fn cancel_deliveries(&self, key: &str) -> Vec<Statement> {
        self.deliveries().cancel(QUEUE, key)
    }

    /// Says that an event subscription is gone for good.
    pub(crate) fn forget(&self, key: &str) {
        self.deliveries().cancelled(QUEUE, key);
        self.watch().forget(key);
    }

    /// What the program has decided.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.0.registry.current()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn deliveries(&self) -> &Deliveries {
        &self.0.foundations.deliveries
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.0.foundations.watch
    }

    pub(crate) fn outbound(&self) -> &Outbound {
        &self.0.foundations.outbound
    }

    pub(crate) fn realtime(&self) -> &dyn Realtime {
        &*self.0.foundations.realtime
    }

    pub(crate) fn bearer(&self) -> &dyn BearerCheck {
        &*self.0.foundations.bearer
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.foundations.tasks
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    pub(crate) fn pending(&self) -> &Pending {
        &self.0.pending
    }

    pub(crate) fn publishing(&self) -> &Semaphore {
        &self.0.publishing
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    pub(crate) fn raising(&self) -> &Arc<Semaphore> {
        &self.0.raising
    }

    /// Whether the configuration gives the keys of a topic.
    pub(crate) fn has_given_keys(&self, id: &wire::ResourceId) -> bool {
        self.0.given_keys.contains_key(id.key())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.foundations.clock.now()
    }
}

impl fmt::Debug for EventGrid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("EventGrid").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
