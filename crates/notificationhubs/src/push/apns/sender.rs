//! Sends prepared notifications to Apple, one pool of connections for each key.
//!
//! Connections stay open, since Apple takes quick opening and closing for an attack. A second one is
//! opened when all places of the first are taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, Uri};
use edge::Tasks;
use edge::outbound::Outbound;
use kernel::{Clock, Timestamp};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::answer;
use super::connection::{Answer, Connection, ConnectionLimits, Lost};
use super::credential::ApnsCredential;
use super::message::{Message, is_device_token};
use super::provider_token::ProviderToken;
use crate::push::outcome::{Outcome, OutcomeName};

/// How often a request is handed to a connection before its outcome is "not available". Each time
/// but the last the service had not looked at it.
const ATTEMPTS: usize = 4;
/// After a failed connection nobody tries another for this long.
const CONNECT_PAUSE: Duration = Duration::from_secs(1);

/// The sender. Clones share their connections.
#[derive(Clone)]
pub struct ApnsSender(Arc<Shared>);

struct Shared {
    outbound: Outbound,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    limits: ConnectionLimits,
    channels: Mutex<HashMap<Identity, Arc<Channel>>>,
}

/// What connections are shared by: Apple allows one team and key on each.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Identity {
    authority: Box<str>,
    team_id: Box<str>,
    key_id: Box<str>,
    public_key: Box<[u8]>,
}

impl Identity {
    fn of(credential: &ApnsCredential) -> Self {
        Self {
            authority: credential.authority.as_str().into(),
            team_id: credential.team_id.clone(),
            key_id: credential.key_id.clone(),
            public_key: credential.public_key().into(),
        }
    }
}

impl ApnsSender {
    /// A sender that reaches out through `outbound` and keeps its connections in `tasks`.
    pub fn new(
        outbound: Outbound,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        limits: ConnectionLimits,
    ) -> Self {
        let channels = Mutex::default();
        Self(Arc::new(Shared { outbound, clock, tasks, limits, channels }))
    }

    /// The way to Apple with this credential. Apps of one team and key share it. Nothing is opened
    /// before the first message.
    pub fn channel(&self, credential: &ApnsCredential) -> Arc<Channel> {
        let mut channels = lock(&self.0.channels);
        let channel = channels.entry(Identity::of(credential)).or_insert_with(|| {
            Arc::new(Channel {
                shared: Arc::clone(&self.0),
                credential: credential.clone(),
                token: Mutex::default(),
                connections: Mutex::default(),
                opening: tokio::sync::Mutex::default(),
            })
        });
        Arc::clone(channel)
    }

    /// Closes the connections of a credential that is not used any more, once their requests have
    /// their answers.
    pub fn forget(&self, credential: &ApnsCredential) {
        let channel = lock(&self.0.channels).remove(&Identity::of(credential));
        if let Some(channel) = channel {
            lock(&channel.connections).drain(..).for_each(|it| it.retire());
        }
    }
}

/// The way to Apple with one key.
pub struct Channel {
    shared: Arc<Shared>,
    credential: ApnsCredential,
    token: Mutex<ProviderToken>,
    connections: Mutex<Vec<Arc<Connection>>>,
    /// Held while a connection is opened; the last failure.
    opening: tokio::sync::Mutex<Option<(Timestamp, Outcome)>>,
}

