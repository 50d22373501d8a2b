//! What the Communication Services count.

use std::borrow::Cow;

use super::{Aggregation, Metric, Namespace, counted};

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "Microsoft.Communication/CommunicationServices",
    metrics: Cow::Borrowed(METRICS),
};

const CALLS: &str = "tidings_communication_requests_total";
const CALL: &[(&str, &str)] = &[
    ("Operation", "operation"),
    ("StatusCode", "status_code"),
    ("StatusCodeClass", "status_class"),
    // What concept pages call it.
    ("StatusSubClass", "status_class"),
];

const METRICS: &[Metric] = &[
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
];
