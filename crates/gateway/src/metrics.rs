//! What the engine counts, one series a shard, so that no two threads write to one counter.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = [(&'static str, String); 1];

/// The families; made once a node.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    connections: Family<Labels, Gauge>,
    opened: Family<Labels, Counter>,
    publications: Family<Labels, Counter>,
    encodings: Family<Labels, Counter>,
    deliveries: Family<Labels, Counter>,
    writes: Family<Labels, Counter>,
    bytes_out: Family<Labels, Counter>,
    bytes_in: Family<Labels, Counter>,
    slow_closes: Family<Labels, Counter>,
    silent_closes: Family<Labels, Counter>,
}

/// One shard's series.
pub(crate) struct ShardMetrics {
    pub(crate) connections: Gauge,
    pub(crate) opened: Counter,
    pub(crate) publications: Counter,
    pub(crate) encodings: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) writes: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) slow_closes: Counter,
    pub(crate) silent_closes: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let gateway = registry.sub_registry_with_prefix("tidings_gateway");
        let m = metrics.clone();
        gateway.register("connections", "Client connections", m.connections);
        gateway.register("connections_opened", "Client connections opened", m.opened);
        gateway.register("publications", "Publications taken by a shard", m.publications);
        gateway.register("encodings", "Publications encoded, once per wire form", m.encodings);
        gateway.register("deliveries", "Publications handed to a connection", m.deliveries);
        gateway.register("writes", "Writes to sockets", m.writes);
        gateway.register("sent_bytes", "Bytes written to sockets", m.bytes_out);
        gateway.register("received_bytes", "Bytes read from sockets", m.bytes_in);
        gateway.register(
            "slow_closes",
            "Connections closed because their queue was full",
            m.slow_closes,
        );
        gateway.register(
            "silent_closes",
            "Connections closed because pings stayed unanswered",
            m.silent_closes,
        );
        metrics
    }

    pub(crate) fn shard(&self, shard: u8) -> ShardMetrics {
        let labels = [("shard", shard.to_string())];
        ShardMetrics {
            connections: self.connections.get_or_create_owned(&labels),
            opened: self.opened.get_or_create_owned(&labels),
            publications: self.publications.get_or_create_owned(&labels),
            encodings: self.encodings.get_or_create_owned(&labels),
            deliveries: self.deliveries.get_or_create_owned(&labels),
            writes: self.writes.get_or_create_owned(&labels),
            bytes_out: self.bytes_out.get_or_create_owned(&labels),
            bytes_in: self.bytes_in.get_or_create_owned(&labels),
            slow_closes: self.slow_closes.get_or_create_owned(&labels),
            silent_closes: self.silent_closes.get_or_create_owned(&labels),
        }
    }
}
