//! Calls changed: one change after another, each with all that follows from it in one transaction.

use delivery::NewDelivery;
use kernel::{Error, Result, Timestamp};
use storage::Statement;

use super::journeys::{self, Before};
use super::machine::{self, Change, Effect};
use super::model::Call;
use super::repeat::{Reply, RequestId};
use super::rings::Rings;
use super::service::{Calling, Foundations, busy, fresh};
use super::store::{self, Loaded};
use super::{callback, courier, incoming};
use crate::events::Event;
use crate::ports::Work;
use crate::push::{Enqueued, Purpose, Wake};

/// What a change on disk has caused.
struct Stored {
    callbacks: Vec<NewDelivery>,
    pushed: Vec<NewDelivery>,
    committed: Option<Box<dyn FnOnce() + Send>>,
}

/// Attempts at a change that others overtake.
const RETRIES: usize = 8;

impl Calling {
    /// Writes a new call, unless its request has made one before.
    pub(super) async fn begin(
        &self,
        call: &Call,
        request: Option<&RequestId>,
        reply: Reply,
        effects: &[Effect],
    ) -> Result<Reply> {
        let mut rings = self.0.turn.lock().await;
        if let Some(first) = self.replied(request).await? {
            return Ok(first);
        }
        let mut statements = store::insert(call, self.now());
        statements.extend(request.map(|it| store::remember(it, &call.id, &reply)));
        match self.store(call, statements, effects).await {
            Ok(stored) => {
                journeys::begun(call, effects, self.now());
                self.hand_out(stored);
                self.signal(&mut rings, call, 0);
                Ok(reply)
            }
            Err(Failed::Overtaken) => self.replied(request).await?.ok_or_else(busy),
            Err(failed) => Err(failed.into()),
        }
    }

