//! Carrying out handshakes: sends, waits, and remembers who has opened a validation URL meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use edge::outbound::Limits;
use kernel::{Error, ErrorKind, Result};
use uuid::Uuid;
use wire::ResourceId;

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

/// A handshake, until what came of it is stored: whoever opens its URL in the meantime is heard. It
/// ends with this value, also when the call is dropped that waits for it.
pub(crate) struct UnderWay {
    service: EventGrid,
    code: String,
}

impl UnderWay {
    fn begin(service: &EventGrid) -> Self {
        let code = Uuid::new_v4().to_string();
        service.pending().lock().insert(code.clone(), false);
        Self { service: service.clone(), code }
    }

    /// Ends the handshake, whose outcome is stored by now: somebody may have opened the URL after the
    /// webhook had answered.
    pub(crate) async fn stored(self) -> Result<()> {
        if self.service.pending().end(&self.code) {
            self.service.complete_validation(&self.code).await?;
        }
        Ok(())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.service.pending().end(&self.code);
    }
}

impl Pending {
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
    /// Asks the destination for its consent and sets the state accordingly. What it returns is told
    /// once that is stored.
    pub(crate) async fn validate(&self, subscription: &mut EventSubscription) -> Result<UnderWay> {
        let handshake = UnderWay::begin(self);
        let Destination::WebHook(hook) = &subscription.properties.destination else {
            // A hub of this server is ours already.
            subscription.state = State::Succeeded;
            return Ok(handshake);
        };
        match self.shake_hands(subscription, hook, &handshake.code).await {
            Conclusion::Consent { rate } => {
                subscription.state = State::Succeeded;
                subscription.allowed_rate = rate;
            }
            Conclusion::AwaitsPerson => {
                let until = self.now() + self.settings().validation_window;
                let code = handshake.code.clone();
                subscription.state = State::AwaitingManualAction { code, until };
            }
            Conclusion::Failed(reason) => return Err(refused(hook, &reason)),
        }
        Ok(handshake)
    }

    /// Completes the validation that a URL with this code belongs to. `false` when the code is
    /// unknown, used up or too old, or was overtaken by a change.
    pub(crate) async fn complete_validation(&self, code: &str) -> Result<bool> {
        if self.pending().open(code) {
            return Ok(true);
        }
        let mut waiting = self.waiting_for(code);
        if waiting.is_none() {
            // Another server may have asked the webhook a moment ago.
            self.refresh_if_changed().await?;
            waiting = self.waiting_for(code);
        }
        let Some(entry) = waiting else { return Ok(false) };
        let mut subscription = entry.subscription.clone();
        subscription.state = State::Succeeded;
        let statement = Store::put_state(&subscription, &entry.subscription.state);
        self.store_and_refresh(vec![statement]).await?;
        let is_valid = |it: &Arc<SubscriptionEntry>| it.subscription.state == State::Succeeded;
        Ok(self.snapshot().by_key(&entry.key).is_some_and(is_valid))
    }

    /// The event subscription whose validation URL has this code, while it is good.
    fn waiting_for(&self, code: &str) -> Option<Arc<SubscriptionEntry>> {
        let (now, snapshot) = (self.now(), self.snapshot());
        let waits = |entry: &&Arc<SubscriptionEntry>| match &entry.subscription.state {
            State::AwaitingManualAction { code: own, until } => own == code && now < *until,
            State::Creating { .. } | State::Succeeded | State::Failed { .. } => false,
        };
        snapshot.subscriptions().find(waits).cloned()
    }

    /// Tells a webhook that its event subscription is gone: one attempt, in the background. Webhooks
    /// that speak CloudEvents have no such notice.
    pub(crate) fn announce_deletion(&self, entry: Arc<SubscriptionEntry>) {
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

    /// Asks a webhook for its consent once more, for people who look for the reason why it gets
    /// nothing: whether it consents, and what it said. Nothing changes by it. `None` for what is no
    /// webhook.
    ///
    /// # Errors
    /// `NotFound` without the event subscription.
    pub async fn try_validation(
        &self,
        scope: &ResourceId,
        name: &str,
    ) -> Result<Option<(bool, String)>> {
        let snapshot = self.snapshot();
        let entry = snapshot.subscription(scope, name)?;
        let Destination::WebHook(hook) = &entry.subscription.properties.destination else {
            return Ok(None);
        };
        let code = Uuid::new_v4().to_string();
        let base = self.settings().validation_base_url.trim_end_matches('/');
        let question = Question {
            source: &entry.source,
            name: &entry.subscription.name,
            schema: entry.subscription.properties.delivery_schema,
            origin: &self.settings().origin,
            code: &code,
            // Whoever opens it learns that nothing waits for it.
            validation_url: &format!("{base}/eventsubscriptions/check/validate?id={code}"),
        };
        Ok(Some(match self.ask(&question, hook).await {
            Answer::Consent { .. } => (true, "it consents".to_owned()),
            Answer::Silence => {
                let said =
                    "it answers well and says nothing, so somebody has to open the validation URL";
                (false, said.to_owned())
            }
            Answer::Refusal(why) | Answer::Failure(why) => (false, why),
        }))
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
