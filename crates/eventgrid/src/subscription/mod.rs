//! Event subscriptions: which events of a topic go where, and how.
//!
//! - `mod.rs`: what an event subscription is, and the state of its validation
//! - `properties.rs`: its settings, to and from `properties` of resource manager calls
//! - `destination.rs`, `attributes.rs`: where events go
//!
//! Invariant: only an event subscription in [`State::Succeeded`] that has not expired gets events.

mod attributes;
mod destination;
mod properties;
#[cfg(test)]
mod tests;

use kernel::Timestamp;
use serde_json::{Value, json};

use wire::ResourceId;

pub use attributes::{AttributeSource, DeliveryAttribute};
pub use destination::{Destination, HubTarget, WebHook};
pub use properties::{DeadLetterDestination, MAX_EVENT_TTL_MINUTES, Properties, RetryPolicy};

/// An event subscription.
#[derive(Clone, Debug)]
pub struct EventSubscription {
    /// The topic, system topic or resource whose events it wants.
    pub scope: ResourceId,
    /// Its name, unique within the scope without regard to case.
    pub name: String,
    /// What it asks for.
    pub properties: Properties,
    /// How far its validation is.
    pub state: State,
    /// Requests a minute that the webhook allows; `None` for any number.
    pub allowed_rate: Option<u32>,
    /// Whether the configuration file defines it; calls cannot change it then.
    pub owned_by_file: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// How far the validation of a destination is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The webhook has not been asked successfully yet; only where the configuration file defines
    /// it, since calls answer with the outcome.
    Creating {
        /// Why the last attempt failed, if there was one.
        reason: Option<String>,
    },
    /// The webhook was asked and waits for somebody to open the validation URL.
    AwaitingManualAction {
        /// What the URL holds.
        code: String,
        /// When it is too late.
        until: Timestamp,
    },
    /// Events flow.
    Succeeded,
    /// Validation has failed for good; the event subscription must be created again.
    Failed {
        /// Why.
        reason: String,
    },
}

impl State {
    /// The service's word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Creating { .. } => "Creating",
            Self::AwaitingManualAction { .. } => "AwaitingManualAction",
            Self::Succeeded => "Succeeded",
            Self::Failed { .. } => "Failed",
        }
    }

    /// The state at `now`: waiting ends by itself.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        match self {
            Self::AwaitingManualAction { until, .. } if now >= *until => {
                Self::Failed { reason: "nobody opened the validation URL in time".to_owned() }
            }
            state => state.clone(),
        }
    }
}

impl EventSubscription {
    /// The id of scope and name together, as calls show it. Children of topics have one address of
    /// their own and one as an extension of the topic; this is the second, which exists for all.
    pub fn id(&self) -> ResourceId {
        self.scope.child("providers/Microsoft.EventGrid/eventSubscriptions", &self.name)
    }

    /// What identifies it wherever it is queued, counted or logged.
    pub fn key(&self) -> String {
        key(&self.scope, &self.name)
    }

    /// Whether it gets events at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.state == State::Succeeded && !self.properties.has_expired(now)
    }

    /// `properties` as resource manager calls show them at `now`: without secrets. `topic` is the
    /// scope; a failed validation says why in `provisioningStateReason`, which is ours.
    pub fn shown(&self, now: Timestamp) -> Value {
        let mut shown = self.properties.shown();
        shown["topic"] = self.scope.as_str().into();
        let state = self.state.at(now);
        shown["provisioningState"] = state.as_str().into();
        if let State::Failed { reason } | State::Creating { reason: Some(reason) } = state {
            shown["provisioningStateReason"] = json!(reason);
        }
        shown
    }
}

/// The key of an event subscription: the id of its scope and its name, in lower case, between which
/// stands what neither contains.
pub(crate) fn key(scope: &ResourceId, name: &str) -> String {
    format!("{}|{}", scope.key(), name.to_ascii_lowercase())
}
