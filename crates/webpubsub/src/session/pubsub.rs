//! A client of a subprotocol with an envelope, JSON or protobuf, reliable or not.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gateway::{Close, ConnectionId, Effect, Input, Session};
use kernel::Timestamp;

use super::acks::AckHistory;
use super::events::{EventSource, Reply, UserEvent};
use super::{Instruction, pass_on, publish_to_group};
use crate::message::{Message, Sent, Source};
use crate::protocol::{ClientMessage, Envelope};
use crate::role::{Permissions, Scope};
use crate::upstream::UserOutcome;

/// The state of one connection.
pub struct PubSubSession {
    id: ConnectionId,
    user: Option<Arc<str>>,
    permissions: Permissions,
    envelope: Envelope,
    reconnection_token: Option<Box<str>>,
    acks: AckHistory,
    /// Events with these ids are with the event handler; their acks are still to come.
    pending_acks: HashSet<u64>,
    events: EventSource,
}

/// Why a message of the client is not carried out: the error's name and message, as its ack says.
type Failure = (&'static str, String);

/// What a message needs beside the session's own state.
struct Turn<'a> {
    now: Timestamp,
    effects: &'a mut Vec<Effect>,
}

impl PubSubSession {
    /// A connection that is about to open; with a reconnection token on a reliable subprotocol.
    pub fn new(
        id: ConnectionId,
        user: Option<Arc<str>>,
        permissions: Permissions,
        envelope: Envelope,
        reconnection_token: Option<Box<str>>,
        events: EventSource,
    ) -> Self {
        Self {
            id,
            user,
            permissions,
            envelope,
            reconnection_token,
            acks: AckHistory::default(),
            pending_acks: HashSet::new(),
            events,
        }
    }

    fn receive(&mut self, message: Result<ClientMessage<'_>, Close>, turn: Turn<'_>) {
        match message {
            Err(close) => turn.effects.push(Effect::Close(close)),
            Ok(ClientMessage::Ping) => turn.effects.push(Effect::Send(self.envelope.pong())),
            Ok(ClientMessage::SequenceAck { sequence_id }) => {
                turn.effects.push(Effect::Acknowledge(sequence_id));
            }
            Ok(ClientMessage::JoinGroup { group, ack_id }) => {
                self.once(ack_id, turn, |it, turn| {
                    permit(&it.permissions.join_leave_group, "join", &group)?;
                    turn.effects.push(Effect::Join(group.into()));
                    Ok(())
                });
            }
            Ok(ClientMessage::LeaveGroup { group, ack_id }) => {
                self.once(ack_id, turn, |it, turn| {
                    permit(&it.permissions.join_leave_group, "leave", &group)?;
                    turn.effects.push(Effect::Leave(group.into()));
                    Ok(())
                });
            }
            Ok(ClientMessage::SendToGroup {
                group,
                ack_id,
                no_echo,
                data,
                ttl_seconds,
                metadata,
            }) => {
                self.once(ack_id, turn, |it, turn| {
                    let permitted = permit(&it.permissions.send_to_group, "send to", &group);
                    it.events.sent(turn.now, turn.effects, || Sent {
                        to_group: true,
                        name: (&*group).into(),
                        bytes: data.len(),
                        refused: permitted.as_ref().err().map(|(_, why)| why.clone()),
                    });
                    permitted?;
                    let source = it.group_source(&group);
                    let message = Message { source, data, metadata };
                    let expires = expiry(turn.now, ttl_seconds);
                    turn.effects.push(publish_to_group(&group, message, expires, !no_echo));
                    Ok(())
                });
            }
            Ok(ClientMessage::Event { event, ack_id, data, metadata }) => {
                let Turn { now, effects } = turn;
                if ack_id.is_some_and(|id| self.pending_acks.contains(&id)) {
                    // Sent again while the handler works on it: one answer is on its way.
                    return;
                }
                if let Some(ack_id) = ack_id
                    && self.acks.contains(ack_id)
                {
                    return effects.push(self.ack(ack_id, &Err(duplicate(ack_id))));
                }
                let reply = Reply::Ack(ack_id);
                self.events.sent(now, effects, || self.events.sent_event(&event, data.len()));
                let event = UserEvent { name: event.into(), data, metadata, reply };
                if self.events.raise(event, effects) {
                    self.pending_acks.extend(ack_id);
                } else if let Some(ack_id) = ack_id {
                    effects.push(self.ack(ack_id, &Err(unanswered())));
                }
            }
        }
    }

