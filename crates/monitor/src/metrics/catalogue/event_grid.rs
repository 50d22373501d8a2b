//! What Event Grid counts: of custom topics, of what resources of this installation publish about
//! themselves, and of each event subscription.
//!
//! Nothing is ever dropped (what is given up is kept as a dead letter), so there is no
//! `DroppedEventCount`; nobody publishes to a system topic over HTTP, so those have no latency and no
//! refusals.

use std::borrow::Cow;

use super::{Aggregation, Measure, Metric, Namespace, counted};

const fn namespace(name: &'static str, metrics: &'static [Metric]) -> Namespace {
    Namespace { name, metrics: Cow::Borrowed(metrics) }
}

pub(super) const NAMESPACES: [Namespace; 4] = [
    namespace(
        "Microsoft.EventGrid/topics",
        &[
            PUBLISHED,
            REFUSED,
            LATENCY,
            UNMATCHED,
            matched(OF_TOPIC),
            delivered(OF_TOPIC),
            failed(FAILURES_OF_TOPIC),
            duration(OF_TOPIC),
            dead_lettered(DEATHS_OF_TOPIC),
            EVALUATED,
        ],
    ),
    namespace(
        "Microsoft.EventGrid/systemTopics",
        &[
            PUBLISHED,
            UNMATCHED,
            matched(OF_TOPIC),
            delivered(OF_TOPIC),
            failed(FAILURES_OF_TOPIC),
            duration(OF_TOPIC),
            dead_lettered(DEATHS_OF_TOPIC),
            EVALUATED,
        ],
    ),
    namespace("Microsoft.EventGrid/extensionTopics", &[PUBLISHED, UNMATCHED]),
    namespace(
        "Microsoft.EventGrid/eventSubscriptions",
        &[matched(&[]), delivered(&[]), failed(FAILURES), duration(&[]), dead_lettered(DEATHS)],
    ),
];

type Dimensions = &'static [(&'static str, &'static str)];

const SUBSCRIPTION: (&str, &str) = ("EventSubscriptionName", "event_subscription");
const ERROR: (&str, &str) = ("Error", "reason");
const ERROR_TYPE: (&str, &str) = ("ErrorType", "error_type");
const DEATH: (&str, &str) = ("DeadLetterReason", "reason");

const OF_TOPIC: Dimensions = &[SUBSCRIPTION];
const FAILURES: Dimensions = &[ERROR, ERROR_TYPE];
const FAILURES_OF_TOPIC: Dimensions = &[ERROR, ERROR_TYPE, SUBSCRIPTION];
const DEATHS: Dimensions = &[DEATH];
const DEATHS_OF_TOPIC: Dimensions = &[DEATH, SUBSCRIPTION];

const PUBLISHED: Metric = counted(
    "PublishSuccessCount",
    "Published Events",
    "tidings_eventgrid_events_published_total",
    &[],
);

const REFUSED: Metric = counted(
    "PublishFailCount",
    "Publish Failed Events",
    "tidings_eventgrid_publish_failures_total",
    &[ERROR_TYPE, ("Error", "error")],
);

const LATENCY: Metric = Metric {
    unit: "MilliSeconds",
    scale: 1000.0,
    ..counted(
        "PublishSuccessLatencyInMs",
        "Publish Success Latency",
        "tidings_eventgrid_publish_seconds_sum",
        &[],
    )
};

const UNMATCHED: Metric = counted(
    "UnmatchedEventCount",
    "Unmatched Events",
    "tidings_eventgrid_events_unmatched_total",
    &[],
);

const EVALUATED: Metric = counted(
    "AdvancedFilterEvaluationCount",
    "Advanced Filter Evaluations",
    "tidings_eventgrid_advanced_filter_evaluations_total",
    OF_TOPIC,
);

const fn matched(dimensions: Dimensions) -> Metric {
    let source = "tidings_eventgrid_events_matched_total";
    counted("MatchedEventCount", "Matched Events", source, dimensions)
}

const fn delivered(dimensions: Dimensions) -> Metric {
    let source = "tidings_eventgrid_events_delivered_total";
    counted("DeliverySuccessCount", "Delivered Events", source, dimensions)
}

const fn failed(dimensions: Dimensions) -> Metric {
    let source = "tidings_eventgrid_attempts_failed_total";
    counted("DeliveryAttemptFailCount", "Delivery Failed Events", source, dimensions)
}

const fn duration(dimensions: Dimensions) -> Metric {
    let (name, display) = ("DestinationProcessingDurationInMs", "Destination Processing Duration");
    Metric {
        unit: "MilliSeconds",
        scale: 1000.0,
        primary: Aggregation::Average,
        measure: Measure::Mean { of: "tidings_eventgrid_attempt_seconds_count" },
        ..counted(name, display, "tidings_eventgrid_attempt_seconds_sum", dimensions)
    }
}

const fn dead_lettered(dimensions: Dimensions) -> Metric {
    let source = "tidings_eventgrid_dead_letters_total";
    counted("DeadLetteredCount", "Dead Lettered Events", source, dimensions)
}
