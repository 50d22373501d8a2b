//! A client without a subprotocol of ours: frames carry data alone, and the URL says where they go.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use gateway::{Close, ConnectionId, Effect, Input, Session};
use kernel::Timestamp;

use super::ending::{NO_HANDLER, NOT_PERMITTED, NOT_TAKEN};
use super::events::{EventSource, Reply, UserEvent};
use super::{Instruction, pass_on, publish_to_group};
use crate::message::{Data, Message, Sent, Source};
use crate::metadata::Metadata;
use crate::role::Permissions;
use crate::upstream::UserOutcome;

/// The event that a simple client's frames are.
const EVENT: &str = "message";

/// Where a simple client's frames go (`webpubsub_mode` in its URL).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimpleMode {
    /// To the application's event handler, as the event `message`.
    SendEvent,
    /// To one group, which the client does not join by that.
    SendToGroup {
        /// The group.
        group: Box<str>,
        /// Whether the connection gets no copy of its own frames.
        no_echo: bool,
    },
}

/// The state of one connection.
pub struct SimpleSession {
    id: ConnectionId,
    user: Option<Arc<str>>,
    permissions: Permissions,
    mode: SimpleMode,
    events: EventSource,
}

impl SimpleSession {
    /// A connection that is about to open.
    pub fn new(
        id: ConnectionId,
        user: Option<Arc<str>>,
        permissions: Permissions,
        mode: SimpleMode,
        events: EventSource,
    ) -> Self {
        Self { id, user, permissions, mode, events }
    }

    fn receive(&mut self, now: Timestamp, data: Data, effects: &mut Vec<Effect>) {
        let metadata = Metadata::default();
        match &self.mode {
            SimpleMode::SendToGroup { group, no_echo } => {
                let permitted = self.permissions.send_to_group.covers(group);
                // There is no ack to say it with, and silence would hide the mistake.
                let reason = NOT_PERMITTED;
                self.events.sent(now, effects, || Sent {
                    to_group: true,
                    name: group.clone(),
                    bytes: data.len(),
                    refused: (!permitted).then(|| reason.to_owned()),
                });
                if !permitted {
                    return effects.push(Effect::Close(Close::new(1008, reason)));
                }
                let user = self.user.as_deref().map(Into::into);
                let source = Source::Group { group: group.clone(), user };
                let message = Message { source, data, metadata };
                effects.push(publish_to_group(group, message, None, !no_echo));
            }
            SimpleMode::SendEvent => {
                self.events.sent(now, effects, || self.events.sent_event(EVENT, data.len()));
                let event = UserEvent { name: EVENT.into(), data, metadata, reply: Reply::Silence };
                if !self.events.raise(event, effects) {
                    // By the protocol an event that nobody takes ends a simple connection.
                    effects.push(Effect::Close(Close::new(1011, NO_HANDLER)));
                }
            }
        }
    }

    fn answered(&mut self, outcome: UserOutcome, effects: &mut Vec<Effect>) {
        self.events.answered(effects);
        match outcome {
            UserOutcome::Handled(None) => {}
            UserOutcome::Handled(Some(answer)) => effects.push(pass_on(self.id, answer)),
            UserOutcome::NoHandler
            | UserOutcome::Overloaded
            | UserOutcome::Refused(_)
            | UserOutcome::Failed(_) => {
                effects.push(Effect::Close(Close::new(1011, NOT_TAKEN)));
            }
        }
    }
}

impl Session for SimpleSession {
    fn step(&mut self, now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Opened => self.events.opened(effects),
            Input::Text(text) => self.receive(now, Data::Text(text.into()), effects),
            Input::Binary(bytes) => {
                self.receive(now, Data::Binary(Bytes::copy_from_slice(bytes)), effects);
            }
            Input::Ended(close) => self.events.ended(close, effects),
            // Nothing but data is ever sent to a simple client.
            Input::Recovered | Input::Closing(_) => {}
        }
    }

    fn instruct(
        &mut self,
        _now: Timestamp,
        instruction: Box<dyn Any + Send>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        match instruction.downcast().map(|it| *it) {
            Ok(Instruction::Permission(question)) => question.apply(&mut self.permissions),
            Ok(Instruction::EventAnswered { outcome, .. }) => {
                self.answered(outcome, effects);
                true
            }
            Err(_) => false,
        }
    }
}
