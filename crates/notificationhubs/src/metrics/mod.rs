//! What is counted of each notification hub since the start of the server: requests, and what came of
//! each push.
//!
//! Two tables of counters are all there is to count. From them follow the metrics that the service
//! documents ([`METRICS`]), each a sum, and the three families of Prometheus:
//!
//! | family | labels |
//! |---|---|
//! | `tidings_push_requests_total` | `namespace`, `hub`, `operation`, `result`: `accepted` or `refused` |
//! | `tidings_push_outcomes_total` | `namespace`, `hub`, `platform`, `outcome`, one for each attempt |
//! | `tidings_push_scheduled` | `namespace`, `hub`; looked up in the store now and then |
//!
//! Counters live with the hub in memory: they begin anew with the process, as counters do.

mod catalog;
mod refused;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use kernel::{Error, Timestamp};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::Platform;
use crate::push::OutcomeName;
use crate::service::NotificationHubs;

pub use catalog::{Kind, METRICS, Metric};
pub(crate) use refused::{LastRefused, Refused};

/// A kind of request to the data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Send,
    Schedule,
    Cancel,
    RegistrationCreate,
    RegistrationPut,
    RegistrationGet,
    RegistrationDelete,
    InstallationPut,
    InstallationGet,
    InstallationPatch,
    InstallationDelete,
    /// Whatever has no metric of its own.
    Other,
}

impl Request {
    const ALL: [Self; 12] = [
        Self::Send,
        Self::Schedule,
        Self::Cancel,
        Self::RegistrationCreate,
        Self::RegistrationPut,
        Self::RegistrationGet,
        Self::RegistrationDelete,
        Self::InstallationPut,
        Self::InstallationGet,
        Self::InstallationPatch,
        Self::InstallationDelete,
        Self::Other,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Schedule => "schedule",
            Self::Cancel => "cancel",
            Self::RegistrationCreate => "registration.create",
            Self::RegistrationPut => "registration.update",
            Self::RegistrationGet => "registration.get",
            Self::RegistrationDelete => "registration.delete",
            Self::InstallationPut => "installation.upsert",
            Self::InstallationGet => "installation.get",
            Self::InstallationPatch => "installation.patch",
            Self::InstallationDelete => "installation.delete",
            Self::Other => "other",
        }
    }
}

/// What a documented metric is the sum of.
#[derive(Clone, Copy, Debug)]
enum Measure {
    /// Requests of these kinds that were accepted.
    Accepted(&'static [Request]),
    /// Every request.
    Requests,
    /// Every request that was not accepted.
    Failed,
    /// Attempts with these outcomes, at one platform or at all.
    Pushes(Option<Platform>, &'static [OutcomeName]),
    /// Every attempt.
    AllPushes,
    /// Sends that wait for their time.
    Scheduled,
}

const OUTCOMES: usize = OutcomeName::ALL.len();

/// The counters of one notification hub.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Accepted and refused, by kind.
    requests: [[AtomicU64; 2]; Request::ALL.len()],
    outcomes: [[AtomicU64; OUTCOMES]; Platform::ALL.len()],
    scheduled: AtomicI64,
    refused_sends: LastRefused,
    refused_devices: LastRefused,
}

impl Counters {
    /// A request has its answer: none that refuses it, or that one.
    pub(crate) fn request(&self, kind: Request, refusal: Option<&Error>, now: Timestamp) {
        let at = usize::from(refusal.is_some());
        self.requests[kind as usize][at].fetch_add(1, Ordering::Relaxed);
        let Some(refusal) = refusal else { return };
        match kind {
            Request::Send | Request::Schedule => self.refused_sends.note(refusal, now),
            Request::RegistrationCreate | Request::RegistrationPut | Request::InstallationPut => {
                self.refused_devices.note(refusal, now);
            }
            _ => {}
        }
    }

    /// Sends that were accepted and refused, and the last refusal.
    pub(crate) fn sends(&self) -> (u64, u64, Option<Refused>) {
        let sum = |at| self.answered(Request::Send, at) + self.answered(Request::Schedule, at);
        (sum(0), sum(1), self.refused_sends.get())
    }

    /// The last device that could not be registered.
    pub(crate) fn refused_device(&self) -> Option<Refused> {
        self.refused_devices.get()
    }

