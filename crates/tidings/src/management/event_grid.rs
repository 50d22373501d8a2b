//! What management calls need of Event Grid, over the service.

use std::sync::Arc;

use eventgrid::{EventGrid, subscription, system, topic};
use kernel::{Clock, ErrorKind, Result, Secret};
use management::Envelope;
use management::eventgrid::{
    EventGridProvider, EventSubscription, EventType, Topic, TopicChanges, TopicKey, TopicKeys,
    TopicRequest, TopicType,
};
use serde_json::{Map, Value};
use wire::ResourceId;

/// The service, as the port wants it.
pub(super) struct EventGridCalls {
    service: EventGrid,
    clock: Arc<dyn Clock>,
}

impl EventGridCalls {
    pub(super) fn new(service: EventGrid, clock: Arc<dyn Clock>) -> Self {
        Self { service, clock }
    }

    fn topic_of(&self, topic: topic::Topic) -> Topic {
        let properties = topic.properties(&self.service.topic_endpoint(&topic));
        let envelope = Envelope {
            location: Some(topic.location),
            tags: topic.tags,
            created: Some(topic.created),
            changed: Some(topic.changed),
        };
        Topic { id: topic.id, envelope, properties }
    }

    fn subscription_of(&self, it: subscription::EventSubscription) -> EventSubscription {
        let properties = it.shown(self.clock.now());
        let envelope = Envelope {
            created: Some(it.created),
            changed: Some(it.changed),
            ..Envelope::default()
        };
        EventSubscription { scope: it.scope, name: it.name, envelope, properties }
    }
}

impl EventGridProvider for EventGridCalls {
    fn topic_types(&self) -> Vec<TopicType> {
        system::TOPIC_TYPES.iter().map(topic_type_of).collect()
    }

    async fn topics(&self, within: Option<&ResourceId>) -> Result<Vec<Topic>> {
        Ok(self.service.topics(within).into_iter().map(|topic| self.topic_of(topic)).collect())
    }

    async fn topic(&self, id: &ResourceId) -> Result<Option<Topic>> {
        found(self.service.topic(id).map(|topic| self.topic_of(topic)))
    }

    async fn put_topic(&self, id: &ResourceId, request: TopicRequest) -> Result<Topic> {
        let TopicRequest { location, tags, properties } = request;
        let request = topic::TopicRequest { location, tags, properties };
        self.service.put_topic(id, request).await.map(|topic| self.topic_of(topic))
    }

    async fn update_topic(&self, id: &ResourceId, changes: TopicChanges) -> Result<Option<Topic>> {
        let tags = changes.tags.map(|tags| serde_json::json!(tags));
        let members = [("tags", tags), ("properties", changes.properties)];
        let members =
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let patch = Value::Object(members.collect::<Map<_, _>>());
        found(self.service.patch_topic(id, &patch).await.map(|topic| self.topic_of(topic)))
    }

    async fn delete_topic(&self, id: &ResourceId) -> Result<bool> {
        Ok(found(self.service.delete_topic(id).await)?.is_some())
    }

    async fn keys(&self, id: &ResourceId) -> Result<Option<TopicKeys>> {
        found(self.service.topic_keys(id).map(keys_of))
    }

    async fn regenerate_key(&self, id: &ResourceId, which: TopicKey) -> Result<Option<TopicKeys>> {
        let which = match which {
            TopicKey::First => topic::TopicKey::First,
            TopicKey::Second => topic::TopicKey::Second,
        };
        found(self.service.regenerate_topic_key(id, which).await.map(keys_of))
    }

    async fn event_subscriptions(&self, within: &ResourceId) -> Result<Vec<EventSubscription>> {
        let found = self.service.event_subscriptions_within(within);
        Ok(found.into_iter().map(|it| self.subscription_of(it)).collect())
    }

    async fn event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> Result<Option<EventSubscription>> {
        found(self.service.event_subscription(scope, name).map(|it| self.subscription_of(it)))
    }

    async fn put_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        properties: Value,
    ) -> Result<EventSubscription> {
        let kept = self.service.put_event_subscription(scope, name, &properties).await?;
        Ok(self.subscription_of(kept))
    }

    async fn update_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        changes: Value,
    ) -> Result<Option<EventSubscription>> {
        let kept = self.service.patch_event_subscription(scope, name, &changes).await;
        found(kept.map(|it| self.subscription_of(it)))
    }

    async fn delete_event_subscription(&self, scope: &ResourceId, name: &str) -> Result<bool> {
        Ok(found(self.service.delete_event_subscription(scope, name).await)?.is_some())
    }

    async fn full_url(&self, scope: &ResourceId, name: &str) -> Result<Option<Secret>> {
        found(self.service.full_url(scope, name))
    }

    async fn delivery_attributes(&self, scope: &ResourceId, name: &str) -> Result<Option<Value>> {
        found(self.service.delivery_attributes(scope, name))
    }
}

fn topic_type_of(known: &system::TopicType) -> TopicType {
    let event_type = |it: &system::EventType| EventType {
        name: it.name,
        display_name: it.display_name,
        description: it.description,
        is_in_default_set: it.is_in_default_set,
    };
    TopicType {
        name: known.name,
        display_name: known.display_name,
        description: known.description,
        resource_type: known.resource_type,
        source_format: known.source_format,
        event_types: known.events.iter().map(event_type).collect(),
    }
}

fn keys_of(keys: topic::TopicKeys) -> TopicKeys {
    TopicKeys { key1: keys.key1, key2: keys.key2 }
}

/// `None` for what does not exist; the resource manager has its own words for that.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
