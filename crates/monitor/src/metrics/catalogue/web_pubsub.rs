//! What Web PubSub counts.

use std::borrow::Cow;

use super::{Aggregation, Measure, Metric, Namespace, counted};

pub(super) const NAMESPACE: Namespace =
    Namespace { name: "Microsoft.SignalRService/WebPubSub", metrics: Cow::Borrowed(METRICS) };

const METRICS: &[Metric] = &[
    Metric {
        primary: Aggregation::Average,
        measure: Measure::State,
        ..counted("TotalConnectionCount", "Connection Count", "tidings_webpubsub_connections", &[])
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
];
