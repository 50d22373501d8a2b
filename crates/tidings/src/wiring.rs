//! Where everything meets: configuration and keys become resources, resources become services, and
//! services become routes. No other place knows more than one service.

use std::sync::Arc;
use std::time::Duration;

use ::communication::{Communication, Outbox, Ports, calling};
use ::eventgrid::EventGrid;
use ::management::Authority;
use ::notificationhubs::NotificationHubs;
use auth::{KeyRing, KeySlot};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Uri};
use axum::response::{IntoResponse as _, Response};
use cluster::Backplane;
use edge::outbound::{AddressPolicy, Outbound};
use edge::{Envelope, Rejection, Tasks};
use gateway::{Gateway, QueueLimits};
use kernel::{Clock, Error, ErrorKind};
use prometheus_client::registry::Registry;
use webpubsub::upstream::{Upstream, UpstreamLimits};
use webpubsub::{HubSettings, WebPubSub};

use crate::addresses::Listening;
use crate::config::{self, Config, Mode};
use crate::identity_provider::IdentityProvider;
use crate::key_store::KeyStore;
use crate::phones::{self, Phones};
use crate::{communication, event_grid, journeys, management, monitor, notification_hubs};

/// A resource of the configuration and the keys that its service reads.
#[derive(Clone)]
pub struct Wired {
    config: config::Resource,
    service: Arc<webpubsub::Resource>,
}

/// The services, ready to be served.
pub struct Services {
    /// Every public route.
    pub router: Router,
    /// The resources, for key rotation.
    pub resources: Vec<Wired>,
    /// What becomes of each notification.
    pub journeys: journeys::Wired,
    /// Web PubSub.
    pub web_pubsub: WebPubSub,
    /// The Communication Services.
    pub communication: communication::Wired,
    /// Event Grid.
    pub event_grid: event_grid::Wired,
    /// Notification Hubs.
    pub notification_hubs: notification_hubs::Wired,
    /// What phones are reached with.
    pub phones: Phones,
    /// The log tables.
    pub monitor: monitor::Wired,
    /// Who may make management calls.
    pub authority: Authority,
}

/// Starts the connection engine.
///
/// # Errors
/// When the system gives no threads or event queues.
pub fn gateway(
    config: &config::Gateway,
    clock: &Arc<dyn Clock>,
    registry: &mut Registry,
) -> std::io::Result<Gateway> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let settings = gateway::Settings {
        shards: if config.shards == 0 { cores } else { config.shards },
        max_message_bytes: config.max_message_bytes,
        queue: QueueLimits {
            bytes: config.outbound_queue_bytes,
            frames: config.outbound_queue_messages,
        },
    };
    Gateway::start(settings, clock, registry)
}

/// Builds every service over the engine.
///
/// # Errors
/// When the keys of a resource cannot be read or made.
pub async fn services(
    config: &Config,
    listening: Listening,
    keys: &Arc<KeyStore>,
    gateway: Gateway,
    clock: Arc<dyn Clock>,
    tasks: &Tasks,
) -> anyhow::Result<Services> {
    let resources = resources(config, listening, keys).await?;
    let outbound = outbound(config)?;
    let upstream = upstream(config, &outbound, &clock, tasks);
    let backplane = Backplane::local(gateway);
    let hubs = webpubsub::Resources::new(resources.iter().map(|it| Arc::clone(&it.service)));
    let web_pubsub = WebPubSub::new(hubs.clone(), backplane.clone(), upstream, Arc::clone(&clock));
    let identities = identities(config, &outbound, &clock, tasks);
    let authority = management::authority(config, keys, identities.clone()).await?;
    let monitor = monitor::Wired::new(config, keys, authority.clone(), Arc::clone(&clock)).await?;
    let journeys = journeys::Wired::new(config, monitor.db(), Arc::clone(&clock), tasks).await?;
    let parts = event_grid::Parts {
        store: Arc::clone(keys),
        outbound: outbound.clone(),
        web_pubsub: web_pubsub.clone(),
        monitor: monitor.clone(),
        identities,
        milestones: journeys.milestones.clone(),
        clock: Arc::clone(&clock),
        tasks: tasks.clone(),
    };
    let event_grid = event_grid::Wired::new(config, listening, parts).await?;
    let parts = hub_parts(keys, &outbound, &event_grid, &clock, tasks);
    let notification_hubs = notification_hubs::Wired::new(config, listening, parts).await?;
    let connections = communication::Connections::new(backplane, monitor.answers());
    let parts = phones::Parts {
        store: Arc::clone(keys),
        outbound,
        deliveries: event_grid.deliveries.clone(),
        clock: Arc::clone(&clock),
        tasks: tasks.clone(),
        presence: Arc::new(connections.roster.clone()),
        notification_hubs: notification_hubs.service.clone(),
        address: listening.https_url().unwrap_or_else(|| listening.http_url()),
        milestones: journeys.milestones.clone(),
    };
    let phones = Phones::open(parts).await?;
    phones.pushes.observe(monitor.pushes());
    let ports = ports(event_grid.chat()?, &phones);
    let communication =
        communication::Wired::new(config, keys, connections, ports, clock.clone(), tasks).await?;
    let calls = phones.calls(&communication, event_grid.calls()?).await?;
    let queues = calls.queues().into_iter().chain([notification_hubs.service.queue()]);
    event_grid.deliver(queues.collect(), tasks);
    let services = (&event_grid, &notification_hubs, &communication, &phones);
    let managed = managed(services, listening, keys)?;
    let manager = management::management(config, listening, authority.clone(), managed, clock)?;
    let routers = [
        web_pubsub.router(),
        communication.service.router(),
        communication.signaling.router(),
        calls.router(),
        event_grid.service.router(),
        monitor.in_front_of(manager.router()),
        monitor.logs.router(),
        notification_hubs.fake_router(),
    ];
    Ok(Services {
        router: monitor.watched(public(routers, &notification_hubs.service), hubs, &event_grid),
        resources,
        journeys,
        web_pubsub,
        communication,
        event_grid,
        notification_hubs,
        phones,
        monitor,
        authority,
    })
}

