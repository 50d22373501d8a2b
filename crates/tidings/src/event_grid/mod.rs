//! Event Grid over the store, the delivery queue and Web PubSub: what the configuration says, and
//! the ports that the services have for one another.
//!
//! - `browsers`: events to the clients of a hub
//! - `calls`: what happens to calls, as events
//! - `chat`: changes in chat, as events
//! - `clients`: clients of hubs that come and go, as events
//! - `traffic`: events of each topic, as metrics

mod browsers;
mod calls;
mod chat;
mod clients;
pub(crate) mod traffic;

use std::sync::Arc;
use std::time::Duration;

use ::communication::Outbox;
use ::communication::calling::CallEvents;
use ::eventgrid::topic::{TopicKeys, TopicRequest};
use ::eventgrid::{
    AnyBearer, BearerCheck, Configured, ConfiguredSubscription, ConfiguredTopic, EventGrid,
    Foundations, NoBearer, Settings, Watch,
};
use anyhow::Context as _;
use delivery::{Deliveries, Queue};
use edge::Tasks;
use edge::outbound::Outbound;
use kernel::{Clock, Milestones, Secret};
use prometheus_client::registry::Registry;
use webpubsub::WebPubSub;
use wire::ResourceId;

use crate::addresses::Listening;
use crate::config::{
    self, Config, DEVELOPMENT_RESOURCE, EventSource, EventSubscription, KeySource, Mode,
};
use crate::identity_provider::IdentityProvider;
use crate::key_store::KeyStore;
use crate::node::Node;

/// The name under which commands find where topics are published to. No resource can have it.
pub const ENDPOINT: &str = ":eventgrid";

/// The resource group of everything that the configuration defines. Its subscription is the one
/// that management calls list by default.
pub(crate) const GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings";

/// The service and the queue that it delivers through.
#[derive(Clone)]
pub struct Wired {
    /// The service.
    pub service: EventGrid,
    /// The queue.
    pub deliveries: Deliveries,
    watch: Arc<Watch>,
    /// Who works on the queue here; nobody else is, as long as deliveries are made.
    pub node: Arc<Node>,
}

/// What the service is built over.
pub struct Parts {
    /// The store.
    pub store: Arc<KeyStore>,
    /// Outgoing calls.
    pub outbound: Outbound,
    /// Where events reach browsers, and whose clients raise events.
    pub web_pubsub: WebPubSub,
    /// What is told of failed deliveries and of clients.
    pub monitor: crate::monitor::Wired,
    /// Whose bearer tokens publish, in production.
    pub identities: Option<Arc<IdentityProvider>>,
    /// Where the journeys of deliveries are recorded.
    pub milestones: Milestones,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Background work.
    pub tasks: Tasks,
}

impl Wired {
    /// Builds the service. Nothing is delivered before [`Wired::deliver`].
    ///
    /// # Errors
    /// When the store fails, or its secrets cannot be read.
    pub async fn new(config: &Config, listening: Listening, parts: Parts) -> anyhow::Result<Self> {
        let Parts { store, outbound, web_pubsub, monitor, identities, milestones, clock, tasks } =
            parts;
        let watch = Watch::new(Arc::clone(&clock));
        let (told, observer) =
            (Arc::clone(&watch), monitor.deliveries(Arc::<Watch>::clone(&watch)));
        let node = Arc::new(Node::claim(&config.data.folder)?);
        let settings = delivery::Settings { milestones, ..delivery_settings(config, &node) };
        let deliveries =
            Deliveries::open(store.db().clone(), Arc::clone(&clock), observer, settings).await?;
        let bearer: Arc<dyn BearerCheck> = match (config.mode, identities) {
            (Mode::Dev, _) => Arc::new(AnyBearer),
            (Mode::Serve, Some(provider)) => provider,
            (Mode::Serve, None) => Arc::new(NoBearer),
        };
        let foundations = Foundations {
            db: store.db().clone(),
            master_key: Arc::clone(store.master()),
            deliveries: deliveries.clone(),
            watch,
            outbound,
            realtime: Arc::new(browsers::Browsers::new(&config.resources, web_pubsub.clone())),
            bearer,
            clock: Arc::clone(&clock),
            tasks: tasks.clone(),
        };
        let settings = settings_of(config, listening);
        store.remember_address(ENDPOINT, &settings.base_url).await?;
        let service = EventGrid::open(foundations, settings, configured(config)?).await;
        let service =
            service.map_err(|error| explained(&error)).context("Event Grid cannot start")?;
        let clients = clients::Clients::new(&config.resources, service.clone(), clock);
        web_pubsub.observe(monitor.connections(Arc::new(clients)));
        Ok(Self { service, deliveries, watch: told, node })
    }

