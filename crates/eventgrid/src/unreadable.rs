//! Stored topics and event subscriptions that cannot be read: damaged, sealed with another master
//! key, or against a rule that has become stricter since they were stored.
//!
//! One of them stops nothing but itself. It stays in the store as it is, people are told of it, and
//! what waits to be delivered to it goes on waiting, until it is written again or deleted.

use kernel::{Error, ErrorKind};

/// What helps, for logs.
pub(crate) const CURE: &str = "create it again, give the server the master key or the version that \
                               has stored it, or delete it; until then it gets no new events, and \
                               what waits for it is tried again until its time to live ends";

/// What a stored row would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Topic,
    EventSubscription,
}

/// A stored row that cannot be read, with what is known of it without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) kind: Kind,
    /// The key of the topic or event subscription.
    pub(crate) key: String,
    pub(crate) owned_by_file: bool,
    /// Why, for the operator.
    pub(crate) reason: String,
}

impl Unreadable {
    pub(crate) fn new(kind: Kind, key: String, owned_by_file: bool, error: &Error) -> Self {
        let reason = match error.operator_context() {
            Some(context) => format!("{error} ({context})"),
            None => error.to_string(),
        };
        Self { kind, key, owned_by_file, reason }
    }

    /// The id of the topic, or of the scope of the event subscription, in lower case.
    pub(crate) fn scope(&self) -> &str {
        self.key.split_once('|').map_or(&self.key, |(scope, _)| scope)
    }

    /// The last part of the scope: the name of a topic.
    pub(crate) fn topic(&self) -> &str {
        self.scope().rsplit('/').next().unwrap_or_default()
    }

    /// The name, in lower case.
    pub(crate) fn name(&self) -> &str {
        self.key.split_once('|').map_or(self.topic(), |(_, name)| name)
    }

    /// Tells the operator.
    pub(crate) fn warn(&self) {
        let (id, reason, cure) = (&self.key, &self.reason, CURE);
        match self.kind {
            Kind::Topic => tracing::warn!(id, reason, cure, "a stored topic cannot be read"),
            Kind::EventSubscription => {
                tracing::warn!(id, reason, cure, "a stored event subscription cannot be read");
            }
        }
    }

    /// The refusal of what needs it.
    pub(crate) fn refusal(&self) -> Error {
        let what = match self.kind {
            Kind::Topic => "topic",
            Kind::EventSubscription => "event subscription",
        };
        let message = format!(
            "The {what} '{}' is stored in a form that this server cannot read; its log says why. \
             Create it again, or delete it.",
            self.name()
        );
        Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
            .context(self.reason.clone())
    }
}
