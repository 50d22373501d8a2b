//! The documented metrics: name, unit, dimensions, and which counter of ours each one is.

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

/// A documented metric.
#[derive(Debug)]
pub(super) struct Metric {
    pub name: &'static str,
    pub display: &'static str,
    pub unit: &'static str,
    pub primary: Aggregation,
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
#[derive(Debug)]
pub(super) struct Namespace {
    pub name: &'static str,
    /// The label with the name of the resource; none where a server has one resource of the type.
    pub label: Option<&'static str>,
    pub metrics: &'static [Metric],
}

impl Metric {
    /// Whether it counts up, so that its value in a minute is a difference.
    pub(super) fn is_counter(&self) -> bool {
        self.primary != Aggregation::Average
    }

    pub(super) fn supported(&self) -> &'static [Aggregation] {
        match self.primary {
            Aggregation::Average => {
                &[Aggregation::Average, Aggregation::Maximum, Aggregation::Minimum]
            }
            Aggregation::Count => &[Aggregation::Count, Aggregation::Total],
            _ => &[Aggregation::Total, Aggregation::Count],
        }
    }
}

const fn counted(
    name: &'static str,
    display: &'static str,
    source: &'static str,
    dimensions: &'static [(&'static str, &'static str)],
) -> Metric {
    let (unit, primary) = ("Count", Aggregation::Total);
    Metric { name, display, unit, primary, dimensions, source, only: None, scale: 1.0 }
}

const CALLS: &str = "tidings_communication_requests_total";
const CALL: &[(&str, &str)] = &[
    ("Operation", "operation"),
    ("StatusCode", "status_code"),
    ("StatusCodeClass", "status_class"),
    // What concept pages call it.
    ("StatusSubClass", "status_class"),
];
const SUBSCRIPTION: (&str, &str) = ("EventSubscriptionName", "event_subscription");

/// Every namespace.
pub(super) static NAMESPACES: &[Namespace] = &[
    Namespace {
        name: "Microsoft.SignalRService/WebPubSub",
        label: Some("resource"),
        metrics: &[
            Metric {
                primary: Aggregation::Average,
                ..counted(
                    "TotalConnectionCount",
                    "Connection Count",
                    "tidings_webpubsub_connections",
                    &[],
                )
            },
            counted(
                "ConnectionOpenCount",
                "Connection Open Count",
                "tidings_webpubsub_connections_opened_total",
                &[],
            ),
            counted(
                "ConnectionCloseCount",
                "Connection Close Count",
                "tidings_webpubsub_connections_closed_total",
                &[("ConnectionCloseCategory", "category")],
            ),
            counted(
                "ClientRequestStatus",
                "Client Request Status Code",
                "tidings_webpubsub_client_requests_total",
                &[("ClientType", "client_type"), ("Status", "status")],
            ),
            counted(
                "RestApiResponseTimeCount",
                "Rest API Response Time",
                "tidings_webpubsub_rest_requests_total",
                &[("ResponseTime", "response_time"), ("RestApiCategory", "category")],
            ),
        ],
    },
    Namespace {
        name: "Microsoft.Communication/CommunicationServices",
        label: None,
        metrics: &[
            Metric {
                primary: Aggregation::Count,
                only: Some(("service", "chat")),
                ..counted("APIRequestChat", "Chat API Requests", CALLS, CALL)
            },
            Metric {
                primary: Aggregation::Count,
                only: Some(("service", "authentication")),
                ..counted("APIRequestAuthentication", "Authentication API Requests", CALLS, CALL)
            },
        ],
    },
    Namespace {
        name: "Microsoft.EventGrid/topics",
        label: Some("topic"),
        metrics: &[
            counted(
                "PublishSuccessCount",
                "Published Events",
                "tidings_eventgrid_events_published_total",
                &[],
            ),
            counted(
                "PublishFailCount",
                "Publish Failed Events",
                "tidings_eventgrid_publish_failures_total",
                &[("ErrorType", "error_type"), ("Error", "error")],
            ),
            Metric {
                unit: "MilliSeconds",
                scale: 1000.0,
                ..counted(
                    "PublishSuccessLatencyInMs",
                    "Publish Success Latency",
                    "tidings_eventgrid_publish_seconds_sum",
                    &[],
                )
            },
            counted(
                "UnmatchedEventCount",
                "Unmatched Events",
                "tidings_eventgrid_events_unmatched_total",
                &[],
            ),
            counted(
                "MatchedEventCount",
                "Matched Events",
                "tidings_eventgrid_events_matched_total",
                &[SUBSCRIPTION],
            ),
            counted(
                "DeliverySuccessCount",
                "Delivered Events",
                "tidings_eventgrid_events_delivered_total",
                &[SUBSCRIPTION],
            ),
            counted(
                "DeliveryAttemptFailCount",
                "Delivery Failed Events",
                "tidings_eventgrid_attempts_failed_total",
                &[("Error", "reason"), SUBSCRIPTION],
            ),
            counted(
                "DeadLetteredCount",
                "Dead Lettered Events",
                "tidings_eventgrid_dead_letters_total",
                &[("DeadLetterReason", "reason"), SUBSCRIPTION],
            ),
        ],
    },
];

/// The namespace and the name of a resource by its id.
pub(super) fn of_resource(id: &str) -> Option<(&'static Namespace, &str)> {
    let (_, tail) = id.rsplit_once("/providers/")?;
    let (kind, name) = tail.rsplit_once('/')?;
    let found = NAMESPACES.iter().find(|it| it.name.eq_ignore_ascii_case(kind))?;
    (!name.is_empty()).then_some((found, name))
}

/// Whether one of ours is read from a series of this name.
pub(super) fn sources(name: &str) -> bool {
    NAMESPACES.iter().flat_map(|it| it.metrics).any(|metric| metric.source == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_the_metrics_of_its_type_whatever_the_case() {
        let id = "/subscriptions/s/resourceGroups/g/providers/microsoft.eventgrid/TOPICS/orders";
        let (namespace, name) = of_resource(id).unwrap();
        assert_eq!((namespace.name, name), ("Microsoft.EventGrid/topics", "orders"));
        for none in
            ["/subscriptions/s", "/providers/Microsoft.EventGrid/topics/", "/providers/x/y/z"]
        {
            assert!(of_resource(none).is_none(), "{none}");
        }
    }

    #[test]
    fn names_are_unique_in_their_namespace() {
        for namespace in NAMESPACES {
            let mut names: Vec<_> = namespace.metrics.iter().map(|it| it.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), namespace.metrics.len());
        }
    }
}
