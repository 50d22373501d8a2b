//! Events of each topic, and the work of each event subscription's filter, as metrics.
//!
//! A topic is told by its name and its type: what raises system events may be named as a topic is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use eventgrid::Watch;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use wire::ResourceId;

/// The counts of all topics.
pub(super) struct Traffic(pub Arc<Watch>);

impl fmt::Debug for Traffic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Traffic")
    }
}

impl Collector for Traffic {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (mut published, mut unmatched) = (Sums::default(), Sums::default());
        for (topic, counts) in self.0.traffic() {
            published.add(&topic, None, counts.published);
            unmatched.add(&topic, None, counts.unmatched);
        }
        let mut evaluated = Sums::default();
        for (key, count) in self.0.advanced_filters() {
            let (scope, name) = key.split_once('|').unwrap_or((&key, ""));
            evaluated.add(scope, Some(name), count);
        }
        for (name, help, sums) in [
            ("events_published", "Events that topics have taken", published),
            ("events_unmatched", "Events that no event subscription wanted", unmatched),
            (
                "advanced_filter_evaluations",
                "Advanced filters that were evaluated for an event",
                evaluated,
            ),
        ] {
            let name = format!("tidings_eventgrid_{name}");
            let mut metric = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
            for (labels, sum) in &sums.0 {
                ConstCounter::new(*sum).encode(metric.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

/// Counts by their labels. Topics of one name may be in several resource groups: labels must not come
/// twice, so those are added up.
#[derive(Debug, Default)]
struct Sums(BTreeMap<Vec<(&'static str, String)>, u64>);

impl Sums {
    fn add(&mut self, source: &str, event_subscription: Option<&str>, count: u64) {
        let Source { topic_type, topic } = Source::of(source);
        let mut labels = vec![("topic_type", topic_type), ("topic", topic)];
        labels.extend(event_subscription.map(|name| ("event_subscription", name.to_owned())));
        *self.0.entry(labels).or_default() += count;
    }
}

/// What raises events, as labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The type of the topic or resource, in lower case.
    pub topic_type: String,
    /// Its name.
    pub topic: String,
}

impl Source {
    /// The topic or resource with this id.
    pub(crate) fn of(id: &str) -> Self {
        let (topic_type, topic) = match ResourceId::parse(id) {
            Ok(id) => (id.resource_type().to_ascii_lowercase(), id.name().to_owned()),
            Err(_) => (String::new(), id.rsplit('/').next().unwrap_or_default().to_owned()),
        };
        Self { topic_type, topic }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_and_a_resource_of_one_name_stay_apart_and_namesakes_are_added_up() {
        let mut sums = Sums::default();
        let id = |group: &str, kind: &str| {
            format!("/subscriptions/s/resourceGroups/{group}/providers/{kind}/local")
        };
        for (group, kind, count) in [
            ("a", "Microsoft.EventGrid/topics", 1),
            ("a", "Microsoft.Communication/CommunicationServices", 2),
            ("b", "microsoft.eventgrid/topics", 4),
        ] {
            sums.add(&id(group, kind), Some("sub"), count);
        }
        let counts: Vec<_> = sums.0.values().copied().collect();
        assert_eq!(counts, [2, 5]);
    }
}
