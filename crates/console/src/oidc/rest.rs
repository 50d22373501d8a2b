//! The two routes of a sign-in: away to the identity provider, and back.
//!
//! Coming back is a request that another site has begun, so the cookie of the sign-in is one that
//! browsers send then (`SameSite=Lax`). The session's is not, and need not be: the answer sends the
//! browser on to the console's page, a file for everybody, and what that asks for with the session, it
//! asks of its own site.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use edge::{Envelope, Rejection};
use kernel::{Error, ErrorKind, Result};

use super::flow::{Callback, LIFETIME};
use super::{Grant, Oidc};
use crate::rest::{Caller, Console};
use crate::{assets, cookie, origin};

/// Where a sign-in begins.
pub(crate) const START: &str = "/console/oidc/start";
/// Where the provider sends the browser back to.
const CALLBACK: &str = "/console/oidc/callback";

#[derive(Clone)]
struct Door {
    console: Console,
    oidc: Arc<Oidc>,
}

/// The routes, for a console that has a provider.
pub(crate) fn router(console: Console, oidc: Arc<Oidc>) -> Router {
    let door = Door { console, oidc };
    Router::new().route(START, get(start)).route(CALLBACK, get(callback)).with_state(door)
}

/// `GET /console/oidc/start`
async fn start(State(door): State<Door>, parts: Parts) -> Response {
    let caller = Caller::of(&parts);
    match door.begin(&caller).await {
        Ok(response) => response,
        Err(error) => refused(error, &parts),
    }
}

/// `GET /console/oidc/callback`
async fn callback(
    State(door): State<Door>,
    parts: Parts,
    query: std::result::Result<Query<Callback>, QueryRejection>,
) -> Response {
    let caller = Caller::of(&parts);
    let outcome = match query {
        Ok(Query(callback)) => door.finish(&parts, &caller, &callback).await,
        Err(_) => {
            let message = "The address that the identity provider has sent this browser to cannot \
                           be read. Sign in again.";
            Err(Error::new(ErrorKind::Invalid, "InvalidRequest", message))
        }
    };
    let mut response = outcome.unwrap_or_else(|error| refused(error, &parts));
    // It is used up, whatever came of it.
    let forget = cookie::SIGN_IN.forget(&caller.cookie, caller.scheme);
    response.headers_mut().append(SET_COOKIE, forget);
    response
}

impl Door {
    fn redirect_uri(&self) -> String {
        format!("{}{CALLBACK}", self.console.address())
    }

    async fn begin(&self, caller: &Caller) -> Result<Response> {
        let metadata = self.oidc.issuer.metadata().await?;
        let Some(endpoint) = &metadata.authorization_url else {
            return Err(unusable("has no authorization_endpoint"));
        };
        let begun = self.oidc.flow().begin(self.console.now());
        let url = self.oidc.authorization(endpoint, &begun, &self.redirect_uri());
        let url = HeaderValue::try_from(url)
            .map_err(|_| unusable("has an authorization_endpoint that is no URL"))?;
        let keep = cookie::SIGN_IN.keep(&caller.cookie, &begun.kept, LIFETIME, caller.scheme);
        Ok(go_on(url, keep))
    }

    async fn finish(
        &self,
        parts: &Parts,
        caller: &Caller,
        callback: &Callback,
    ) -> Result<Response> {
        let kept = cookie::SIGN_IN.find(&parts.headers, &caller.cookie);
        let now = self.console.now();
        let resumed = self.oidc.flow().resume(kept, callback.state.as_deref(), now)?;
        let metadata = self.oidc.issuer.metadata().await?;
        let code = callback.code(&self.oidc.settings.issuer, metadata.names_issuer)?;
        let redirect_uri = self.redirect_uri();
        let (verifier, nonce) = (&resumed.verifier, resumed.nonce.as_str());
        let grant = Grant { code, verifier, nonce, redirect_uri: &redirect_uri };
        let claims = self.oidc.issuer.redeem(grant).await?;
        let operators = &self.oidc.settings.operators;
        let operator = operators.admit(&claims)?;
        let (subject, claim, value) = (&operator.subject, operators.claim(), &operator.by);
        tracing::info!(subject, claim, value, "an operator has signed in to the console");
        let keep = self.console.open_session(operator.name, caller);
        Ok(go_on(HeaderValue::from_static("/console"), keep))
    }
}

fn go_on(to: HeaderValue, keep: HeaderValue) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    let no_referrer = HeaderValue::from_static("no-referrer");
    let headers = [
        (LOCATION, to),
        (SET_COOKIE, keep),
        (CACHE_CONTROL, no_store),
        // The code stands in the address that the browser comes from.
        (REFERRER_POLICY, no_referrer),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// The console's page, which says what was wrong beside the ways to sign in.
fn refused(error: Error, parts: &Parts) -> Response {
    let page = assets::page_of_refusal(error.message(), origin::host(parts));
    let (page, body) = page.into_parts();
    let rejection = Rejection::new(error, Envelope::Text).into_response();
    let (mut head, _) = rejection.into_parts();
    head.headers.extend(page.headers);
    Response::from_parts(head, body)
}

fn unusable(what: &str) -> Error {
    let message = format!(
        "The identity provider's metadata {what}, so nobody can sign in with it. Correct \
         console.issuer, or ask whoever runs the provider."
    );
    Error::new(ErrorKind::Unavailable, "ServiceUnavailable", message)
}
