//! The running server, from start to last byte: open the store, bind the ports, serve, wait for a
//! signal, drain, close.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::communication::signaling::Signaling;
use ::management::Authority;
use anyhow::Context as _;
use edge::tls::{CertificateFiles, DevCa, ServerTls};
use edge::{Listener, Tasks};
use gateway::{Close, Gateway};
use kernel::{Clock, SystemClock};
use prometheus_client::registry::Registry;

use crate::addresses::Listening;
use crate::config::{Config, Mode, Server};
use crate::key_store::KeyStore;
use crate::screen::screen;
use crate::signals::Signals;
use crate::started::{ServiceAccess, Started, TopicAccess};
use crate::terminal::{self, Style};
use crate::wiring::{self, Services, Wired};
use crate::{communication, console, management, monitor, playbook, ready, trust};

/// How often certificate files are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(10);
/// How long chat clients may take to move to another server.
const MOVING: Duration = Duration::from_secs(3);
/// How long the last rows of the log tables may take.
const LAST_ROWS: Duration = Duration::from_secs(2);
/// How often the store is asked whether another process has changed keys.
const KEYS_INTERVAL: Duration = Duration::from_secs(1);

/// The name under which commands find the admin listener of a node. No resource can have it.
pub fn admin_of(node: &str) -> String {
    format!(":admin/{node}")
}

/// Serves until the process is told to stop.
///
/// # Errors
/// When the server cannot start, or does not stop cleanly.
pub async fn run(config: Config, ready_file: Option<PathBuf>) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    if let Some(path) = &ready_file {
        ready::clear(path)?;
    }
    let server = Running::start(&config).await?;
    if let Some(path) = &ready_file {
        ready::write(path, &server.started)?;
    }
    if config.mode == Mode::Dev {
        let variables: Vec<(String, String)> = std::env::vars().collect();
        terminal::say(&screen(&server.started, Style::of_stdout(&variables)))?;
    } else {
        let (http, https) = (&server.started.http, server.started.https.as_deref());
        let Started { admin, database, .. } = &server.started;
        tracing::info!(http, https, admin, database, "serving");
    }
    signals.first().await;
    tracing::info!("stopping; connections are told to go away");
    tokio::spawn(signals.second());
    server.stop(config.server.drain).await
}

/// A server that answers.
struct Running {
    started: Started,
    tasks: Tasks,
    gateway: Gateway,
    store: Arc<KeyStore>,
    monitor: monitor::Wired,
    ready: Arc<AtomicBool>,
    signaling: Signaling,
}

impl Running {
    async fn start(config: &Config) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::new(KeyStore::open(config).await?);
        let tls = tls(config, &*clock)?.map(Arc::new);

        let ports = Ports::bind(&config.server, tls.is_some())?;
        let listening = ports.listening(&config.server);
        let tasks = Tasks::new();
        let mut registry = Registry::default();
        let gateway = wiring::gateway(&config.gateway, &clock, &mut registry)?;
        let engine = gateway.clone();
        let mut services =
            wiring::services(config, listening, &store, engine, Arc::clone(&clock), &tasks).await?;

        if let Some(tls) = &tls {
            services.notification_hubs.serve_fake_push(tls, config.server.drain, &tasks).await?;
        }
        let mut started = started(config, &ports, listening, &services, store.engine())?;

