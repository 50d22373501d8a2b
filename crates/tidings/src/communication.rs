//! The Communication Services over the store: their one resource, their keys and their tasks.

use std::sync::Arc;
use std::time::Duration;

use ::communication::chat::Chat;
use ::communication::identity::{Identities, hmac, resource_id};
use ::communication::signaling::{self, Count, EVENT_KINDS, Foundation, Roster, Signaling, Tally};
use ::communication::{Communication, MIGRATIONS, Ports, Resource, Resources, Throttle};
use anyhow::bail;
use auth::{AccessKeys, KeyRing, KeySlot};
use cluster::Backplane;
use edge::Tasks;
use kernel::{Clock, Secret};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use crate::config::{Config, DEVELOPMENT_RESOURCE};
use crate::key_store::{KeyStore, Owner};

/// How often the keys that sign user tokens are looked at.
const SIGNING_KEYS_INTERVAL: Duration = Duration::from_mins(5);

/// The service and its resource, whose keys can be replaced.
#[derive(Clone)]
pub struct Wired {
    /// The service.
    pub service: Communication,
    /// Its real-time notifications.
    pub signaling: Signaling,
    answers: Arc<Tally>,
    resource: Arc<Resource>,
}

/// The connections of chat clients, before there are any.
pub struct Connections {
    /// Those of the whole installation.
    pub backplane: Backplane,
    /// Who is connected.
    pub roster: Roster,
    answers: Arc<Tally>,
}

impl Connections {
    /// Chat clients connect through `backplane`; `observer` wants to know what they answer.
    pub fn new(backplane: Backplane, observer: Arc<dyn signaling::Observer>) -> Self {
        let answers = Arc::new(Tally::default());
        let roster = Roster::new(vec![answers.clone(), observer]);
        Self { backplane, roster, answers }
    }
}

impl Wired {
    /// Builds the service and starts what it does by itself.
    ///
    /// # Errors
    /// When the store fails, or its secrets cannot be read.
    pub async fn new(
        config: &Config,
        store: &KeyStore,
        connections: Connections,
        mut ports: Ports,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let db = store.db().clone();
        db.migrate("communication", MIGRATIONS).await?;
        let resource = Arc::new(Resource {
            name: DEVELOPMENT_RESOURCE.to_owned(),
            id: resource_id(&db, DEVELOPMENT_RESOURCE).await?,
            hosts: Vec::new(),
            keys: KeyRing::new(usable(store.keys(Owner::COMMUNICATION).await?)?),
            clock_skew: config.communication.clock_skew,
            public_endpoint: config.communication.public_endpoint.clone(),
        });
        let master = Arc::clone(store.master());
        let identities = Identities::open(db.clone(), master, Arc::clone(&clock)).await?;
        let resources = Resources::new([Arc::clone(&resource)]);
        let Connections { backplane, roster, answers } = connections;
        let signaling = Signaling::open(Foundation {
            resources: resources.clone(),
            identities: identities.clone(),
            backplane,
            db: db.clone(),
            clock: Arc::clone(&clock),
            roster,
            stop: tasks.token().clone(),
        })
        .await?;
        ports.outboxes.push(Arc::new(signaling.clone()));
        ports.realtime.push(Arc::new(signaling.clone()));
        let notifications = signaling.clone();
        tasks.spawn("real-time notifications", async move { notifications.run().await });
        let chat = Chat::new(db, clock, identities.clone(), ports, tasks.clone());
        let stop = tasks.token().clone();
        let work = Box::pin(work(identities.clone(), chat.clone()));
        tasks.spawn("communication", async move {
            stop.run_until_cancelled(work).await;
        });
        let throttle = Throttle::new(config.communication.rate_limits);
        let service = Communication::new(resources, identities, chat, throttle);
        Ok(Self { service, signaling, answers, resource })
    }

    /// Takes over keys that another process has replaced.
    ///
    /// # Errors
    /// When the store fails; the keys in force stay.
    pub async fn reload_keys(&self, store: &KeyStore) -> anyhow::Result<()> {
        let keys = usable(store.keys(Owner::COMMUNICATION).await?)?;
        if keys != *self.resource.keys.current() {
            self.resource.keys.replace(keys);
            // Tokens that were issued with a replaced key have ended.
            self.signaling.ask_for_tokens();
            tracing::info!("access keys of the Communication Services replaced");
        }
        Ok(())
    }

    /// Has the answers of chat clients counted in the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Answers(Arc::clone(&self.answers))));
    }

    /// How clients have answered each kind of notification so far.
    pub fn answers(&self) -> Vec<(&'static str, Count)> {
        EVENT_KINDS.iter().map(|event| (event.name(), self.answers.count(*event))).collect()
    }

    /// The resource's name.
    pub fn name(&self) -> &str {
        &self.resource.name
    }

    /// The GUID that is part of every id of a user.
    pub fn immutable_id(&self) -> &str {
        &self.resource.id
    }

    /// Where applications reach it, if they do not at `endpoint`.
    pub fn endpoint<'a>(&'a self, endpoint: &'a str) -> &'a str {
        self.resource.public_endpoint.as_deref().unwrap_or(endpoint).trim_end_matches('/')
    }

    /// The connection string with the primary key, for an address.
    pub fn connection_string(&self, endpoint: &str) -> Secret {
        self.connection_string_of(endpoint, KeySlot::Primary)
    }

    /// The connection string with one of the keys. The endpoint stands first and ends in a slash, as
    /// the official clients insist.
    pub fn connection_string_of(&self, endpoint: &str, slot: KeySlot) -> Secret {
        let keys = self.resource.keys.current();
        let endpoint = self.endpoint(endpoint);
        Secret::new(format!("endpoint={endpoint}/;accesskey={}", keys.get(slot).expose()))
    }
}

/// What chat clients answered to their notifications; "unhandled" ones nothing in the client took.
#[derive(Debug)]
struct Answers(Arc<Tally>);

impl Collector for Answers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let name = "tidings_communication_notifications_answered";
        let help = "Answers of chat clients to real-time notifications";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for event in EVENT_KINDS {
            let count = self.0.count(event);
            let outcomes = [
                ("handled", count.handled),
                ("unhandled", count.unhandled),
                ("failed", count.failed),
            ];
            for (outcome, count) in outcomes {
                let labels = [("event", event.name()), ("outcome", outcome)];
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// Keys sign as the bytes that they are base64 of.
fn usable(keys: AccessKeys) -> anyhow::Result<AccessKeys> {
    if hmac::is_usable_key(keys.primary()) && hmac::is_usable_key(keys.secondary()) {
        return Ok(keys);
    }
    bail!("the access keys of the Communication Services must be base64")
}

/// Ends threads whose time is over, renews the keys that sign tokens, and learns what other servers
/// revoke, for ever.
async fn work(identities: Identities, chat: Chat) {
    let renew = async {
        let mut interval = tokio::time::interval(SIGNING_KEYS_INTERVAL);
        loop {
            interval.tick().await;
            if let Err(error) = identities.refresh_keys().await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "cannot look after the keys that sign tokens");
            }
        }
    };
    tokio::join!(renew, identities.follow(), chat.sweep_regularly());
}