    /// A push was attempted.
    pub(crate) fn push(&self, platform: Platform, outcome: OutcomeName) {
        self.outcomes[platform as usize][outcome.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// So many sends wait for their time.
    pub(crate) fn set_scheduled(&self, sends: i64) {
        self.scheduled.store(sends, Ordering::Relaxed);
    }

    /// The value of a documented metric.
    pub(crate) fn value(&self, metric: &Metric) -> i64 {
        let sum = match metric.of {
            Measure::Accepted(kinds) => kinds.iter().map(|it| self.answered(*it, 0)).sum(),
            Measure::Requests => self.all_answered(0) + self.all_answered(1),
            Measure::Failed => self.all_answered(1),
            Measure::Pushes(Some(platform), names) => self.pushed(platform, names),
            Measure::Pushes(None, names) => self.pushed_at_all(names),
            Measure::AllPushes => self.pushed_at_all(&OutcomeName::ALL),
            Measure::Scheduled => return self.scheduled.load(Ordering::Relaxed),
        };
        i64::try_from(sum).unwrap_or(i64::MAX)
    }

    fn answered(&self, kind: Request, result: usize) -> u64 {
        self.requests[kind as usize][result].load(Ordering::Relaxed)
    }

    fn all_answered(&self, result: usize) -> u64 {
        Request::ALL.into_iter().map(|kind| self.answered(kind, result)).sum()
    }

    fn pushed(&self, platform: Platform, names: &[OutcomeName]) -> u64 {
        let counters = &self.outcomes[platform as usize];
        names.iter().map(|name| counters[name.index()].load(Ordering::Relaxed)).sum()
    }

    fn pushed_at_all(&self, names: &[OutcomeName]) -> u64 {
        Platform::ALL.into_iter().map(|platform| self.pushed(platform, names)).sum()
    }
}

impl NotificationHubs {
    /// Has everything counted in the metrics of the program.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Collected(self.clone())));
    }

    /// The documented metrics of every notification hub with their values at this moment, each with its
    /// namespace and hub.
    pub fn all_metrics(&self) -> Vec<(String, String, &'static Metric, i64)> {
        let snapshot = self.snapshot();
        let of_hub = snapshot.hubs().into_iter().flat_map(|entry| {
            METRICS.iter().map(move |metric| {
                let hub = &entry.hub;
                let value = entry.counters.value(metric);
                (hub.namespace.clone(), hub.name.clone(), metric, value)
            })
        });
        of_hub.collect()
    }

    /// The documented metrics of a notification hub with their values at this moment; none for a hub
    /// that does not exist.
    pub fn metrics(&self, namespace: &str, hub: &str) -> Option<Vec<(&'static Metric, i64)>> {
        let snapshot = self.snapshot();
        let counters = &snapshot.hub(namespace, hub)?.counters;
        Some(METRICS.iter().map(|metric| (metric, counters.value(metric))).collect())
    }
}

/// Reads the counters when Prometheus asks.
#[derive(Debug)]
struct Collected(NotificationHubs);

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.0.snapshot();
        let hubs = snapshot.hubs();

        let help = "Requests to notification hubs";
        let kind = MetricType::Counter;
        let mut family = encoder.encode_descriptor("tidings_push_requests", help, None, kind)?;
        for hub in &hubs {
            for request in Request::ALL {
                for (at, result) in ["accepted", "refused"].into_iter().enumerate() {
                    let labels = [
                        ("namespace", &*hub.hub.namespace),
                        ("hub", &*hub.hub.name),
                        ("operation", request.as_str()),
                        ("result", result),
                    ];
                    let count = ConstCounter::new(hub.counters.answered(request, at));
                    count.encode(family.encode_family(&labels)?)?;
                }
            }
        }

        let help = "Attempts to push to a device, by what came of them";
        let mut family = encoder.encode_descriptor("tidings_push_outcomes", help, None, kind)?;
        for hub in &hubs {
            for (platform, outcome, count) in hub.counters.seen() {
                let labels = [
                    ("namespace", &*hub.hub.namespace),
                    ("hub", &*hub.hub.name),
                    ("platform", platform.format()),
                    ("outcome", outcome.as_str()),
                ];
                ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
            }
        }

        let help = "Scheduled sends that wait for their time";
        let kind = MetricType::Gauge;
        let mut family = encoder.encode_descriptor("tidings_push_scheduled", help, None, kind)?;
        for hub in &hubs {
            let labels = [("namespace", &*hub.hub.namespace), ("hub", &*hub.hub.name)];
            let sends = hub.counters.scheduled.load(Ordering::Relaxed);
            ConstGauge::new(sends).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Counters {
    /// Outcomes that there were; success always, so that a rate can be taken from the start.
    fn seen(&self) -> impl Iterator<Item = (Platform, OutcomeName, u64)> {
        let all = Platform::ALL.into_iter().flat_map(|platform| {
            OutcomeName::ALL.map(|name| (platform, name, self.pushed(platform, &[name])))
        });
        all.filter(|(_, name, count)| *count > 0 || *name == OutcomeName::Success)
    }
}