        let ready = Arc::new(AtomicBool::new(true));
        services.phones.register(&mut registry);
        services.communication.register(&mut registry);
        services.monitor.register(&mut registry);
        services.event_grid.register(&mut registry);
        services.notification_hubs.service.register(&mut registry);
        let registry = Arc::new(registry);
        services.monitor.counted_in(monitor::Counted {
            registry: Arc::clone(&registry),
            event_grid: services.event_grid.service.clone(),
            notification_hubs: services.notification_hubs.service.clone(),
        });
        let people = services
            .web_pubsub
            .operator_router()
            .merge(services.event_grid.service.operator_router())
            .merge(services.notification_hubs.service.operator_router())
            .merge(services.journeys.operator_router())
            .merge(services.monitor.logs.operator_router());
        let admin = edge::admin::router(registry, readiness(&ready, &gateway))
            .merge(edge::admin::for_people(people));
        let db = store.db().clone();
        let playbook = playbook::playbook(
            config,
            listening,
            db,
            &services,
            admin.clone(),
            Arc::clone(&clock),
        )?;
        let admin = admin.merge(edge::admin::for_people(playbook.operator_router()));
        let console = console::console(config, listening, &store, &services, clock).await?;
        let page = console.router(admin.clone(), services.router.clone());
        services.router = services.router.merge(page);
        let admin = admin.merge(console.admin_router());
        if config.mode == Mode::Dev {
            started.console = Some(console.link().expose().to_owned());
        }
        let node = services.event_grid.node.name();
        store.remember_address(&admin_of(node), &started.admin).await?;
        ports.serve(&tasks, tls.clone(), &services, admin, config.server.drain);
        if let Some(tls) = tls {
            tasks.spawn("certificates", tls.watch(CERTIFICATE_INTERVAL, tasks.token().clone()));
        }
        let Services { resources, communication, monitor, authority, .. } = services;
        let signaling = communication.signaling.clone();
        let watch = watch_keys(Arc::clone(&store), resources, communication, authority);
        let stop = tasks.token().clone();
        tasks.spawn("keys", async move {
            // Whatever it does may be cut short: it changes nothing in the store.
            stop.run_until_cancelled(watch).await;
        });
        Ok(Self { started, tasks, gateway, store, monitor, ready, signaling })
    }

    /// Stops accepting, tells every client (1001), lets requests finish, closes the store.
    async fn stop(self, patience: Duration) -> anyhow::Result<()> {
        self.ready.store(false, Ordering::Relaxed);
        let begun = tokio::time::Instant::now();
        let left = || patience.saturating_sub(begun.elapsed());
        self.signaling.close().await;
        // Listeners stop first, so that who is sent away does not come back; what the closing
        // connections raise is still delivered, since the tasks are waited for only after them.
        self.tasks.token().cancel();
        // Without a gap, if there is another server; otherwise they reconnect when they are closed.
        self.signaling.leave(MOVING.min(patience / 4)).await;
        let goodbye = Close::new(1001, "The server is shutting down.");
        let drained = tokio::time::timeout(left(), self.gateway.drain(goodbye)).await;
        let finished = self.tasks.shutdown(left()).await;
        if drained.is_err() {
            tracing::warn!("some clients did not finish closing in time; their sockets are cut");
            self.gateway.stop();
        }
        if let Err(unfinished) = finished {
            tracing::warn!(%unfinished, "some requests did not finish in time");
        }
        self.monitor.close(LAST_ROWS).await;
        self.store.close().await;
        Ok(())
    }
}

fn readiness(
    ready: &Arc<AtomicBool>,
    gateway: &Gateway,
) -> impl Fn() -> Result<(), String> + Clone + use<> {
    let (ready, gateway) = (Arc::clone(ready), gateway.clone());
    move || match (ready.load(Ordering::Relaxed), gateway.is_running()) {
        (false, _) => Err("shutting down".to_owned()),
        (true, false) => Err("a part of the connection engine has ended".to_owned()),
        (true, true) => Ok(()),
    }
}

/// The bound listeners.
struct Ports {
    http: Listener,
    https: Option<Listener>,
    admin: Listener,
}

impl Ports {
    fn bind(server: &Server, with_tls: bool) -> anyhow::Result<Self> {
        let bind = |address, port, option: &str| match address {
            std::net::IpAddr::V4(it) if it.is_loopback() => Listener::bind_loopback(port, option),
            other => Listener::bind(SocketAddr::new(other, port), option),
        };
        let https = server.https_port.filter(|_| with_tls);
        Ok(Self {
            http: bind(server.bind, server.http_port, "--http-port or server.http_port")?,
            https: https
                .map(|port| bind(server.bind, port, "--https-port or server.https_port"))
                .transpose()?,
            admin: bind(server.admin_bind, server.admin_port, "--admin-port or server.admin_port")?,
        })
    }

    fn listening(&self, server: &Server) -> Listening {
        Listening {
            bind: server.bind,
            http: self.http.local_port(),
            https: self.https.as_ref().map(Listener::local_port),
        }
    }

