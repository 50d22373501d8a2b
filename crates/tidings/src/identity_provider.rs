//! The identity provider whose bearer tokens this server takes (OpenID Connect).
//!
//! Its keys are fetched in the background and held in memory, so checking a token waits for nothing. A
//! token with a key that is not known yet has the keys fetched anew, at most every few seconds; until
//! they are there its bearer is asked to come back, since SDKs do that by themselves.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use auth::{Identity, Provider, ProviderKeys, ProviderRefusal};
use edge::Tasks;
use edge::outbound::Outbound;
use eventgrid::topic::Topic;
use kernel::{Clock, Error, ErrorKind, Result, Timestamp};
use tokio::sync::Notify;

use crate::config;
use crate::issuer::Issuer;

/// How often keys are fetched when nothing else happens. Providers publish a key days before they use
/// it.
const REFRESH: Duration = Duration::from_mins(10);
/// How long after a fetch, or an attempt of one, the next may follow.
const PAUSE: Duration = Duration::from_secs(5);

/// Checks tokens of one provider.
pub struct IdentityProvider {
    provider: Provider,
    keys_url: Option<String>,
    issuer: Issuer,
    clock: Arc<dyn Clock>,
    held: ArcSwapOption<Held>,
    wanted: Notify,
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.provider.fmt(out)
    }
}

/// Keys, and when they came.
struct Held {
    keys: ProviderKeys,
    at: Timestamp,
}

impl IdentityProvider {
    /// Begins to fetch the provider's keys, and goes on doing so until the tasks are told to stop.
    pub fn start(
        config: &config::IdentityProvider,
        outbound: Outbound,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<Self> {
        let it = Arc::new(Self {
            provider: Provider {
                issuer: config.issuer.clone(),
                audiences: config.audiences.clone(),
                role: config.role.clone(),
            },
            keys_url: config.keys_url.clone(),
            issuer: Issuer::new(&config.issuer, outbound),
            clock,
            held: ArcSwapOption::empty(),
            wanted: Notify::new(),
        });
        let (keeper, stop) = (Arc::clone(&it), tasks.token().clone());
        tasks.spawn("keys of the identity provider", async move {
            stop.run_until_cancelled(keeper.keep()).await;
        });
        it
    }

    /// Who a token speaks for.
    ///
    /// # Errors
    /// Why it does not hold; `Unavailable` while its key may still be on its way.
    pub fn identify(&self, token: &str) -> Result<Identity> {
        let now = self.clock.now();
        let held = self.held.load();
        let Some(held) = held.as_deref() else { return Err(self.not_yet()) };
        match self.provider.verify(token, &held.keys, now) {
            Err(ProviderRefusal::UnknownKey { .. }) if now.since(held.at) > PAUSE => {
                Err(self.not_yet())
            }
            outcome => Ok(outcome?),
        }
    }

    fn not_yet(&self) -> Error {
        self.wanted.notify_one();
        let message = format!(
            "The keys of the identity provider '{}' are being fetched. Try again in a moment; when \
             this goes on, the server's log says why they do not come.",
            self.provider.issuer
        );
        Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
            .retry_after(Duration::from_secs(1))
    }

    async fn keep(&self) {
        loop {
            let pause = match self.fetch().await {
                Ok(keys) => {
                    self.held.store(Some(Arc::new(Held { keys, at: self.clock.now() })));
                    REFRESH
                }
                Err(problem) => {
                    let issuer = &self.provider.issuer;
                    tracing::warn!(issuer, problem, "no keys from the identity provider");
                    PAUSE
                }
            };
            tokio::time::sleep(PAUSE).await;
            let rest = pause.saturating_sub(PAUSE);
            // Wanted sooner or not: then they are fetched again.
            let _ = tokio::time::timeout(rest, self.wanted.notified()).await;
        }
    }

    async fn fetch(&self) -> std::result::Result<ProviderKeys, String> {
        match &self.keys_url {
            Some(url) => self.issuer.keys(url).await,
            None => self.issuer.keys(&self.issuer.metadata().await?.keys_url).await,
        }
    }
}

impl eventgrid::BearerCheck for IdentityProvider {
    fn check(&self, token: &str, topic: &Topic, over_tls: bool) -> Result<()> {
        // What came over plain HTTP is refused the same way as in development.
        eventgrid::AnyBearer.check(token, topic, over_tls)?;
        self.identify(token).map(drop)
    }
}
impl ::management::TokenCheck for IdentityProvider {
    fn identify(&self, token: &str) -> Result<String> {
        self.identify(token).map(|identity| identity.subject)
    }
}