/// Whose bearer tokens are taken, if the configuration names anybody.
fn identities(
    config: &Config,
    outbound: &Outbound,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
) -> Option<Arc<IdentityProvider>> {
    let provider = config.identity_provider.as_ref()?;
    Some(IdentityProvider::start(provider, outbound.clone(), Arc::clone(clock), tasks))
}

/// One router of all.
fn public(routers: [Router; 8], push: &NotificationHubs) -> Router {
    let push = push.clone();
    // Services have paths such as "/:send", which an older syntax used for parameters.
    let one = routers.into_iter().fold(Router::new().without_v07_checks(), Router::merge);
    one.fallback(move |request| rest(push, request))
}

/// The Web PubSub resources of the configuration, with the keys of the store.
async fn resources(
    config: &Config,
    listening: Listening,
    keys: &KeyStore,
) -> anyhow::Result<Vec<Wired>> {
    let mut resources = Vec::new();
    for resource in &config.resources {
        keys.remember_address(&resource.name, &listening.shown(resource)).await?;
        let service = Arc::new(webpubsub::Resource {
            name: resource.name.clone(),
            hosts: hosts(resource),
            endpoints: listening.endpoints(resource),
            keys: KeyRing::new(keys.keys(resource).await?),
            origin: listening.authority(resource),
            hubs: resource
                .hubs
                .iter()
                .filter_map(|hub| Some((hub.name.clone()?, settings(hub))))
                .collect(),
            other_hubs: other_hubs(resource, config.gateway.keep_alive),
            max_message_bytes: config.gateway.max_message_bytes,
        });
        resources.push(Wired { config: resource.clone(), service });
    }
    Ok(resources)
}

/// The client for calls to other machines. Services share one.
///
/// # Errors
/// When the authorities that it is to trust cannot be read.
pub(crate) fn outbound(config: &Config) -> anyhow::Result<Outbound> {
    let config::Outbound { allow_private, allow, extra_ca_file } = config.outbound.clone();
    // The fake push services of development have certificates of our own.
    let own_ca = (config.mode == Mode::Dev).then(|| crate::trust::ca_file(&config.data.folder));
    let extra_ca = extra_ca_file.or(own_ca.filter(|file| file.exists()));
    Ok(Outbound::new(AddressPolicy { allow_private, allow }, extra_ca.as_deref())?)
}

/// Who is told, in the same transaction, what happens in chat.
fn ports(events: Arc<dyn Outbox>, phones: &Phones) -> Ports {
    Ports { outboxes: vec![events, Arc::new(phones.pushes.clone())], ..Ports::default() }
}

/// The way to the event handlers of applications.
fn upstream(
    config: &Config,
    outbound: &Outbound,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
) -> Upstream {
    let limits = UpstreamLimits { attempt: config.upstream.timeout, ..UpstreamLimits::default() };
    Upstream::new(outbound.clone(), Arc::clone(clock), tasks.clone(), limits)
}

