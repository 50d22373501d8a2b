//! What outcomes mean: for the counts, for devices that are gone, and for the next attempt.

use std::collections::HashMap;
use std::time::Duration;

use kernel::{Result, Timestamp};
use storage::Statement;
use tokio::task::JoinSet;

use super::journeys;
use super::page::Sent;
use crate::Platform;
use crate::entry::Feedback;
use crate::push::OutcomeName;
use crate::push::outcome::Class;
use crate::registration::Key;
use crate::service::NotificationHubs;
use crate::store::HubKey;

/// Handles that are removed at a time.
const REMOVING: usize = 32;
/// A push service that asks for more patience is asked again after this.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);

/// What came of a page.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// How many devices came to which outcome, for good.
    counts: HashMap<(Platform, OutcomeName), i64>,
    feedback: Vec<Feedback>,
    /// Who is to be tried again.
    pub(super) left: Vec<Key>,
    /// What most of them had.
    pub(super) last: Option<OutcomeName>,
    /// The word of a push service about the last of them.
    pub(super) answer: String,
    /// The target as a whole is to be left alone for this long.
    pub(super) wait: Option<Duration>,
    /// Those of `left` are to be left alone for this long, at least.
    pub(super) floor: Option<Duration>,
    dead: Vec<(Platform, String, Timestamp)>,
}

impl Settled {
    /// Sorts outcomes. From `deadline` on nobody is tried again.
    pub(super) fn of(
        sent: &[Sent],
        notification: &str,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Self {
        let mut settled = Self::default();
        for it in sent {
            settled.take(it, notification, now >= deadline, now);
        }
        journeys::answered(sent, &settled);
        settled
    }

    fn take(&mut self, sent: &Sent, notification: &str, is_late: bool, now: Timestamp) {
        let (outcome, recipient) = (&sent.outcome, &sent.recipient);
        let platform = recipient.handle.platform();
        let class = outcome.class();
        // What fails without the push service will fail again.
        let may_pass =
            sent.attempted && (class.is_worth_retrying() || class == Class::CredentialRefused);
        if may_pass && !is_late {
            let wait = outcome.retry_after.map(|it| it.min(LONGEST_WAIT));
            if outcome.name == OutcomeName::Throttled || class == Class::CredentialRefused {
                self.wait = self.wait.max(wait.or(Some(Duration::from_secs(10))));
            }
            self.floor = self.floor.max(wait);
            self.last = Some(outcome.name);
            self.answer = format!("{} {}", outcome.reason, outcome.explanation).trim().to_owned();
            self.left.push(recipient.key);
            return;
        }
        let name = match class {
            Class::Throttled | Class::Temporary if may_pass => {
                OutcomeName::AbandonedNotificationMessages
            }
            _ => outcome.name,
        };
        *self.counts.entry((platform, name)).or_default() += 1;
        if sent.remove {
            let until = outcome.dead_since.unwrap_or(now).min(now);
            self.dead.push((platform, recipient.handle.address().to_owned(), until));
        }
        if sent.attempted && matches!(class, Class::HandleDead | Class::Mismatch) {
            self.feedback.push(Feedback {
                at: now,
                error: name.as_str().to_owned(),
                platform,
                handle: recipient.handle.address().to_owned(),
                registration_id: Some(recipient.id.as_str().to_owned()).filter(|it| !it.is_empty()),
                installation_id: recipient.installation.clone(),
                notification_id: Some(notification.to_owned()),
                new_handle: None,
            });
        }
    }

    /// Whether nobody at all is settled, though there was somebody.
    pub(super) fn is_in_vain(&self) -> bool {
        self.counts.is_empty() && !self.left.is_empty()
    }

    /// The statements that write counts and refusals down.
    pub(super) fn statements(
        &self,
        service: &NotificationHubs,
        hub: HubKey,
        notification: &str,
    ) -> Vec<Statement> {
        let store = service.store();
        let count = |(&(platform, name), &devices): (&(Platform, OutcomeName), &i64)| {
            store.count_outcome(hub, notification, platform, name.as_str(), devices)
        };
        let counts = self.counts.iter().map(count);
        counts.chain(self.feedback.iter().map(|it| store.insert_feedback(hub, it))).collect()
    }

    /// Takes devices away that their push service does not know any more.
    ///
    /// # Errors
    /// Errors of the store.
    pub(super) async fn remove_dead(
        &mut self,
        service: &NotificationHubs,
        hub: HubKey,
    ) -> Result<()> {
        let mut dead = std::mem::take(&mut self.dead).into_iter();
        let mut removing = JoinSet::new();
        let remove = |(platform, address, until): (Platform, String, Timestamp)| {
            let store = service.store().clone();
            async move { store.remove_dead_handle(hub, platform, &address, until).await.map(|_| ()) }
        };
        for handle in dead.by_ref().take(REMOVING) {
            removing.spawn(remove(handle));
        }
        while let Some(removed) = removing.join_next().await {
            removed.unwrap_or(Ok(()))?;
            if let Some(handle) = dead.next() {
                removing.spawn(remove(handle));
            }
        }
        Ok(())
    }
}
