//! What people see of the traffic: a live tail, and how each event subscription fares.
//!
//! The tail costs nothing while nobody watches. Its lines go into one ring that all watchers read; a
//! watcher that falls behind loses lines and is told how many, and nobody waits for it. Payloads are
//! not shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery::{DeliveryId, Event as Step, Observer};
use kernel::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::calendar;
use crate::event::Event;
use crate::outcome::Outcome;
use crate::service::QUEUE;
use crate::subscription::EventSubscription;

/// Lines that a watcher may be behind.
const RING: usize = 1024;

/// Observes publications and deliveries. To be given to the delivery queue as its observer.
pub struct Watch {
    clock: Arc<dyn Clock>,
    lines: broadcast::Sender<Arc<str>>,
    health: Mutex<HashMap<Box<str>, Health>>,
    traffic: Mutex<HashMap<Box<str>, Traffic>>,
}

/// Events of one topic since this process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Those that were taken.
    pub published: u64,
    /// Those of them that no event subscription wanted.
    pub unmatched: u64,
}

/// What the filter of an event subscription has made of the events of a publication.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Judged<'e> {
    /// Advanced filters that were evaluated.
    pub(crate) advanced_filters: u64,
    /// Events that did not pass, and the last of them.
    pub(crate) passed_over: u64,
    pub(crate) last: Option<&'e Event>,
}

/// What is told of a published event.
#[derive(Clone, Debug)]
pub(crate) struct Sighting(Value);

/// How an event subscription fares since this process started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Deliveries that succeeded.
    pub delivered: u64,
    /// Attempts that failed and are repeated.
    pub retried: u64,
    /// Deliveries that became dead letters.
    pub dead_lettered: u64,
    /// What the last attempt ended with.
    pub last_outcome: Option<String>,
    /// When that was.
    pub last_attempt: Option<Timestamp>,
    /// Until when the destination is left alone, if it is.
    pub probation_until: Option<Timestamp>,
    /// Events that its filter has passed over.
    pub filtered: u64,
    /// The last of them: its type and subject, and when.
    pub last_filtered: Option<(String, Timestamp)>,
    /// Advanced filters that were evaluated for it.
    pub advanced_filters: u64,
}

impl Health {
    /// As people are shown it.
    pub fn to_json(&self) -> Value {
        json!({
            "delivered": self.delivered,
            "retried": self.retried,
            "deadLettered": self.dead_lettered,
            "lastOutcome": self.last_outcome,
            "lastAttempt": self.last_attempt.map(calendar::rfc3339),
            "probationUntil": self.probation_until.map(calendar::rfc3339),
            "filtered": self.filtered,
            "lastFiltered": self.last_filtered.as_ref().map(|(event, at)| json!({
                "event": event,
                "at": calendar::rfc3339(*at),
            })),
        })
    }

    fn ended(&mut self, outcome: Option<&str>, now: Timestamp) {
        // Most attempts end like the one before.
        if self.last_outcome.as_deref() != outcome {
            self.last_outcome = outcome.map(str::to_owned);
        }
        self.last_attempt = Some(now);
    }
}

