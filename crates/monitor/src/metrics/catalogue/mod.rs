//! The documented metrics: name, unit, dimensions, and which counter of ours each one is.
//!
//! One file a service. Notification Hubs have a catalogue of their own, so theirs comes from outside
//! ([`HubMetric`]). Only what is really counted is here: a metric that nothing feeds is unknown.

mod communication;
mod event_grid;
mod notification_hubs;
mod resource;
mod web_pubsub;

use std::borrow::Cow;
use std::collections::HashMap;

pub use notification_hubs::{HubMetric, HubValue};
pub(super) use resource::{Labels, Resource};

/// How values of a metric are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregation {
    Average,
    Count,
    Maximum,
    Minimum,
    Total,
}

impl Aggregation {
    /// The one with this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [Self::Average, Self::Count, Self::Maximum, Self::Minimum, Self::Total];
        all.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Average => "Average",
            Self::Count => "Count",
            Self::Maximum => "Maximum",
            Self::Minimum => "Minimum",
            Self::Total => "Total",
        }
    }
}

/// What the number of a minute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// What a counter has grown by.
    Growth,
    /// What a gauge stood at.
    State,
    /// What a sum has grown by, for each one that another counter has grown by.
    Mean {
        /// The counter of how many the sum is of.
        of: &'static str,
    },
}

/// A documented metric.
#[derive(Clone, Debug)]
pub(super) struct Metric {
    pub name: &'static str,
    pub display: &'static str,
    pub unit: &'static str,
    pub primary: Aggregation,
    pub measure: Measure,
    /// Its dimensions, each with our label.
    pub dimensions: &'static [(&'static str, &'static str)],
    /// Our counter or gauge.
    pub source: &'static str,
    /// Which series of it, if not all.
    pub only: Option<(&'static str, &'static str)>,
    /// What a value is multiplied by to be in the unit.
    pub scale: f64,
}

/// The metrics of a type of resources.
#[derive(Clone, Debug)]
pub(super) struct Namespace {
    pub name: &'static str,
    pub metrics: Cow<'static, [Metric]>,
}

impl Metric {
    pub(super) fn supported(&self) -> &'static [Aggregation] {
        use Aggregation::{Average, Count, Maximum, Minimum, Total};
        match (self.measure, self.primary) {
            (Measure::Mean { .. }, _) => &[Average],
            (Measure::State, Total) => &[Total, Average, Maximum, Minimum],
            (Measure::State, _) => &[Average, Maximum, Minimum],
            (Measure::Growth, Count) => &[Count, Total],
            (Measure::Growth, _) => &[Total, Count],
        }
    }
}

const fn counted(
    name: &'static str,
    display: &'static str,
    source: &'static str,
    dimensions: &'static [(&'static str, &'static str)],
) -> Metric {
    Metric {
        name,
        display,
        unit: "Count",
        primary: Aggregation::Total,
        measure: Measure::Growth,
        dimensions,
        source,
        only: None,
        scale: 1.0,
    }
}

/// Every namespace, and what their metrics are read from.
#[derive(Debug)]
pub(super) struct Catalogue {
    namespaces: Vec<Namespace>,
    /// Whether each source is a gauge.
    sources: HashMap<&'static str, bool>,
}

impl Catalogue {
    /// The catalogue, with what Notification Hubs count.
    pub(super) fn new(hubs: impl IntoIterator<Item = HubMetric>) -> Self {
        let own = [web_pubsub::NAMESPACE, communication::NAMESPACE];
        let own = own.into_iter().chain(event_grid::NAMESPACES);
        let namespaces: Vec<_> = own.chain([notification_hubs::namespace(hubs)]).collect();
        let mut sources = HashMap::new();
        for metric in namespaces.iter().flat_map(|it| it.metrics.iter()) {
            sources.insert(metric.source, metric.measure == Measure::State);
            if let Measure::Mean { of } = metric.measure {
                sources.insert(of, false);
            }
        }
        Self { namespaces, sources }
    }

    /// Whether a series of ours with this name is a gauge; none when no metric is read from it.
    pub(super) fn is_gauge(&self, source: &str) -> Option<bool> {
        self.sources.get(source).copied()
    }

    /// The namespace with this name, in any case.
    pub(super) fn namespace(&self, name: &str) -> Option<&Namespace> {
        self.namespaces.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// The names of all namespaces.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.namespaces.iter().map(|it| it.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_in_their_namespace() {
        let hub = |name| HubMetric { name, description: "x", is_state: false };
        let catalogue = Catalogue::new(["incoming", "incoming.all.requests"].map(hub));
        for namespace in &catalogue.namespaces {
            let mut names: Vec<_> = namespace.metrics.iter().map(|it| it.name).collect();
            assert!(!names.is_empty(), "{}", namespace.name);
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), namespace.metrics.len(), "{}", namespace.name);
        }
    }

    #[test]
    fn no_source_is_a_counter_here_and_a_gauge_there() {
        let catalogue = Catalogue::new([]);
        for metric in catalogue.namespaces.iter().flat_map(|it| it.metrics.iter()) {
            let is_state = metric.measure == Measure::State;
            assert_eq!(catalogue.is_gauge(metric.source), Some(is_state), "{}", metric.name);
            assert!(metric.supported().contains(&metric.primary), "{}", metric.name);
        }
        assert_eq!(catalogue.is_gauge("other_total"), None);
    }
}
