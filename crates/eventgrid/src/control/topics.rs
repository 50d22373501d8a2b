//! Topics and their keys.

use std::sync::Arc;

use kernel::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::{check_name, owned_by_file};
use crate::registry::TopicEntry;
use crate::service::EventGrid;
use crate::store::Store;
use crate::system;
use crate::topic::{
    SystemTopic, Topic, TopicKey, TopicKeys, TopicKind, TopicRequest, invalid, wrong_form,
};
use crate::unreadable::Kind;
use wire::ResourceId;

const LONGEST_NAME: usize = 50;
/// Azure's limit for one subscription.
const MAX_TOPICS: usize = 100;

impl EventGrid {
    /// Creates or replaces a custom or system topic; the id's type says which.
    ///
    /// # Errors
    /// `Invalid` for what breaks a rule, `Conflict` for a name that is taken, for a change of the
    /// input schema, and for a topic that the configuration file defines.
    pub async fn put_topic(&self, id: &ResourceId, request: TopicRequest) -> Result<Topic> {
        check_name("a topic", id.name(), LONGEST_NAME)?;
        let kind = TopicKind::parse(id, request.properties)?;
        let snapshot = self.snapshot();
        if snapshot.unreadable(id.key()).is_some_and(|it| it.owned_by_file) {
            return Err(owned_by_file("topic", id.name()));
        }
        let existing = snapshot.topic(id).ok().cloned();
        let location = match &existing {
            Some(entry) if request.location.is_empty() => entry.topic.location.clone(),
            _ => request.location,
        };
        self.settle_topic(id, existing.as_ref(), Draft { location, tags: request.tags, kind }).await
    }

    /// Changes tags and properties of a topic: the body of a PATCH.
    ///
    /// # Errors
    /// As [`EventGrid::put_topic`], and `NotFound`.
    pub async fn patch_topic(&self, id: &ResourceId, patch: &Value) -> Result<Topic> {
        let entry = Arc::clone(self.snapshot().topic(id)?);
        let mut tags = entry.topic.tags.clone();
        if let Some(changed) = patch.get("tags").filter(|it| !it.is_null()) {
            tags = serde_json::from_value(changed.clone()).map_err(|error| wrong_form(&error))?;
        }
        let mut properties = entry.topic.kind.to_json();
        for (name, value) in
            patch.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            properties[name] = value.clone();
        }
        let kind = TopicKind::parse(id, properties)?;
        let location = entry.topic.location.clone();
        self.settle_topic(id, Some(&entry), Draft { location, tags, kind }).await
    }

    /// One topic.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn topic(&self, id: &ResourceId) -> Result<Topic> {
        self.snapshot().topic(id).map(|entry| entry.topic.clone())
    }

    /// All custom and system topics, of a subscription or resource group if one is given, by id.
    pub fn topics(&self, within: Option<&ResourceId>) -> Vec<Topic> {
        let snapshot = self.snapshot();
        let is_inside = |topic: &Topic| within.is_none_or(|outer| topic.id.is_within(outer));
        let inside = snapshot.topics().filter(|entry| is_inside(&entry.topic));
        let mut topics: Vec<Topic> = inside.map(|entry| entry.topic.clone()).collect();
        topics.sort_by(|one, other| one.id.key().cmp(other.id.key()));
        topics
    }

    /// Where a custom topic is published to.
    pub fn topic_endpoint(&self, topic: &Topic) -> String {
        let base = self.settings().base_url.trim_end_matches('/');
        let snapshot = self.snapshot();
        match snapshot.topic(&topic.id).ok().and_then(|entry| entry.hosts.first()) {
            Some(host) => with_host(base, host),
            None => format!("{base}/topics/{}/api/events", topic.id.name()),
        }
    }

    /// Deletes a topic with its event subscriptions and everything that waits for delivery.
    ///
    /// # Errors
    /// `NotFound`, or `Conflict` when the configuration file defines it.
    pub async fn delete_topic(&self, id: &ResourceId) -> Result<()> {
        let snapshot = self.snapshot();
        let owned = match snapshot.unreadable(id.key()) {
            Some(unreadable) => unreadable.owned_by_file,
            None => snapshot.topic(id)?.topic.owned_by_file,
        };
        if owned {
            return Err(owned_by_file("topic", id.name()));
        }
        let children = snapshot.subscriptions().filter(|it| it.subscription.scope == *id);
        let children: Vec<_> = children.cloned().collect();
        let mut statements = Store::delete_topic(id.key());
        let unreadable = snapshot.all_unreadable(Kind::EventSubscription);
        let unreadable: Vec<_> = unreadable.filter(|it| it.scope() == id.key()).collect();
        let keys = children.iter().map(|it| &*it.key).chain(unreadable.iter().map(|it| &*it.key));
        statements.extend(keys.flat_map(|key| self.cancel_deliveries(key)));
        self.store_and_refresh(statements).await?;
        unreadable.into_iter().for_each(|it| self.forget(&it.key));
        for child in children {
            self.forget(&child.key);
            self.announce_deletion(child);
        }
        Ok(())
    }

    /// The keys of a custom topic.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for a system topic, which has none.
    pub fn topic_keys(&self, id: &ResourceId) -> Result<TopicKeys> {
        let snapshot = self.snapshot();
        snapshot.topic(id)?.keys.clone().ok_or_else(|| no_keys(id))
    }

    /// Replaces one key by a new random one; the other stays. Publishers with the old one are
    /// refused from now on.
    ///
    /// # Errors
    /// As [`EventGrid::topic_keys`], and `Conflict` when the configuration gives the keys.
    pub async fn regenerate_topic_key(
        &self,
        id: &ResourceId,
        which: TopicKey,
    ) -> Result<TopicKeys> {
        let entry = Arc::clone(self.snapshot().topic(id)?);
        if self.has_given_keys(id) {
            return Err(owned_by_file("key of the topic", id.name()));
        }
        let keys = entry.keys.as_ref().ok_or_else(|| no_keys(id))?.regenerated(which);
        let statement = self.store().put_key(&entry.topic.id, which, &keys);
        self.store_and_refresh(vec![statement]).await?;
        // The other key may have been replaced elsewhere.
        self.topic_keys(id)
    }

    async fn settle_topic(
        &self,
        id: &ResourceId,
        existing: Option<&Arc<TopicEntry>>,
        draft: Draft,
    ) -> Result<Topic> {
        match existing {
            Some(entry) if entry.topic.owned_by_file => {
                return Err(owned_by_file("topic", id.name()));
            }
            Some(entry) => check_change(&entry.topic.kind, &draft.kind)?,
            None => self.check_new(id, &draft.kind)?,
        }
        let now = self.now();
        let topic = Topic {
            id: existing.map_or(id, |entry| &entry.topic.id).clone(),
            location: draft.location,
            tags: draft.tags,
            kind: draft.kind,
            owned_by_file: false,
            created: existing.map_or(now, |entry| entry.topic.created),
            changed: now,
        };
        let keys = match (existing, topic.custom()) {
            (Some(entry), Some(_)) => entry.keys.clone(),
            (None, Some(_)) => Some(TopicKeys::generate()),
            (_, None) => None,
        };
        let statement = self.store().put_topic(&topic, keys.as_ref());
        self.store_and_refresh(vec![statement]).await?;
        // Its keys stay, and those may be what cannot be read.
        match self.snapshot().unreadable(id.key()) {
            Some(unreadable) => Err(unreadable.refusal()),
            None => Ok(topic),
        }
    }

    fn check_new(&self, id: &ResourceId, kind: &TopicKind) -> Result<()> {
        let snapshot = self.snapshot();
        if snapshot.topics().count() >= MAX_TOPICS {
            let message =
                format!("There are {MAX_TOPICS} topics already, which is the limit. Delete one.");
            return Err(Error::new(ErrorKind::Conflict, "QuotaExceeded", message));
        }
        let same = |topic: &Topic, source: &ResourceId| match &topic.kind {
            TopicKind::System(other) => other.source == *source,
            TopicKind::Custom(_) => false,
        };
        match kind {
            // A topic's name is a part of its address, so it is unique across groups.
            TopicKind::Custom(_) if snapshot.custom_topic(id.name()).is_some() => {
                let message = format!("There is a topic '{}' in another group already.", id.name());
                Err(Error::new(ErrorKind::Conflict, "TopicNameTaken", message).target("name"))
            }
            TopicKind::Custom(_) => Ok(()),
            TopicKind::System(topic) => {
                check_source(topic)?;
                let other = snapshot.topics().find(|entry| same(&entry.topic, &topic.source));
                let Some(other) = other else { return Ok(()) };
                let message = format!(
                    "The source has a system topic already, '{}'. A source has one.",
                    other.topic.id.name()
                );
                Err(Error::new(ErrorKind::Conflict, "SystemTopicExists", message).target("source"))
            }
        }
    }
}

