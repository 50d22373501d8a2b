//! Topics and their keys for a command line beside the server, or without one.

use std::sync::Arc;

use kernel::{Error, ErrorKind, Result};
use storage::{Db, MasterKey};

use crate::store::Store;
use crate::topic::{Topic, TopicKey, TopicKeys};
use crate::unreadable::{Kind, Unreadable};

/// The stored topics. What is changed here, a running server notices within about a second.
pub struct Catalogue {
    store: Store,
}

impl Catalogue {
    /// The topics in a database, whose tables are made where they are missing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(db: Db, master_key: Arc<MasterKey>) -> Result<Self> {
        Ok(Self { store: Store::open(db, master_key).await? })
    }

    /// The custom topic of this name, and its keys unless the configuration gives them.
    ///
    /// # Errors
    /// `NotFound`, with the names that there are; or when the store fails, or it cannot be read.
    pub async fn topic(&self, name: &str) -> Result<(Topic, Option<TopicKeys>)> {
        let custom = |(topic, _): &(Topic, _)| topic.custom().is_some();
        let stored = self.store.load().await?;
        let is_meant =
            |it: &&Unreadable| it.kind == Kind::Topic && it.name().eq_ignore_ascii_case(name);
        if let Some(topic) = stored.unreadable.iter().find(is_meant) {
            return Err(topic.refusal());
        }
        let topics = stored.topics.into_iter().filter(custom);
        let (found, others): (Vec<_>, Vec<_>) =
            topics.partition(|(topic, _)| topic.id.name().eq_ignore_ascii_case(name));
        found.into_iter().next().ok_or_else(|| {
            let names: Vec<&str> = others.iter().map(|(topic, _)| topic.id.name()).collect();
            let known = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
            let message = format!("there is no topic '{name}'; there is: {known}");
            Error::new(ErrorKind::NotFound, "NotFound", message)
        })
    }

    /// Replaces one key of a topic by a new random one.
    ///
    /// # Errors
    /// As [`Catalogue::topic`]; `Conflict` when the configuration gives the keys.
    pub async fn regenerate(&self, name: &str, which: TopicKey) -> Result<TopicKeys> {
        let (topic, keys) = self.topic(name).await?;
        let Some(keys) = keys else {
            let message = format!("the keys of the topic '{name}' come from the configuration");
            return Err(Error::new(ErrorKind::Conflict, "OwnedByConfiguration", message));
        };
        let keys = keys.regenerated(which);
        self.store.change(vec![self.store.put_key(&topic.id, which, &keys)]).await?;
        Ok(keys)
    }
}
