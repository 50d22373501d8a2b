//! What publishing reads: all topics and event subscriptions in memory, replaced as a whole.
//!
//! A snapshot never changes; whoever holds one works with a consistent picture and no lock. It is
//! made from the store, and again whenever this or another process has changed something there.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use kernel::{Error, ErrorKind, Result, Timestamp};

use crate::event::InputSchema;
use crate::store::Stored;
use crate::subscription::{self, EventSubscription};
use crate::topic::{SYSTEM_TOPICS, TOPICS, Topic, TopicKeys, TopicKind};
use crate::unreadable::{Kind, Unreadable};
use wire::ResourceId;

/// A topic as publishing needs it.
#[derive(Debug)]
pub(crate) struct TopicEntry {
    pub(crate) topic: Topic,
    /// None for system topics, which nobody publishes to.
    pub(crate) keys: Option<TopicKeys>,
    /// Host names of its own, in lower case and without ports.
    pub(crate) hosts: Vec<String>,
}

/// An event subscription as publishing and delivering need it.
#[derive(Debug)]
pub(crate) struct SubscriptionEntry {
    pub(crate) key: Arc<str>,
    pub(crate) subscription: EventSubscription,
    /// What its events carry as `topic`.
    pub(crate) source: ResourceId,
}

/// Everything, at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// Of the store, when it was read.
    pub(crate) revision: i64,
    topics: HashMap<Box<str>, Arc<TopicEntry>>,
    custom_by_name: HashMap<Box<str>, Arc<TopicEntry>>,
    subscriptions: HashMap<Arc<str>, Arc<SubscriptionEntry>>,
    by_source: HashMap<Box<str>, Vec<Arc<SubscriptionEntry>>>,
    /// What is there besides and cannot be read, by key; with the event subscriptions of topics that
    /// cannot.
    unreadable: HashMap<Box<str>, Unreadable>,
}

/// The snapshot in force.
#[derive(Debug, Default)]
pub(crate) struct Registry(ArcSwap<Snapshot>);

