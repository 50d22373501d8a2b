//! Sends notifications to browsers. Endpoints come from strangers: the outgoing client checks where
//! they lead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rand;
use axum::http::HeaderValue;
use edge::outbound::{Limits, Outbound, OutboundError};
use kernel::{Clock, Timestamp};

use super::answer;
use super::credential::{TOKEN_RENEWAL, VapidCredential, origin};
use super::encryption::{EncryptionError, encrypt};
use super::message::Message;
use super::subscription::Subscription;
use crate::push::outcome::{Outcome, OutcomeName};

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(20), header_bytes: 8 * 1024, body_bytes: 4 * 1024 };
/// Tokens are forgotten when there are more: browsers have a handful of push services, and more come
/// of somebody who makes up endpoints.
const MAX_TOKENS: usize = 1024;

/// The sender. Clones share connections and tokens.
#[derive(Clone)]
pub struct WebPushSender(Arc<Shared>);

struct Shared {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    tokens: Mutex<HashMap<Party, Signed>>,
}

/// Our public key, and the origin of a push service.
type Party = (Box<str>, Box<str>);
/// When a token was signed, and the value of `authorization`.
type Signed = (Timestamp, HeaderValue);

impl WebPushSender {
    /// A sender that reaches out through `outbound`.
    pub fn new(outbound: Outbound, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { outbound, clock, tokens: Mutex::default() }))
    }

    /// Sends `message` to one browser.
    pub async fn send(
        &self,
        credential: &VapidCredential,
        subscription: &Subscription,
        message: &Message,
    ) -> Outcome {
        if let Err(outcome) = message.check_size() {
            return *outcome;
        }
        let sealed = match seal(&message.payload, subscription) {
            Ok(sealed) => sealed,
            Err(error) => return Outcome::of(OutcomeName::BadChannel, error.to_string()),
        };
        let Some(origin) = origin(&subscription.endpoint) else {
            return Outcome::of(OutcomeName::BadChannel, "the endpoint names no host");
        };
        let authorization = self.authorization(credential, origin);
        let request = message.request(subscription, authorization, sealed);
        match self.0.outbound.send(request, LIMITS).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let now = self.0.clock.now();
                answer::classify(status, answer.headers(), answer.body(), now)
            }
            // An endpoint that must not be called never was one of a browser.
            Err(error @ (OutboundError::Refused { .. } | OutboundError::BadUrl(_))) => {
                Outcome::of(OutcomeName::Skipped, error.to_string())
            }
            Err(error) => Outcome::of(OutcomeName::PnsUnreachable, error.to_string())
                .retry_after(Some(Duration::from_secs(10))),
        }
    }

    fn authorization(&self, credential: &VapidCredential, origin: String) -> HeaderValue {
        let now = self.0.clock.now();
        let mut tokens = lock(&self.0.tokens);
        let key = (credential.public_key().into(), origin.into_boxed_str());
        match tokens.get(&key) {
            Some((signed, header)) if *signed <= now && now.since(*signed) < TOKEN_RENEWAL => {
                header.clone()
            }
            _ => {
                if tokens.len() >= MAX_TOKENS {
                    tokens.clear();
                }
                let header = credential.authorization(&key.1, now);
                tokens.insert(key, (now, header.clone()));
                header
            }
        }
    }
}

fn seal(payload: &[u8], subscription: &Subscription) -> Result<Vec<u8>, EncryptionError> {
    let own = PrivateKey::generate(&ECDH_P256).map_err(|_| EncryptionError::Key)?;
    let mut salt = [0; 16];
    rand::fill(&mut salt).expect("the system's random source works");
    encrypt(payload, &subscription.public_key, &subscription.auth, &own, salt)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each holder changes the map in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
