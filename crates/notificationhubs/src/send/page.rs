//! One page of devices: everyone gets their message, so many at a time.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use kernel::Clock;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::letters::Letters;
use crate::metrics::Counters;
use crate::push::{Outcome, OutcomeName, Ruling};
use crate::route::{Prepared, Route};
use crate::store::Recipient;

/// A device and what came of its message.
pub(super) struct Sent {
    pub(super) recipient: Recipient,
    pub(super) outcome: Arc<Outcome>,
    /// Whether the handle is to be removed.
    pub(super) remove: bool,
    /// Whether the push service was asked at all; what fails before concerns the send, not the device.
    pub(super) attempted: bool,
}

/// Sends to a page of devices. `native` sends reach a device once, however often it is registered
/// among them; templates are meant one by one.
pub(super) async fn send(
    recipients: Vec<Recipient>,
    letters: &mut Letters<'_>,
    native: bool,
    run: Run,
) -> Vec<Sent> {
    let mut seen = HashSet::new();
    let mut settled = Vec::new();
    let mut jobs = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        if native && !seen.insert(recipient.handle.clone()) {
            let text = "the device is registered more than once and gets the message once";
            let outcome = Arc::new(Outcome::of(OutcomeName::Skipped, text));
            settled.push(Sent { recipient, outcome, remove: false, attempted: false });
            continue;
        }
        match letters.letter(&recipient) {
            Ok(letter) => jobs.push((recipient, letter)),
            Err(outcome) => {
                settled.push(Sent { recipient, outcome, remove: false, attempted: false });
            }
        }
    }
    settled.extend(run.all(jobs).await);
    settled
}

/// How a page is sent.
#[derive(Clone)]
pub(super) struct Run {
    /// The send; with the device it makes the id of a message.
    pub(super) notification: Arc<str>,
    /// Requests under way.
    pub(super) concurrency: usize,
    /// Where attempts are counted.
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
}

type Job = (Recipient, (Arc<Route>, Arc<Prepared>));

impl Run {
    async fn all(self, jobs: Vec<Job>) -> Vec<Sent> {
        let workers = self.concurrency.clamp(1, jobs.len().max(1));
        let (jobs, next) = (Arc::new(jobs), Arc::new(AtomicUsize::new(0)));
        let mut working = JoinSet::new();
        for _ in 0..workers {
            let (run, jobs, next) = (self.clone(), Arc::clone(&jobs), Arc::clone(&next));
            working.spawn(async move {
                let mut sent = Vec::new();
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    sent.push(run.one(job).await);
                }
                sent
            });
        }
        let mut sent = Vec::with_capacity(jobs.len());
        while let Some(worker) = working.join_next().await {
            match worker {
                Ok(part) => sent.extend(part),
                // The attempt as a whole has failed then, and is repeated.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            }
        }
        sent
    }

    async fn one(&self, (recipient, (route, message)): &Job) -> Sent {
        let handle = &recipient.handle;
        let id = self.message_id(recipient);
        let outcome = route.send(handle, message, id, self.clock.now()).await;
        let ruling = route.learn(handle, &outcome, self.clock.now());
        if !is_held_back(&outcome) {
            self.counters.push(handle.platform(), outcome.name);
        }
        Sent {
            recipient: recipient.clone(),
            outcome: Arc::new(outcome),
            remove: ruling == Ruling::Remove,
            attempted: true,
        }
    }

    /// The same message to the same device has the same id, so that a push service that remembers
    /// ids does not show it twice.
    fn message_id(&self, recipient: &Recipient) -> Uuid {
        let text =
            format!("{}\n{}\n{}", self.notification, recipient.key.0, recipient.handle.address());
        let hash = digest(&SHA256, text.as_bytes());
        let bytes = hash.as_ref()[..16].try_into().expect("a hash has 32 bytes");
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// Whether a message was not even tried, since its credential is paused.
fn is_held_back(outcome: &Outcome) -> bool {
    outcome.name == OutcomeName::InvalidCredentials && outcome.retry_after.is_some()
}
