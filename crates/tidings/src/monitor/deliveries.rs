//! Events that were not delivered, as rows of `AegDeliveryFailureLogs`.

use std::sync::Arc;

use ::monitor::table::LogTables;
use ::monitor::table::rows::AegDeliveryFailureLogs;
use delivery::{DeliveryId, Event, Observer};
use eventgrid::QUEUE;
use kernel::Clock;

use super::metrics::Metrics;

/// Counts every step, writes a row of each failure, and tells the next one.
pub(super) struct Failures {
    pub tables: LogTables,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
    pub next: Arc<dyn Observer>,
}

impl Observer for Failures {
    fn observe(&self, event: &Event<'_>) {
        let (metrics, now) = (&self.metrics, self.clock.now());
        match *event {
            Event::Accepted { queue: QUEUE, target, .. } => metrics.event_matched(target),
            Event::Attempted { queue: QUEUE, id, .. } => metrics.attempt_begun(id, now),
            Event::Delivered { queue: QUEUE, target, id, .. } => {
                metrics.event_delivered(target, id, now);
            }
            Event::Retried { queue: QUEUE, target, id, outcome, .. } => {
                metrics.attempt_failed(target, id, outcome, now);
                self.append(target, message(id, outcome, "Retried"));
            }
            Event::Died { queue: QUEUE, target, id, reason, outcome } => {
                if let Some(outcome) = outcome {
                    metrics.attempt_failed(target, id, outcome, now);
                }
                metrics.event_given_up(target, reason.as_str());
                self.append(target, message(id, outcome.unwrap_or("None"), reason.as_str()));
            }
            _ => {}
        }
        self.next.observe(event);
    }
}

impl Failures {
    fn append(&self, target: &str, message: String) {
        // A target is the id of what raises the events, and the name of the event subscription.
        let (resource, name) = target.split_once('|').unwrap_or((target, ""));
        self.tables.append(AegDeliveryFailureLogs {
            time: self.clock.now(),
            resource: resource.to_owned(),
            category: "DeliveryFailures".to_owned(),
            event_subscription_name: name.to_owned(),
            message,
            operation_name: "Deliver".to_owned(),
            sub_resource_name: name.to_owned(),
        });
    }
}

/// What is told as `key=value`, as in the logs of the service, so that queries can `split` it. `state`
/// is `Retried`, or why it was given up.
fn message(id: DeliveryId, outcome: &str, state: &str) -> String {
    format!("outcome={outcome}, id={id}, state={state}")
}
