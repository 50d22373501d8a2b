//! Topics and event subscriptions of the configuration file.
//!
//! They are taken over at every start: new ones are made, changed ones changed, and those that the
//! file no longer names are deleted. Calls cannot change them. A webhook that consented once is not
//! asked again while its URL and schema stay; one that does not answer is asked until it does, since
//! programs start in any order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kernel::{Result, Timestamp};
use serde_json::Value;
use storage::Statement;

use crate::service::EventGrid;
use crate::store::Store;
use crate::subscription::{Destination, EventSubscription, Properties, State, key};
use crate::topic::{Topic, TopicKeys, TopicKind, TopicRequest};
use crate::unreadable::Kind;
use wire::ResourceId;

/// Pauses between handshakes with a webhook of the file; the last one repeats.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// Everything that the file defines.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Its topics.
    pub topics: Vec<ConfiguredTopic>,
    /// Its event subscriptions.
    pub subscriptions: Vec<ConfiguredSubscription>,
}

/// A topic of the file.
#[derive(Clone, Debug)]
pub struct ConfiguredTopic {
    /// Its id.
    pub id: ResourceId,
    /// Its settings, in the form of a management call.
    pub request: TopicRequest,
    /// Its keys, where the file gives them; they are not stored then.
    pub keys: Option<TopicKeys>,
    /// Keys to begin with, where the store has none yet.
    pub first_keys: Option<TopicKeys>,
    /// Host names that pick it, without ports.
    pub hosts: Vec<String>,
}

/// An event subscription of the file.
#[derive(Clone, Debug)]
pub struct ConfiguredSubscription {
    /// The topic, system topic or resource.
    pub scope: ResourceId,
    /// Its name.
    pub name: String,
    /// `properties` of a management call.
    pub properties: Value,
}

impl Configured {
    pub(crate) fn hosts(&self) -> HashMap<String, Vec<String>> {
        let lower = |hosts: &[String]| hosts.iter().map(|it| it.to_ascii_lowercase()).collect();
        self.topics.iter().map(|it| (it.id.key().to_owned(), lower(&it.hosts))).collect()
    }

    pub(crate) fn given_keys(&self) -> HashMap<String, TopicKeys> {
        let given = |it: &ConfiguredTopic| Some((it.id.key().to_owned(), it.keys.clone()?));
        self.topics.iter().filter_map(given).collect()
    }
}

impl EventGrid {
    /// Makes the store hold what the file defines.
    pub(crate) async fn take_over(&self, configured: Configured) -> Result<()> {
        let now = self.now();
        let mut statements = self.obsolete(&configured);
        for topic in configured.topics {
            statements.push(self.take_over_topic(topic, now)?);
        }
        self.store_and_refresh(statements).await?;
        let mut statements = Vec::new();
        for subscription in configured.subscriptions {
            // One whose topic cannot be read stays as it is, and waits with it.
            if self.snapshot().unreadable(subscription.scope.key()).is_none() {
                statements.push(self.take_over_subscription(subscription, now)?);
            }
        }
        self.store_and_refresh(statements).await
    }

    /// What was in an earlier file and is not in this one.
    fn obsolete(&self, configured: &Configured) -> Vec<Statement> {
        let topics: HashSet<&str> = configured.topics.iter().map(|it| it.id.key()).collect();
        let kept = configured.subscriptions.iter().map(|it| key(&it.scope, &it.name));
        let kept: HashSet<String> = kept.collect();
        let snapshot = self.snapshot();
        let mut gone = HashSet::new();
        let mut statements = Vec::new();
        for entry in snapshot.topics() {
            let topic = &entry.topic;
            if topic.owned_by_file && !topics.contains(topic.id.key()) {
                gone.insert(topic.id.key());
                statements.extend(Store::delete_topic(topic.id.key()));
            }
        }
        for topic in snapshot.all_unreadable(Kind::Topic) {
            if topic.owned_by_file && !topics.contains(&*topic.key) {
                gone.insert(&topic.key);
                statements.extend(Store::delete_topic(&topic.key));
            }
        }
        let readable = snapshot.subscriptions().map(|entry| {
            let subscription = &entry.subscription;
            (&*entry.key, subscription.scope.key(), subscription.owned_by_file)
        });
        let unreadable = snapshot
            .all_unreadable(Kind::EventSubscription)
            .map(|it| (&*it.key, it.scope(), it.owned_by_file));
        for (key, scope, owned_by_file) in readable.chain(unreadable) {
            if owned_by_file && !kept.contains(key) || gone.contains(scope) {
                statements.push(Store::delete_subscription(key));
                statements.extend(self.cancel_deliveries(key));
            }
        }
        statements
    }

