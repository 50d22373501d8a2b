//! From accepted events to deliveries on disk.
//!
//! One publication is one transaction: either everything that it causes is stored, or it is refused.
//! Filters are asked here, so an event that nobody wants costs no write at all. What services of this
//! program publish about themselves (system events) takes the same road, in transactions of theirs.

use std::sync::Arc;
use std::time::Duration;

use delivery::NewDelivery;
use kernel::{Error, ErrorKind, Result};
use storage::Statement;

use crate::event::{Event, Intake, Limits, Publication, accept};
use crate::filter::Subject;
use crate::journeys::{self, Matches};
use crate::registry::{Snapshot, SubscriptionEntry, TopicEntry};
use crate::service::{EventGrid, QUEUE};
use crate::system::SystemEvent;
use crate::watch::{Judged, Sighting, Traffic};
use wire::ResourceId;

/// When a refused publisher may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// System events on their way into a transaction of the service that raises them.
#[derive(Debug, Default)]
pub struct SystemBatch {
    /// To be written with the state that the events are about.
    pub statements: Vec<Statement>,
    caused: Caused,
}

/// What events cause.
#[derive(Debug, Default)]
struct Caused {
    /// What raised them.
    source: String,
    traffic: Traffic,
    deliveries: Vec<NewDelivery>,
    /// For whoever watches, once it is certain.
    sightings: Vec<Sighting>,
    /// For the journeys of the events, once it is certain.
    matches: Matches,
}

impl EventGrid {
    /// Publishes to a custom topic. Returns when everything is on disk.
    pub(crate) async fn publish(
        &self,
        entry: &TopicEntry,
        publication: &Publication<'_>,
    ) -> Result<()> {
        let permit = self.publishing().try_acquire();
        let _permit = permit.map_err(|_| busy())?;
        let caused = self.judged(entry, publication)?;
        journeys::accepted(entry, publication.body.len());
        let statements = self.deliveries().enqueue(&caused.deliveries);
        self.commit(statements, &caused).await
    }

    /// What a publication causes, if all of it is in order.
    fn judged(&self, entry: &TopicEntry, publication: &Publication<'_>) -> Result<Caused> {
        let Some(custom) = entry.topic.custom() else {
            let message =
                format!("'{}' is a system topic, which nobody publishes to.", entry.topic.id);
            return Err(Error::new(ErrorKind::NotFound, "NotFound", message));
        };
        let topic: Arc<str> = entry.topic.id.as_str().into();
        let request_bytes = self.settings().max_request_bytes;
        let intake = Intake {
            topic: &topic,
            schema: &custom.input_schema,
            limits: &Limits { request_bytes, ..Limits::default() },
            now: self.now(),
            new_id: &|| uuid::Uuid::new_v4().to_string(),
        };
        let events = accept(publication, &intake)?;
        Ok(self.caused_by(&entry.topic.id, &events))
    }

    /// The deliveries that events of a resource of this installation cause, to be written by its
    /// service in the transaction of what happened. After the commit comes
    /// [`EventGrid::system_events_stored`].
    pub fn system_events(&self, source: &ResourceId, events: &[SystemEvent]) -> SystemBatch {
        if !self.wants(source) {
            return SystemBatch::default();
        }
        let topic: Arc<str> = source.as_str().into();
        let events: Vec<Event> =
            events.iter().map(|event| event.to_event(&topic, self.now())).collect();
        let caused = self.caused_by(source, &events);
        SystemBatch { statements: self.deliveries().enqueue(&caused.deliveries), caused }
    }

    /// Says that a transaction with system events is committed, so that they are delivered at once.
    pub fn system_events_stored(&self, batch: &SystemBatch) {
        self.settled(&batch.caused);
    }

    /// Whether anybody wants events of a resource now, before filters.
    pub fn wants(&self, source: &ResourceId) -> bool {
        self.snapshot().is_watched(source, self.now())
    }

