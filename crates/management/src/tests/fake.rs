//! An Event Grid in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use kernel::{Error, ErrorKind, Result, Secret, Timestamp};
use serde_json::{Value, json};
use wire::ResourceId;

use crate::Envelope;
use crate::eventgrid::{
    EventGridProvider, EventSubscription, EventType, Topic, TopicChanges, TopicKey, TopicKeys,
    TopicRequest, TopicType,
};

/// Topics by key, and event subscriptions by the keys of scope and name.
#[derive(Default)]
pub(super) struct Fake {
    topics: Mutex<BTreeMap<String, Topic>>,
    subscriptions: Mutex<BTreeMap<(String, String), EventSubscription>>,
    keys: Mutex<BTreeMap<String, [u32; 2]>>,
}

fn envelope(location: Option<String>, tags: BTreeMap<String, String>) -> Envelope {
    let at = Some(Timestamp::from_secs(0));
    Envelope { location, tags, created: at, changed: at }
}

fn merge(into: &mut Value, changes: &Value) {
    for (name, value) in changes.as_object().unwrap() {
        into[name] = value.clone();
    }
}

fn at(scope: &ResourceId, name: &str) -> (String, String) {
    (scope.key().to_owned(), name.to_ascii_lowercase())
}

/// What is kept: the URL whole, for `full_url`; `shown` hides it.
fn shown(it: &EventSubscription) -> EventSubscription {
    let mut it = it.clone();
    let url = it.properties["destination"]["properties"]["endpointUrl"].take();
    let base = url.as_str().and_then(|url| url.split('?').next()).map(str::to_owned);
    it.properties["destination"]["properties"] = json!({ "endpointBaseUrl": base });
    it
}

impl EventGridProvider for Fake {
    fn topic_types(&self) -> Vec<TopicType> {
        let message_received = EventType {
            name: "Microsoft.Communication.ChatMessageReceived",
            display_name: "Chat Message Received",
            description: "A message was sent.",
            is_in_default_set: true,
        };
        vec![TopicType {
            name: "Microsoft.Communication.CommunicationServices",
            display_name: "Communication Services",
            description: "Events of chat.",
            resource_type: "Microsoft.Communication/CommunicationServices",
            source_format: "/subscriptions/{subscriptionId}",
            event_types: vec![message_received],
        }]
    }

    async fn topics(&self, within: Option<&ResourceId>) -> Result<Vec<Topic>> {
        let topics = self.topics.lock().unwrap();
        let inside = |topic: &&Topic| within.is_none_or(|within| topic.id.is_within(within));
        Ok(topics.values().filter(inside).cloned().collect())
    }

    async fn topic(&self, id: &ResourceId) -> Result<Option<Topic>> {
        Ok(self.topics.lock().unwrap().get(id.key()).cloned())
    }

    async fn put_topic(&self, id: &ResourceId, request: TopicRequest) -> Result<Topic> {
        let TopicRequest { location, tags, mut properties } = request;
        properties["provisioningState"] = "Succeeded".into();
        let mut topics = self.topics.lock().unwrap();
        let id = topics.get(id.key()).map_or(id, |topic| &topic.id).clone();
        let topic = Topic { id: id.clone(), envelope: envelope(Some(location), tags), properties };
        topics.insert(id.key().to_owned(), topic.clone());
        self.keys.lock().unwrap().entry(id.key().to_owned()).or_insert([1, 1]);
        Ok(topic)
    }

    async fn update_topic(&self, id: &ResourceId, changes: TopicChanges) -> Result<Option<Topic>> {
        let mut topics = self.topics.lock().unwrap();
        let Some(topic) = topics.get_mut(id.key()) else { return Ok(None) };
        if let Some(tags) = changes.tags {
            topic.envelope.tags = tags;
        }
        if let Some(properties) = changes.properties {
            merge(&mut topic.properties, &properties);
        }
        Ok(Some(topic.clone()))
    }

    async fn delete_topic(&self, id: &ResourceId) -> Result<bool> {
        Ok(self.topics.lock().unwrap().remove(id.key()).is_some())
    }

    async fn keys(&self, id: &ResourceId) -> Result<Option<TopicKeys>> {
        let shown = |[one, two]: &[u32; 2]| TopicKeys {
            key1: Secret::new(format!("first-{one}")),
            key2: Secret::new(format!("second-{two}")),
        };
        Ok(self.keys.lock().unwrap().get(id.key()).map(shown))
    }

    async fn regenerate_key(&self, id: &ResourceId, which: TopicKey) -> Result<Option<TopicKeys>> {
        if let Some(keys) = self.keys.lock().unwrap().get_mut(id.key()) {
            keys[usize::from(which == TopicKey::Second)] += 1;
        }
        self.keys(id).await
    }

    async fn event_subscriptions(&self, within: &ResourceId) -> Result<Vec<EventSubscription>> {
        let all = self.subscriptions.lock().unwrap();
        Ok(all.values().filter(|it| it.scope.is_within(within)).map(shown).collect())
    }

    async fn event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> Result<Option<EventSubscription>> {
        Ok(self.subscriptions.lock().unwrap().get(&at(scope, name)).map(shown))
    }

    async fn put_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        mut properties: Value,
    ) -> Result<EventSubscription> {
        if properties["destination"]["endpointType"] != "WebHook" {
            let error = Error::new(ErrorKind::Invalid, "InvalidRequest", "Only webhooks here.");
            return Err(error.target("destination"));
        }
        properties["topic"] = scope.as_str().into();
        let it = EventSubscription {
            scope: scope.clone(),
            name: name.to_owned(),
            envelope: envelope(None, BTreeMap::new()),
            properties,
        };
        self.subscriptions.lock().unwrap().insert(at(scope, name), it.clone());
        Ok(shown(&it))
    }

    async fn update_event_subscription(
        &self,
        scope: &ResourceId,
        name: &str,
        changes: Value,
    ) -> Result<Option<EventSubscription>> {
        let mut all = self.subscriptions.lock().unwrap();
        let Some(it) = all.get_mut(&at(scope, name)) else { return Ok(None) };
        merge(&mut it.properties, &changes);
        Ok(Some(shown(it)))
    }

    async fn delete_event_subscription(&self, scope: &ResourceId, name: &str) -> Result<bool> {
        Ok(self.subscriptions.lock().unwrap().remove(&at(scope, name)).is_some())
    }

    async fn full_url(&self, scope: &ResourceId, name: &str) -> Result<Option<Secret>> {
        let all = self.subscriptions.lock().unwrap();
        let url = |it: &EventSubscription| {
            let url = it.properties["destination"]["properties"]["endpointUrl"].as_str().unwrap();
            Secret::new(url)
        };
        Ok(all.get(&at(scope, name)).map(url))
    }

    async fn delivery_attributes(&self, scope: &ResourceId, name: &str) -> Result<Option<Value>> {
        let found = self.subscriptions.lock().unwrap().contains_key(&at(scope, name));
        let attributes = json!([{ "name": "h", "type": "Static", "properties": { "value": "v" } }]);
        Ok(found.then_some(attributes))
    }
}