    fn take_over_topic(&self, wanted: ConfiguredTopic, now: Timestamp) -> Result<Statement> {
        let ConfiguredTopic { id, request, keys, first_keys, .. } = wanted;
        let snapshot = self.snapshot();
        let existing = snapshot.topic(&id).ok();
        let topic = Topic {
            kind: TopicKind::parse(&id, request.properties)?,
            id,
            location: request.location,
            tags: request.tags,
            owned_by_file: true,
            created: existing.map_or(now, |entry| entry.topic.created),
            changed: now,
        };
        // Given keys stay out of the store. Others are made once.
        let kept = match (keys, topic.custom()) {
            (Some(_), _) | (None, None) => None,
            (None, Some(_)) => {
                let stored = existing.and_then(|entry| entry.keys.clone());
                stored.or(first_keys).or_else(|| Some(TopicKeys::generate()))
            }
        };
        Ok(self.store().put_topic(&topic, kept.as_ref()))
    }

    fn take_over_subscription(
        &self,
        wanted: ConfiguredSubscription,
        now: Timestamp,
    ) -> Result<Statement> {
        let ConfiguredSubscription { scope, name, properties } = wanted;
        let snapshot = self.snapshot();
        snapshot.source_of(&scope)?;
        let properties = Properties::parse(&properties, &snapshot.input_schema(&scope))?;
        if let Destination::WebPubSub(target) = &properties.destination {
            self.realtime().check(target)?;
        }
        let before = snapshot.subscription(&scope, &name).ok().map(|entry| &entry.subscription);
        let consented = before.filter(|it| it.has_consent_for(&properties));
        let is_ours = matches!(properties.destination, Destination::WebPubSub(_));
        let state = match consented {
            _ if is_ours => State::Succeeded,
            Some(_) => State::Succeeded,
            None => State::Creating { reason: None },
        };
        let subscription = EventSubscription {
            scope,
            name,
            properties,
            state,
            allowed_rate: consented.and_then(|it| it.allowed_rate),
            owned_by_file: true,
            created: before.map_or(now, |it| it.created),
            changed: now,
        };
        Ok(self.store().put_subscription(&subscription))
    }

    /// Asks the webhooks of the file that have not consented yet, each on its own.
    pub(crate) fn start_validating(&self) {
        let snapshot = self.snapshot();
        let waiting = snapshot.subscriptions().filter(|entry| {
            entry.subscription.owned_by_file && entry.subscription.state != State::Succeeded
        });
        for entry in waiting {
            let (service, key) = (self.clone(), Arc::clone(&entry.key));
            let stop = self.tasks().token().clone();
            self.tasks().spawn("webhook validation", async move {
                stop.run_until_cancelled(service.validate_until_consent(&key)).await;
            });
        }
    }

    async fn validate_until_consent(&self, key: &str) {
        let mut pauses = PAUSES.into_iter();
        let mut pause = PAUSES[0];
        loop {
            let Some(entry) = self.snapshot().by_key(key).cloned() else { return };
            let mut subscription = entry.subscription.clone();
            let waits =
                matches!(subscription.state.at(self.now()), State::AwaitingManualAction { .. });
            match subscription.state {
                State::Succeeded => return,
                _ if waits => {}
                // Whether its outcome took effect, the next look tells: it may have been changed
                // meanwhile.
                _ => {
                    if let Err(error) = self.validate_once(&mut subscription).await {
                        tracing::warn!(%error, "the outcome of a validation was not stored");
                    }
                }
            }
            pause = pauses.next().unwrap_or(pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn validate_once(&self, subscription: &mut EventSubscription) -> Result<()> {
        let before = subscription.state.clone();
        let handshake = self.validate(subscription).await.map_err(|error| {
            let name = &subscription.name;
            tracing::warn!(event_subscription = name, %error, "not validated yet");
            subscription.state = State::Creating { reason: Some(error.message().to_owned()) };
        });
        self.store_and_refresh(vec![Store::put_state(subscription, &before)]).await?;
        match handshake {
            Ok(handshake) => handshake.stored().await,
            Err(()) => Ok(()),
        }
    }
}
