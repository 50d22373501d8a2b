//! Events of each topic, and the work of each event subscription's filter, as metrics.
//!
//! A topic is told by its name and its type: what raises system events may be named as a topic is.

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
        let traffic = self.0.traffic();
        let published = ("tidings_eventgrid_events_published", "Events that topics have taken");
        let unmatched =
            ("tidings_eventgrid_events_unmatched", "Events that no event subscription wanted");
        for (is_whole, (name, help)) in [(true, published), (false, unmatched)] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (topic, counts) in &traffic {
                let source = Source::of(topic);
                let labels = [("topic_type", &source.topic_type), ("topic", &source.topic)];
                let count = if is_whole { counts.published } else { counts.unmatched };
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        let name = "tidings_eventgrid_advanced_filter_evaluations";
        let help = "Advanced filters that were evaluated for an event";
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (key, count) in self.0.advanced_filters() {
            let (scope, name) = key.split_once('|').unwrap_or((&key, ""));
            let source = Source::of(scope);
            let labels = [
                ("topic_type", source.topic_type.as_str()),
                ("topic", &source.topic),
                ("event_subscription", name),
            ];
            ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
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
