//! Reaching phones: the hub of the Communication resource, pushes about messages, and calls that ring.

use std::sync::Arc;
use std::time::Duration;

use ::communication::calling::{self, CallEvents, Calling};
use ::communication::link::{ApnsMode, Hub, HubDirectory, Link, Links, Stage};
use ::communication::push::{self, Devices, Presence, Pushes};
use ::notificationhubs::NotificationHubs;
use ::notificationhubs::pns_credentials::PnsCredentials;
use axum::Router;
use delivery::{Deliveries, Queue};
use edge::Tasks;
use edge::outbound::Outbound;
use kernel::{Clock, Milestones};
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
    /// The hubs of this server, which may be linked like any others.
    pub notification_hubs: NotificationHubs,
    /// The address of this server.
    pub address: String,
    /// Where the journeys of calls are recorded.
    pub milestones: Milestones,
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
        let Parts { store, outbound, deliveries, clock, tasks, presence, .. } = parts.clone();
        let (db, master) = (store.db().clone(), Arc::clone(store.master()));
        let hub = Hub::new(outbound, Arc::clone(&clock));
        let directory = Arc::new(OwnHubs(parts.notification_hubs.clone()));
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

    /// Who needs no push, since a client of theirs is connected.
    pub fn presence(&self) -> &Arc<dyn Presence> {
        &self.parts.presence
    }

    /// The queue that pushes wait in.
    pub fn deliveries(&self) -> &Deliveries {
        &self.parts.deliveries
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
        let parts = self.parts.clone();
        let Parts { store, outbound, deliveries, clock, tasks, address, milestones, .. } = parts;
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
            ringing: Arc::new(communication.signaling.clone()),
            resources,
            identities,
            ring_time: RING_TIME,
            issuer: communication.endpoint(&address).to_owned(),
            milestones,
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

/// What is known of the hubs of this server without sending through them.
struct OwnHubs(NotificationHubs);

impl HubDirectory for OwnHubs {
    fn apns_mode(&self, link: &Link) -> Option<ApnsMode> {
        let hub = link.hub_id.name();
        // …/namespaces/<namespace>/notificationHubs/<hub>
        let namespace = link.hub_id.as_str().rsplit('/').nth(2)?;
        // A hub of Azure may have the same name; only one of this server has the key.
        let has_key = |hub: Option<&str>| {
            let policies = self.0.policies(namespace, hub).unwrap_or_default();
            policies.iter().any(|policy| {
                let keys = [&policy.primary, &policy.secondary];
                policy.name == link.connection.key_name && keys.contains(&&link.connection.key)
            })
        };
        if !has_key(Some(hub)) && !has_key(None) {
            return None;
        }
        apns_mode(&self.0.credentials(namespace, hub).ok()?)
    }
}

/// How a hub with these credentials proves itself to APNs, if it can at all.
pub(crate) fn apns_mode(credentials: &PnsCredentials) -> Option<ApnsMode> {
    let credentials = credentials.to_value();
    let properties = credentials["apnsCredential"]["properties"].as_object()?;
    let has = |name: &str| {
        let found = properties.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.is_some_and(|(_, value)| value.as_str().is_some_and(|text| !text.trim().is_empty()))
    };
    match (has("token"), has("apnsCertificate")) {
        (true, _) => Some(ApnsMode::Token),
        (false, true) => Some(ApnsMode::Certificate),
        (false, false) => None,
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

#[cfg(test)]
mod tests {
    use ::communication::link::HubConnection;
    use ::notificationhubs::control::HubRequest;
    use ::notificationhubs::credential::{DEFAULT_FULL, Policy};
    use ::notificationhubs::push::Senders;
    use ::notificationhubs::store::HubChange;
    use ::notificationhubs::{Foundations, Settings};
    use edge::outbound::AddressPolicy;
    use kernel::{Secret, SystemClock};
    use serde_json::{Value, json};
    use storage::{Db, MasterKey};
    use wire::{Endpoint, ResourceId};

    use super::*;

    struct Unseen;

    impl delivery::Observer for Unseen {
        fn observe(&self, _: &delivery::Event<'_>) {}
    }

    async fn hubs() -> NotificationHubs {
        let (db, tasks) = (Db::in_memory().unwrap(), Tasks::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let outbound = Outbound::new(AddressPolicy::everything(), None).unwrap();
        let settings = delivery::Settings::default();
        let deliveries =
            Deliveries::open(db.clone(), Arc::clone(&clock), Arc::new(Unseen), settings);
        let foundations = Foundations {
            db,
            master_key: Arc::new(MasterKey::from_bytes(&[7; 32])),
            deliveries: deliveries.await.unwrap(),
            senders: Senders::new(&outbound, &clock, &tasks),
            clock,
            tasks,
        };
        let hubs = NotificationHubs::open(foundations, Settings::default()).await.unwrap();
        hubs.put_namespace("Space", &json!({})).await.unwrap();
        hubs
    }

    /// A hub as an older version, or another program, may have left it: calls refuse certificates.
    async fn kept(hubs: &NotificationHubs, name: &str, apns: Value) -> Link {
        let credentials = json!({ "apnsCredential": { "properties": apns } });
        let change = HubChange {
            document: "{}".to_owned(),
            credentials: Secret::new(credentials.to_string()),
            registration_ttl: None,
        };
        let now = SystemClock.now();
        let policies = Policy::of_new_hub();
        hubs.store().create_hub("Space", name, &change, &policies, now).await.unwrap();
        // What is put beside it has all hubs read anew.
        hubs.put_hub("Space", "another", HubRequest::default()).await.unwrap();
        let policies = hubs.policies("Space", Some(name)).unwrap();
        let full = policies.iter().find(|it| it.name == DEFAULT_FULL).unwrap();
        let id = format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.NotificationHubs/namespaces/\
             space/notificationHubs/{name}"
        );
        let connection = HubConnection {
            endpoint: Endpoint::parse("https://localhost").unwrap(),
            key_name: full.name.clone(),
            key: full.primary.clone(),
        };
        Link { hub_id: ResourceId::parse(&id).unwrap(), connection }
    }

    #[tokio::test]
    async fn how_a_hub_of_this_server_reaches_apple_is_known_to_who_has_its_key() {
        let hubs = hubs().await;
        let certificate = json!({ "apnsCertificate": "MIIC", "certificateKey": "k" });
        let old = kept(&hubs, "old", certificate).await;
        let new = kept(&hubs, "new", json!({ "token": "a key", "keyId": "k" })).await;
        let bare = kept(&hubs, "bare", json!({})).await;
        let directory = OwnHubs(hubs);
        assert_eq!(directory.apns_mode(&old), Some(ApnsMode::Certificate));
        assert_eq!(directory.apns_mode(&new), Some(ApnsMode::Token));
        assert_eq!(directory.apns_mode(&bare), None);

        let key = Secret::new("of a hub of the same name, elsewhere");
        let elsewhere = Link { connection: HubConnection { key, ..old.connection.clone() }, ..old };
        assert_eq!(directory.apns_mode(&elsewhere), None);
    }
}
