//! How many rows were taken and dropped; and all counters as the Metrics API reads them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use ::monitor::metrics::Counters;
use ::monitor::table::LogTables;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

/// The registry of the node, which is whole only after everything has been built.
#[derive(Clone, Default)]
pub(super) struct Registered(Arc<OnceLock<Arc<Registry>>>);

impl Registered {
    /// The first one stays.
    pub(super) fn set(&self, registry: Arc<Registry>) {
        let _ = self.0.set(registry);
    }
}

impl Counters for Registered {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(registry) = self.0.get()
            && prometheus_client::encoding::text::encode(&mut text, registry).is_err()
        {
            tracing::warn!("the metrics cannot be written down");
        }
        text
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
