//! What all calls of Call Automation share: the credential, the body, and its common fields.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use bytes::Bytes;
use kernel::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use crate::calling::repeat::{Reply, RequestId};
use crate::calling::service::{Asked, Calling};
use crate::identifier::{IdentifierModel, RawId};
use crate::identity::Scope;
use crate::resource::Resource;
use crate::rest::{self, Query};

/// No body of these calls needs more.
const MAX_BODY: usize = 64 * 1024;
/// Longest text that is kept as it is, such as `operationContext`.
const MAX_TEXT: usize = 5_000;

/// A call whose credential holds.
pub(super) struct Signed {
    resource: Arc<Resource>,
    /// The user whose token came in place of a signature.
    pub(super) user: Option<RawId>,
    /// By which it is known if it comes again.
    pub(super) request: Option<RequestId>,
    body: Bytes,
}

impl Signed {
    /// Signed with an access key.
    pub(super) async fn read(calling: &Calling, request: Request<Body>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let foundations = calling.foundations();
        let resource = Arc::clone(foundations.resources.pick(rest::host(&parts))?);
        let body = edge::body::read(body, MAX_BODY).await?;
        let now = foundations.clock.now();
        crate::identity::rest::check_signature(&resource, &parts, &body, now)?;
        check_version(&parts.uri)?;
        let request = RequestId::of(&resource.name, &parts);
        Ok(Self { resource, user: None, request, body })
    }

    /// Signed with an access key, or with the token of a user who may call.
    pub(super) async fn or_user(calling: &Calling, request: Request<Body>) -> Result<Self> {
        let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|it| it.strip_prefix("Bearer ")).map(str::to_owned);
        let Some(token) = token else { return Self::read(calling, request).await };
        let (parts, body) = request.into_parts();
        let foundations = calling.foundations();
        let resource = Arc::clone(foundations.resources.pick(rest::host(&parts))?);
        let caller = foundations.identities.authenticate(&resource, token.trim()).await?;
        if !caller.scopes.has_any(&[Scope::Voip, Scope::VoipJoin]) {
            let message = "The access token has not the scope voip or voip.join.";
            return Err(Error::new(ErrorKind::Forbidden, "Forbidden", message));
        }
        check_version(&parts.uri)?;
        let body = edge::body::read(body, MAX_BODY).await?;
        let request = RequestId::of(caller.id.as_str(), &parts);
        Ok(Self { resource, user: Some(caller.id), request, body })
    }

    /// Whose call it is about, and how the answer is remembered.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked { resource: &self.resource, request: self.request.as_ref() }
    }

    /// The answer.
    pub(super) fn answer(&self, reply: Reply) -> Response {
        reply.to(self.request.as_ref())
    }

    pub(super) fn order<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            invalid("body", format!("The request body is not what this operation takes: {error}."))
        })
    }
}

/// Whom to tell how an operation ends.
pub(super) struct Told {
    pub(super) uri: Option<String>,
    pub(super) context: Option<String>,
}

impl Told {
    pub(super) fn of(uri: Option<String>, context: Option<String>) -> Result<Self> {
        let uri = uri.map(|uri| callback("operationCallbackUri", uri)).transpose()?;
        Ok(Self { uri, context: short("operationContext", context)? })
    }
}

/// Versions of Call Automation differ in what is not here, so every one is taken.
fn check_version(uri: &Uri) -> Result<()> {
    match Query::of(uri).one("api-version") {
        Some(version) if !version.is_empty() => Ok(()),
        _ => Err(invalid("api-version", "The query parameter api-version is missing.")),
    }
}

/// Somebody who can be rung: a user of this installation.
pub(super) fn callee(model: &IdentifierModel, target: &'static str) -> Result<RawId> {
    let id = RawId::from_model(model, target)?;
    if id.as_str().starts_with("8:acs:") {
        return Ok(id);
    }
    let message = "Only users of this service can be called: no telephone network and no Teams \
                   tenant is connected.";
    Err(invalid(target, message))
}

pub(super) fn callback(name: &'static str, uri: String) -> Result<String> {
    let parsed: Option<Uri> = uri.parse().ok();
    let scheme = parsed.as_ref().filter(|it| it.host().is_some()).and_then(Uri::scheme_str);
    if uri.len() <= 2048 && matches!(scheme, Some("https" | "http")) {
        return Ok(uri);
    }
    Err(invalid(name, format!("{name} is an absolute address, such as https://app.example/calls.")))
}

pub(super) fn short(name: &'static str, text: Option<String>) -> Result<Option<String>> {
    match &text {
        Some(it) if it.len() > MAX_TEXT => {
            Err(invalid(name, format!("{name} has at most {MAX_TEXT} bytes.")))
        }
        _ => Ok(text),
    }
}

pub(super) fn unsupported(what: &str) -> Error {
    let shown: String = what.chars().take(200).collect();
    let message = format!(
        "There is no operation '{}' here. Calls are created, answered, rejected, redirected and hung \
         up, and their participants added, removed and muted; media, recording and transfer are not \
         part of this server.",
        shown.escape_debug()
    );
    Error::new(ErrorKind::NotFound, "OperationNotSupported", message)
}

pub(super) fn invalid(target: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message).target(target)
}