    /// Reads, changes and writes a call, until nobody was faster. A request that comes again changes
    /// nothing.
    pub(super) async fn change(
        &self,
        id: &str,
        request: Option<&RequestId>,
        act: impl Fn(&mut Change<'_>) -> Result<Reply>,
    ) -> Result<Reply> {
        let mut rings = self.0.turn.lock().await;
        for _ in 0..RETRIES {
            if let Some(first) = self.replied(request).await? {
                return Ok(first);
            }
            let Some(Loaded { mut call, revision }) = store::load(self.db(), id).await? else {
                return Err(machine::call_is_over());
            };
            let before = Before::of(&call);
            let (reply, effects) = machine::change(&mut call, &act)?;
            let mut statements = store::update(&call, revision, self.now());
            statements.extend(request.map(|it| store::remember(it, id, &reply)));
            let journey = journeys::of(&self.foundations().milestones, &call);
            // On the heap: within a journey or not, it would stand here twice.
            let stored = Box::pin(self.store(&call, statements, &effects));
            match journeys::within(journey.as_ref(), stored).await {
                Ok(stored) => {
                    journeys::told_elsewhere(journey.as_ref());
                    journeys::inside(journey.as_ref(), || {
                        journeys::changed(&call, before, &effects, self.now());
                        self.hand_out(stored);
                    });
                    self.signal(&mut rings, &call, revision + 1);
                    return Ok(reply);
                }
                Err(Failed::Overtaken) => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(busy())
    }

    /// Signals what other servers have changed, and what rang before this one started.
    pub(super) async fn follow(&self) -> Result<()> {
        let mut rings = self.0.turn.lock().await;
        let ringing = store::ringing(self.db()).await?;
        for id in rings.stale(&ringing) {
            match store::load(self.db(), &id).await? {
                Some(Loaded { call, revision }) => self.signal(&mut rings, &call, revision),
                None => rings.forget(&id),
            }
        }
        Ok(())
    }

    fn signal(&self, rings: &mut Rings, call: &Call, revision: i64) {
        let Foundations { ringing, milestones, .. } = self.foundations();
        let signals = rings.see(call, revision);
        journeys::inside(journeys::of(milestones, call).as_ref(), || {
            signals.iter().for_each(|signal| ringing.signal(signal));
        });
    }

    async fn replied(&self, request: Option<&RequestId>) -> Result<Option<Reply>> {
        match request {
            Some(request) => store::replied(self.db(), request).await,
            None => Ok(None),
        }
    }

    /// Writes a call and all that follows from its change.
    async fn store(
        &self,
        call: &Call,
        mut statements: Vec<Statement>,
        effects: &[Effect],
    ) -> std::result::Result<Stored, Failed> {
        let foundations = self.foundations();
        let now = self.now();
        let callbacks: Vec<NewDelivery> =
            effects.iter().filter_map(|effect| self.callback(call, effect, now)).collect();
        statements.extend(foundations.deliveries.enqueue(&callbacks));
        let events: Vec<Event> =
            effects.iter().filter_map(|effect| event(call, effect, now)).collect();
        let Work { statements: published, committed } = foundations.events.work(&events);
        statements.extend(published);
        let mut pushed = Vec::new();
        for effect in effects {
            let Some(Enqueued { statements: more, deliveries }) = self.push(call, effect) else {
                continue;
            };
            statements.extend(more);
            pushed.extend(deliveries);
        }
        foundations.db.write(statements).await.map_err(Failed::from)?;
        Ok(Stored { callbacks, pushed, committed })
    }

    /// Hands out what is on disk.
    fn hand_out(&self, stored: Stored) {
        let Stored { callbacks, pushed, committed } = stored;
        self.foundations().deliveries.accepted(&callbacks);
        self.foundations().pushes.accepted(&pushed);
        if let Some(committed) = committed {
            committed();
        }
    }

    fn callback(&self, call: &Call, effect: &Effect, now: Timestamp) -> Option<NewDelivery> {
        let Effect::Callback(it) = effect else { return None };
        let foundations = self.foundations();
        let resource = foundations.resources.iter().find(|it| it.name == call.resource)?;
        let letter = courier::Letter {
            uri: it.uri.clone(),
            body: callback::body(call, it, &fresh(), &crate::time::offset(now)),
            audience: resource.id.clone(),
        };
        Some(courier::delivery(&foundations.deliveries, &it.connection, &letter))
    }

    fn push(&self, call: &Call, effect: &Effect) -> Option<Enqueued> {
        let (user, payload) = match effect {
            Effect::Ring(user) => (user, incoming::ring(call, call.person(user)?)?),
            Effect::Stop { user, why } => (user, incoming::stop(call, user, why.is_missed())),
            _ => return None,
        };
        let foundations = self.foundations();
        let wake = Wake {
            purpose: Purpose::Calls,
            payload,
            worth: foundations.ring_time,
            // A phone that is told to stop before it is told to ring would ring for ever.
            order: Some(format!("{}/{user}", call.id)),
        };
        Some(foundations.pushes.to_users(&call.resource, std::slice::from_ref(user), wake))
    }
}

fn event(call: &Call, effect: &Effect, now: Timestamp) -> Option<Event> {
    match effect {
        Effect::Ring(user) => incoming::incoming_call(call, call.person(user)?, now),
        Effect::Started(_) => Some(incoming::started(call, now)),
        Effect::Joined(user) => Some(incoming::participant(call, user, true, now)),
        Effect::Left(user) => Some(incoming::participant(call, user, false, now)),
        Effect::Ended => Some(incoming::ended(call, now)),
        Effect::Callback(_) | Effect::Stop { .. } => None,
    }
}

/// Why a change is not on disk.
enum Failed {
    /// Somebody else was faster.
    Overtaken,
    Store(Error),
}

impl From<storage::Error> for Failed {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Constraint(_) | storage::Error::Duplicate(_) => Self::Overtaken,
            other => Self::Store(other.into()),
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Overtaken => busy(),
            Failed::Store(error) => error,
        }
    }
}
