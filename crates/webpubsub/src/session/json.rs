//! A client of `json.webpubsub.azure.v1`.

use std::sync::Arc;

use gateway::frame::{self, OpCode};
use gateway::{Close, ConnectionId, Effect, Input, Session};
use kernel::Timestamp;

use super::acks::AckHistory;
use super::publish_to_group;
use crate::protocol::{ClientMessage, json};
use crate::role::{Permissions, Scope};

/// The state of one connection.
pub struct JsonSession {
    id: ConnectionId,
    user: Option<Arc<str>>,
    permissions: Permissions,
    acks: AckHistory,
}

/// Why a message of the client is not carried out: the error's name and message, as its ack says.
type Failure = (&'static str, String);

impl JsonSession {
    /// A connection that is about to open.
    pub fn new(id: ConnectionId, user: Option<Arc<str>>, permissions: Permissions) -> Self {
        Self { id, user, permissions, acks: AckHistory::default() }
    }

    fn receive(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let message = match json::decode(text) {
            Ok(message) => message,
            Err(error) => return effects.push(Effect::Close(Close::new(1007, error.reason()))),
        };
        match message {
            // Nothing is numbered for a client of this subprotocol.
            ClientMessage::SequenceAck { .. } => {}
            ClientMessage::Ping => effects.push(send(json::pong())),
            ClientMessage::JoinGroup { group, ack_id } => self.once(ack_id, effects, |it, out| {
                permit(&it.permissions.join_leave_group, "join", &group)?;
                out.push(Effect::Join(group.into()));
                Ok(())
            }),
            ClientMessage::LeaveGroup { group, ack_id } => self.once(ack_id, effects, |it, out| {
                permit(&it.permissions.join_leave_group, "leave", &group)?;
                out.push(Effect::Leave(group.into()));
                Ok(())
            }),
            ClientMessage::SendToGroup { group, ack_id, no_echo, data, metadata, .. } => {
                self.once(ack_id, effects, |it, out| {
                    permit(&it.permissions.send_to_group, "send to", &group)?;
                    let user = it.user.as_ref();
                    out.push(publish_to_group(&group, user, data, metadata, !no_echo));
                    Ok(())
                });
            }
            // Nothing listens to events yet, which the service tells a client in this way.
            ClientMessage::Event { ack_id, .. } => self.once(ack_id, effects, |_, _| {
                let reason = "No event handler is configured for this hub.".to_owned();
                Err(("InternalServerError", reason))
            }),
        }
    }

    /// Carries a message out unless its `ackId` has been, and answers if it has one.
    fn once(
        &mut self,
        ack_id: Option<u64>,
        effects: &mut Vec<Effect>,
        act: impl FnOnce(&Self, &mut Vec<Effect>) -> Result<(), Failure>,
    ) {
        let Some(ack_id) = ack_id else {
            // Fire and forget: by the protocol a failure stays silent.
            let _ = act(self, effects);
            return;
        };
        let outcome = if self.acks.contains(ack_id) {
            Err(("Duplicate", format!("Message with ack-id: {ack_id} has been processed")))
        } else {
            act(self, effects)
        };
        if outcome.is_ok() {
            self.acks.insert(ack_id);
        }
        let outcome = outcome.as_ref().copied().map_err(|(name, text)| (*name, text.as_str()));
        effects.push(send(&json::ack(ack_id, outcome)));
    }
}

impl Session for JsonSession {
    fn step(&mut self, _now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Opened => {
                effects.push(send(&json::connected(self.id.as_str(), self.user.as_deref())));
            }
            Input::Text(text) => self.receive(text, effects),
            Input::Binary(_) => effects.push(Effect::Close(Close::new(
                1003,
                "The JSON subprotocol requires text messages.",
            ))),
            Input::Recovered | Input::Ended(_) => {}
            Input::Closing(close) => effects.push(send(&json::disconnected(&close.reason))),
        }
    }
}

fn permit(scope: &Scope, what: &str, group: &str) -> Result<(), Failure> {
    if scope.covers(group) {
        return Ok(());
    }
    Err(("Forbidden", format!("The client does not have permission to {what} group '{group}'.")))
}

fn send(payload: &[u8]) -> Effect {
    Effect::Send(frame::encode(OpCode::Text, payload))
}
