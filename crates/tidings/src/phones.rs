//! Reaching phones: the hub of the Communication resource, pushes about messages, and calls that ring.

use std::sync::Arc;
use std::time::Duration;

use ::communication::calling::{self, CallEvents, Calling, Silent};
use ::communication::link::{Hub, Links, NoDirectory, Stage};
use ::communication::push::{self, Devices, Presence, Pushes};
use axum::Router;
use delivery::{Deliveries, Queue};
use edge::Tasks;
use edge::outbound::Outbound;
use kernel::Clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use crate::communication;
use crate::key_store::KeyStore;

/// How long a call rings. The real service does not say how long its calls do.
const RING_TIME: Duration = Duration::from_secs(60);

/// What phones are reached with.
#[derive(Clone)]
pub struct Phones {
    /// Hubs.
    pub links: Links,
    /// Pushes; chat hands its changes to them.
    pub pushes: Pushes,
    devices: Devices,
    parts: Parts,
}

/// What they are built over.
#[derive(Clone)]
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
    /// Who needs no push.
    pub presence: Arc<dyn Presence>,
}

/// What phones are rung with.
pub struct Calls {
    calling: Calling,
    registrar: Router,
    queues: Vec<Queue>,
}

impl Phones {
    /// Opens what is stored.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(parts: Parts) -> anyhow::Result<Self> {
        let Parts { store, outbound, deliveries, clock, tasks, presence } = parts.clone();
        let (db, master) = (store.db().clone(), Arc::clone(store.master()));
        let hub = Hub::new(outbound, Arc::clone(&clock));
        let directory = Arc::new(NoDirectory);
        let links =
            Links::open(db.clone(), Arc::clone(&master), Arc::clone(&clock), hub, directory)
                .await?;
        let devices = Devices::open(db, master, clock).await?;
        let pushes = Pushes::new(links.clone(), devices.clone(), presence, deliveries);
        let (watched, stop) = (links.clone(), tasks.token().clone());
        tasks.spawn("linked hubs", async move {
            stop.run_until_cancelled(watched.watch()).await;
        });
        Ok(Self { links, pushes, devices, parts })
    }

    /// Has the faults of linked hubs counted in the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Faults(self.links.clone())));
    }

    /// Calls of the users of the Communication Services.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn calls(
        &self,
        communication: &communication::Wired,
        events: Arc<dyn CallEvents>,
    ) -> anyhow::Result<Calls> {
        let Parts { store, outbound, deliveries, clock, tasks, .. } = self.parts.clone();
        let resources = communication.service.resources().clone();
        let identities = communication.service.identities().clone();
        let registrar = push::router(resources.clone(), identities.clone(), self.devices.clone());
        let calling = Calling::open(calling::Foundations {
            db: store.db().clone(),
            clock,
            deliveries,
            outbound,
            pushes: self.pushes.clone(),
            events,
            ringing: Arc::new(Silent),
            resources,
            identities,
            ring_time: RING_TIME,
        })
        .await?;
        let queues = vec![self.pushes.queue(), calling.queue()];
        let (watched, stop) = (calling.clone(), tasks.token().clone());
        tasks.spawn("ringing", async move {
            stop.run_until_cancelled(watched.watch()).await;
        });
        Ok(Calls { calling, registrar, queues })
    }
}

/// How often each fault of a hub was found, while linking and while sending.
#[derive(Debug)]
struct Faults(Links);

impl Collector for Faults {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let name = "tidings_communication_hub_faults";
        let help = "Faults found in the notification hub of a resource";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (code, stage, count) in self.0.counters() {
            let stage = match stage {
                Stage::Link => "link",
                Stage::Send => "send",
            };
            let labels = [("code", code), ("stage", stage)];
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Calls {
    /// What the deliveries' driver carries out for phones.
    pub fn queues(&self) -> Vec<Queue> {
        self.queues.clone()
    }

    /// The routes of calls and of the registrar.
    pub fn router(&self) -> Router {
        Router::new()
            .without_v07_checks()
            .merge(calling::router(self.calling.clone()))
            .merge(self.registrar.clone())
    }
}
