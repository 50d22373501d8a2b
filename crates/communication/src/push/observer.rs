//! What becomes of pushes, for those who want to know.

use super::payload::Payload;
use crate::identifier::RawId;
use crate::link::Sent;

/// Whoever wants to know of pushes.
pub trait Observer: Send + Sync + 'static {
    /// A hub was asked to push to a device. Called in the course of the work: must be quick.
    fn sent(&self, push: &SentPush<'_>);
}

/// A push that a hub was asked for.
#[derive(Clone, Debug)]
pub struct SentPush<'a> {
    /// Whose device.
    pub user: &'a RawId,
    /// The id of its registration.
    pub device: &'a str,
    /// What the hub said.
    pub outcome: &'a Sent,
    payload: &'a Payload,
}

impl<'a> SentPush<'a> {
    pub(super) fn new(
        user: &'a RawId,
        device: &'a str,
        payload: &'a Payload,
        outcome: &'a Sent,
    ) -> Self {
        Self { user, device, outcome, payload }
    }

    /// The thread of the message; empty for a call.
    pub fn thread(&self) -> &'a str {
        self.text("groupId")
    }

    /// The message; `None` for a call.
    pub fn message(&self) -> Option<i64> {
        self.text("messageId").parse().ok()
    }

    /// Who wrote.
    pub fn sender(&self) -> &'a str {
        self.text("senderId")
    }

    /// Names the change that is told.
    pub fn transaction(&self) -> &'a str {
        self.text("transactionId")
    }

    fn text(&self, field: &str) -> &'a str {
        self.payload.fields.get(field).and_then(|it| it.as_str()).unwrap_or_default()
    }
}