    /// Has the events of topics counted in the metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(traffic::Traffic(Arc::clone(&self.watch))));
    }

    /// Begins to deliver: the events, and the queues of other services beside them.
    pub fn deliver(&self, others: Vec<Queue>, tasks: &Tasks) {
        let queues = [self.service.queue()].into_iter().chain(others).collect();
        let driver = self.deliveries.driver(queues);
        let (stop, held) = (tasks.token().clone(), Arc::clone(&self.node));
        tasks.spawn("deliveries", async move {
            driver.run(stop).await;
            drop(held);
        });
    }

    /// What chat hands its changes to.
    ///
    /// # Errors
    /// Never: the one resource has a name that can be part of an id.
    pub fn chat(&self) -> anyhow::Result<Arc<dyn Outbox>> {
        let source = communication_id(DEVELOPMENT_RESOURCE)?;
        Ok(Arc::new(chat::Chat::new(source, self.service.clone())))
    }

    /// What calls hand their events to.
    ///
    /// # Errors
    /// Never, as for [`Wired::chat`].
    pub fn calls(&self) -> anyhow::Result<Arc<dyn CallEvents>> {
        let source = communication_id(DEVELOPMENT_RESOURCE)?;
        Ok(Arc::new(calls::Calls::new(source, self.service.clone())))
    }

    /// Endpoint and first key of the topic of development.
    pub fn development_topic(&self) -> Option<(String, Secret)> {
        let id = topic_id(DEVELOPMENT_RESOURCE).ok()?;
        let topic = self.service.topic(&id).ok()?;
        let keys = self.service.topic_keys(&id).ok()?;
        Some((self.service.topic_endpoint(&topic), keys.key1))
    }
}

/// The id of a topic that the configuration defines.
///
/// # Errors
/// When the name cannot be part of an id, which no name of a configuration is.
pub fn topic_id(name: &str) -> anyhow::Result<ResourceId> {
    Ok(ResourceId::parse(&format!("{GROUP}/providers/Microsoft.EventGrid/topics/{name}"))?)
}

/// The id of a Communication resource, as it stands in the events about its chats.
///
/// # Errors
/// When the name cannot be part of an id, which no name of a configuration is.
pub fn communication_id(name: &str) -> anyhow::Result<ResourceId> {
    let id = format!("{GROUP}/providers/Microsoft.Communication/CommunicationServices/{name}");
    Ok(ResourceId::parse(&id)?)
}

/// The id of a Web PubSub resource, as it stands in the events about its clients.
///
/// # Errors
/// When the name cannot be part of an id, which no name of a configuration is.
pub fn web_pubsub_id(name: &str) -> anyhow::Result<ResourceId> {
    let id = format!("{GROUP}/providers/Microsoft.SignalRService/WebPubSub/{name}");
    Ok(ResourceId::parse(&id)?)
}

fn delivery_settings(config: &Config, node: &Node) -> delivery::Settings {
    delivery::Settings {
        node: node.name().to_owned(),
        time_scale: config.event_grid.retry_time_scale.as_f64(),
        grace: config.server.drain,
        ..delivery::Settings::default()
    }
}