    fn serve(
        self,
        tasks: &Tasks,
        tls: Option<Arc<ServerTls>>,
        services: &Services,
        admin: axum::Router,
        grace: Duration,
    ) {
        let milestones = services.journeys.milestones.clone();
        let public = edge::layer(services.router.clone()).recording(milestones);
        let serve = |name, listener, tls, app| {
            let stop = tasks.token().clone();
            tasks.spawn(name, async move {
                if let Err(unfinished) = edge::serve(listener, tls, app, stop, grace).await {
                    tracing::warn!(listener = name, %unfinished, "cut off while draining");
                }
            });
        };
        serve("http", self.http, None, public.clone());
        if let Some(listener) = self.https {
            serve("https", listener, tls, public);
        }
        serve("admin", self.admin, None, edge::layer(admin));
    }
}

/// The certificates to serve with: those of the configuration, or in development our own.
fn tls(config: &Config, clock: &dyn Clock) -> anyhow::Result<Option<ServerTls>> {
    let files = match (&config.tls, config.mode) {
        (Some(tls), _) => {
            CertificateFiles { certificate: tls.certificate.clone(), key: tls.key.clone() }
        }
        (None, Mode::Dev) => {
            let folder = tls_folder(&config.data.folder);
            DevCa::load_or_create(&folder, clock.now())?.certificate_files()
        }
        (None, Mode::Serve) => return Ok(None),
    };
    Ok(Some(ServerTls::load(vec![files])?))
}

fn tls_folder(data: &Path) -> PathBuf {
    trust::ca_file(data).parent().map(Path::to_path_buf).unwrap_or_default()
}

fn started(
    config: &Config,
    ports: &Ports,
    listening: Listening,
    services: &Services,
    database: String,
) -> anyhow::Result<Started> {
    let data = std::fs::canonicalize(&config.data.folder).context("cannot find the data folder")?;
    let development = config.mode == Mode::Dev;
    let first = services.resources.first().zip(config.resources.first()).filter(|_| development);
    let access = |(wired, resource): (&Wired, _)| {
        let connection_string = wired.connection_string(&listening.shown(resource))?;
        Ok::<_, anyhow::Error>(ServiceAccess { connection_string })
    };
    let admin =
        Listening { bind: config.server.admin_bind, http: ports.admin.local_port(), https: None };
    Ok(Started {
        http: listening.http_url(),
        https: listening.https_url(),
        admin: admin.http_url(),
        ca: development.then(|| trust::ca_file(&data)),
        data,
        database,
        console: None,
        webpubsub: first.map(access).transpose()?,
        communication: development.then(|| {
            let https = listening.https_url().unwrap_or_else(|| listening.http_url());
            let connection_string = services.communication.connection_string(&https);
            ServiceAccess { connection_string }
        }),
        event_grid: services
            .event_grid
            .development_topic()
            .filter(|_| development)
            .map(|(endpoint, key)| TopicAccess { endpoint, key }),
        notification_hubs: development
            .then(|| services.notification_hubs.development_hub(listening))
            .transpose()?,
    })
}

/// Takes over keys that `tidings keys rotate` has replaced.
async fn watch_keys(
    store: Arc<KeyStore>,
    resources: Vec<Wired>,
    communication: communication::Wired,
    authority: Authority,
) {
    let mut interval = tokio::time::interval(KEYS_INTERVAL);
    let mut seen = None;
    let mut taken_over = None;
    loop {
        interval.tick().await;
        let counter = match store.change_counter().await {
            Ok(counter) => counter,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot look for changed keys");
                continue;
            }
        };
        if seen == Some(counter) {
            continue;
        }
        // Most of what changes in a busy store is no key.
        let sealed = match store.sealed().await {
            Ok(sealed) => sealed,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot look for changed keys");
                continue;
            }
        };
        if taken_over.as_ref() == Some(&sealed) {
            seen = Some(counter);
            continue;
        }
        // A failure is tried again with the next tick, or a replaced key would stay in force.
        if reload_keys(&store, &resources, &communication, &authority).await {
            seen = Some(counter);
            taken_over = Some(sealed);
        }
    }
}

/// Reads all keys again; whether it succeeded with each.
async fn reload_keys(
    store: &KeyStore,
    resources: &[Wired],
    communication: &communication::Wired,
    authority: &Authority,
) -> bool {
    let mut outcomes = Vec::new();
    for resource in resources {
        outcomes.push(resource.reload_keys(store).await);
    }
    outcomes.push(communication.reload_keys(store).await);
    outcomes.push(management::reload_keys(authority, store).await);
    let failures = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    for error in failures.clone() {
        tracing::warn!(error = format!("{error:#}"), "cannot take over changed keys");
    }
    failures.count() == 0
}
