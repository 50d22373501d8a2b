//! A client without a subprotocol: frames carry data alone, and the URL says where they go.

use std::sync::Arc;

use bytes::Bytes;
use gateway::{Close, Effect, Input, Session};
use kernel::Timestamp;

use super::publish_to_group;
use crate::message::Data;
use crate::metadata::Metadata;
use crate::role::Permissions;

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
    user: Option<Arc<str>>,
    permissions: Permissions,
    mode: SimpleMode,
}

impl SimpleSession {
    /// A connection that is about to open.
    pub fn new(user: Option<Arc<str>>, permissions: Permissions, mode: SimpleMode) -> Self {
        Self { user, permissions, mode }
    }

    fn receive(&self, data: Data) -> Effect {
        match &self.mode {
            SimpleMode::SendToGroup { group, no_echo } => {
                if self.permissions.send_to_group.covers(group) {
                    publish_to_group(group, self.user.as_ref(), data, Metadata::default(), !no_echo)
                } else {
                    // There is no ack to say it with, and silence would hide the mistake.
                    let reason = "The client does not have permission to send to the group.";
                    Effect::Close(Close::new(1008, reason))
                }
            }
            // By the protocol an event that nobody takes ends a simple connection.
            SimpleMode::SendEvent => Effect::Close(Close::new(
                1011,
                "No event handler is configured for this hub, so the event 'message' has no taker.",
            )),
        }
    }
}

impl Session for SimpleSession {
    fn step(&mut self, _now: Timestamp, input: Input<'_>, effects: &mut Vec<Effect>) {
        match input {
            Input::Text(text) => effects.push(self.receive(Data::Text(text.into()))),
            Input::Binary(bytes) => {
                effects.push(self.receive(Data::Binary(Bytes::copy_from_slice(bytes))));
            }
            // Nothing but data is ever sent to a simple client.
            Input::Opened | Input::Recovered | Input::Closing(_) | Input::Ended(_) => {}
        }
    }
}
