//! Calls about topics, system topics and keys.

use axum::http::Method;
use kernel::Result;
use serde_json::{Value, json};
use wire::ResourceId;

use super::EventGrid;
use super::address::Kind;
use super::catalog;
use super::port::{
    EventGridProvider, SYSTEM_TOPICS, Topic, TopicChanges, TopicKey, TopicKeys, TopicRequest,
    TopicType,
};
use crate::call::{Answer, Call};
use crate::page::{self, Listed};
use crate::{envelope, fault};

impl<P: EventGridProvider> EventGrid<P> {
    /// `GET …/topics`, `GET …/systemTopics`
    pub(super) async fn topics(
        &self,
        kind: Kind,
        within: &ResourceId,
        call: &Call,
    ) -> Result<Answer> {
        let topics = self.provider.topics(Some(within)).await?;
        let topics = topics.into_iter().filter(|topic| topic.id.is_of_type(kind.resource_type()));
        page::page(call, topics.map(|topic| Listed::of(shown(topic, kind))).collect())
    }

    /// `GET`, `PUT`, `PATCH` and `DELETE` of one topic. Statuses are those of Azure: Python clients
    /// take 201 alone for PUT, whether or not the topic is new, and no 200 for DELETE.
    pub(super) async fn topic(&self, kind: Kind, id: &ResourceId, call: &Call) -> Result<Answer> {
        let topic = match call.method {
            Method::GET => self.provider.topic(id).await?,
            Method::PUT => {
                let request = self.request(id, call).await?;
                let topic = self.provider.put_topic(id, request).await?;
                return Ok(Answer::created(shown(topic, kind)));
            }
            Method::PATCH => self.provider.update_topic(id, changes(call)?).await?,
            Method::DELETE => {
                self.provider.delete_topic(id).await?;
                return Ok(Answer::no_content());
            }
            _ => return Err(fault::method(&call.method, "GET, PUT, PATCH and DELETE")),
        };
        let topic = topic.ok_or_else(|| fault::no_resource(id))?;
        Ok(Answer::ok(shown(topic, kind)))
    }

    async fn request(&self, id: &ResourceId, call: &Call) -> Result<TopicRequest> {
        let body = call.object()?;
        let existing = self.provider.topic(id).await?;
        let place = existing.as_ref().and_then(|topic| topic.envelope.location.as_deref());
        Ok(TopicRequest {
            location: envelope::location(body, id, place)?,
            tags: envelope::tags(body)?.unwrap_or_default(),
            properties: call.properties()?,
        })
    }

    /// `POST …/topics/{topic}/listKeys`
    pub(super) async fn list_keys(&self, topic: &ResourceId) -> Result<Answer> {
        keys(self.provider.keys(topic).await?, topic)
    }

    /// `POST …/topics/{topic}/regenerateKey`
    pub(super) async fn regenerate_key(&self, topic: &ResourceId, call: &Call) -> Result<Answer> {
        let which = match call.object()?["keyName"].as_str() {
            Some(name) if name.eq_ignore_ascii_case("key1") => TopicKey::First,
            Some(name) if name.eq_ignore_ascii_case("key2") => TopicKey::Second,
            _ => return Err(fault::content("keyName", "keyName must be \"key1\" or \"key2\".")),
        };
        keys(self.provider.regenerate_key(topic, which).await?, topic)
    }

    /// `GET {resource}/providers/Microsoft.EventGrid/extensionTopics/default`: which system topic
    /// carries the events of a resource.
    pub(super) async fn extension_topic(&self, source: &ResourceId) -> Result<Answer> {
        let subscription = ResourceId::parse(&format!("/subscriptions/{}", source.subscription()))?;
        let topics = self.provider.topics(Some(&subscription)).await?;
        let carries = |topic: &&Topic| {
            let text = topic.properties["source"].as_str().unwrap_or_default();
            topic.id.is_of_type(SYSTEM_TOPICS) && text.eq_ignore_ascii_case(source.as_str())
        };
        let topic = topics.iter().find(carries).ok_or_else(|| {
            fault::not_found("Microsoft.EventGrid/extensionTopics/default", source.resource_group())
        })?;
        let id = format!("{source}/providers/Microsoft.EventGrid/extensionTopics/default");
        let properties = json!({
            "description": format!("Events of {source}"),
            "systemTopic": topic.id.as_str()
        });
        let kind = "Microsoft.EventGrid/extensionTopics";
        Ok(Answer::ok(envelope::Envelope::default().around(&id, kind, properties)))
    }

    /// `GET {resource}/providers/Microsoft.EventGrid/eventTypes`
    pub(super) fn event_types(&self, source: &ResourceId, call: &Call) -> Result<Answer> {
        let types = catalog::topic_types(&self.provider);
        let name = catalog::topic_type_of(&types, source);
        let found = types.iter().find(|it| it.name == name);
        let events = found.map(TopicType::shown_event_types).unwrap_or_default();
        page::page(call, events.into_iter().map(Listed::of).collect())
    }
}

fn shown(topic: Topic, kind: Kind) -> Value {
    let Topic { id, mut envelope, properties } = topic;
    envelope.location.get_or_insert_with(|| envelope::GLOBAL.to_owned());
    // The id as it was created, but the type in its usual case.
    envelope.around(id.as_str(), kind.resource_type(), properties)
}

fn changes(call: &Call) -> Result<TopicChanges> {
    let body = call.object()?;
    let properties = call.properties()?;
    let named = properties.as_object().is_some_and(|it| !it.is_empty());
    Ok(TopicChanges { tags: envelope::tags(body)?, properties: named.then_some(properties) })
}

fn keys(keys: Option<TopicKeys>, topic: &ResourceId) -> Result<Answer> {
    let TopicKeys { key1, key2 } = keys.ok_or_else(|| fault::no_resource(topic))?;
    Ok(Answer::ok(json!({ "key1": key1.expose(), "key2": key2.expose() })))
}
