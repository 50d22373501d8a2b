//! What is asked of calls, and what happens to them by itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use delivery::{Deliveries, Queue};
use edge::outbound::Outbound;
use kernel::{Clock, Error, ErrorKind, Milestones, Result, Timestamp};
use serde_json::Value;
use storage::Db;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::attestation::Attestation;
use super::context::Context;
use super::machine::{self, Change, Invite};
use super::model::{Added, Call, Connection, State};
use super::outcome::Unanswered;
use super::ports::{CallEvents, Ringing};
use super::repeat::{Reply, RequestId};
use super::rings::Rings;
use super::{MIGRATIONS, courier, journeys, store};
use crate::identifier::RawId;
use crate::identity::Identities;
use crate::push::Pushes;
use crate::resource::{Resource, Resources};

/// How often ringing is looked at whose time may be over.
const TICK: Duration = Duration::from_millis(500);
/// How long an ended call can be asked about.
const KEEP_ENDED: Duration = Duration::from_hours(1);
/// Calls of all resources. Cheap to clone.
#[derive(Clone)]
pub struct Calling(pub(super) Arc<Inner>);

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
    /// The address under which applications know this server, for the signatures of callbacks.
    pub issuer: String,
    /// Where the journeys of calls are recorded.
    pub milestones: Milestones,
}

pub(super) struct Inner {
    foundations: Foundations,
    /// What devices were told. Whoever holds it may change a call: changes of this node do not overtake
    /// one another; those of others are noticed.
    pub(super) turn: Mutex<Rings>,
}

/// A call to be begun.
pub(super) struct NewCall {
    pub(super) targets: Vec<RawId>,
    pub(super) source: Option<RawId>,
    pub(super) display_name: Option<String>,
    pub(super) callback: String,
    pub(super) operation_context: Option<String>,
}

