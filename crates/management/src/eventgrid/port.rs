//! What resource manager needs of Event Grid. The program implements it over the service.
//!
//! `properties` are JSON as the calls carry them, since only the service knows what they mean; ids,
//! envelopes and keys are typed, since the calls treat those alike for every resource. Names compare
//! without regard to case, and a record tells its id as it was created.

use std::collections::BTreeMap;
use std::future::Future;

use kernel::{Result, Secret};
use serde_json::Value;
use wire::ResourceId;

use crate::envelope::Envelope;

/// The type of custom topics.
pub const TOPICS: &str = "Microsoft.EventGrid/topics";
/// The type of system topics.
pub const SYSTEM_TOPICS: &str = "Microsoft.EventGrid/systemTopics";

/// A custom or system topic; the type within its id says which.
#[derive(Clone, Debug)]
pub struct Topic {
    /// As it was created.
    pub id: ResourceId,
    /// Where it is, what is attached to it, and since when.
    pub envelope: Envelope,
    /// `properties` of the resource, read-only ones included.
    pub properties: Value,
}

/// What a caller wants a topic to be.
#[derive(Clone, Debug)]
pub struct TopicRequest {
    /// Where it is to be; never empty.
    pub location: String,
    /// What is attached to it.
    pub tags: BTreeMap<String, String>,
    /// `properties`, an object. Read-only ones may be among them and count for nothing.
    pub properties: Value,
}

/// What a caller wants to change about a topic; what is `None` or not named stays.
#[derive(Clone, Debug, Default)]
pub struct TopicChanges {
    /// All tags that it is to have.
    pub tags: Option<BTreeMap<String, String>>,
    /// Each replaces the property of its name.
    pub properties: Option<Value>,
}

/// An event subscription.
#[derive(Clone, Debug)]
pub struct EventSubscription {
    /// What it watches: a topic, a system topic, or any other resource, group or subscription.
    pub scope: ResourceId,
    /// Unique within its scope.
    pub name: String,
    /// When it was created and last changed, where that is known.
    pub envelope: Envelope,
    /// `properties` of the resource, with secrets masked.
    pub properties: Value,
}

/// The keys of a custom topic.
#[derive(Clone, Debug)]
pub struct TopicKeys {
    /// The first.
    pub key1: Secret,
    /// The spare one.
    pub key2: Secret,
}

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicKey {
    /// `key1`
    First,
    /// `key2`
    Second,
}

/// A kind of resource that has events about itself.
#[derive(Clone, Debug)]
pub struct TopicType {
    /// Its name, such as `Microsoft.Communication.CommunicationServices`.
    pub name: &'static str,
    /// What people call it.
    pub display_name: &'static str,
    /// What it is, in a sentence.
    pub description: &'static str,
    /// The type of the resources.
    pub resource_type: &'static str,
    /// What a resource's id looks like.
    pub source_format: &'static str,
    /// The events.
    pub event_types: Vec<EventType>,
}

/// A kind of event.
#[derive(Clone, Debug)]
pub struct EventType {
    /// Its full name.
    pub name: &'static str,
    /// What people call it.
    pub display_name: &'static str,
    /// When it happens, in a sentence.
    pub description: &'static str,
    /// Whether event subscriptions get it that name no event types.
    pub is_in_default_set: bool,
}

/// Event Grid, as the calls see it.
///
/// Every change has taken effect, and is kept, when its future ends well: no call here is
/// long-running. A refusal goes to the caller as it is. `None` and `false` mean that there is no
/// such topic or event subscription.
pub trait EventGridProvider: Send + Sync + 'static {
    /// The kinds of resources that system topics can have as their sources.
    fn topic_types(&self) -> Vec<TopicType>;

    /// The custom and system topics of a subscription or resource group, or all, in any order.
    fn topics(
        &self,
        within: Option<&ResourceId>,
    ) -> impl Future<Output = Result<Vec<Topic>>> + Send;

    /// One topic.
    fn topic(&self, id: &ResourceId) -> impl Future<Output = Result<Option<Topic>>> + Send;

    /// Creates a topic, or replaces what it is.
    fn put_topic(
        &self,
        id: &ResourceId,
        request: TopicRequest,
    ) -> impl Future<Output = Result<Topic>> + Send;

    /// Changes a topic.
    fn update_topic(
        &self,
        id: &ResourceId,
        changes: TopicChanges,
    ) -> impl Future<Output = Result<Option<Topic>>> + Send;

    /// Deletes a topic and its event subscriptions.
    fn delete_topic(&self, id: &ResourceId) -> impl Future<Output = Result<bool>> + Send;

    /// The keys of a custom topic.
    fn keys(&self, id: &ResourceId) -> impl Future<Output = Result<Option<TopicKeys>>> + Send;

    /// Replaces one key of a custom topic; answers with both.
    fn regenerate_key(
        &self,
        id: &ResourceId,
        which: TopicKey,
    ) -> impl Future<Output = Result<Option<TopicKeys>>> + Send;

    /// The event subscriptions whose scope is `within` or lies in it, in any order.
    fn event_subscriptions(
        &self,
        within: &ResourceId,
    ) -> impl Future<Output = Result<Vec<EventSubscription>>> + Send;

    /// One event subscription.
    fn event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> impl Future<Output = Result<Option<EventSubscription>>> + Send;

    /// Creates an event subscription, or replaces what it is. Where its destination wants to be
    /// asked first, that has happened when this ends, or its state says what it waits for.
    fn put_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        properties: Value,
    ) -> impl Future<Output = Result<EventSubscription>> + Send;

    /// Changes the properties that `changes` names; the others stay.
    fn update_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        changes: Value,
    ) -> impl Future<Output = Result<Option<EventSubscription>>> + Send;

    /// Deletes an event subscription.
    fn delete_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// The URL of the webhook, its secrets included.
    fn full_url(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> impl Future<Output = Result<Option<Secret>>> + Send;

    /// The delivery attributes, a JSON array, the secret ones included.
    fn delivery_attributes(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> impl Future<Output = Result<Option<Value>>> + Send;
}
