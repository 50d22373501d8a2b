//! How many rows were taken and dropped; and all counters as the Metrics API reads them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use ::monitor::metrics::{Counters, HubMetric, HubValue};
use ::monitor::table::LogTables;
use eventgrid::EventGrid;
use eventgrid::topic::TopicKind;
use notificationhubs::NotificationHubs;
use notificationhubs::metrics::{Kind, Metric};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use wire::ResourceId;

/// Where things are counted, which is whole only after everything has been built.
#[derive(Clone, Default)]
pub(super) struct Registered(Arc<OnceLock<Counted>>);

/// The registry of the node, and the services that the Metrics API asks beside it.
pub struct Counted {
    /// All counters.
    pub registry: Arc<Registry>,
    /// Whose topics there are.
    pub event_grid: EventGrid,
    /// Whose hubs there are.
    pub notification_hubs: NotificationHubs,
}

impl Registered {
    /// The first one stays.
    pub(super) fn set(&self, counted: Counted) {
        let _ = self.0.set(counted);
    }
}

/// What every notification hub counts.
pub(super) fn hub_metrics() -> impl Iterator<Item = HubMetric> {
    notificationhubs::metrics::METRICS.iter().map(hub_metric)
}

fn hub_metric(metric: &Metric) -> HubMetric {
    let is_state = metric.kind == Kind::Gauge;
    HubMetric { name: metric.name, description: metric.help, is_state }
}

impl Counters for Registered {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(counted) = self.0.get()
            && prometheus_client::encoding::text::encode(&mut text, &counted.registry).is_err()
        {
            tracing::warn!("the metrics cannot be written down");
        }
        text
    }

    fn hubs(&self) -> Vec<HubValue> {
        let all = self.0.get().into_iter().flat_map(|it| it.notification_hubs.all_metrics());
        all.map(|(namespace, hub, metric, value)| HubValue {
            namespace,
            hub,
            metric: hub_metric(metric),
            value,
        })
        .collect()
    }

    fn source_of(&self, system_topic: &ResourceId) -> Option<String> {
        match self.0.get()?.event_grid.topic(system_topic).ok()?.kind {
            TopicKind::System(topic) => Some(topic.source.to_string()),
            TopicKind::Custom(_) => None,
        }
    }
}

/// The tallies of all tables.
pub(super) struct Rows(pub LogTables);

impl fmt::Debug for Rows {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Rows")
    }
}

impl Collector for Rows {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let tallies = self.0.tallies();
        let (name, help) = ("tidings_log_rows", "Rows taken into the log tables");
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (table, tally) in &tallies {
            let labels = [("table", *table)];
            ConstCounter::new(tally.taken).encode(metric.encode_family(&labels)?)?;
        }
        let name = "tidings_log_rows_dropped";
        let help = "Rows that the log tables did not take, or dropped before they were stored";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (table, tally) in &tallies {
            for (reason, count) in [("rate", tally.too_many), ("store", tally.too_slow)] {
                let labels = [("table", *table), ("reason", reason)];
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
