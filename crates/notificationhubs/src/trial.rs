//! Showing the credentials of a hub to the push services, for people who look for the reason why pushes
//! do not arrive.
//!
//! A message to a device that cannot exist is answered with what the push service thinks of its sender:
//! where it speaks about the device, the credential holds. Nothing is learned from it: neither devices
//! nor pauses change. Browsers have no device that cannot exist, so theirs are not tried.

use axum::http::HeaderMap;
use bytes::Bytes;
use kernel::{Result, Timestamp};
use uuid::Uuid;

use crate::push::Outcome;
use crate::refusal::not_found;
use crate::route::Route;
use crate::service::NotificationHubs;
use crate::{Handle, Platform};

/// What a push service answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Whose.
    pub platform: Platform,
    /// What it answered.
    pub outcome: Outcome,
}

impl NotificationHubs {
    /// Shows each credential of a hub to its push service, one after another.
    ///
    /// # Errors
    /// `NotFound` without the hub.
    pub async fn try_credentials(&self, namespace: &str, hub: &str) -> Result<Vec<Trial>> {
        let snapshot = self.snapshot();
        let entry = snapshot
            .hub(namespace, hub)
            .ok_or_else(|| not_found("There is no such notification hub."))?;
        let mut trials = Vec::new();
        for route in entry.routes() {
            if let Some(outcome) = attempt(route, self.now()).await {
                trials.push(Trial { platform: route.platform, outcome });
            }
        }
        Ok(trials)
    }
}

async fn attempt(route: &Route, now: Timestamp) -> Option<Outcome> {
    let (handle, payload) = match route.platform {
        Platform::Apple => ("0".repeat(64), r#"{"aps":{"content-available":1}}"#),
        Platform::FcmV1 => ("tidings-credential-check".to_owned(), r#"{"message":{"data":{}}}"#),
        _ => return None,
    };
    if !route.is_usable() {
        return None;
    }
    let handle = Handle::new(route.platform, &handle).ok()?;
    let payload = Bytes::from_static(payload.as_bytes());
    Some(match route.prepare(&HeaderMap::new(), payload) {
        Ok(message) => route.send(&handle, &message, Uuid::new_v4(), now).await,
        Err(outcome) => *outcome,
    })
}
