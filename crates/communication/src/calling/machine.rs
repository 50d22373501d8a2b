//! What can happen to a call, and what follows from it. Pure: names and moments are arguments.

use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::{Value, json};

use super::model::{Added, Call, Connection, Invitation, Person, Standing, State};
use super::outcome::{Silence, Unanswered, result};
use crate::identifier::RawId;

/// What follows from a change, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// An application is told.
    Callback(Callback),
    /// The user's devices are to ring.
    Ring(RawId),
    /// They are to be still.
    Stop {
        user: RawId,
        why: Silence,
    },
    /// The call has begun, by the answer of this user.
    Started(RawId),
    Joined(RawId),
    Left(RawId),
    Ended,
}

/// One callback.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Callback {
    pub(crate) connection: String,
    pub(crate) uri: String,
    pub(crate) operation_context: Option<String>,
    /// Without `Microsoft.Communication.`.
    pub(crate) kind: &'static str,
    pub(crate) data: Value,
}

/// A change under way.
pub(crate) struct Change<'a> {
    call: &'a mut Call,
    effects: Vec<Effect>,
}

/// Somebody to ring.
pub(crate) struct Invite {
    pub(crate) user: RawId,
    pub(crate) exists: bool,
    pub(crate) secret: String,
    pub(crate) until: Timestamp,
    pub(crate) added: Option<Added>,
}

