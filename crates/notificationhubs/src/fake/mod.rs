//! Push services that need no account: what Apple, Google and browsers run, as far as a sender sees
//! it, with a window to look at what arrived.
//!
//! - [`apns`]: Apple's service, on a listener of its own, since it speaks HTTP/2 alone
//! - [`fcm`]: Google's, with the endpoint that trades assertions for access tokens
//! - [`webpush`]: a push service for browsers that makes the browser's side up as well
//! - [`accounts`]: the keys that they issue, to be put into a hub
//! - [`inbox`], [`failure`]: what arrived, and what shall go wrong next
//! - `control`, `page`: both over HTTP, below `/fake-push`
//!
//! They check what the real ones check and refuse in the same words, so that a sender that works
//! here works there. They deliver to nobody, and what they keep is bounded and gone at the end of the
//! process. They have no access control: they are for one developer's machine.

pub mod accounts;
pub mod apns;
mod control;
pub mod failure;
pub mod fcm;
pub mod inbox;
mod page;
#[cfg(test)]
pub(crate) mod tests;
pub mod webpush;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post, put};
use kernel::{Clock, Timestamp};

pub use accounts::Accounts;
use accounts::Trusted;
pub use failure::{Failures, Rule};
use fcm::oauth::AccessTokens;
pub use inbox::{Inbox, Query, Received};
use webpush::Subscriptions;

/// No request to any of them is larger; each has its own smaller limit.
const BODY_BYTES: usize = 64 * 1024;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Apple's.
    Apns,
    /// Google's.
    Fcm,
    /// The endpoint that issues Google's access tokens.
    OAuth,
    /// A browser's.
    WebPush,
}

/// The fake push services of one process.
pub struct FakePush {
    /// What arrived.
    pub inbox: Inbox,
    /// What shall go wrong.
    pub failures: Failures,
    clock: Arc<dyn Clock>,
    accounts: Accounts,
    trusted: Trusted,
    access_tokens: AccessTokens,
    subscriptions: Subscriptions,
}

impl FakePush {
    /// Services that know the keys of `accounts`.
    ///
    /// # Errors
    /// The account whose key cannot be read.
    pub fn new(accounts: Accounts, clock: Arc<dyn Clock>) -> kernel::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            inbox: Inbox::default(),
            failures: Failures::default(),
            trusted: Trusted::of(&accounts)?,
            clock,
            accounts,
            access_tokens: AccessTokens::default(),
            subscriptions: Subscriptions::default(),
        }))
    }

    /// The keys that the services issued.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The keys that the services accept; more can be told.
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Everything but Apple's service: it is all below `/fake-push`.
///
/// | path | what |
/// |---|---|
/// | `GET /fake-push` | the page |
/// | `GET`, `DELETE /fake-push/inbox` | what arrived |
/// | `GET`, `POST`, `DELETE /fake-push/failures` | what shall go wrong |
/// | `GET /fake-push/accounts`, `PUT …/apns`, `PUT …/fcm` | keys: those to use, those to accept |
/// | `GET`, `POST /fake-push/subscriptions`, `DELETE …/{id}` | browsers |
/// | `POST /fake-push/web/{id}` | the endpoint of a browser |
/// | `POST /fake-push/oauth/token` | Google's token endpoint |
/// | `POST /fake-push/fcm/v1/projects/{project}/messages:send` | FCM |
pub fn router(fake: Arc<FakePush>) -> Router {
    Router::new()
        .route("/fake-push", get(page::show))
        .route("/fake-push/inbox", get(control::inbox).delete(control::empty_inbox))
        .route(
            "/fake-push/failures",
            get(control::failures).post(control::add_failure).delete(control::clear_failures),
        )
        .route("/fake-push/accounts", get(control::accounts))
        .route("/fake-push/accounts/apns", put(control::trust_apns))
        .route("/fake-push/accounts/fcm", put(control::trust_fcm))
        .route("/fake-push/subscriptions", get(control::subscriptions).post(control::subscribe))
        .route("/fake-push/subscriptions/{id}", delete(control::unsubscribe))
        .route("/fake-push/web/{id}", post(webpush::receive))
        .route("/fake-push/oauth/token", post(fcm::oauth::token))
        .route("/fake-push/fcm/v1/projects/{project}/messages:send", post(fcm::send))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(fake)
}
