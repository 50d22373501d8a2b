//! What Notification Hubs count, by their own catalogue.

use super::{Aggregation, Measure, Metric, Namespace, counted};
use crate::metrics::exposition::Series;

const NAME: &str = "Microsoft.NotificationHubs/namespaces/notificationHubs";
/// The sources of values that come from outside: counters, and gauges.
const GROWS: &str = "notification hub, counter";
const STANDS: &str = "notification hub, gauge";

/// A documented metric of notification hubs. It has no dimension but the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubMetric {
    /// Its documented name; dots are part of it.
    pub name: &'static str,
    /// What it tells.
    pub description: &'static str,
    /// Whether it is the present state; else it only grows.
    pub is_state: bool,
}

/// What a metric of a notification hub is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubValue {
    /// The namespace that the hub is in.
    pub namespace: String,
    /// The hub.
    pub hub: String,
    /// Which metric.
    pub metric: HubMetric,
    /// Its value: since the server has started, or the present state.
    pub value: i64,
}

impl HubValue {
    /// As a series like any other.
    pub(in crate::metrics) fn series(&self) -> Series<'_> {
        let labels = [
            ("namespace", self.namespace.as_str()),
            ("hub", self.hub.as_str()),
            ("metric", self.metric.name),
        ];
        Series { name: self.metric.source(), labels: labels.into(), value: self.value as f64 }
    }
}

impl HubMetric {
    const fn source(self) -> &'static str {
        if self.is_state { STANDS } else { GROWS }
    }
}

pub(super) fn namespace(hubs: impl IntoIterator<Item = HubMetric>) -> Namespace {
    let metrics = hubs.into_iter().map(|it| Metric {
        // The documents list every one with this aggregation, states too.
        primary: Aggregation::Total,
        measure: if it.is_state { Measure::State } else { Measure::Growth },
        only: Some(("metric", it.name)),
        ..counted(it.name, it.description, it.source(), &[])
    });
    Namespace { name: NAME, metrics: metrics.collect() }
}
