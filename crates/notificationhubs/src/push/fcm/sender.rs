//! Sends prepared notifications to Google, with one access token for each service account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Request};
use edge::outbound::{Limits, Outbound};
use kernel::{Clock, Timestamp};

use super::access_token::{self, AccessToken};
use super::answer;
use super::credential::FcmCredential;
use super::message::{Message, is_registration_token};
use crate::push::outcome::{Outcome, OutcomeName};

/// Google asks for no less than ten seconds of patience.
const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(30), header_bytes: 16 * 1024, body_bytes: 64 * 1024 };
/// After a failed attempt to get a token nobody makes another for this long.
const TOKEN_PAUSE: Duration = Duration::from_secs(5);

/// The sender. Clones share connections and access tokens.
#[derive(Clone)]
pub struct FcmSender(Arc<Shared>);

struct Shared {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    channels: Mutex<HashMap<Identity, Arc<Channel>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Identity {
    client_email: Box<str>,
    send_url: Box<str>,
    token_url: Box<str>,
    public_key: Box<[u8]>,
}

impl Identity {
    fn of(credential: &FcmCredential) -> Self {
        Self {
            client_email: credential.client_email.clone(),
            send_url: credential.send_url().into(),
            token_url: credential.endpoints.token.to_string().into(),
            public_key: credential.public_key().into(),
        }
    }
}

impl FcmSender {
    /// A sender that reaches out through `outbound`.
    pub fn new(outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { outbound, clock, channels: Mutex::default() }))
    }

    /// The way to Google with this credential.
    pub fn channel(&self, credential: &FcmCredential) -> Arc<Channel> {
        let mut channels = lock(&self.0.channels);
        let channel = channels.entry(Identity::of(credential)).or_insert_with(|| {
            Arc::new(Channel {
                shared: Arc::clone(&self.0),
                send_url: credential.send_url(),
                credential: credential.clone(),
                token: Mutex::default(),
                fetching: tokio::sync::Mutex::default(),
            })
        });
        Arc::clone(channel)
    }

    /// Drops the access token of a credential that is not used any more.
    pub fn forget(&self, credential: &FcmCredential) {
        lock(&self.0.channels).remove(&Identity::of(credential));
    }
}

/// The way to Google with one service account.
pub struct Channel {
    shared: Arc<Shared>,
    send_url: String,
    credential: FcmCredential,
    token: Mutex<Option<AccessToken>>,
    /// Held while a token is fetched; the last failure.
    fetching: tokio::sync::Mutex<Option<(Timestamp, Outcome)>>,
}

impl Channel {
    /// Sends `message` to the device of a registration token.
    pub async fn send(&self, device: &str, message: &Message) -> Outcome {
        if !is_registration_token(device) {
            let text = "the handle is no FCM registration token; expected printable ASCII without \
                        spaces";
            return Outcome::of(OutcomeName::BadChannel, text);
        }
        let mut fresh = false;
        loop {
            let authorization = match self.access_token().await {
                Ok(header) => header,
                Err(outcome) => return *outcome,
            };
            let outcome = self.attempt(device, message, authorization.clone()).await;
            if outcome.name != OutcomeName::InvalidToken {
                return outcome;
            }
            if fresh {
                let text = "FCM does not accept an access token that Google has just issued; check \
                            that the service account belongs to the project";
                return Outcome {
                    name: OutcomeName::InvalidCredentials,
                    explanation: text.into(),
                    ..outcome
                };
            }
            self.drop_token(&authorization);
            fresh = true;
        }
    }

    async fn attempt(&self, device: &str, message: &Message, token: HeaderValue) -> Outcome {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        let request = Request::post(&self.send_url)
            .header(AUTHORIZATION, token)
            .header(CONTENT_TYPE, json)
            .body(message.body(device));
        let Ok(request) = request else {
            let text = "the configured address of FCM is no URL";
            return Outcome::of(OutcomeName::PnsUnreachable, text);
        };
        match self.shared.outbound.send(request, LIMITS).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                answer::classify(status, answer.headers(), answer.body(), self.now())
            }
            Err(error) => Outcome::of(OutcomeName::PnsUnreachable, error.to_string())
                .retry_after(Some(Duration::from_secs(10))),
        }
    }

    /// The access token, fetched by one caller for all.
    async fn access_token(&self) -> Result<HeaderValue, Box<Outcome>> {
        if let Some(header) = self.cached() {
            return Ok(header);
        }
        let mut failure = self.fetching.lock().await;
        if let Some(header) = self.cached() {
            return Ok(header);
        }
        let now = self.now();
        if let Some((at, outcome)) = &*failure
            && now.since(*at) < outcome.retry_after.unwrap_or_default().max(TOKEN_PAUSE)
        {
            return Err(Box::new(outcome.clone()));
        }
        match self.fetch().await {
            Ok(token) => {
                *failure = None;
                let header = token.header.clone();
                *lock(&self.token) = Some(token);
                Ok(header)
            }
            Err(outcome) => {
                *failure = Some((now, (*outcome).clone()));
                Err(outcome)
            }
        }
    }

    async fn fetch(&self) -> Result<AccessToken, Box<Outcome>> {
        let request = access_token::request(&self.credential, self.now());
        match self.shared.outbound.send(request, LIMITS).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                access_token::read(status, answer.headers(), answer.body(), self.now())
            }
            Err(error) => {
                let outcome = Outcome::of(OutcomeName::TokenProviderUnreachable, error.to_string());
                Err(Box::new(outcome.retry_after(Some(Duration::from_secs(10)))))
            }
        }
    }

    fn cached(&self) -> Option<HeaderValue> {
        let now = self.now();
        lock(&self.token).as_ref().filter(|it| now < it.renew_at).map(|it| it.header.clone())
    }

    /// Forgets a token that was refused, unless it was replaced in the meantime.
    fn drop_token(&self, refused: &HeaderValue) {
        let mut token = lock(&self.token);
        if token.as_ref().is_some_and(|it| it.header == *refused) {
            *token = None;
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each holder changes its value in a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
