//! Journeys over the store: who records them, who keeps them, and who else is told.

use std::sync::Arc;

use ::monitor::journey::Journeys;
use ::monitor::journey::otlp::{Collector, Exporter};
use anyhow::Context as _;
use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use edge::Tasks;
use edge::outbound::{AddressPolicy, Outbound};
use kernel::{Clock, Milestones};
use storage::Db;

use crate::config::{self, Config};

/// Journeys, recorded and kept.
#[derive(Clone)]
pub struct Wired {
    /// What services record with.
    pub milestones: Milestones,
    journeys: Journeys,
}

impl Wired {
    /// Begins to keep what is recorded, in `db`.
    ///
    /// # Errors
    /// When the store fails, or the collector of the configuration cannot be used.
    pub async fn new(
        config: &Config,
        db: Db,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> anyhow::Result<Self> {
        let settings = &config.journeys;
        let milestones = Milestones::new(Arc::clone(&clock), settings.bounds);
        let collector = settings.collector.as_ref();
        let exporter = collector.map(|it| exporter(config, it, tasks)).transpose()?;
        let journeys =
            Journeys::open(db, milestones.clone(), settings.retention, clock, exporter).await?;
        let (keeper, stop) = (journeys.clone(), tasks.token().clone());
        tasks.spawn("journeys", async move { keeper.run(stop).await });
        Ok(Self { milestones, journeys })
    }

    /// What is kept.
    pub fn kept(&self) -> Journeys {
        self.journeys.clone()
    }

    /// What people at the server see.
    pub fn operator_router(&self) -> Router {
        self.journeys.operator_router()
    }
}

/// The way to the collector. Its address is the operator's own, so it may be anywhere.
fn exporter(
    config: &Config,
    wanted: &config::Collector,
    tasks: &Tasks,
) -> anyhow::Result<Exporter> {
    let extra_ca = config.outbound.extra_ca_file.as_deref();
    let outbound = Outbound::new(AddressPolicy::everything(), extra_ca)?;
    let header = |(name, value): &(String, kernel::Secret)| {
        let name = HeaderName::try_from(name).ok()?;
        let mut value = HeaderValue::from_str(value.expose()).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    };
    let headers: Option<Vec<_>> = wanted.headers.iter().map(header).collect();
    let collector = Collector {
        url: wanted.url.parse().context("the address of the collector is no URL")?,
        headers: headers.context("OTEL_EXPORTER_OTLP_HEADERS has a name or value that is none")?,
        node: instance(config),
    };
    let (exporter, sending) = Exporter::new(collector, outbound, tasks.token().clone());
    tasks.spawn("spans", sending);
    Ok(exporter)
}

/// What tells this server's spans from those of others.
fn instance(config: &Config) -> String {
    format!("{}:{}", config.data.folder.display(), std::process::id())
}
