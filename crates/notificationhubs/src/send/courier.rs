//! Work out of the queue: an audience page by page, or a list of devices.
//!
//! After each page one transaction writes counts, refusals, work for those who were not reached, and
//! where to go on. A page that nobody of was reached is not written down at all: the same page is
//! tried again later, since something larger than a device is wrong.

use std::sync::Arc;
use std::time::Duration;

use delivery::{Courier, DeadLetter, Doing, Item, Parcel, Plan, Queue, Schedule, Verdict};
use kernel::{Result, Timestamp};

use super::QUEUE;
use super::letters::Letters;
use super::order::{Device, Order, Progress, To};
use super::page::{self, Run};
use super::settle::Settled;
use crate::Platform;
use crate::notification::State;
use crate::push::OutcomeName;
use crate::registration::{Key, RegistrationId};
use crate::registry::HubEntry;
use crate::service::NotificationHubs;
use crate::store::{Recipient, Selection};
use crate::tag::TagExpression;

/// Sends of one target at a time.
const CONCURRENCY: usize = 4;
/// An attempt goes through a whole audience, which may be millions; what hangs is stopped by the
/// limits of its single requests.
const TIMEOUT: Duration = Duration::from_secs(6 * 3600);
/// Added to the pauses, so that devices that failed together do not come back together.
const JITTER: Duration = Duration::from_secs(1);

impl NotificationHubs {
    /// The queue of sends, for the driver of the program.
    pub fn queue(&self) -> Queue {
        Queue {
            name: QUEUE,
            schedule: Schedule::new(self.settings().retry_delays.clone(), JITTER),
            courier: Arc::new(PushCourier(self.clone())),
        }
    }
}

struct PushCourier(NotificationHubs);

impl Courier for PushCourier {
    fn plan(&self, _target: &str) -> Plan {
        Plan {
            concurrency: CONCURRENCY,
            timeout: TIMEOUT,
            // A push service that says "not now" is obeyed at once.
            failures_before_probation: 1,
            ..Plan::default()
        }
    }

    fn attempt(&self, parcel: Parcel) -> Doing<'_, Verdict> {
        Box::pin(async move {
            let Some(item) = parcel.items.first() else { return Verdict::Delivered };
            match self.0.carry_out(item, &parcel).await {
                Ok(verdict) => verdict,
                Err(error) => {
                    let context = error.operator_context();
                    tracing::error!(%error, context, "a send waits, since the store has failed");
                    let (outcome, answer) = ("Store".into(), error.message().to_owned());
                    Verdict::Retry { outcome, answer, not_before: None, probation: None }
                }
            }
        })
    }

    /// Only what could not be read, or panicked for a day, ends here.
    fn buried<'a>(&'a self, letter: &'a DeadLetter) -> Doing<'a, std::result::Result<(), String>> {
        Box::pin(async move {
            let Ok(order) = serde_json::from_slice::<Order>(&letter.payload) else { return Ok(()) };
            let store = self.0.store();
            let (hub, id) = (order.hub_key(), order.notification.as_str());
            let outcome = OutcomeName::AbandonedNotificationMessages;
            let platform = order.format().platform().unwrap_or(Platform::Apple);
            let statements = vec![
                store.count_outcome(hub, id, platform, outcome.as_str(), 1),
                store.finish_part(hub, id, self.0.now()),
            ];
            store.db().write(statements).await.map(|_| ()).map_err(|error| error.to_string())
        })
    }
}