    fn group_source(&self, group: &str) -> Source {
        let user = self.user.as_deref().map(Into::into);
        Source::Group { group: group.into(), user }
    }

    /// Carries a message out unless its `ackId` has been, and answers if it has one.
    fn once(
        &mut self,
        ack_id: Option<u64>,
        mut turn: Turn<'_>,
        act: impl FnOnce(&Self, &mut Turn<'_>) -> Result<(), Failure>,
    ) {
        let Some(ack_id) = ack_id else {
            // Fire and forget: by the protocol a failure stays silent.
            let _ = act(self, &mut turn);
            return;
        };
        let outcome = match self.acks.contains(ack_id) {
            true => Err(duplicate(ack_id)),
            false => act(self, &mut turn),
        };
        if outcome.is_ok() {
            self.acks.insert(ack_id);
        }
        turn.effects.push(self.ack(ack_id, &outcome));
    }

    fn ack(&self, ack_id: u64, outcome: &Result<(), Failure>) -> Effect {
        let outcome = outcome.as_ref().copied().map_err(|(name, text)| (*name, text.as_str()));
        Effect::Send(self.envelope.ack(ack_id, outcome))
    }

    fn connected(&self) -> Effect {
        let token = self.reconnection_token.as_deref();
        let user = self.user.as_deref();
        Effect::Send(self.envelope.connected(self.id.as_str(), user, token))
    }

    fn follow(&mut self, instruction: Instruction, effects: &mut Vec<Effect>) -> bool {
        match instruction {
            Instruction::Permission(question) => question.apply(&mut self.permissions),
            Instruction::EventAnswered { reply, outcome } => {
                self.events.answered(effects);
                let outcome = match outcome {
                    UserOutcome::Handled(answer) => {
                        // By the protocol the answer comes before the ack.
                        effects.extend(answer.map(|answer| pass_on(self.id, answer)));
                        Ok(())
                    }
                    UserOutcome::NoHandler
                    | UserOutcome::Overloaded
                    | UserOutcome::Refused(_)
                    | UserOutcome::Failed(_) => Err(unanswered()),
                };
                if let Reply::Ack(Some(ack_id)) = reply {
                    self.pending_acks.remove(&ack_id);
                    if outcome.is_ok() {
                        self.acks.insert(ack_id);
                    }
                    effects.push(self.ack(ack_id, &outcome));
                }
                true
            }
        }
    }
}

impl Session for PubSubSession {
    fn step(&mut self, now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Opened => {
                effects.push(self.connected());
                self.events.opened(effects);
            }
            // Resent so that a client learns that it is back; harmless for those that know.
            Input::Recovered => effects.push(self.connected()),
            Input::Text(text) => self.receive(self.envelope.text(text), Turn { now, effects }),
            Input::Binary(bytes) => {
                self.receive(self.envelope.binary(bytes), Turn { now, effects })
            }
            Input::Closing(close) => {
                effects.push(Effect::Send(self.envelope.disconnected(&close.reason)));
            }
            Input::Ended(close) => self.events.ended(close, effects),
        }
    }

    fn instruct(
        &mut self,
        _now: Timestamp,
        instruction: Box<dyn Any + Send>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        instruction.downcast().is_ok_and(|instruction| self.follow(*instruction, effects))
    }
}

fn permit(scope: &Scope, what: &str, group: &str) -> Result<(), Failure> {
    if scope.covers(group) {
        return Ok(());
    }
    Err(("Forbidden", format!("The client does not have permission to {what} group '{group}'.")))
}

fn duplicate(ack_id: u64) -> Failure {
    ("Duplicate", format!("Message with ack-id: {ack_id} has been processed"))
}

/// No event handler takes the event, or the one that does failed. Which of the two stands in the
/// server's log; a client is told what the emulated service tells.
fn unanswered() -> Failure {
    ("InternalServerError", "Internal server error".to_owned())
}

/// When a copy for a reliable receiver is dropped; zero and none mean never.
fn expiry(now: Timestamp, ttl_seconds: Option<u16>) -> Option<Timestamp> {
    let seconds = ttl_seconds.filter(|seconds| *seconds > 0)?;
    Some(now + Duration::from_secs(seconds.into()))
}
