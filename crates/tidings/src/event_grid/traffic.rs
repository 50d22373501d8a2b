//! Events of each topic as metrics.

use std::fmt;
use std::sync::Arc;

use eventgrid::Watch;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

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
                let labels = [("topic", topic.rsplit('/').next().unwrap_or_default())];
                let count = if is_whole { counts.published } else { counts.unmatched };
                ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