impl Registry {
    pub(crate) fn current(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub(crate) fn replace(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}

impl Snapshot {
    /// Builds the picture; `hosts` gives the host names of topics that have some, and `given` the
    /// keys that the configuration gives, both by topic key.
    pub(crate) fn build(
        stored: Stored,
        hosts: &HashMap<String, Vec<String>>,
        given: &HashMap<String, TopicKeys>,
    ) -> Self {
        let unreadable = stored.unreadable.into_iter().map(|it| (it.key.as_str().into(), it));
        let unreadable = unreadable.collect();
        let mut snapshot = Self { revision: stored.revision, unreadable, ..Self::default() };
        for (topic, keys) in stored.topics {
            let key = topic.id.key().to_owned();
            let keys = given.get(&key).cloned().or(keys);
            let hosts = hosts.get(&key).cloned().unwrap_or_default();
            let entry = Arc::new(TopicEntry { topic, keys, hosts });
            if entry.topic.custom().is_some() {
                let name = entry.topic.id.name().to_ascii_lowercase();
                snapshot.custom_by_name.insert(name.into(), Arc::clone(&entry));
            }
            snapshot.topics.insert(key.into(), entry);
        }
        for subscription in stored.subscriptions {
            let key: Arc<str> = subscription.key().into();
            let source = match snapshot.source_of(&subscription.scope) {
                Ok(source) => source,
                Err(error) if snapshot.unreadable(subscription.scope.key()).is_some() => {
                    let (kind, owned) = (Kind::EventSubscription, subscription.owned_by_file);
                    let waits = Unreadable::new(kind, key.to_string(), owned, &error);
                    snapshot.unreadable.insert((&*key).into(), waits);
                    continue;
                }
                // One that names a topic of its own is only of use while the topic exists.
                Err(_) => continue,
            };
            let entry = SubscriptionEntry { key: Arc::clone(&key), subscription, source };
            let entry = Arc::new(entry);
            let of_source = snapshot.by_source.entry(entry.source.key().into()).or_default();
            of_source.push(Arc::clone(&entry));
            snapshot.subscriptions.insert(key, entry);
        }
        snapshot
    }

    pub(crate) fn topic(&self, id: &ResourceId) -> Result<&Arc<TopicEntry>> {
        self.topics.get(id.key()).ok_or_else(|| match self.unreadable(id.key()) {
            Some(unreadable) => unreadable.refusal(),
            None => not_found("topic", id.as_str()),
        })
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<TopicEntry>> {
        self.topics.values()
    }

    /// The custom topic with this name, whichever group it is in: names are unique.
    pub(crate) fn custom_topic(&self, name: &str) -> Option<&Arc<TopicEntry>> {
        self.custom_by_name.get(name.to_ascii_lowercase().as_str())
    }

    /// The topic that a host name picks: one of its own hosts, else one whose first label is the
    /// topic's name, as in `orders.example.com`.
    pub(crate) fn topic_of_host(&self, host: &str) -> Option<&Arc<TopicEntry>> {
        let host = host.to_ascii_lowercase();
        let own = self.custom_by_name.values().find(|it| it.hosts.contains(&host));
        own.or_else(|| self.custom_by_name.get(host.split_once('.')?.0))
    }

    /// The only custom topic, if there is just one.
    pub(crate) fn only_topic(&self) -> Option<&Arc<TopicEntry>> {
        let mut topics = self.custom_by_name.values();
        topics.next().filter(|_| topics.next().is_none())
    }

    pub(crate) fn subscription(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> Result<&Arc<SubscriptionEntry>> {
        let key = subscription::key(scope, name);
        self.subscriptions.get(key.as_str()).ok_or_else(|| match self.unreadable(&key) {
            Some(unreadable) => unreadable.refusal(),
            None => not_found("event subscription", &format!("{name}' of '{scope}")),
        })
    }

    /// The topic or event subscription with this key, if it is there and cannot be read.
    pub(crate) fn unreadable(&self, key: &str) -> Option<&Unreadable> {
        self.unreadable.get(key)
    }

    pub(crate) fn all_unreadable(&self, kind: Kind) -> impl Iterator<Item = &Unreadable> {
        self.unreadable.values().filter(move |it| it.kind == kind)
    }

    /// Whether there is an event subscription with this key, readable or not.
    pub(crate) fn has_subscription(&self, key: &str) -> bool {
        self.subscriptions.contains_key(key) || self.unreadable.contains_key(key)
    }

    pub(crate) fn by_key(&self, key: &str) -> Option<&Arc<SubscriptionEntry>> {
        self.subscriptions.get(key)
    }

    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &Arc<SubscriptionEntry>> {
        self.subscriptions.values()
    }

    /// The event subscriptions that get events of `source` at `now`, before their filters.
    pub(crate) fn active<'a>(
        &'a self,
        source: &ResourceId,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Arc<SubscriptionEntry>> {
        let all = self.by_source.get(source.key()).map_or(&[][..], Vec::as_slice);
        all.iter().filter(move |entry| entry.subscription.is_active(now))
    }

    /// Whose events a scope means: a custom topic's own, or those of a system topic's source, or
    /// those of the resource itself.
    pub(crate) fn source_of(&self, scope: &ResourceId) -> Result<ResourceId> {
        if scope.is_of_type(TOPICS) || scope.is_of_type(SYSTEM_TOPICS) {
            return self.topic(scope).map(|entry| entry.topic.source().clone());
        }
        if scope.resource_type().is_empty() {
            let message = format!(
                "The scope '{scope}' is no topic and no resource. This server has no events about \
                 subscriptions and resource groups; give the id of a topic, or of a Communication \
                 or Web PubSub resource."
            );
            return Err(Error::new(ErrorKind::Invalid, "InvalidScope", message).target("scope"));
        }
        Ok(scope.clone())
    }

    /// The schema that events of a scope have when they come in.
    pub(crate) fn input_schema(&self, scope: &ResourceId) -> InputSchema {
        match self.topics.get(scope.key()).map(|entry| &entry.topic.kind) {
            Some(TopicKind::Custom(topic)) => topic.input_schema.clone(),
            Some(TopicKind::System(_)) | None => InputSchema::EventGrid,
        }
    }
}

fn not_found(what: &str, name: &str) -> Error {
    let message = format!("The {what} '{name}' does not exist. Check its name and its group.");
    Error::new(ErrorKind::NotFound, "ResourceNotFound", message)
}
