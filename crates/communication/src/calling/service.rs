//! Calls carried out: one change after another, each with all that follows from it in one transaction.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use delivery::{Deliveries, NewDelivery, Queue};
use edge::outbound::Outbound;
use kernel::{Clock, Error, ErrorKind, Result, Timestamp};
use serde_json::Value;
use storage::{Db, Statement};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::context::Context;
use super::machine::{self, Change, Effect, Invite};
use super::model::{Added, Call, Connection, State};
use super::outcome::Unanswered;
use super::ports::{CallEvents, Ringing, Signal};
use super::store::{self, Loaded};
use super::{MIGRATIONS, callback, courier, incoming};
use crate::events::Event;
use crate::identifier::RawId;
use crate::identity::Identities;
use crate::ports::Work;
use crate::push::{Enqueued, Purpose, Pushes};
use crate::resource::{Resource, Resources};

/// How often ringing is looked at whose time may be over.
const TICK: Duration = Duration::from_millis(500);
/// How long an ended call can be asked about.
const KEEP_ENDED: Duration = Duration::from_hours(1);
/// Attempts at a change that others overtake.
const RETRIES: usize = 8;

/// Calls of all resources. Cheap to clone.
#[derive(Clone)]
pub struct Calling(Arc<Inner>);

/// What calls stand on.
pub struct Foundations {
    /// Where they are kept.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The queue of callbacks.
    pub deliveries: Deliveries,
    /// Callbacks are made through this.
    pub outbound: Outbound,
    /// Sleeping devices are reached through this.
    pub pushes: Pushes,
    /// Events go here.
    pub events: Arc<dyn CallEvents>,
    /// Connected devices are reached through this.
    pub ringing: Arc<dyn Ringing>,
    /// Whose keys and tokens open calls.
    pub resources: Resources,
    /// Who there is.
    pub identities: Identities,
    /// How long a call rings unless asked otherwise.
    pub ring_time: Duration,
}

struct Inner {
    foundations: Foundations,
    /// Changes of this node do not overtake one another; those of others are noticed.
    turn: Mutex<()>,
}

/// A call to be begun.
pub(super) struct NewCall {
    pub(super) targets: Vec<RawId>,
    pub(super) source: Option<RawId>,
    pub(super) display_name: Option<String>,
    pub(super) callback: String,
    pub(super) operation_context: Option<String>,
    /// By which a repeated request is known.
    pub(super) request: Option<String>,
}

/// Somebody to be added.
pub(super) struct Addition {
    pub(super) user: RawId,
    pub(super) timeout: Option<Duration>,
    pub(super) callback: Option<String>,
    pub(super) operation_context: Option<String>,
}

/// A call as one application sees it.
pub(super) struct Seen {
    pub(super) call: Call,
    pub(super) connection: String,
}

impl Seen {
    pub(super) fn properties(&self) -> Result<Value> {
        let connection = self.call.connection(&self.connection);
        Ok(self.call.properties(connection.ok_or_else(machine::call_is_over)?))
    }
}

impl Calling {
    /// The calls, whose tables are made where they are missing.
    ///
    /// # Errors
    /// When they cannot be made.
    pub async fn open(foundations: Foundations) -> Result<Self> {
        foundations.db.migrate("communication-calls", MIGRATIONS).await?;
        Ok(Self(Arc::new(Inner { foundations, turn: Mutex::default() })))
    }

    /// The queue of callbacks, for the driver of the deliveries.
    pub fn queue(&self) -> Queue {
        courier::queue(self.0.foundations.outbound.clone())
    }

