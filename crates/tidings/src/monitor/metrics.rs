//! What the documented metrics of the services count; docs/monitor.md maps their names to ours.
//!
//! Fed by what feeds the log tables, whether or not those are written. Labels are bounded: names of
//! resources and event subscriptions, operations, statuses, categories.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use delivery::DeliveryId;
use eventgrid::outcome::Outcome;
use eventgrid::topic::TOPICS;
use kernel::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use webpubsub::session::Ending;

use super::call::Call;
use super::operations::Operation;
use crate::event_grid::traffic::Source;

/// Upper bounds in seconds, from a filter that matches at once to a webhook's time limit.
const SECONDS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 60.0];
/// Attempts whose beginning is remembered; further ones have no duration.
const MAX_ATTEMPTS: usize = 65_536;

/// The families. Cheap to clone; clones count together.
#[derive(Clone, Default)]
pub(super) struct Metrics {
    connections: Family<Resource, Gauge>,
    opened: Family<Resource, Counter>,
    closed: Family<Closed, Counter>,
    clients: Family<Client, Counter>,
    rest: Family<Rest, Counter>,
    communication: Family<Operated, Counter>,
    publish_seconds: Timed<Topic>,
    publish_failures: Family<PublishFailure, Counter>,
    matched: Family<Subscription, Counter>,
    delivered: Family<Subscription, Counter>,
    failed: Family<Failed, Counter>,
    dead: Family<GivenUp, Counter>,
    attempt_seconds: Timed<Subscription>,
    attempts: Arc<Mutex<HashMap<DeliveryId, Timestamp>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Resource {
    resource: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closed {
    resource: String,
    category: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Client {
    resource: String,
    client_type: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rest {
    resource: String,
    category: &'static str,
    response_time: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operated {
    service: &'static str,
    operation: &'static str,
    status_code: u16,
    status_class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Topic {
    topic_type: String,
    topic: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PublishFailure {
    topic_type: String,
    topic: String,
    error_type: &'static str,
    error: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Subscription {
    topic_type: String,
    topic: String,
    event_subscription: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failed {
    topic_type: String,
    topic: String,
    event_subscription: String,
    reason: String,
    error_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GivenUp {
    topic_type: String,
    topic: String,
    event_subscription: String,
    reason: String,
}

/// Durations by labels.
#[derive(Clone)]
struct Timed<L>(Family<L, Histogram, Buckets>);

/// Makes histograms.
#[derive(Clone, Debug, Default)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(SECONDS)
    }
}

impl<L: Clone + Eq + Hash> Default for Timed<L> {
    fn default() -> Self {
        Self(Family::new_with_constructor(Buckets))
    }
}

impl Metrics {
    /// Has everything told with the metrics of the node.
    pub(super) fn register(&self, registry: &mut Registry) {
        let m = self.clone();
        let hubs = registry.sub_registry_with_prefix("tidings_webpubsub");
        hubs.register("connections", "Clients that are connected", m.connections);
        hubs.register("connections_opened", "Clients that have connected", m.opened);
        hubs.register("connections_closed", "Clients that have gone, by category", m.closed);
        hubs.register("client_requests", "Requests of clients to connect, by status", m.clients);
        hubs.register("rest_requests", "REST calls, by operation and time taken", m.rest);
        let communication = registry.sub_registry_with_prefix("tidings_communication");
        let help = "Calls of chat and of identities, by operation and status";
        communication.register("requests", help, m.communication);
        let grid = registry.sub_registry_with_prefix("tidings_eventgrid");
        grid.register("publish_seconds", "Publications that were taken", m.publish_seconds.0);
        grid.register("publish_failures", "Publications that were refused", m.publish_failures);
        grid.register("events_matched", "Events that a filter let pass", m.matched);
        grid.register("events_delivered", "Events that were delivered", m.delivered);
        grid.register("attempts_failed", "Attempts to deliver that failed", m.failed);
        grid.register("dead_letters", "Events that were given up", m.dead);
        grid.register("attempt_seconds", "What destinations took to answer", m.attempt_seconds.0);
    }

    pub(super) fn client_came(&self, resource: &str) {
        let resource = Resource { resource: resource.to_owned() };
        self.connections.get_or_create(&resource).inc();
        self.opened.get_or_create(&resource).inc();
    }

    pub(super) fn client_went(&self, resource: &str, ending: Ending) {
        let resource = resource.to_owned();
        self.connections.get_or_create(&Resource { resource: resource.clone() }).dec();
        self.closed.get_or_create(&Closed { resource, category: ending.name() }).inc();
    }

    pub(super) fn client_asked(&self, resource: &str, status: u16) {
        let resource = resource.to_owned();
        // One kind of clients is spoken.
        self.clients.get_or_create(&Client { resource, client_type: "WebPubSub", status }).inc();
    }

    pub(super) fn hub_called(&self, resource: &str, operation: &Operation<'_>, call: &Call) {
        let rest = Rest {
            resource: resource.to_owned(),
            category: operation.name,
            response_time: response_time(call.took),
            status: call.status,
        };
        self.rest.get_or_create(&rest).inc();
    }

    pub(super) fn communication_called(&self, operation: &Operation<'_>, call: &Call) {
        let service = match operation.service {
            super::operations::Service::Identity => "authentication",
            _ => "chat",
        };
        let operated = Operated {
            service,
            operation: operation.name,
            status_code: call.status,
            status_class: status_class(call.status),
        };
        self.communication.get_or_create(&operated).inc();
    }

    /// A custom topic was published to.
    pub(super) fn published(&self, topic: &str, call: &Call) {
        let (topic_type, topic) = (TOPICS.to_ascii_lowercase(), topic.to_owned());
        if call.status < 400 {
            let histogram = self.publish_seconds.0.get_or_create(&Topic { topic_type, topic });
            return histogram.observe(call.took.as_secs_f64());
        }
        let error_type = if call.status < 500 { USER_ERROR } else { SERVER_ERROR };
        let failure = PublishFailure { topic_type, topic, error_type, error: call.status };
        self.publish_failures.get_or_create(&failure).inc();
    }

    pub(super) fn event_matched(&self, target: &str) {
        self.matched.get_or_create(&subscription(target)).inc();
    }

    pub(super) fn attempt_begun(&self, id: DeliveryId, now: Timestamp) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() < MAX_ATTEMPTS {
            attempts.insert(id, now);
        }
    }

    fn attempt_ended(&self, target: &str, id: DeliveryId, now: Timestamp) {
        let begun = self.attempts.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(begun) = begun {
            let histogram = self.attempt_seconds.0.get_or_create(&subscription(target));
            histogram.observe(now.since(begun).as_secs_f64());
        }
    }

    pub(super) fn event_delivered(&self, target: &str, id: DeliveryId, now: Timestamp) {
        self.attempt_ended(target, id, now);
        self.delivered.get_or_create(&subscription(target)).inc();
    }

    pub(super) fn attempt_failed(&self, target: &str, id: DeliveryId, why: &str, now: Timestamp) {
        self.attempt_ended(target, id, now);
        self.failed.get_or_create(&failed(target, why)).inc();
    }

    pub(super) fn event_given_up(&self, target: &str, reason: &str) {
        let Subscription { topic_type, topic, event_subscription } = subscription(target);
        let reason = reason.to_owned();
        let given_up = GivenUp { topic_type, topic, event_subscription, reason };
        self.dead.get_or_create(&given_up).inc();
    }
}

/// A target of deliveries: the id of what raises the events, and the name of the event subscription.
fn subscription(target: &str) -> Subscription {
    let (id, name) = target.split_once('|').unwrap_or((target, ""));
    let Source { topic_type, topic } = Source::of(id);
    Subscription { topic_type, topic, event_subscription: name.to_owned() }
}

fn failed(target: &str, reason: &str) -> Failed {
    let Subscription { topic_type, topic, event_subscription } = subscription(target);
    let error_type = error_type(reason);
    Failed { topic_type, topic, event_subscription, reason: reason.to_owned(), error_type }
}

const USER_ERROR: &str = "UserError";
const SERVER_ERROR: &str = "ServerError";

/// Whose fault an attempt's end is, in the words that publications have: the same request would be
/// refused again, or the destination could not answer it.
fn error_type(outcome: &str) -> &'static str {
    match Outcome::named(outcome) {
        Some(
            Outcome::NotFound
            | Outcome::Unauthorized
            | Outcome::Forbidden
            | Outcome::BadRequest
            | Outcome::PayloadTooLarge
            | Outcome::Disabled,
        ) => USER_ERROR,
        _ => SERVER_ERROR,
    }
}

/// The name at the end of an id.
pub(super) fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// The values that the documentation gives to the dimension `ResponseTime`.
fn response_time(took: Duration) -> &'static str {
    match took.as_millis() {
        0..100 => "LessThan100ms",
        100..500 => "LessThan500ms",
        500..1_000 => "LessThan1s",
        1_000..5_000 => "LessThan5s",
        _ => "GreaterThan5s",
    }
}

fn status_class(status: u16) -> &'static str {
    match status {
        ..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_statuses_have_the_documented_classes() {
        let times = [99, 100, 999, 4_999, 5_000].map(Duration::from_millis).map(response_time);
        let expected =
            ["LessThan100ms", "LessThan500ms", "LessThan1s", "LessThan5s", "GreaterThan5s"];
        assert_eq!(times, expected);
        assert_eq!([201, 304, 404, 503].map(status_class), ["2xx", "3xx", "4xx", "5xx"]);
    }

    #[test]
    fn a_failure_is_the_fault_of_whoever_can_mend_it() {
        let types = ["Unauthorized", "Disabled", "Busy", "TimedOut"].map(error_type);
        assert_eq!(types, [USER_ERROR, USER_ERROR, SERVER_ERROR, SERVER_ERROR]);
    }

    #[test]
    fn an_attempt_has_a_duration_once() {
        let (metrics, second) = (Metrics::default(), Timestamp::from_secs);
        let id = DeliveryId::from_bytes([0; 16]);
        metrics.attempt_begun(id, second(1));
        let target =
            "/subscriptions/s/resourcegroups/g/providers/microsoft.eventgrid/topics/orders|sub";
        metrics.event_delivered(target, id, second(3));
        metrics.event_delivered(target, id, second(4));
        assert!(metrics.attempts.lock().unwrap().is_empty());
        let labels = subscription(target);
        assert_eq!((labels.topic.as_str(), labels.event_subscription.as_str()), ("orders", "sub"));
        assert_eq!(metrics.delivered.get_or_create(&labels).get(), 2);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let expected = "tidings_eventgrid_attempt_seconds_sum{topic_type=\"microsoft.eventgrid/topics\",topic=\"orders\",event_subscription=\"sub\"} 2.0";
        assert!(text.contains(expected), "{text}");
    }
}