/// What a topic becomes.
struct Draft {
    location: String,
    tags: std::collections::BTreeMap<String, String>,
    kind: TopicKind,
}

fn check_change(before: &TopicKind, after: &TopicKind) -> Result<()> {
    match (before, after) {
        (TopicKind::Custom(before), TopicKind::Custom(after))
            if before.input_schema != after.input_schema =>
        {
            let message =
                "The inputSchema of a topic is fixed when it is created. Create another topic.";
            Err(Error::new(ErrorKind::Conflict, "InputSchemaFixed", message).target("inputSchema"))
        }
        (TopicKind::System(before), TopicKind::System(after)) if before.source != after.source => {
            let message = "The source of a system topic is fixed when it is created.";
            Err(Error::new(ErrorKind::Conflict, "SourceFixed", message).target("source"))
        }
        _ => Ok(()),
    }
}

/// The topic type must be one that there is, and the source a resource of that type.
fn check_source(topic: &SystemTopic) -> Result<()> {
    let Some(expected) = system::resource_type_of(&topic.topic_type) else {
        let message = format!(
            "This server has no events of the topicType '{}'. It has those of {}.",
            topic.topic_type.chars().take(100).collect::<String>().escape_debug(),
            system::topic_types().join(", ")
        );
        return Err(invalid("topicType", message));
    };
    if topic.source.is_of_type(expected) {
        return Ok(());
    }
    let message = format!("The source of this topicType is a resource of the type {expected}.");
    Err(invalid("source", message))
}

fn no_keys(id: &ResourceId) -> Error {
    let message = format!("'{id}' is a system topic. It is not published to and has no keys.");
    Error::new(ErrorKind::Invalid, "InvalidRequest", message)
}

/// The endpoint on a host name of the topic's own, with scheme and port of the usual address.
fn with_host(base: &str, host: &str) -> String {
    let (scheme, authority) = base.split_once("://").unwrap_or(("https", base));
    match authority.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{scheme}://{host}:{port}/api/events")
        }
        _ => format!("{scheme}://{host}/api/events"),
    }
}

/// `{"key1","key2"}`, the answer to `listKeys` and `regenerateKey`.
impl TopicKeys {
    /// The form of the answer.
    pub fn to_json(&self) -> Value {
        json!({ "key1": self.key1.expose(), "key2": self.key2.expose() })
    }
}