/// Carries out one change.
pub(crate) fn change<T>(
    call: &mut Call,
    act: impl FnOnce(&mut Change<'_>) -> Result<T>,
) -> Result<(T, Vec<Effect>)> {
    let mut change = Change { call, effects: Vec::new() };
    let value = act(&mut change)?;
    Ok((value, change.effects))
}

impl Change<'_> {
    pub(crate) fn call(&self) -> &Call {
        self.call
    }

    /// Rings somebody, again perhaps.
    pub(crate) fn invite(&mut self, invite: Invite) {
        let Invite { user, exists, secret, until, added } = invite;
        let invitation = Invitation { secret, until: until.as_micros(), added };
        let standing = Standing::Ringing(invitation);
        match self.call.people.iter_mut().find(|it| it.id == user.as_str()) {
            Some(known) => known.standing = standing,
            None => self.call.people.push(person(&user, standing)),
        }
        if exists {
            self.effects.push(Effect::Ring(user));
        } else {
            self.unanswered(&user, Unanswered::Unknown);
        }
    }

    /// The one whose ringing has this secret.
    pub(crate) fn rung(&self, secret: &str, now: Timestamp) -> Result<RawId> {
        let is = |it: &&Person| {
            it.invitation().is_some_and(|it| it.secret == secret && it.until > now.as_micros())
        };
        self.call.people.iter().find(is).map(Person::raw).ok_or_else(no_longer_rings)
    }

    /// A user takes the call; `connection` holds it for an application.
    pub(crate) fn answer(
        &mut self,
        user: &RawId,
        connection: Option<Connection>,
        now: Timestamp,
    ) -> Result<()> {
        let added = self.invitation(user)?.added.clone();
        self.hush(user, Standing::Joined, Silence::Answered);
        self.call.connections.extend(connection);
        if self.call.started.is_none() {
            self.call.started = Some(now.as_micros());
            self.effects.push(Effect::Started(user.clone()));
            if self.call.from.starts_with("8:") {
                let caller = person(&self.call.from(), Standing::Joined);
                self.effects.push(Effect::Joined(caller.raw()));
                self.call.people.push(caller);
            }
        }
        self.effects.push(Effect::Joined(user.clone()));
        let connecting = |it: &&mut Connection| it.state == State::Connecting;
        let fresh = self.call.connections.iter_mut().filter(connecting).map(|it| {
            it.state = State::Connected;
            it.id.clone()
        });
        for id in fresh.collect::<Vec<_>>() {
            self.tell(&id, "CallConnected", json!({}));
        }
        if let Some(added) = added {
            let participant = json!({ "participant": user.to_json() });
            self.tell_adder(&added, "AddParticipantSucceeded", participant);
        }
        self.participants_updated();
        Ok(())
    }

    /// A ringing ends without an answer; with the last one and nobody in it, the call fails.
    pub(crate) fn unanswered(&mut self, user: &RawId, why: Unanswered) {
        let Ok(invitation) = self.invitation(user) else { return };
        let added = invitation.added.clone();
        self.hush(user, Standing::Gone, Silence::Unanswered(why));
        if let Some(added) = added {
            let mut data = json!({ "participant": user.to_json() });
            data["resultInformation"] = why.result();
            let kind = match why {
                Unanswered::Cancelled => return self.cancelled(&added),
                _ => "AddParticipantFailed",
            };
            self.tell_adder(&added, kind, data);
        }
        let rings = self.call.people.iter().any(|it| it.invitation().is_some());
        if self.call.started.is_none() && !rings {
            let failed = json!({ "resultInformation": why.result() });
            self.end("CreateCallFailed", &failed);
        }
    }

    fn cancelled(&mut self, added: &Added) {
        let data = json!({ "invitationId": added.invitation_id });
        self.tell_adder(added, "CancelAddParticipantSucceeded", data);
    }

    /// The call goes to somebody else.
    pub(crate) fn redirect(&mut self, user: &RawId, to: Invite) -> Result<()> {
        let added = self.invitation(user)?.added.clone();
        self.hush(user, Standing::Gone, Silence::Redirected);
        self.invite(Invite { added, ..to });
        Ok(())
    }

    /// Whose ringing is over by now.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let over = |it: &&Person| it.invitation().is_some_and(|it| it.until <= now.as_micros());
        let over: Vec<RawId> = self.call.people.iter().filter(over).map(Person::raw).collect();
        for user in over {
            self.unanswered(&user, Unanswered::NoAnswer);
        }
    }

    /// The additions with this id are taken back.
    pub(crate) fn cancel(&mut self, invitation_id: &str) -> Result<()> {
        let is = |it: &&Person| {
            let added = it.invitation().and_then(|it| it.added.as_ref());
            added.is_some_and(|added| added.invitation_id == invitation_id)
        };
        let user = self.call.people.iter().find(is).map(Person::raw);
        let user = user.ok_or_else(|| {
            not_found("There is no invitation with this id that still rings.", "invitationId")
        })?;
        self.unanswered(&user, Unanswered::Cancelled);
        Ok(())
    }

    /// An application leaves, and with it the user for whom it answered.
    pub(crate) fn hang_up(&mut self, connection: &str) -> Result<()> {
        let at = self.live(connection)?;
        let user = self.call.connections[at].answered_for.clone().map(RawId::new);
        self.disconnect(connection);
        if let Some(user) = user {
            self.leave(&user);
        }
        self.end_if_lonely();
        Ok(())
    }

    /// An application ends the call for everybody.
    pub(crate) fn terminate(&mut self, connection: &str) -> Result<()> {
        self.live(connection)?;
        self.end("CallDisconnected", &ended_normally());
        Ok(())
    }

    /// Somebody is sent away.
    pub(crate) fn remove(
        &mut self,
        connection: &str,
        user: &RawId,
        reply: (Option<String>, Option<String>),
    ) -> Result<()> {
        let at = self.live(connection)?;
        let standing = self.call.person(user).map(|it| it.standing.clone());
        match standing {
            Some(Standing::Joined) => self.leave(user),
            Some(Standing::Ringing(_)) => self.hush(user, Standing::Gone, Silence::Removed),
            _ => return Err(no_such_participant()),
        }
        let (callback, operation_context) = reply;
        let connection = &self.call.connections[at];
        let uri = callback.or_else(|| connection.callback.clone());
        if let Some(uri) = uri {
            self.effects.push(Effect::Callback(Callback {
                connection: connection.id.clone(),
                uri,
                operation_context,
                kind: "RemoveParticipantSucceeded",
                data: json!({ "participant": user.to_json() }),
            }));
        }
        self.participants_updated();
        self.end_if_lonely();
        Ok(())
    }

    pub(crate) fn mute(&mut self, connection: &str, user: &RawId) -> Result<()> {
        self.live(connection)?;
        let joined = |it: &&mut Person| it.id == user.as_str() && it.standing == Standing::Joined;
        let person = self.call.people.iter_mut().find(joined).ok_or_else(no_such_participant)?;
        person.muted = true;
        self.participants_updated();
        Ok(())
    }

    /// The place of a connection that has not ended.
    pub(crate) fn live(&self, connection: &str) -> Result<usize> {
        let is = |it: &Connection| it.id == connection && it.state != State::Disconnected;
        self.call.connections.iter().position(is).ok_or_else(call_is_over)
    }

    fn invitation(&self, user: &RawId) -> Result<&Invitation> {
        self.call.person(user).and_then(Person::invitation).ok_or_else(no_longer_rings)
    }

    fn stand(&mut self, user: &RawId, standing: Standing) {
        if let Some(it) = self.call.people.iter_mut().find(|it| it.id == user.as_str()) {
            it.standing = standing;
        }
    }

    /// A ringing is over.
    fn hush(&mut self, user: &RawId, standing: Standing, why: Silence) {
        if let Some(it) = self.call.people.iter_mut().find(|it| it.id == user.as_str()) {
            (it.standing, it.missed) = (standing, why.is_missed());
        }
        self.effects.push(Effect::Stop { user: user.clone(), why });
    }

    fn leave(&mut self, user: &RawId) {
        self.stand(user, Standing::Gone);
        self.effects.push(Effect::Left(user.clone()));
        let is = |it: &&Connection| it.answered_for.as_deref() == Some(user.as_str());
        let held: Vec<String> =
            self.call.connections.iter().filter(is).map(|it| it.id.clone()).collect();
        for id in held {
            self.disconnect(&id);
        }
    }

    fn disconnect(&mut self, connection: &str) {
        let live = |it: &&mut Connection| it.id == connection && it.state != State::Disconnected;
        if let Some(it) = self.call.connections.iter_mut().find(live) {
            it.state = State::Disconnected;
            self.tell(connection, "CallDisconnected", ended_normally());
        }
    }

    /// Without two who could talk, a call that has begun is over; one that rings needs its caller.
    fn end_if_lonely(&mut self) {
        let live = |it: &&Connection| it.state != State::Disconnected && it.answered_for.is_none();
        let applications = self.call.connections.iter().filter(live).count();
        let rings = self.call.people.iter().filter(|it| it.invitation().is_some()).count();
        let parties = applications + self.call.joined().count() + rings;
        if self.call.ended || (parties >= 2 && (applications > 0 || self.call.started.is_some())) {
            return;
        }
        self.end("CallDisconnected", &ended_normally());
    }

    fn end(&mut self, kind: &'static str, data: &Value) {
        self.call.ended = true;
        for index in 0..self.call.people.len() {
            let user = self.call.people[index].raw();
            match self.call.people[index].standing {
                Standing::Ringing(_) => self.hush(&user, Standing::Gone, Silence::CallEnded),
                Standing::Joined => {
                    self.stand(&user, Standing::Gone);
                    self.effects.push(Effect::Left(user));
                }
                Standing::Gone => {}
            }
        }
        for index in 0..self.call.connections.len() {
            let connection = &mut self.call.connections[index];
            if connection.state != State::Disconnected {
                connection.state = State::Disconnected;
                let id = connection.id.clone();
                self.tell(&id, kind, data.clone());
            }
        }
        if self.call.started.is_some() {
            self.effects.push(Effect::Ended);
        }
    }

    fn participants_updated(&mut self) {
        let people: Vec<Value> = self.call.joined().map(Person::to_json).collect();
        for index in 0..self.call.connections.len() {
            let connection = &mut self.call.connections[index];
            if connection.state == State::Connected {
                connection.sequence += 1;
                let data = json!({ "participants": people, "sequenceNumber": connection.sequence });
                let id = connection.id.clone();
                self.tell(&id, "ParticipantsUpdated", data);
            }
        }
    }

    fn tell(&mut self, connection: &str, kind: &'static str, data: Value) {
        let Some(connection) = self.call.connection(connection) else { return };
        let Some(uri) = connection.callback.clone() else { return };
        self.effects.push(Effect::Callback(Callback {
            connection: connection.id.clone(),
            uri,
            operation_context: connection.operation_context.clone(),
            kind,
            data,
        }));
    }

    fn tell_adder(&mut self, added: &Added, kind: &'static str, data: Value) {
        let usual = self.call.connection(&added.connection).and_then(|it| it.callback.clone());
        let Some(uri) = added.callback.clone().or(usual) else { return };
        self.effects.push(Effect::Callback(Callback {
            connection: added.connection.clone(),
            uri,
            operation_context: added.operation_context.clone(),
            kind,
            data,
        }));
    }
}

fn person(user: &RawId, standing: Standing) -> Person {
    Person { id: user.as_str().to_owned(), standing, muted: false, missed: false }
}

fn ended_normally() -> Value {
    json!({ "resultInformation": result(200, "The call has ended normally.") })
}

pub(crate) fn no_longer_rings() -> Error {
    let message = "The call does not ring any more: it was answered, rejected or redirected by \
                   somebody else, its caller gave up, or the time of ringing is over.";
    not_found(message, "incomingCallContext")
}

fn no_such_participant() -> Error {
    not_found("The call has no such participant.", "participant")
}

pub(crate) fn call_is_over() -> Error {
    not_found("There is no call connection with this id, or it has ended.", "callConnectionId")
}

fn not_found(message: &str, target: &'static str) -> Error {
    // The code by which the real service refuses what is unknown is not published.
    Error::new(ErrorKind::NotFound, "CallNotFound", message).target(target)
}