    /// Ends ringing whose time is over, for ever.
    pub async fn watch(&self) {
        let mut interval = tokio::time::interval(TICK);
        loop {
            interval.tick().await;
            if let Err(error) = self.expire().await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "cannot end calls that nobody answers");
            }
        }
    }

    pub(super) fn foundations(&self) -> &Foundations {
        &self.0.foundations
    }

    /// Ends ringing whose time is over.
    pub(super) async fn expire(&self) -> Result<()> {
        let now = self.now();
        for id in store::due(self.db(), now).await? {
            self.change(&id, |change| {
                change.expire(now);
                Ok(())
            })
            .await?;
        }
        if now.as_secs() % 60 == 0 {
            let before = Timestamp::from_micros(
                now.as_micros() - i64::try_from(KEEP_ENDED.as_micros()).unwrap_or(0),
            );
            self.db().write(store::forget(before)).await?;
        }
        Ok(())
    }

    /// Rings the targets.
    pub(super) async fn create(&self, resource: &Resource, new: NewCall) -> Result<Seen> {
        if let Some(request) = &new.request
            && let Some(connection) = store::made_by(self.db(), request).await?
        {
            return self.seen(resource, &connection).await;
        }
        let known = self.foundations().identities.existing(&new.targets).await?;
        let (id, connection) = (fresh(), fresh());
        let from = new.source.map_or_else(
            || format!("28:acs:{}_{connection}", resource.id),
            |source| source.as_str().to_owned(),
        );
        let mut call = Call {
            id,
            resource: resource.name.clone(),
            correlation: fresh(),
            from,
            display_name: new.display_name,
            connections: vec![Connection {
                id: connection.clone(),
                callback: Some(new.callback),
                operation_context: new.operation_context,
                state: State::Connecting,
                answered_for: None,
                sequence: 0,
            }],
            people: Vec::new(),
            started: None,
            ended: false,
        };
        let until = self.now() + self.foundations().ring_time;
        // Those who do not exist come last: the call fails for their sake when nobody else rings.
        let (there, not_there): (Vec<_>, Vec<_>) =
            new.targets.into_iter().partition(|user| known.contains(user));
        let ((), effects) = machine::change(&mut call, |change| {
            for user in there.into_iter().chain(not_there) {
                let exists = known.contains(&user);
                change.invite(Invite { user, exists, secret: fresh(), until, added: None });
            }
            Ok(())
        })?;
        let mut statements = store::insert(&call, self.now());
        let request = new.request.as_deref();
        statements.extend(request.map(|it| store::remember(it, &connection, &call.id)));
        match (self.store(&call, statements, &effects).await, request) {
            (Err(Failed::Overtaken), Some(request)) => {
                let first = store::made_by(self.db(), request).await?;
                self.seen(resource, &first.ok_or_else(busy)?).await
            }
            (Err(failed), _) => Err(failed.into()),
            (Ok(()), _) => Ok(Seen { call, connection }),
        }
    }

    /// Takes a call, for an application or by a user's own device; `only` is who may.
    pub(super) async fn answer(
        &self,
        resource: &Resource,
        context: &str,
        only: Option<&RawId>,
        application: (Option<String>, Option<String>),
    ) -> Result<Seen> {
        let context = Context::decode(context).ok_or_else(machine::no_longer_rings)?;
        let now = self.now();
        let (id, (callback, operation_context)) = (fresh(), application);
        let ((), call) = self
            .change_of(resource, &context.call, |change| {
                let user = rung(change, &context, only, now)?;
                let connection = Connection {
                    id: id.clone(),
                    callback: callback.clone(),
                    operation_context: operation_context.clone(),
                    state: State::Connecting,
                    answered_for: Some(user.as_str().to_owned()),
                    sequence: 0,
                };
                change.answer(&user, Some(connection), now)
            })
            .await?;
        Ok(Seen { call, connection: id })
    }

    pub(super) async fn reject(
        &self,
        resource: &Resource,
        context: &str,
        only: Option<&RawId>,
        why: Unanswered,
    ) -> Result<()> {
        let context = Context::decode(context).ok_or_else(machine::no_longer_rings)?;
        let now = self.now();
        let change = |change: &mut Change<'_>| {
            let user = rung(change, &context, only, now)?;
            change.unanswered(&user, why);
            Ok(())
        };
        self.change_of(resource, &context.call, change).await.map(drop)
    }

    pub(super) async fn redirect(
        &self,
        resource: &Resource,
        context: &str,
        target: RawId,
    ) -> Result<()> {
        let context = Context::decode(context).ok_or_else(machine::no_longer_rings)?;
        let now = self.now();
        let known = self.foundations().identities.existing(std::slice::from_ref(&target)).await?;
        let change = |change: &mut Change<'_>| {
            let user = rung(change, &context, None, now)?;
            let to = Invite {
                user: target.clone(),
                exists: known.contains(&target),
                secret: fresh(),
                until: now + self.foundations().ring_time,
                added: None,
            };
            change.redirect(&user, to)
        };
        self.change_of(resource, &context.call, change).await.map(drop)
    }

    /// Adds somebody; the id of the invitation.
    pub(super) async fn add(
        &self,
        resource: &Resource,
        connection: &str,
        addition: Addition,
    ) -> Result<String> {
        let Addition { user, timeout, callback, operation_context } = addition;
        let known = self.foundations().identities.existing(std::slice::from_ref(&user)).await?;
        let invitation_id = fresh();
        let until = self.now() + timeout.unwrap_or(self.foundations().ring_time);
        self.with(resource, connection, |change| {
            change.live(connection)?;
            change.invite(Invite {
                user: user.clone(),
                exists: known.contains(&user),
                secret: fresh(),
                until,
                added: Some(Added {
                    invitation_id: invitation_id.clone(),
                    connection: connection.to_owned(),
                    callback: callback.clone(),
                    operation_context: operation_context.clone(),
                }),
            });
            Ok(())
        })
        .await?;
        Ok(invitation_id)
    }

    /// A change by whoever holds this connection.
    pub(super) async fn with<T>(
        &self,
        resource: &Resource,
        connection: &str,
        act: impl Fn(&mut Change<'_>) -> Result<T>,
    ) -> Result<T> {
        let call = store::call_of(self.db(), connection).await?;
        let call = call.ok_or_else(machine::call_is_over)?;
        Ok(self.change_of(resource, &call, act).await?.0)
    }

    /// A call through one connection.
    pub(super) async fn seen(&self, resource: &Resource, connection: &str) -> Result<Seen> {
        let id = store::call_of(self.db(), connection).await?;
        let id = id.ok_or_else(machine::call_is_over)?;
        let loaded = store::load(self.db(), &id).await?;
        let call = loaded.map(|it| it.call).filter(|call| call.resource == resource.name);
        let call = call.ok_or_else(machine::call_is_over)?;
        Ok(Seen { call, connection: connection.to_owned() })
    }

    async fn change_of<T>(
        &self,
        resource: &Resource,
        id: &str,
        act: impl Fn(&mut Change<'_>) -> Result<T>,
    ) -> Result<(T, Call)> {
        self.change(id, |change| match change.call().resource == resource.name {
            true => act(change),
            false => Err(machine::call_is_over()),
        })
        .await
    }

    /// Reads, changes and writes a call, until nobody was faster.
    async fn change<T>(
        &self,
        id: &str,
        act: impl Fn(&mut Change<'_>) -> Result<T>,
    ) -> Result<(T, Call)> {
        let _turn = self.0.turn.lock().await;
        for _ in 0..RETRIES {
            let Some(Loaded { mut call, revision }) = store::load(self.db(), id).await? else {
                return Err(machine::call_is_over());
            };
            let (value, effects) = machine::change(&mut call, &act)?;
            let statements = store::update(&call, revision, self.now());
            match self.store(&call, statements, &effects).await {
                Ok(()) => return Ok((value, call)),
                Err(Failed::Overtaken) => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Err(busy())
    }

    /// Writes a call and all that follows from its change, and hands out what is for now.
    async fn store(
        &self,
        call: &Call,
        mut statements: Vec<Statement>,
        effects: &[Effect],
    ) -> std::result::Result<(), Failed> {
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
        foundations.deliveries.accepted(&callbacks);
        foundations.pushes.accepted(&pushed);
        if let Some(committed) = committed {
            committed();
        }
        for signal in effects.iter().filter_map(|effect| signal(call, effect)) {
            foundations.ringing.signal(&signal);
        }
        Ok(())
    }

    fn callback(&self, call: &Call, effect: &Effect, now: Timestamp) -> Option<NewDelivery> {
        let Effect::Callback(it) = effect else { return None };
        let time = crate::time::offset(now);
        let body = callback::body(call, it, &fresh(), &time);
        Some(courier::delivery(&self.foundations().deliveries, &it.uri, &it.connection, body))
    }

    fn push(&self, call: &Call, effect: &Effect) -> Option<Enqueued> {
        let (user, payload) = match effect {
            Effect::Ring(user) => (user, incoming::ring(call, call.person(user)?)?),
            Effect::Stop { user, missed } => (user, incoming::stop(call, user, *missed)),
            _ => return None,
        };
        let foundations = self.foundations();
        let users = std::slice::from_ref(user);
        let worth = foundations.ring_time;
        Some(foundations.pushes.to_users(&call.resource, users, Purpose::Calls, payload, worth))
    }

    fn db(&self) -> &Db {
        &self.foundations().db
    }

    fn now(&self) -> Timestamp {
        self.foundations().clock.now()
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Calling").finish_non_exhaustive()
    }
}

/// Whoever a context rings, and whether the caller may speak for them.
fn rung(
    change: &Change<'_>,
    context: &Context,
    only: Option<&RawId>,
    now: Timestamp,
) -> Result<RawId> {
    let user = change.rung(&context.secret, now)?;
    match only {
        Some(only) if *only != user => Err(machine::no_longer_rings()),
        _ => Ok(user),
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

fn signal(call: &Call, effect: &Effect) -> Option<Signal> {
    match effect {
        Effect::Ring(user) => Some(Signal::Ring {
            user: user.clone(),
            from: call.from(),
            display_name: call.display_name.clone().unwrap_or_default(),
            server_call_id: call.server_call_id(),
            context: call.person(user)?.context(call)?.encode(),
        }),
        Effect::Stop { user, missed } => {
            let server_call_id = call.server_call_id();
            Some(Signal::Stop { user: user.clone(), server_call_id, missed: *missed })
        }
        _ => None,
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

fn busy() -> Error {
    let message = "The call is being changed by others at this moment. Try again.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
}

fn fresh() -> String {
    Uuid::new_v4().to_string()
}
