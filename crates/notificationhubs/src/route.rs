//! The way from a hub to the devices of one platform: its credential, its sender, and what was
//! learned about both.
//!
//! A route lives as long as its credential stays as it is; a changed credential begins anew.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use bytes::Bytes;
use kernel::{Error, Timestamp};
use uuid::Uuid;

use crate::pns_credentials::Usable;
use crate::push::apns::{self, ApnsCredential};
use crate::push::fcm;
use crate::push::outcome::Class;
use crate::push::webpush::{self, Subscription, VapidCredential, WebPushSender};
use crate::push::{Breaker, Outcome, OutcomeName, Pause, Ruling, Senders, handle_prefix};
use crate::{Handle, Platform};

/// A route.
pub(crate) struct Route {
    /// Whose devices it leads to.
    pub(crate) platform: Platform,
    /// The hub, for the log.
    hub: Box<str>,
    way: Way,
    state: Mutex<State>,
}

enum Way {
    Apns { credential: ApnsCredential, channel: Arc<apns::sender::Channel> },
    Fcm(Arc<fcm::sender::Channel>),
    Browser { credential: VapidCredential, sender: WebPushSender },
    Unusable(Error),
}

#[derive(Default)]
struct State {
    breaker: Breaker,
    pause: Pause,
    last_problem: Option<Problem>,
    last_success: Option<Timestamp>,
}

/// What a push service refused last, for people.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) at: Timestamp,
    pub(crate) outcome: OutcomeName,
    pub(crate) reason: String,
    pub(crate) explanation: String,
}

/// What is known of a route, for people.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) unusable: Option<String>,
    pub(crate) paused: bool,
    pub(crate) holds_bad_handles: bool,
    pub(crate) last_problem: Option<Problem>,
    pub(crate) last_success: Option<Timestamp>,
}

/// A message for one platform, prepared once for all its devices.
#[derive(Clone, Debug)]
pub(crate) enum Prepared {
    Apns(apns::Message),
    Fcm(fcm::Message),
    Browser(webpush::Message),
}

impl Route {
    pub(crate) fn new(
        hub: &str,
        platform: Platform,
        credential: kernel::Result<Usable>,
        senders: &Senders,
    ) -> Self {
        let way = match credential {
            Ok(Usable::Apns(credential)) => {
                Way::Apns { channel: senders.apns.channel(&credential), credential }
            }
            Ok(Usable::Fcm(credential)) => Way::Fcm(senders.fcm.channel(&credential)),
            Ok(Usable::Browser(credential)) => {
                Way::Browser { credential, sender: senders.webpush.clone() }
            }
            Err(error) => Way::Unusable(error),
        };
        Self { platform, hub: hub.into(), way, state: Mutex::default() }
    }

    /// Makes a message of headers and payload.
    ///
    /// # Errors
    /// The outcome that every device would get.
    pub(crate) fn prepare(
        &self,
        headers: &HeaderMap,
        payload: Bytes,
    ) -> Result<Prepared, Box<Outcome>> {
        let refused = |error: Error| {
            let name = OutcomeName::InvalidNotificationFormat;
            Box::new(Outcome::of(name, error.message().to_owned()))
        };
        match &self.way {
            Way::Apns { credential, .. } => {
                let options = apns::Options::from_headers(headers).map_err(refused)?;
                apns::Message::prepare(credential, &options, payload).map(Prepared::Apns)
            }
            Way::Fcm(_) => {
                let message = fcm::Message::parse(&payload).map_err(refused)?;
                message.check_size()?;
                Ok(Prepared::Fcm(message))
            }
            Way::Browser { .. } => {
                let message = webpush::Message::from_headers(headers, payload).map_err(refused)?;
                message.check_size()?;
                Ok(Prepared::Browser(message))
            }
            Way::Unusable(error) => Err(Box::new(Outcome::of(
                OutcomeName::InvalidCredentials,
                error.message().to_owned(),
            ))),
        }
    }

    /// Sends a message of this route to a device. `id` stays the same when it is tried again.
    pub(crate) async fn send(
        &self,
        handle: &Handle,
        message: &Prepared,
        id: Uuid,
        now: Timestamp,
    ) -> Outcome {
        if let Err(wait) = self.state().pause.admit(now) {
            let text = "the push service has refused the credential; it is tried once a minute";
            return Outcome::of(OutcomeName::InvalidCredentials, text).retry_after(Some(wait));
        }
        match (&self.way, message) {
            (Way::Apns { channel, .. }, Prepared::Apns(message)) => {
                channel.send(handle.address(), message, id).await
            }
            (Way::Fcm(channel), Prepared::Fcm(message)) => {
                channel.send(handle.address(), message).await
            }
            (Way::Browser { credential, sender }, Prepared::Browser(message)) => {
                let keys = handle.keys();
                let (p256dh, auth) = keys.map_or(("", ""), |it| (&*it.p256dh, &*it.auth));
                match Subscription::parse(handle.address(), p256dh, auth) {
                    Ok(subscription) => sender.send(credential, &subscription, message).await,
                    Err(outcome) => *outcome,
                }
            }
            _ => Outcome::of(
                OutcomeName::UnknownError,
                "the credential changed while the message was under way",
            ),
        }
    }

    /// Takes note of what came of a message and says whether its handle may be removed.
    pub(crate) fn learn(&self, handle: &Handle, outcome: &Outcome, now: Timestamp) -> Ruling {
        let mut state = self.state();
        if state.pause.note(outcome, now) {
            tracing::error!(
                hub = &*self.hub,
                platform = self.platform.format(),
                reason = &*outcome.reason,
                explanation = &*outcome.explanation,
                "the push service refuses the credential; messages wait"
            );
        }
        match outcome.class() {
            Class::Accepted => state.last_success = Some(now),
            _ => {
                state.last_problem = Some(Problem {
                    at: now,
                    outcome: outcome.name,
                    reason: outcome.reason.to_string(),
                    explanation: outcome.explanation.to_string(),
                });
            }
        }
        // When the device was registered is known to the store, which keeps what is younger.
        let ruling = state.breaker.judge(outcome, Timestamp::from_secs(0));
        if let Ruling::Hold(doubt) = ruling {
            tracing::warn!(
                hub = &*self.hub,
                platform = self.platform.format(),
                handle = handle_prefix(handle.address()),
                "{}",
                doubt.explanation()
            );
        }
        ruling
    }

    /// What is known, for people.
    pub(crate) fn standing(&self) -> Standing {
        let state = self.state();
        Standing {
            unusable: match &self.way {
                Way::Unusable(error) => Some(error.message().to_owned()),
                _ => None,
            },
            paused: state.pause.is_paused(),
            holds_bad_handles: state.breaker.is_open(),
            last_problem: state.last_problem.clone(),
            last_success: state.last_success,
        }
    }

    /// Whether a message can be sent at all.
    pub(crate) fn is_usable(&self) -> bool {
        !matches!(self.way, Way::Unusable(_))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each holder changes it in single steps.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
