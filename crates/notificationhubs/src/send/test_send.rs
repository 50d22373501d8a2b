//! A test send: to a few devices, at once, and its outcome is the answer.

use std::sync::Arc;

use kernel::Result;

use super::accept::Send;
use super::letters::Letters;
use super::order::To;
use super::page::{self, Run};
use super::settle::Settled;
use crate::Platform;
use crate::entry::TestResult;
use crate::notification::{State, new_notification_id};
use crate::push::{Outcome, OutcomeName};
use crate::registration::{Key, RegistrationId};
use crate::registry::HubEntry;
use crate::service::NotificationHubs;
use crate::store::{NewNotification, Recipient, Selection};
use crate::tag::TagExpression;

/// Devices that a test send reaches at most.
const DEVICES: usize = 10;
/// Devices that are looked at to find them.
const CANDIDATES: usize = 1000;

/// What came of a test send.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The notification, which has telemetry as every other.
    pub id: String,
    /// Devices that their push service has taken it for.
    pub success: u64,
    /// The others.
    pub failure: u64,
    /// Each device.
    pub results: Vec<TestResult>,
}

impl NotificationHubs {
    /// Sends to ten devices at most and waits for the outcomes. Nobody is tried again.
    ///
    /// # Errors
    /// As of every send; errors of the store.
    pub(crate) async fn test_send(&self, hub: &HubEntry, mut send: Send) -> Result<Tested> {
        send.check(hub)?;
        let (now, key) = (self.now(), hub.hub.key);
        let id = new_notification_id(now);
        let recipients = self.few(hub, &send).await?;
        let body = String::from_utf8_lossy(&send.body).into_owned();
        let notification = NewNotification {
            id: id.clone(),
            state: State::Processing,
            body: body.clone(),
            tags: match &send.to {
                To::Audience(tags) => tags.clone(),
                _ => None,
            },
            platforms: send.format.as_str().to_owned(),
        };
        let mut letters = Letters::new(hub, send.format, send.headers.clone(), body);
        let run = Run {
            notification: id.as_str().into(),
            concurrency: DEVICES,
            counters: Arc::clone(&hub.counters),
            clock: self.clock(),
        };
        let native = send.format.platform().is_some();
        let sent = page::send(recipients, &mut letters, native, run).await;
        let mut settled = Settled::of(&sent, &id, now, now);
        settled.remove_dead(self, key).await?;
        let mut statements = vec![self.store().insert_notification(key, &notification, now)];
        statements.extend(settled.statements(self, key, &id));
        statements.push(self.store().finish_part(key, &id, self.now()));
        self.store().db().write(statements).await?;
        let success = sent.iter().filter(|it| it.outcome.name == OutcomeName::Success).count();
        let results = sent.iter().map(|it| TestResult {
            platform: platform_name(it.recipient.handle.platform(), native),
            handle: it.recipient.handle.address().to_owned(),
            registration_id: it.recipient.id.as_str().to_owned(),
            outcome: sentence(&it.outcome),
        });
        let (success, results) = (success as u64, results.collect::<Vec<_>>());
        Ok(Tested { id, success, failure: results.len() as u64 - success, results })
    }

    async fn few(&self, hub: &HubEntry, send: &Send) -> Result<Vec<Recipient>> {
        let platform = send.format.platform();
        let tags = match &send.to {
            To::Devices(devices) => {
                let recipient = |(at, device): (usize, &super::Device)| Recipient {
                    key: Key(at as i64),
                    id: RegistrationId::stored(String::new()),
                    handle: device.handle(platform.unwrap_or(Platform::Apple)),
                    installation: None,
                    template: None,
                    push_variables: None,
                };
                return Ok(devices.iter().take(DEVICES).enumerate().map(recipient).collect());
            }
            To::Registrations(_) => return Ok(Vec::new()),
            To::Audience(tags) => tags.as_deref().map(TagExpression::parse).transpose()?,
        };
        let now = self.now();
        let before = self.store().keys().next(now);
        let selection = Selection { tags, platform };
        let audience = self.store().audience(hub.hub.key, &selection, before).await?;
        let (mut few, mut after) = (Vec::new(), Key::default());
        loop {
            let (found, end) = self.store().recipients(&audience, after, CANDIDATES, now).await?;
            few.extend(found.into_iter().take(DEVICES - few.len()));
            match end {
                Some(end) if few.len() < DEVICES => after = end,
                _ => return Ok(few),
            }
        }
    }
}

/// The service's own words for platforms in results.
fn platform_name(platform: Platform, native: bool) -> String {
    let template = if native { "" } else { "template" };
    format!("{}{template}", platform.format())
}

/// An outcome as a sentence; where the service's own one is known, in its words.
fn sentence(outcome: &Outcome) -> String {
    let known = match outcome.name {
        OutcomeName::Success | OutcomeName::RefreshToken => {
            return "The Notification was successfully sent to the Push Notification System"
                .to_owned();
        }
        OutcomeName::BadChannel | OutcomeName::ExpiredChannel => {
            "The Push Notification System handle for the registration is invalid"
        }
        OutcomeName::InvalidCredentials | OutcomeName::InvalidToken | OutcomeName::WrongToken => {
            "The Token obtained from the Token Provider is wrong"
        }
        OutcomeName::InvalidNotificationFormat | OutcomeName::InvalidNotificationSize => {
            "The Notification payload is invalid"
        }
        other => other.as_str(),
    };
    let details = [&*outcome.reason, &*outcome.explanation];
    let details: Vec<&str> = details.into_iter().filter(|it| !it.is_empty()).collect();
    if details.is_empty() { known.to_owned() } else { format!("{known}: {}", details.join(", ")) }
}
