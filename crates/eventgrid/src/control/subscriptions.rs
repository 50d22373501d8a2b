//! Event subscriptions.

use std::sync::Arc;

use kernel::{Error, ErrorKind, Result, Secret};
use serde_json::{Value, json};

use super::{check_name, owned_by_file};
use crate::expiration;
use crate::registry::SubscriptionEntry;
use crate::service::EventGrid;
use crate::store::Store;
use crate::subscription::{Destination, EventSubscription, Properties, State, key};
use crate::validation::UnderWay;
use wire::ResourceId;

const LONGEST_NAME: usize = 64;
/// Azure's limit for one topic.
const MAX_EVENT_SUBSCRIPTIONS: usize = 500;

impl EventGrid {
    /// Creates or replaces an event subscription. `scope` is the id of a custom topic, a system topic
    /// or a resource with events; `properties` is that of the body. The destination is validated
    /// first, which takes as long as the webhook takes; it may be left waiting for somebody to open
    /// the validation URL.
    ///
    /// # Errors
    /// `Invalid` for what breaks a rule and when the webhook does not consent (nothing is stored
    /// then), `NotFound` without the topic, `Conflict` when the configuration file defines it.
    pub async fn put_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        properties: &Value,
    ) -> Result<EventSubscription> {
        check_name("an event subscription", name, LONGEST_NAME)?;
        let snapshot = self.snapshot();
        if snapshot.unreadable(&key(scope, name)).is_some_and(|it| it.owned_by_file) {
            return Err(owned_by_file("event subscription", name));
        }
        snapshot.source_of(scope)?;
        let properties = Properties::parse(properties, &snapshot.input_schema(scope))?;
        let existing = snapshot.subscription(scope, name).ok().cloned();
        if existing.is_none() {
            let siblings = snapshot.subscriptions().filter(|it| it.subscription.scope == *scope);
            if siblings.count() >= MAX_EVENT_SUBSCRIPTIONS {
                let message = format!(
                    "The topic has {MAX_EVENT_SUBSCRIPTIONS} event subscriptions, the limit."
                );
                return Err(Error::new(ErrorKind::Conflict, "QuotaExceeded", message));
            }
        }
        let (agreed, handshake) = self.agree(scope, name, existing.as_ref(), properties).await?;
        self.keep(agreed, handshake).await
    }

    /// Changes an event subscription: the body of a PATCH, flat or with `properties` around it.
    ///
    /// # Errors
    /// As [`EventGrid::put_event_subscription`]; `NotFound` or `Conflict` when it was deleted or
    /// changed while the webhook was asked.
    pub async fn patch_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        patch: &Value,
    ) -> Result<EventSubscription> {
        let snapshot = self.snapshot();
        let existing = Arc::clone(snapshot.subscription(scope, name)?);
        let input = snapshot.input_schema(scope);
        let properties = existing.subscription.properties.patched(patch, &input)?;
        let (agreed, handshake) = self.agree(scope, name, Some(&existing), properties).await?;
        self.check_unchanged(&existing.subscription).await?;
        self.keep(agreed, handshake).await
    }

    /// One event subscription.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn event_subscription(&self, scope: &ResourceId, name: &str) -> Result<EventSubscription> {
        self.snapshot().subscription(scope, name).map(|entry| entry.subscription.clone())
    }

    /// Those whose scope is `scope` itself, by name.
    pub fn event_subscriptions(&self, scope: &ResourceId) -> Vec<EventSubscription> {
        self.event_subscriptions_where(|it| it.scope == *scope)
    }

    /// Those whose scope is, or lies in, a subscription, resource group or resource.
    pub fn event_subscriptions_within(&self, outer: &ResourceId) -> Vec<EventSubscription> {
        self.event_subscriptions_where(|it| it.scope.is_within(outer))
    }

    /// Deletes an event subscription and everything that waits for its delivery. A webhook gets one
    /// notice about it, which may be lost.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` when the configuration file defines it.
    pub async fn delete_event_subscription(&self, scope: &ResourceId, name: &str) -> Result<()> {
        let (snapshot, key) = (self.snapshot(), key(scope, name));
        let owned = match snapshot.unreadable(&key) {
            Some(unreadable) => unreadable.owned_by_file,
            None => snapshot.subscription(scope, name)?.subscription.owned_by_file,
        };
        if owned {
            return Err(owned_by_file("event subscription", name));
        }
        let mut statements = vec![Store::delete_subscription(&key)];
        statements.extend(self.cancel_deliveries(&key));
        self.store_and_refresh(statements).await?;
        self.forget(&key);
        // Where the webhook of one is that cannot be read, nobody knows.
        if let Some(entry) = snapshot.by_key(&key) {
            self.announce_deletion(Arc::clone(entry));
        }
        Ok(())
    }

    /// The URL of a webhook with its secrets.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when the destination has no URL.
    pub fn full_url(&self, scope: &ResourceId, name: &str) -> Result<Secret> {
        let entry = Arc::clone(self.snapshot().subscription(scope, name)?);
        let hook = entry.subscription.properties.destination.web_hook();
        hook.map(|hook| hook.url.clone()).ok_or_else(|| {
            let message =
                "The destination of this event subscription is no webhook and has no URL.";
            Error::new(ErrorKind::Invalid, "InvalidRequest", message)
        })
    }

    /// The delivery attributes with the values of secret ones: the array of `getDeliveryAttributes`.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delivery_attributes(&self, scope: &ResourceId, name: &str) -> Result<Value> {
        let entry = Arc::clone(self.snapshot().subscription(scope, name)?);
        let hook = entry.subscription.properties.destination.web_hook();
        let attributes = hook.map(|hook| hook.attributes.iter().map(|it| it.to_json()).collect());
        Ok(attributes.unwrap_or_else(|| json!([])))
    }

    fn event_subscriptions_where(
        &self,
        wanted: impl Fn(&EventSubscription) -> bool,
    ) -> Vec<EventSubscription> {
        let snapshot = self.snapshot();
        let all = snapshot.subscriptions().map(|entry| &entry.subscription);
        let mut found: Vec<EventSubscription> = all.filter(|it| wanted(it)).cloned().collect();
        found.sort_by_key(EventSubscription::key);
        found
    }

    /// The event subscription that these properties make, with what its destination says to it.
    async fn agree(
        &self,
        scope: &ResourceId,
        name: &str,
        existing: Option<&Arc<SubscriptionEntry>>,
        properties: Properties,
    ) -> Result<(EventSubscription, Option<UnderWay>)> {
        let before = existing.map(|entry| &entry.subscription);
        if before.is_some_and(|it| it.owned_by_file) {
            return Err(owned_by_file("event subscription", name));
        }
        let now = self.now();
        expiration::check(&properties, now)?;
        if let Destination::WebPubSub(target) = &properties.destination {
            self.realtime().check(target)?;
        }
        let mut subscription = EventSubscription {
            scope: before.map_or(scope, |it| &it.scope).clone(),
            name: before.map_or(name, |it| it.name.as_str()).to_owned(),
            state: State::Creating { reason: None },
            allowed_rate: None,
            owned_by_file: false,
            created: before.map_or(now, |it| it.created),
            changed: now,
            properties,
        };
        let handshake = match before.filter(|it| it.has_consent_for(&subscription.properties)) {
            Some(before) => {
                subscription.state = State::Succeeded;
                subscription.allowed_rate = before.allowed_rate;
                None
            }
            None => Some(self.validate(&mut subscription).await?),
        };
        Ok((subscription, handshake))
    }

    /// Refuses a change of something that is not what it was when the change began: a webhook takes
    /// its time to answer.
    async fn check_unchanged(&self, before: &EventSubscription) -> Result<()> {
        self.refresh_if_changed().await?;
        let snapshot = self.snapshot();
        if snapshot.subscription(&before.scope, &before.name)?.subscription.changed
            == before.changed
        {
            return Ok(());
        }
        let message = format!(
            "The event subscription '{}' was changed by another call meanwhile. Send this one again.",
            before.name
        );
        Err(Error::new(ErrorKind::Conflict, "Conflict", message))
    }

    /// Stores an event subscription and ends its handshake.
    pub(crate) async fn keep(
        &self,
        subscription: EventSubscription,
        handshake: Option<UnderWay>,
    ) -> Result<EventSubscription> {
        self.store_and_refresh(vec![self.store().put_subscription(&subscription)]).await?;
        if let Some(handshake) = handshake {
            handshake.stored().await?;
        }
        let stored = self.event_subscription(&subscription.scope, &subscription.name);
        Ok(stored.unwrap_or(subscription))
    }
}

impl EventSubscription {
    /// Whether the destination that was validated is the one of `next` too. Another schema is
    /// another handshake.
    pub(crate) fn has_consent_for(&self, next: &Properties) -> bool {
        let place = |properties: &Properties| match &properties.destination {
            Destination::WebHook(hook) => Some((hook.url.clone(), properties.delivery_schema)),
            Destination::WebPubSub(_) => None,
        };
        self.state == State::Succeeded && place(&self.properties) == place(next)
    }
}