/// The services as management calls see them.
fn managed(
    (event_grid, notification_hubs, communication, phones): (
        &event_grid::Wired,
        &notification_hubs::Wired,
        &communication::Wired,
        &Phones,
    ),
    listening: Listening,
    keys: &Arc<KeyStore>,
) -> anyhow::Result<management::Managed> {
    let own = listening.https_url().unwrap_or_else(|| listening.http_url());
    let communication = management::CommunicationServices {
        id: event_grid::communication_id(communication.name())?,
        endpoint: communication.endpoint(&own).to_owned(),
        service: communication.clone(),
        store: Arc::clone(keys),
        links: phones.links.clone(),
    };
    Ok(management::Managed {
        event_grid: event_grid.service.clone(),
        communication,
        notification_hubs: notification_hubs.service.clone(),
    })
}

/// What Notification Hubs are built over.
fn hub_parts(
    keys: &Arc<KeyStore>,
    outbound: &Outbound,
    event_grid: &event_grid::Wired,
    clock: &Arc<dyn Clock>,
    tasks: &Tasks,
) -> notification_hubs::Parts {
    notification_hubs::Parts {
        store: Arc::clone(keys),
        outbound: outbound.clone(),
        deliveries: event_grid.deliveries.clone(),
        clock: Arc::clone(clock),
        tasks: tasks.clone(),
    }
}

/// The host names that pick a resource: its own, and those of its public endpoints.
fn hosts(resource: &config::Resource) -> Vec<String> {
    let public = resource.public_endpoints.iter().filter_map(|it| wire::Endpoint::parse(it).ok());
    resource.hosts.iter().cloned().chain(public.map(|it| it.host().to_owned())).collect()
}

fn settings(hub: &config::Hub) -> HubSettings {
    HubSettings {
        anonymous: hub.anonymous_connect,
        keep_alive_secs: whole_seconds(hub.keep_alive),
        event_handlers: hub.event_handlers.clone(),
    }
}

/// The settings of hubs without a table of their own: those of the hub `*`, else the defaults.
fn other_hubs(resource: &config::Resource, keep_alive: Duration) -> HubSettings {
    let others = resource.hubs.iter().find(|hub| hub.name.is_none());
    others.map(settings).unwrap_or_else(|| HubSettings {
        anonymous: false,
        keep_alive_secs: whole_seconds(keep_alive),
        event_handlers: Vec::new(),
    })
}

fn whole_seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

impl Wired {
    /// What the configuration says about it.
    pub fn config(&self) -> &config::Resource {
        &self.config
    }

    /// What the service knows of it.
    pub fn service(&self) -> &webpubsub::Resource {
        &self.service
    }

    /// Takes over a key that another process has replaced.
    ///
    /// # Errors
    /// When the store fails; the keys in force stay.
    pub async fn reload_keys(&self, store: &KeyStore) -> anyhow::Result<()> {
        let keys = store.keys(&self.config).await?;
        let current = self.service.keys.current();
        if keys.primary() != current.primary() || keys.secondary() != current.secondary() {
            self.service.keys.replace(keys);
            tracing::info!(resource = self.config.name, "access keys replaced");
        }
        Ok(())
    }

    /// The connection string with the primary key, for an address.
    ///
    /// # Errors
    /// When the address is none.
    pub fn connection_string(&self, endpoint: &str) -> anyhow::Result<kernel::Secret> {
        self.connection_string_of(endpoint, KeySlot::Primary)
    }

    /// As [`Wired::connection_string`], with one of the keys.
    ///
    /// # Errors
    /// When the address is none.
    pub fn connection_string_of(
        &self,
        endpoint: &str,
        slot: KeySlot,
    ) -> anyhow::Result<kernel::Secret> {
        let endpoint = wire::Endpoint::parse(endpoint)?;
        let access_key = self.service.keys.current().get(slot).clone();
        Ok(wire::ConnectionString { endpoint, access_key }.build())
    }
}

/// The paths of notification hubs begin with a name that a caller has chosen, so they come last.
async fn rest(push: NotificationHubs, request: Request<Body>) -> Response {
    if NotificationHubs::claims(request.uri()) {
        return push.handle(request).await;
    }
    nobodys(request.method(), request.uri())
}

fn nobodys(method: &Method, uri: &Uri) -> Response {
    if let Some(refusal) = WebPubSub::refuse_unknown(method, uri)
        .or_else(|| Communication::refuse_unknown(method, uri))
        .or_else(|| calling::refuse_unknown(method, uri))
        .or_else(|| EventGrid::refuse_unknown(method, uri))
    {
        return refusal;
    }
    let message = format!(
        "No service here answers {method} {}. Web PubSub has /client/hubs/<hub> for WebSockets and \
         /api/hubs/<hub>/… for REST calls; Event Grid has /topics/<topic>/api/events; \
         Notification Hubs has /<hub>/messages.",
        uri.path()
    );
    let error = Error::new(ErrorKind::NotFound, "Error.NotFound", message);
    Rejection::new(error, Envelope::Text).into_response()
}