impl NotificationHubs {
    async fn carry_out(&self, item: &Item, parcel: &Parcel) -> Result<Verdict> {
        let Ok(order) = serde_json::from_slice::<Order>(&item.payload) else {
            return Ok(refused("Damaged", "the stored send cannot be read"));
        };
        let progress = Progress::decode(item.progress.as_deref());
        if progress == Some(Progress::Done) {
            return Ok(Verdict::Delivered);
        }
        let snapshot = self.snapshot();
        let Some(hub) = snapshot.hub_of(order.hub_key()) else {
            return Ok(refused("Canceled", "the notification hub was deleted"));
        };
        let begun =
            self.store().begin_notification(hub.hub.key, &order.notification, self.now()).await?;
        let Some((State::Processing, body)) = begun else {
            // Taken back before its time, or forgotten.
            return Ok(Verdict::Delivered);
        };
        let letters = Letters::new(hub, order.format(), order.headers(), body);
        let work = Work { service: self, hub, order: &order, item, parcel };
        match &order.to {
            To::Audience(tags) => work.walk(tags.as_deref(), progress, letters).await,
            To::Devices(devices) => work.devices(devices, progress, letters).await,
            To::Registrations(places) => work.registrations(places, progress, letters).await,
        }
    }
}

/// One attempt at one order.
struct Work<'a> {
    service: &'a NotificationHubs,
    hub: &'a HubEntry,
    order: &'a Order,
    item: &'a Item,
    parcel: &'a Parcel,
}