fn settings_of(config: &Config, listening: Listening) -> Settings {
    let event_grid = &config.event_grid;
    let mut settings = Settings::default();
    let rules = &mut settings.rules;
    if !event_grid.retry_delays.is_empty() {
        rules.schedule.clone_from(&event_grid.retry_delays);
    }
    if let Some(statuses) = &event_grid.give_up_statuses {
        rules.give_up = statuses.iter().copied().collect();
    }
    rules.jitter = event_grid.retry_jitter;
    let public = config.resources.iter().find_map(|it| it.public_endpoints.first().cloned());
    let own = listening.https_url().unwrap_or_else(|| listening.http_url());
    Settings {
        // A receiver in development need not trust our certificate to open a validation URL.
        validation_base_url: match config.mode {
            Mode::Dev => listening.http_url(),
            Mode::Serve => public.clone().unwrap_or_else(|| own.clone()),
        },
        base_url: public.unwrap_or(own),
        origin: event_grid.origin.clone(),
        default_topic: (config.mode == Mode::Dev).then(|| DEVELOPMENT_RESOURCE.to_owned()),
        max_request_bytes: event_grid.max_request_bytes,
        max_concurrent_publishes: event_grid.max_publishes_at_a_time,
        validation_window: event_grid.validation_window,
        validation_pause: scaled(settings.validation_pause, config),
        attempt_timeout: event_grid.timeout,
        concurrency: event_grid.attempts_at_a_time,
        failures_before_probation: event_grid.failures_before_probation,
        dead_letter_folder: Some(event_grid.dead_letter_folder.clone()),
        ..settings
    }
}

fn scaled(span: Duration, config: &Config) -> Duration {
    span.mul_f64(config.event_grid.retry_time_scale.as_f64())
}

fn configured(config: &Config) -> anyhow::Result<Configured> {
    let topics = config.event_grid.topics.iter().map(configured_topic);
    let subscriptions = config.event_grid.subscriptions.iter().map(configured_subscription);
    Ok(Configured {
        topics: topics.collect::<anyhow::Result<_>>()?,
        subscriptions: subscriptions.collect::<anyhow::Result<_>>()?,
    })
}

fn configured_topic(topic: &config::Topic) -> anyhow::Result<ConfiguredTopic> {
    let keys = |given: bool| match (&topic.key1, &topic.key2) {
        (KeySource::Given { secret: key1, .. }, KeySource::Given { secret: key2, .. }) if given => {
            Some(TopicKeys { key1: key1.clone(), key2: key2.clone() })
        }
        (KeySource::Seeded(key1), KeySource::Seeded(key2)) if !given => {
            Some(TopicKeys { key1: key1.clone(), key2: key2.clone() })
        }
        _ => None,
    };
    Ok(ConfiguredTopic {
        id: topic_id(&topic.name)?,
        request: TopicRequest {
            location: "local".to_owned(),
            tags: Default::default(),
            properties: serde_json::from_str(&topic.properties)?,
        },
        keys: keys(true),
        first_keys: keys(false),
        hosts: topic.hosts.clone(),
    })
}

fn configured_subscription(it: &EventSubscription) -> anyhow::Result<ConfiguredSubscription> {
    Ok(ConfiguredSubscription {
        scope: match &it.source {
            EventSource::Topic(name) => topic_id(name)?,
            EventSource::Resource(name) => web_pubsub_id(name)?,
        },
        name: it.name.clone(),
        properties: serde_json::from_str(it.properties.expose())?,
    })
}

/// With what the operator alone may read, since the operator reads this.
fn explained(error: &kernel::Error) -> anyhow::Error {
    match error.operator_context() {
        Some(context) => anyhow::anyhow!("{error} ({context})"),
        None => anyhow::anyhow!("{error}"),
    }
}