impl Watch {
    /// Nobody watches yet.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let (lines, _) = broadcast::channel(RING);
        let (health, traffic) = (Mutex::default(), Mutex::default());
        Arc::new(Self { clock, lines, health, traffic })
    }

    /// The lines from now on, each one JSON object.
    pub(crate) fn lines(&self) -> broadcast::Receiver<Arc<str>> {
        self.lines.subscribe()
    }

    /// How the event subscription with this key fares.
    pub(crate) fn health(&self, key: &str) -> Health {
        self.lock().get(key).cloned().unwrap_or_default()
    }

    /// The events of each topic so far, by its id.
    pub fn traffic(&self) -> Vec<(String, Traffic)> {
        let all = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(topic, traffic)| (topic.to_string(), *traffic)).collect()
    }

    /// Counts events of a topic that are on disk.
    pub(crate) fn count(&self, topic: &str, more: Traffic) {
        if more == Traffic::default() {
            return;
        }
        let mut all = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(topic) {
            all.insert(topic.into(), Traffic::default());
        }
        if let Some(traffic) = all.get_mut(topic) {
            traffic.published += more.published;
            traffic.unmatched += more.unmatched;
        }
    }

    /// Notes what the filter of an event subscription has made of a publication.
    pub(crate) fn judged(&self, key: &str, judged: Judged<'_>) {
        if judged.advanced_filters == 0 && judged.passed_over == 0 {
            return;
        }
        let now = self.clock.now();
        let mut all = self.lock();
        if !all.contains_key(key) {
            all.insert(key.into(), Health::default());
        }
        let Some(health) = all.get_mut(key) else { return };
        health.advanced_filters += judged.advanced_filters;
        health.filtered += judged.passed_over;
        if let Some(event) = judged.last {
            let subject = event.subject().map(|it| format!(" of {it}")).unwrap_or_default();
            let event = format!("{}{subject}", event.event_type());
            health.last_filtered = Some((event, now));
        }
    }

    /// Advanced filters that were evaluated so far, by the key of the event subscription: the id of
    /// its scope and its name, with a bar between.
    pub fn advanced_filters(&self) -> Vec<(String, u64)> {
        let all = self.lock();
        let evaluated = all.iter().filter(|(_, health)| health.advanced_filters > 0);
        evaluated.map(|(key, health)| (key.to_string(), health.advanced_filters)).collect()
    }

    /// Forgets an event subscription.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Forgets all event subscriptions but these.
    pub(crate) fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        self.lock().retain(|key, _| is_kept(key));
    }

    /// What would be told of an event with one delivery for each of these; `None` while nobody
    /// watches.
    pub(crate) fn sighting(
        &self,
        event: &Event,
        receivers: &[(DeliveryId, &EventSubscription)],
    ) -> Option<Sighting> {
        if self.lines.receiver_count() == 0 {
            return None;
        }
        let deliveries: Vec<Value> = receivers
            .iter()
            .map(|(id, to)| json!({ "id": id.to_string(), "eventSubscription": to.name }))
            .collect();
        Some(Sighting(json!({
            "kind": "published",
            "topic": event.topic(),
            "id": event.id(),
            "eventType": event.event_type(),
            "subject": event.subject(),
            "deliveries": deliveries,
        })))
    }

    /// Tells of events that are on disk by now.
    pub(crate) fn published(&self, sightings: &[Sighting]) {
        for Sighting(line) in sightings {
            self.say(line.clone());
        }
    }

    fn say(&self, mut line: Value) {
        line["time"] = calendar::rfc3339(self.clock.now()).into();
        // Nobody may be listening any more, which is no matter.
        let _ = self.lines.send(line.to_string().into());
    }

    /// Notes what happened, and tells it if somebody watches.
    fn step(
        &self,
        target: &str,
        change: impl FnOnce(&mut Health, Timestamp),
        line: impl FnOnce() -> Value,
    ) {
        let mut health = self.lock();
        // A name is copied once, at the first step.
        if !health.contains_key(target) {
            health.insert(target.into(), Health::default());
        }
        if let Some(health) = health.get_mut(target) {
            change(health, self.clock.now());
        }
        drop(health);
        if self.lines.receiver_count() > 0 {
            let (scope, name) = target.split_once('|').unwrap_or(("", target));
            let mut line = line();
            line["eventSubscription"] = name.into();
            line["scope"] = scope.into();
            self.say(line);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Health>> {
        // Numbers for people: whole or not, they stay readable after a panic elsewhere.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn observe(&self, step: &Step<'_>) {
        match *step {
            Step::Delivered { queue: QUEUE, target, id, age } => self.step(
                target,
                |health, now| {
                    health.delivered += 1;
                    health.ended(Some(Outcome::Delivered.name()), now);
                },
                || {
                    let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                    json!({ "kind": "delivered", "delivery": id.to_string(), "afterMs": millis })
                },
            ),
            Step::Retried { queue: QUEUE, target, id, outcome, due_at } => self.step(
                target,
                |health, now| {
                    health.retried += 1;
                    health.ended(Some(outcome), now);
                },
                || {
                    let next = calendar::rfc3339(due_at);
                    json!({ "kind": "failed", "delivery": id.to_string(), "outcome": outcome,
                        "nextAttempt": next })
                },
            ),
            Step::Died { queue: QUEUE, target, id, reason, outcome } => self.step(
                target,
                |health, now| {
                    health.dead_lettered += 1;
                    health.ended(outcome, now);
                },
                || {
                    json!({ "kind": "deadLettered", "delivery": id.to_string(),
                        "reason": reason.as_str(), "outcome": outcome })
                },
            ),
            Step::Suspended { queue: QUEUE, target, until } => self.step(
                target,
                |health, _| health.probation_until = Some(until),
                || json!({ "kind": "probation", "until": calendar::rfc3339(until) }),
            ),
            Step::Recovered { queue: QUEUE, target } => self.step(
                target,
                |health, _| health.probation_until = None,
                || json!({ "kind": "recovered" }),
            ),
            // Accepted is told by the publication, and an attempt by its end.
            Step::Accepted { .. }
            | Step::Attempted { .. }
            | Step::Delivered { .. }
            | Step::Retried { .. }
            | Step::Died { .. }
            | Step::Suspended { .. }
            | Step::Recovered { .. } => {}
        }
    }
}