/// At which resource something is asked for, and whether it may be asked for again.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) resource: &'a Resource,
    pub(super) request: Option<&'a RequestId>,
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
        courier::queue(self.0.foundations.outbound.clone(), self.attestation())
    }

    /// Ends ringing whose time is over, and signals what other servers have changed, for ever.
    pub async fn watch(&self) {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let looked = async {
                self.expire().await?;
                self.follow().await
            };
            if let Err(error) = looked.await {
                let context = error.operator_context();
                tracing::warn!(%error, context, "cannot end calls that nobody answers");
            }
        }
    }

    pub(super) fn foundations(&self) -> &Foundations {
        &self.0.foundations
    }

    /// By which applications know callbacks of this server.
    pub(super) fn attestation(&self) -> Attestation {
        let Foundations { identities, clock, issuer, .. } = self.foundations();
        Attestation::new(identities.clone(), Arc::clone(clock), issuer)
    }

    /// Ends ringing whose time is over.
    pub(super) async fn expire(&self) -> Result<()> {
        let now = self.now();
        for id in store::due(self.db(), now).await? {
            self.change(&id, None, |change| {
                change.expire(now);
                Ok(Reply::no_content())
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
    pub(super) async fn create(&self, asked: Asked<'_>, new: NewCall) -> Result<Reply> {
        let known = self.foundations().identities.existing(&new.targets).await?;
        let until = self.now() + self.foundations().ring_time;
        // Those who do not exist come last: the call fails for their sake when nobody else rings.
        let (there, not_there): (Vec<_>, Vec<_>) =
            new.targets.iter().cloned().partition(|user| known.contains(user));
        let mut call = begun(asked.resource, new);
        let connection = call.connections[0].id.clone();
        let ((), effects) = machine::change(&mut call, |change| {
            for user in there.into_iter().chain(not_there) {
                let exists = known.contains(&user);
                change.invite(Invite { user, exists, secret: fresh(), until, added: None });
            }
            Ok(())
        })?;
        let seen = Seen { call, connection };
        let reply = Reply::new(StatusCode::CREATED, seen.properties()?);
        self.begin(&seen.call, asked.request, reply, &effects).await
    }

    /// Takes a call, for an application or by a user's own device; `only` is who may.
    pub(super) async fn answer(
        &self,
        asked: Asked<'_>,
        context: &str,
        only: Option<&RawId>,
        application: (Option<String>, Option<String>),
    ) -> Result<Reply> {
        let context = Context::decode(context).ok_or_else(machine::no_longer_rings)?;
        let now = self.now();
        let (id, (callback, operation_context)) = (fresh(), application);
        let change = |change: &mut Change<'_>| {
            let user = rung(change, &context, only, now)?;
            let connection = Connection {
                id: id.clone(),
                callback: callback.clone(),
                operation_context: operation_context.clone(),
                state: State::Connecting,
                answered_for: Some(user.as_str().to_owned()),
                sequence: 0,
            };
            change.answer(&user, Some(connection), now)?;
            let seen = Seen { call: change.call().clone(), connection: id.clone() };
            Ok(Reply::new(StatusCode::OK, seen.properties()?))
        };
        self.change_of(asked, &context.call, change).await
    }

    pub(super) async fn reject(
        &self,
        asked: Asked<'_>,
        context: &str,
        only: Option<&RawId>,
        why: Unanswered,
    ) -> Result<Reply> {
        let context = Context::decode(context).ok_or_else(machine::no_longer_rings)?;
        let now = self.now();
        let change = |change: &mut Change<'_>| {
            let user = rung(change, &context, only, now)?;
            change.unanswered(&user, why);
            Ok(Reply::no_content())
        };
        self.change_of(asked, &context.call, change).await
    }

    pub(super) async fn redirect(
        &self,
        asked: Asked<'_>,
        context: &str,
        target: RawId,
    ) -> Result<Reply> {
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
            change.redirect(&user, to)?;
            Ok(Reply::no_content())
        };
        self.change_of(asked, &context.call, change).await
    }

    /// Adds somebody; `reply` says what to answer with the id of the invitation.
    pub(super) async fn add(
        &self,
        asked: Asked<'_>,
        connection: &str,
        addition: Addition,
        reply: impl Fn(&str) -> Reply,
    ) -> Result<Reply> {
        let Addition { user, timeout, callback, operation_context } = addition;
        let known = self.foundations().identities.existing(std::slice::from_ref(&user)).await?;
        let invitation_id = fresh();
        let until = self.now() + timeout.unwrap_or(self.foundations().ring_time);
        self.with(asked, connection, |change| {
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
            Ok(reply(&invitation_id))
        })
        .await
    }

    /// A change by whoever holds this connection.
    pub(super) async fn with(
        &self,
        asked: Asked<'_>,
        connection: &str,
        act: impl Fn(&mut Change<'_>) -> Result<Reply>,
    ) -> Result<Reply> {
        let call = store::call_of(self.db(), connection).await?;
        let call = call.ok_or_else(machine::call_is_over)?;
        self.change_of(asked, &call, act).await
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

    /// A change of a call of the resource at which it is asked for.
    async fn change_of(
        &self,
        asked: Asked<'_>,
        id: &str,
        act: impl Fn(&mut Change<'_>) -> Result<Reply>,
    ) -> Result<Reply> {
        let Asked { resource, request } = asked;
        self.change(id, request, |change| match change.call().resource == resource.name {
            true => act(change),
            false => Err(machine::call_is_over()),
        })
        .await
    }

    pub(super) fn db(&self) -> &Db {
        &self.foundations().db
    }

    pub(super) fn now(&self) -> Timestamp {
        self.foundations().clock.now()
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Calling").finish_non_exhaustive()
    }
}

/// A call in which nobody is yet, with the connection of who begins it.
fn begun(resource: &Resource, new: NewCall) -> Call {
    let connection = fresh();
    let from = new.source.map_or_else(
        || format!("28:acs:{}_{connection}", resource.id),
        |source| source.as_str().to_owned(),
    );
    Call {
        id: fresh(),
        resource: resource.name.clone(),
        correlation: fresh(),
        from,
        display_name: new.display_name,
        connections: vec![Connection {
            id: connection,
            callback: Some(new.callback),
            operation_context: new.operation_context,
            state: State::Connecting,
            answered_for: None,
            sequence: 0,
        }],
        people: Vec::new(),
        started: None,
        ended: false,
        trace: journeys::taken_along(),
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

pub(super) fn busy() -> Error {
    let message = "The call is being changed by others at this moment. Try again.";
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
}

pub(super) fn fresh() -> String {
    Uuid::new_v4().to_string()
}