impl Work<'_> {
    /// Goes through an audience from where the last attempt was.
    async fn walk(
        &self,
        tags: Option<&str>,
        progress: Option<Progress>,
        mut letters: Letters<'_>,
    ) -> Result<Verdict> {
        let (service, store, hub) = (self.service, self.service.store(), self.hub.hub.key);
        let (before, mut after) = match progress {
            Some(Progress::Walk { before, after }) => (Key(before), Key(after)),
            _ => (store.keys().next(service.now()), Key::default()),
        };
        let platform = self.order.format().platform();
        let tags = tags.map(TagExpression::parse).transpose()?;
        let audience = store.audience(hub, &Selection { tags, platform }, before).await?;
        let size = service.settings().page;
        let mut page = store.recipients(&audience, after, size, service.now()).await?;
        loop {
            let (recipients, end) = page;
            let next = async {
                match end {
                    Some(end) => {
                        store.recipients(&audience, end, size, service.now()).await.map(Some)
                    }
                    None => Ok(None),
                }
            };
            let sent = page::send(recipients, &mut letters, platform.is_some(), self.run());
            let (sent, next) = tokio::join!(sent, next);
            let now = service.now();
            let notification = &self.order.notification;
            let mut settled = Settled::of(&sent, notification, self.order.deadline(), now);
            if settled.is_in_vain() {
                return Ok(again(&settled));
            }
            settled.remove_dead(service, hub).await?;
            let progress = match end {
                Some(end) => Progress::walk(before, end),
                None => Progress::Done,
            };
            if !self.note(&settled, &progress, now).await {
                return Ok(refused("LeaseLost", "another attempt has taken over"));
            }
            match (next?, end) {
                (Some(following), Some(end)) => (page, after) = (following, end),
                _ => return Ok(Verdict::Delivered),
            }
            tracing::debug!(notification, after = after.0, "a page of a send is settled");
            if settled.wait.is_some() {
                return Ok(again(&settled));
            }
        }
    }

    /// Writes a page of a walk down, with work for those who were not reached; tells whether this
    /// attempt may go on.
    async fn note(&self, settled: &Settled, progress: &Progress, now: Timestamp) -> bool {
        let (service, hub) = (self.service, self.hub.hub.key);
        let id = self.order.notification.as_str();
        let mut statements = settled.statements(service, hub, id);
        let mut new = Vec::new();
        if !settled.left.is_empty() {
            let places = settled.left.iter().map(|key| key.0).collect();
            let first = service.settings().retry_delays.first().copied().unwrap_or_default();
            let due = now + first.max(settled.floor.unwrap_or_default());
            new.push(service.work(&self.order.to_registrations(places), Some(due)));
            statements.push(service.store().add_part(hub, id));
            statements.extend(service.deliveries().enqueue(&new));
        }
        if *progress == Progress::Done {
            statements.push(service.store().finish_part(hub, id, now));
        }
        let lease = &self.parcel.lease;
        let noted = lease.checkpoint_with(self.item.id, progress.encode(), statements).await;
        service.deliveries().accepted(&new);
        noted.is_ok()
    }

    /// Sends to devices that the request has named; their places in the list are their keys.
    async fn devices(
        &self,
        devices: &[Device],
        progress: Option<Progress>,
        letters: Letters<'_>,
    ) -> Result<Verdict> {
        // Refused when it was accepted if it were a template.
        let platform = self.order.format().platform().unwrap_or(Platform::Apple);
        let left = positions(devices.len(), progress);
        let recipients = left.iter().filter_map(|&at| {
            let device = devices.get(usize::try_from(at).ok()?)?;
            Some(Recipient {
                key: Key(i64::from(at)),
                id: RegistrationId::stored(String::new()),
                handle: device.handle(platform),
                installation: None,
                template: None,
                push_variables: None,
            })
        });
        self.list(recipients.collect(), letters, |key| u32::try_from(key.0).ok()).await
    }

    /// Tries registrations again that were not reached.
    async fn registrations(
        &self,
        places: &[i64],
        progress: Option<Progress>,
        letters: Letters<'_>,
    ) -> Result<Verdict> {
        let left = positions(places.len(), progress);
        let keys: Vec<Key> = left
            .iter()
            .filter_map(|&at| places.get(usize::try_from(at).ok()?).map(|place| Key(*place)))
            .collect();
        let store = self.service.store();
        let recipients = store.recipients_at(self.hub.hub.key, &keys, self.service.now()).await?;
        let position = |key: Key| {
            let at = places.iter().position(|place| *place == key.0)?;
            u32::try_from(at).ok()
        };
        self.list(recipients, letters, position).await
    }

    async fn list(
        &self,
        recipients: Vec<Recipient>,
        mut letters: Letters<'_>,
        position: impl Fn(Key) -> Option<u32>,
    ) -> Result<Verdict> {
        let (service, hub) = (self.service, self.hub.hub.key);
        let native = self.order.format().platform().is_some();
        let sent = page::send(recipients, &mut letters, native, self.run()).await;
        let (now, id) = (service.now(), self.order.notification.as_str());
        let mut settled = Settled::of(&sent, id, self.order.deadline(), now);
        settled.remove_dead(service, hub).await?;
        let mut statements = settled.statements(service, hub, id);
        let progress = if settled.left.is_empty() {
            statements.push(service.store().finish_part(hub, id, now));
            Progress::Done
        } else {
            Progress::Left(settled.left.iter().filter_map(|key| position(*key)).collect())
        };
        let lease = &self.parcel.lease;
        match lease.checkpoint_with(self.item.id, progress.encode(), statements).await {
            Ok(()) if progress == Progress::Done => Ok(Verdict::Delivered),
            Ok(()) => Ok(again(&settled)),
            Err(lost) => Ok(refused("LeaseLost", &lost.to_string())),
        }
    }

    fn run(&self) -> Run {
        Run {
            notification: self.order.notification.as_str().into(),
            concurrency: self.service.settings().concurrency,
            counters: Arc::clone(&self.hub.counters),
            clock: self.service.clock(),
        }
    }
}

fn positions(count: usize, progress: Option<Progress>) -> Vec<u32> {
    match progress {
        Some(Progress::Left(left)) => left,
        _ => (0..u32::try_from(count).unwrap_or(u32::MAX)).collect(),
    }
}

fn again(settled: &Settled) -> Verdict {
    Verdict::Retry {
        outcome: settled.last.map_or("Again", OutcomeName::as_str).into(),
        answer: settled.answer.clone(),
        not_before: settled.floor,
        probation: settled.wait,
    }
}

fn refused(outcome: &'static str, answer: &str) -> Verdict {
    Verdict::Refused { outcome: outcome.into(), answer: answer.to_owned() }
}