impl Channel {
    /// Sends `message` to `device`. `id` becomes the `apns-id`, the same one when delivery tries
    /// again. Waits for a place on a connection, so the number of callers at a time bounds what is
    /// under way.
    pub async fn send(&self, device: &str, message: &Message, id: Uuid) -> Outcome {
        if !is_device_token(device) {
            let text = "the handle is no APNs device token; expected an even number of hexadecimal \
                        digits, usually 64";
            return Outcome::of(OutcomeName::BadChannel, text);
        }
        if message.is_expired(self.now()) {
            return Outcome::of(OutcomeName::Skipped, "the time of apns-expiration has passed");
        }
        let mut authorization = self.authorization();
        let mut renewed = false;
        for _ in 0..ATTEMPTS {
            let (connection, _place) = match self.place().await {
                Ok(place) => place,
                Err(outcome) => return *outcome,
            };
            let request = message.request(&self.credential, device, id, authorization.clone());
            let exchange = connection.exchange(request, message.payload.clone());
            let limit = self.shared.limits.answer;
            let answer = match tokio::time::timeout(limit, exchange).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(Lost::Unprocessed)) => continue,
                Ok(Err(Lost::Broken(cause))) => return broken(&cause),
                Err(_) => {
                    connection.doubt();
                    return broken(&format!("no answer came within {} seconds", limit.as_secs()));
                }
            };
            let outcome = self.read(&connection, &answer);
            if outcome.name == OutcomeName::InvalidToken && !renewed {
                let now = self.now();
                let fresh = lock(&self.token).after_expiry(&self.credential, &authorization, now);
                if let Some(fresh) = fresh {
                    (authorization, renewed) = (fresh, true);
                    continue;
                }
            }
            return outcome;
        }
        let text = "APNs closed its connections before it looked at the message";
        let outcome = Outcome::of(OutcomeName::PnsUnavailable, text);
        outcome.retry_after(Some(Duration::from_secs(10)))
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        lock(&self.connections).iter().filter(|it| !it.is_retired()).count()
    }

    fn read(&self, connection: &Connection, answer: &Answer) -> Outcome {
        let outcome = answer::classify(answer.status, &answer.headers, &answer.body, self.now());
        match (answer.status, &*outcome.reason) {
            (403, _) => {}
            // The service is about to leave this connection.
            (503, "Shutdown") | (400, "IdleTimeout") => connection.retire(),
            _ => connection.prove(),
        }
        outcome
    }

    /// A place on a connection, opened if need be.
    async fn place(&self) -> Result<(Arc<Connection>, OwnedSemaphorePermit), Box<Outcome>> {
        loop {
            let Some((freest, may_grow)) = self.freest() else {
                self.open().await?;
                continue;
            };
            if let Some(place) = freest.try_enter() {
                return Ok((freest, place));
            }
            if may_grow && self.opening.try_lock().is_ok() {
                // When it fails, the places that there are will do.
                let _known_at_the_next_need = self.open().await;
                continue;
            }
            if let Some(place) = freest.enter().await {
                return Ok((freest, place));
            }
        }
    }

    /// The connection with the most free places, and whether there may be another one.
    fn freest(&self) -> Option<(Arc<Connection>, bool)> {
        let mut connections = lock(&self.connections);
        connections.retain(|it| !it.is_retired());
        let all_proven = connections.iter().all(|it| it.is_proven());
        let may_grow = all_proven && connections.len() < self.shared.limits.connections;
        let freest = connections.iter().max_by_key(|it| it.free())?;
        Some((Arc::clone(freest), may_grow))
    }

    /// Opens a connection, unless another caller has just done so.
    async fn open(&self) -> Result<(), Box<Outcome>> {
        let mut failure = self.opening.lock().await;
        if self.freest().is_some_and(|(freest, may_grow)| freest.free() > 0 || !may_grow) {
            return Ok(());
        }
        let now = self.now();
        if let Some((at, outcome)) = &*failure
            && now.since(*at) < CONNECT_PAUSE
        {
            return Err(Box::new(outcome.clone()));
        }
        match self.connect().await {
            Ok(connection) => {
                *failure = None;
                lock(&self.connections).push(connection);
                Ok(())
            }
            Err(cause) => {
                let outcome = Outcome::of(OutcomeName::PnsUnreachable, cause);
                let outcome = outcome.retry_after(Some(CONNECT_PAUSE));
                *failure = Some((now, outcome.clone()));
                Err(Box::new(outcome))
            }
        }
    }

    async fn connect(&self) -> Result<Arc<Connection>, String> {
        let Shared { outbound, tasks, limits, .. } = &*self.shared;
        let url = Uri::builder().scheme("https").authority(self.credential.authority.clone());
        let url = url.path_and_query("/").build().expect("a parsed authority makes a URL");
        let tls = outbound.connect_http2(&url, limits.connect).await;
        let tls = tls.map_err(|error| error.to_string())?;
        let opened = Connection::open(tls, *limits, tasks.token().clone());
        let opened = tokio::time::timeout(limits.connect, opened).await;
        let place = &self.credential.authority;
        let opened = opened.map_err(|_| format!("{place} did not greet in time"))?;
        let (connection, drive) =
            opened.map_err(|cause| format!("{place} does not speak HTTP/2 ({cause})"))?;
        tasks.spawn("apns connection", drive);
        Ok(connection)
    }

    fn authorization(&self) -> HeaderValue {
        lock(&self.token).header(&self.credential, self.now())
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

fn broken(cause: &str) -> Outcome {
    let text = format!("the connection to APNs broke before the answer ({cause})");
    Outcome::of(OutcomeName::PnsUnreachable, text).retry_after(Some(Duration::from_secs(1)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each holder changes its value in a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
