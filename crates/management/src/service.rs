//! From HTTP to a [`Call`] and back: credential, api-version, body, address, headers.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use edge::{Envelope, Rejection, RequestId, Scheme};
use kernel::{Error, ErrorKind, Result};
use serde_json::Value;
use wire::Endpoint;

use crate::address::{Address, ProviderPath};
use crate::authority::Authority;
use crate::call::{Answer, Call};
use crate::directory::Directory;
use crate::namespace::Namespace;
use crate::query::Query;
use crate::{fault, metadata, version};

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");

/// The resource manager takes 4 MB; no resource here comes near this.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The resource manager. Cheap to clone.
#[derive(Clone)]
pub struct Management(Arc<Inner>);

struct Inner {
    authority: Authority,
    directory: Directory,
    endpoints: Vec<Endpoint>,
}

impl Management {
    /// Answers for `namespaces` to whom `authority` admits. `endpoints` are the public ones: behind
    /// a proxy that ends TLS, links in answers follow them.
    pub fn new(
        authority: Authority,
        namespaces: Vec<Arc<dyn Namespace>>,
        endpoints: Vec<Endpoint>,
    ) -> Self {
        let directory = Directory::new(namespaces);
        Self(Arc::new(Inner { authority, directory, endpoints }))
    }

    /// The routes: `/subscriptions…`, `/providers…`, `/tenants` and `/metadata/endpoints`; and
    /// `/{scope}/providers…` for the calls that encode the id of their scope as one segment.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/subscriptions", any(answer))
            .route("/subscriptions/", any(answer))
            .route("/subscriptions/{*path}", any(answer))
            .route("/providers", any(answer))
            .route("/providers/", any(answer))
            .route("/providers/{*path}", any(answer))
            .route("/{scope}/providers/{*path}", any(answer))
            .route("/tenants", any(answer))
            .route("/metadata/endpoints", get(endpoints))
            .with_state(self.clone())
    }

    /// Where any token is good, a web page could make one up. Its requests tell the name under which
    /// it reached this machine, which is none of ours.
    fn refuse_strangers(&self, parts: &Parts) -> Result<()> {
        let authority = authority(parts);
        let is_ours = || {
            authority.is_empty()
                || edge::host::is_local_or_address(authority)
                || self.public_endpoint(authority).is_some()
        };
        if !self.0.authority.takes_any_token() || is_ours() {
            return Ok(());
        }
        let message = "In development, management calls are answered under addresses and names of \
                       this machine only, such as localhost or 127.0.0.1. Use one of these.";
        Err(Error::new(ErrorKind::Forbidden, "AuthorizationFailed", message).target("Host"))
    }

    fn public_endpoint(&self, authority: &str) -> Option<&Endpoint> {
        self.0.endpoints.iter().find(|it| it.authority().eq_ignore_ascii_case(authority))
    }

    /// The absolute address under which this server was called, without a path.
    fn origin(&self, parts: &Parts) -> String {
        let authority = authority(parts);
        let public = self.public_endpoint(authority);
        // Behind a proxy that ends TLS this hop is plain, but the public endpoint is not.
        if let Some(public) = public {
            return format!("{}://{authority}{}", public.scheme().as_str(), public.base());
        }
        let scheme = parts.extensions.get::<Scheme>().map_or("http", |scheme| scheme.as_str());
        format!("{scheme}://{authority}")
    }

    async fn call(&self, parts: &Parts, body: Body, origin: &str) -> Result<Answer> {
        self.refuse_strangers(parts)?;
        let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let principal = self.0.authority.admit(authorization)?;
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        version::check(&query)?;
        let address = Address::parse(parts.uri.path())?;
        let call = Call {
            method: parts.method.clone(),
            query,
            headers: parts.headers.clone(),
            body: read(body).await?,
            url: format!("{origin}{}", parts.uri.path()),
            principal,
        };
        let answer = self.dispatch(&address, &call).await?;
        if call.method != Method::GET && call.method != Method::HEAD {
            let (method, path) = (call.method.as_str(), parts.uri.path());
            tracing::info!(principal = call.principal.name(), method, path, "management call");
        }
        Ok(answer)
    }

    /// The form of refusals at a path.
    fn envelope(&self, path: &str) -> Envelope {
        let Ok(Address::Provider(at)) = Address::parse(path) else {
            return Envelope::ResourceManager;
        };
        let namespace = self.0.directory.namespace(&at.namespace);
        namespace.map_or(Envelope::ResourceManager, |namespace| namespace.envelope())
    }

    async fn dispatch(&self, address: &Address, call: &Call) -> Result<Answer> {
        let directory = &self.0.directory;
        let at = match address {
            Address::Own(segments) => return directory.answer(segments, call).await,
            Address::Provider(at) => at,
        };
        if is_about_the_provider(at) {
            let subscription = at.scope.as_ref().map(wire::ResourceId::subscription);
            return directory.provider(subscription, &at.namespace, call);
        }
        directory.namespace(&at.namespace)?.answer(at, call).await
    }
}

/// Host and port that a request is addressed to; HTTP/2 has them in its URL.
fn authority(parts: &Parts) -> &str {
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    host.or_else(|| parts.uri.authority().map(|it| it.as_str())).unwrap_or_default()
}

/// `…/providers/{namespace}` and `…/providers/{namespace}/register`.
fn is_about_the_provider(at: &ProviderPath) -> bool {
    match at.path.as_slice() {
        [] => true,
        [action] => action.eq_ignore_ascii_case("register"),
        _ => false,
    }
}

async fn answer(State(management): State<Management>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let origin = management.origin(&parts);
    let result = management.call(&parts, body, &origin).await;
    let mut response = match result {
        Ok(answer) => render(answer),
        Err(error) => refusal(error, management.envelope(parts.uri.path()), &origin),
    };
    if let Some(id) = correlation(&parts) {
        response.headers_mut().insert(CORRELATION_ID, id);
    }
    response
}

/// `GET /metadata/endpoints`
async fn endpoints(State(management): State<Management>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    render(Answer::ok(metadata::endpoints(&management.origin(&parts), &query)))
}

/// The JSON body; no body at all is `Null`.
async fn read(body: Body) -> Result<Value> {
    let bytes = edge::body::read(body, MAX_BODY_BYTES).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|cause| {
        let message = format!("The request content was invalid and could not be read: {cause}.");
        fault::content("body", message)
    })
}

fn render(answer: Answer) -> Response {
    let Some(body) = answer.body else { return answer.status.into_response() };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = answer.status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn refusal(error: Error, envelope: Envelope, origin: &str) -> Response {
    let mut response = Rejection::new(error, envelope).into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        // Tools read the tenant out of this address; see `metadata`, which names the same place.
        let challenge =
            format!("Bearer authorization_uri=\"{origin}/common\", error=\"invalid_token\"");
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

/// What ties the calls of one deployment together: the caller's own id, or that of this request.
fn correlation(parts: &Parts) -> Option<HeaderValue> {
    let sent = |headers: &HeaderMap| headers.get(CORRELATION_ID).cloned();
    let own = || HeaderValue::from_str(parts.extensions.get::<RequestId>()?.as_str()).ok();
    sent(&parts.headers).or_else(own)
}
