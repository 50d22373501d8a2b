//! Carrying out handshakes: sends, waits, and remembers who has opened a validation URL meanwhile.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use edge::outbound::Limits;
use kernel::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::{Answer, Conclusion, Handshake, Question, Step, deletion_notice};
use crate::registry::SubscriptionEntry;
use crate::service::EventGrid;
use crate::store::Store;
use crate::subscription::{Destination, EventSubscription, State, WebHook};

/// An answer to a handshake is small.
const HEADER_BYTES: usize = 16 * 1024;
const BODY_BYTES: usize = 64 * 1024;
/// How long a notice of deletion may take: nobody waits for it.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(10);

/// Codes of handshakes that are under way on this node, and whether somebody has opened their URL
/// already: a receiver may open it before it answers. On several nodes, one that opens it at another
/// node at that moment has to be asked again.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<HashMap<String, bool>>);

impl Pending {
    fn begin(&self, code: &str) {
        self.lock().insert(code.to_owned(), false);
    }

    /// Whether the code belongs to a handshake under way; it is opened then.
    fn open(&self, code: &str) -> bool {
        self.lock().get_mut(code).map(|opened| *opened = true).is_some()
    }

    fn is_open(&self, code: &str) -> bool {
        self.lock().get(code).copied().unwrap_or(false)
    }

    fn end(&self, code: &str) -> bool {
        self.lock().remove(code).unwrap_or(false)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        // Every change is a single step, so a panic elsewhere leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventGrid {
    /// Asks the destination for its consent and sets the state accordingly.
    pub(crate) async fn validate(&self, subscription: &mut EventSubscription) -> Result<()> {
        let Destination::WebHook(hook) = &subscription.properties.destination else {
            // A hub of this server is ours already.
            subscription.state = State::Succeeded;
            return Ok(());
        };
        let code = Uuid::new_v4().to_string();
        self.pending().begin(&code);
        let conclusion = self.shake_hands(subscription, hook, &code).await;
        let opened = self.pending().end(&code);
        match conclusion {
            Conclusion::Consent { rate } => {
                subscription.state = State::Succeeded;
                subscription.allowed_rate = rate;
            }
            Conclusion::AwaitsPerson if opened => subscription.state = State::Succeeded,
            Conclusion::AwaitsPerson => {
                let until = self.now() + self.settings().validation_window;
                subscription.state = State::AwaitingManualAction { code, until };
            }
            Conclusion::Failed(reason) => return Err(refused(hook, &reason)),
        }
        Ok(())
    }

    /// Completes the validation that a URL with this code belongs to. Returns the name of the event
    /// subscription; `None` when the code is unknown, used up or too old.
    pub(crate) async fn complete_validation(&self, code: &str) -> Result<bool> {
        if self.pending().open(code) {
            return Ok(true);
        }
        let now = self.now();
        let snapshot = self.snapshot();
        let waiting = snapshot.subscriptions().find(|entry| match &entry.subscription.state {
            State::AwaitingManualAction { code: own, until } => own == code && now < *until,
            State::Creating { .. } | State::Succeeded | State::Failed { .. } => false,
        });
        let Some(entry) = waiting else { return Ok(false) };
        let mut subscription = entry.subscription.clone();
        subscription.state = State::Succeeded;
        self.store_and_refresh(vec![Store::put_state(&subscription)]).await?;
        Ok(true)
    }

    /// Tells a webhook that its event subscription is gone: one attempt, in the background. Webhooks
    /// that speak CloudEvents have no such notice.
    pub(crate) fn announce_deletion(&self, entry: std::sync::Arc<SubscriptionEntry>) {
        use crate::event::DeliverySchema::CloudEvents;
        let service = self.clone();
        self.tasks().spawn("deletion notice", async move {
            let subscription = &entry.subscription;
            let Destination::WebHook(hook) = &subscription.properties.destination else { return };
            let silent = subscription.properties.delivery_schema == CloudEvents
                || subscription.state != State::Succeeded;
            let Ok(url) = hook.url.expose().parse() else { return };
            if silent {
                return;
            }
            let (name, id) = (&subscription.name, subscription.id());
            let request = deletion_notice(url, &entry.source, name, &id, service.now());
            let limits = limits(NOTICE_TIMEOUT);
            if let Err(error) = service.outbound().send(request, limits).await {
                tracing::debug!(%error, name, "a webhook was not told of its deletion");
            }
        });
    }

    async fn shake_hands(
        &self,
        subscription: &EventSubscription,
        hook: &WebHook,
        code: &str,
    ) -> Conclusion {
        let settings = self.settings();
        let source = match self.snapshot().source_of(&subscription.scope) {
            Ok(source) => source,
            Err(error) => return Conclusion::Failed(error.message().to_owned()),
        };
        let validation_url = format!(
            "{}/eventsubscriptions/{}/validate?id={code}",
            settings.validation_base_url.trim_end_matches('/'),
            subscription.name.to_ascii_lowercase(),
        );
        let question = Question {
            source: &source,
            name: &subscription.name,
            schema: subscription.properties.delivery_schema,
            origin: &settings.origin,
            code,
            validation_url: &validation_url,
        };
        let mut handshake = Handshake::new(settings.validation_pause);
        let mut step = handshake.begin();
        loop {
            match step {
                Step::Done(conclusion) => return conclusion,
                Step::Ask { pause } => {
                    tokio::time::sleep(pause.unwrap_or_default()).await;
                    let answer = self.ask(&question, hook).await;
                    step = handshake.answered(answer, self.pending().is_open(code));
                }
            }
        }
    }

    async fn ask(&self, question: &Question<'_>, hook: &WebHook) -> Answer {
        let Ok(url) = hook.url.expose().parse() else {
            return Answer::Refusal("its URL cannot be called".to_owned());
        };
        let request = question.request(url, self.now());
        match self.outbound().send(request, limits(self.settings().attempt_timeout)).await {
            Ok(response) => question.judge(response.status(), response.headers(), response.body()),
            Err(error) => Answer::Failure(error.to_string()),
        }
    }
}

fn limits(timeout: Duration) -> Limits {
    Limits { timeout, header_bytes: HEADER_BYTES, body_bytes: BODY_BYTES }
}

/// The refusal of a call whose webhook did not consent.
fn refused(hook: &WebHook, reason: &str) -> Error {
    let message = format!(
        "The webhook {} was not validated: {reason}. Make it answer the validation event with \
         {{\"validationResponse\": \"<validationCode>\"}}, or OPTIONS with WebHook-Allowed-Origin, and \
         try again.",
        hook.base_url()
    );
    Error::new(ErrorKind::Invalid, "Url validation", message).target("destination")
}
