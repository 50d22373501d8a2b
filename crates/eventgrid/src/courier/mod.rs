//! Deliveries out: what the delivery queue calls to have events brought to their destination.
//!
//! What to send and what an answer means is decided elsewhere (`request`, `outcome`); here is only
//! the sending. The event subscription is looked up at each attempt, so a changed URL or a deletion
//! counts at once.
//!
//! - `pace`: the rate that a webhook has allowed
//! - `burial`: dead letters into their folder

mod burial;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Response, Uri};
use bytes::Bytes;
use delivery::{Courier, DeadLetter, Doing, Item, Parcel, Plan, Queue, Schedule, Verdict};
use edge::outbound::{Limits, OutboundError};
use kernel::ErrorKind;

use crate::event::Event;
use crate::journeys::{self, Attempt};
use crate::outcome::{Answer, Judgement, Next, Outcome};
use crate::registry::SubscriptionEntry;
use crate::request::{Delivery, attribute_value};
use crate::service::{EventGrid, QUEUE};
use crate::subscription::{AttributeSource, Destination, HubTarget, WebHook};
pub(crate) use pace::Pace;

/// What is read of an answer.
const HEADER_BYTES: usize = 16 * 1024;
const BODY_BYTES: usize = 64 * 1024;
/// The queue gives an attempt a little longer than the attempt gives itself, so that what happened
/// is told by who knows.
const SLACK: Duration = Duration::from_secs(5);
/// How long deliveries rest that could not be attempted: the destination waits for its validation,
/// or something of this server does not work.
const REST: Duration = Duration::from_secs(60);
/// Events that go to browsers together.
const HUB_BATCH: usize = 100;

impl EventGrid {
    /// The queue of deliveries to event subscriptions, for the driver of the program.
    pub fn queue(&self) -> Queue {
        let rules = &self.settings().rules;
        Queue {
            name: QUEUE,
            schedule: Schedule::new(rules.schedule.clone(), rules.jitter),
            courier: Arc::new(EventCourier { service: self.clone() }),
        }
    }
}

/// Brings events to event subscriptions.
struct EventCourier {
    service: EventGrid,
}

impl Courier for EventCourier {
    fn plan(&self, target: &str) -> Plan {
        let snapshot = self.service.snapshot();
        let settings = self.service.settings();
        let Some(entry) = snapshot.by_key(target) else { return Plan::default() };
        let subscription = &entry.subscription;
        let timeout = settings.attempt_timeout + SLACK;
        let plan = Plan {
            concurrency: settings.concurrency,
            timeout,
            failures_before_probation: settings.failures_before_probation,
            ..Plan::default()
        };
        let paced = pace::interval(subscription.allowed_rate);
        match &subscription.properties.destination {
            Destination::WebHook(hook) => Plan {
                // One at a time keeps the wait for a turn within one interval.
                concurrency: if paced.is_some() { 1 } else { plan.concurrency },
                timeout: timeout + paced.unwrap_or_default(),
                batch_items: hook.max_events_per_batch,
                batch_bytes: hook.preferred_batch_kilobytes * 1024,
                ..plan
            },
            Destination::WebPubSub(_) => Plan { batch_items: HUB_BATCH, ..plan },
        }
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        Box::pin(async move {
            match self.known(&parcel.target).await {
                Ok(Some(entry)) => self.deliver(&entry, &parcel.items).await,
                Ok(None) if self.service.snapshot().unreadable(&parcel.target).is_some() => {
                    let answer = "the stored event subscription, or its topic, cannot be read";
                    later(Outcome::Disabled, answer.to_owned())
                }
                Ok(None) => canceled("the event subscription was deleted"),
                Err(error) => {
                    let context = error.operator_context();
                    tracing::warn!(%error, context, "an event subscription could not be looked up");
                    later(Outcome::GenericError, error.message().to_owned())
                }
            }
        })
    }

    fn buried<'a>(&'a self, letter: &'a DeadLetter) -> Doing<'a, Result<(), String>> {
        Box::pin(burial::bury(&self.service, letter))
    }
}

impl EventCourier {
    /// The event subscription with this key. Another server may have made or validated it a moment
    /// ago, and events for it may be due already: whether it is gone or not active, the store says.
    async fn known(&self, key: &str) -> kernel::Result<Option<Arc<SubscriptionEntry>>> {
        let now = self.service.now();
        let entry = self.service.snapshot().by_key(key).cloned();
        if entry.as_ref().is_some_and(|entry| entry.subscription.is_active(now)) {
            return Ok(entry);
        }
        self.service.refresh_if_changed().await?;
        Ok(self.service.snapshot().by_key(key).cloned())
    }

    async fn deliver(&self, entry: &SubscriptionEntry, items: &[Item]) -> Verdict {
        let subscription = &entry.subscription;
        let now = self.service.now();
        if subscription.properties.has_expired(now) {
            return canceled("the event subscription has expired");
        }
        if !subscription.is_active(now) {
            // Its URL was changed, and the new one has not consented yet.
            return later(Outcome::Disabled, "the destination has not been validated".to_owned());
        }
        let events = items.iter().map(|item| Event::restore(&Bytes::from(item.payload.clone())));
        let events: Vec<Event> = match events.collect() {
            Ok(events) => events,
            Err(damage) => {
                tracing::error!(%damage, target = &*entry.key, "an event cannot be delivered");
                return refused(Outcome::GenericError, damage.to_string());
            }
        };
        match &subscription.properties.destination {
            Destination::WebHook(hook) => {
                self.service.pace().turn(&entry.key, subscription.allowed_rate).await;
                self.post(entry, hook, items, &events).await
            }
            Destination::WebPubSub(target) => self.send_to_hub(entry, target, &events).await,
        }
    }

