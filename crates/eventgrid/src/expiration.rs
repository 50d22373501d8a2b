//! Event subscriptions whose time is over: removed, with a notice to their webhook.
//!
//! Those of the configuration file stay, and get nothing: the file would bring them back. What still
//! waits to be delivered to one becomes dead letters, one by one, when its next attempt is due.

use std::sync::Arc;

use kernel::{Result, Timestamp};

use crate::service::EventGrid;
use crate::store::Store;
use crate::subscription::{EventSubscription, Properties};
use crate::topic::invalid;

impl EventGrid {
    /// Removes what has expired. Of several servers, one does it and tells the webhook.
    pub(crate) async fn remove_expired(&self) -> Result<()> {
        let (now, snapshot) = (self.now(), self.snapshot());
        let is_over = |it: &EventSubscription| !it.owned_by_file && it.properties.has_expired(now);
        let expired: Vec<_> =
            snapshot.subscriptions().filter(|entry| is_over(&entry.subscription)).collect();
        if expired.is_empty() {
            return Ok(());
        }
        let delete = expired.iter().map(|entry| Store::delete_unchanged(&entry.subscription));
        let deleted = self.store().change(delete.collect()).await?;
        self.refresh().await?;
        for (entry, _) in expired.into_iter().zip(deleted).filter(|(_, rows)| *rows > 0) {
            tracing::info!(event_subscription = &*entry.key, "expired and removed");
            self.watch().forget(&entry.key);
            self.announce_deletion(Arc::clone(entry));
        }
        Ok(())
    }
}

/// Refuses what would be removed as soon as it is there.
pub(crate) fn check(properties: &Properties, now: Timestamp) -> Result<()> {
    if !properties.has_expired(now) {
        return Ok(());
    }
    let message = "The expirationTimeUtc has passed already. Give a later time, or null for an event \
                   subscription that does not expire.";
    Err(invalid("expirationTimeUtc", message))
}