    /// Publishes system events that belong to no transaction, in the background, from any thread. Where the store
    /// fails or too much is under way, they are lost, with a line in the log.
    pub fn raise(&self, source: &ResourceId, events: &[SystemEvent]) {
        let SystemBatch { statements, caused } = self.system_events(source, events);
        if statements.is_empty() {
            return;
        }
        let Ok(permit) = Arc::clone(self.raising()).try_acquire_owned() else {
            tracing::warn!(
                source = source.as_str(),
                "too many system events at once; some are lost"
            );
            return;
        };
        let service = self.clone();
        let _runtime = self.runtime().enter();
        self.tasks().spawn("system events", async move {
            let _permit = permit;
            if let Err(error) = service.commit(statements, &caused).await {
                tracing::warn!(%error, context = error.operator_context(), "system events are lost");
            }
        });
    }

    async fn commit(&self, statements: Vec<Statement>, caused: &Caused) -> Result<()> {
        // What nobody wants needs no write.
        if !statements.is_empty() {
            let written = self.store().write(statements).await;
            written.map_err(|error| match error.kind() {
                ErrorKind::Unavailable => error.retry_after(RETRY_AFTER),
                _ => error,
            })?;
        }
        self.settled(caused);
        Ok(())
    }

    fn settled(&self, caused: &Caused) {
        caused.matches.tell();
        self.watch().count(&caused.source, caused.traffic);
        self.watch().published(&caused.sightings);
        self.deliveries().accepted(&caused.deliveries);
    }

    /// One delivery for each event and each event subscription that wants it.
    fn caused_by(&self, source: &ResourceId, events: &[Event]) -> Caused {
        let (now, snapshot) = (self.now(), self.snapshot());
        let active: Vec<_> = snapshot.active(source, now).collect();
        let mut caused = Caused { source: source.as_str().to_owned(), ..Caused::default() };
        let mut judged = vec![Judged::default(); active.len()];
        for event in events {
            let subject = Subject::new(event);
            let mut payload = None;
            let mut receivers = Vec::new();
            for (entry, judged) in active.iter().zip(&mut judged) {
                let verdict = entry.subscription.properties.filter.judge(&subject);
                judged.advanced_filters += verdict.advanced_filters;
                if !verdict.is_wanted {
                    judged.passed_over += 1;
                    judged.last = Some(event);
                    continue;
                }
                let payload = payload.get_or_insert_with(|| event.store()).clone();
                let delivery = self.delivery(entry, payload);
                receivers.push((delivery.id, &entry.subscription));
                caused.deliveries.push(delivery);
            }
            caused.traffic.published += 1;
            caused.traffic.unmatched += u64::from(receivers.is_empty());
            let wanted_by = receivers.iter().map(|(_, it)| it.name.as_str());
            caused.matches.add(event, wanted_by, active.len());
            caused.sightings.extend(self.watch().sighting(event, &receivers));
        }
        for (entry, judged) in active.iter().zip(judged) {
            self.watch().judged(&entry.key, judged);
        }
        caused
    }

    fn delivery(&self, entry: &SubscriptionEntry, payload: Vec<u8>) -> NewDelivery {
        let policy = entry.subscription.properties.retry_policy;
        NewDelivery {
            id: self.deliveries().next_id(),
            queue: QUEUE,
            target: entry.key.to_string(),
            order_key: None,
            payload,
            not_before: None,
            time_to_live: Duration::from_secs(60 * u64::from(policy.event_ttl_minutes)),
            max_attempts: policy.max_delivery_attempts,
        }
    }
}

impl Snapshot {
    fn is_watched(&self, source: &ResourceId, now: kernel::Timestamp) -> bool {
        self.active(source, now).next().is_some()
    }
}

fn busy() -> Error {
    let message = "Too many publications are under way at this server. Try again in a moment.";
    Error::new(ErrorKind::Throttled, "TooManyRequests", message).retry_after(RETRY_AFTER)
}