    async fn post(
        &self,
        entry: &SubscriptionEntry,
        hook: &WebHook,
        items: &[Item],
        events: &[Event],
    ) -> Verdict {
        let Ok(url) = hook.url.expose().parse::<Uri>() else {
            return refused(Outcome::Disabled, "the URL cannot be called".to_owned());
        };
        let settings = self.service.settings();
        let origin = HeaderValue::from_str(&settings.origin);
        let origin = origin.unwrap_or_else(|_| HeaderValue::from_static(""));
        let delivery = Delivery {
            subscription: &entry.subscription.name,
            schema: entry.subscription.properties.delivery_schema,
            batched: hook.max_events_per_batch > 1,
            attempts: items.first().map_or(0, |item| item.attempts),
            origin: &origin,
            attributes: &attributes(hook, events.first()),
        };
        let request = delivery.request(url.clone(), &events.iter().collect::<Vec<_>>());
        let limits = Limits {
            timeout: settings.attempt_timeout,
            header_bytes: HEADER_BYTES,
            body_bytes: BODY_BYTES,
        };
        let begun = self.service.now();
        let sent = self.service.outbound().send(request, limits).await;
        let took = self.service.now().since(begun);
        let (answer, said) = heard(&sent);
        let verdict = verdict(settings.rules.judge(answer), said.clone());
        let attempt = Attempt { verdict: &verdict, said: &said, took };
        journeys::answered(items, &entry.subscription.name, &url, &attempt);
        verdict
    }

    /// Handed over means delivered: who listens at this moment gets it, as with every message.
    async fn send_to_hub(
        &self,
        entry: &SubscriptionEntry,
        target: &HubTarget,
        events: &[Event],
    ) -> Verdict {
        let schema = entry.subscription.properties.delivery_schema;
        for json in events.iter().filter_map(|event| event.encode(schema)) {
            if let Err(error) = self.service.realtime().send(target, json).await {
                let answer = error.message().to_owned();
                return match error.kind() {
                    ErrorKind::Throttled | ErrorKind::Unavailable => later(Outcome::Busy, answer),
                    ErrorKind::Internal => later(Outcome::GenericError, answer),
                    // The hub or group cannot be, now or later.
                    _ => refused(Outcome::Disabled, answer),
                };
            }
        }
        Verdict::Delivered
    }
}

/// The headers that an event subscription adds. In a batch, those of the first event.
fn attributes(hook: &WebHook, first: Option<&Event>) -> Vec<(HeaderName, HeaderValue)> {
    let header = |attribute: &crate::subscription::DeliveryAttribute| {
        let name = HeaderName::from_bytes(attribute.name.as_bytes()).ok()?;
        let value = match &attribute.source {
            AttributeSource::Static { value, .. } => {
                let mut value = HeaderValue::from_bytes(value.expose().as_bytes()).ok()?;
                value.set_sensitive(true);
                value
            }
            AttributeSource::Dynamic { source_field } => attribute_value(first?, source_field)?,
        };
        Some((name, value))
    };
    hook.attributes.iter().filter_map(header).collect()
}

/// What an exchange amounts to, and what people are shown of it. The errors of the outgoing client
/// name no path and no query.
fn heard(sent: &Result<Response<Bytes>, OutboundError>) -> (Answer, String) {
    match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = &response.body()[..response.body().len().min(Verdict::MAX_ANSWER)];
            let text = String::from_utf8_lossy(body);
            (Answer::Status(status), format!("HTTP {status} {}", text.trim()).trim().to_owned())
        }
        Err(error) => {
            let answer = match error {
                OutboundError::Timeout { .. } => Answer::TimedOut,
                OutboundError::Resolve { .. } => Answer::Unresolved,
                OutboundError::Refused { .. } | OutboundError::BadUrl(_) => Answer::Blocked,
                OutboundError::Connect { .. }
                | OutboundError::Tls { .. }
                | OutboundError::TooLarge { .. }
                | OutboundError::Broken { .. } => Answer::Broken,
            };
            (answer, error.to_string())
        }
    }
}

fn verdict(Judgement { outcome, next }: Judgement, answer: String) -> Verdict {
    match next {
        Next::Done => Verdict::Delivered,
        Next::GiveUp => refused(outcome, answer),
        Next::Retry { floor, probation } => Verdict::Retry {
            outcome: outcome.name().into(),
            answer,
            not_before: Some(floor),
            probation,
        },
    }
}

fn refused(outcome: Outcome, answer: String) -> Verdict {
    Verdict::Refused { outcome: outcome.name().into(), answer }
}

/// No attempt was made, and nothing speaks against the destination.
fn later(outcome: Outcome, answer: String) -> Verdict {
    let outcome = outcome.name().into();
    Verdict::Retry { outcome, answer, not_before: Some(REST), probation: None }
}

fn canceled(why: &str) -> Verdict {
    refused(Outcome::Canceled, why.to_owned())
}
