//! What all REST calls of the service share: headers, CORS, refusals, absolute addresses.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HOST, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use edge::{Envelope, Rejection, RequestId, Scheme};
use kernel::{Error, ErrorKind};

use crate::identity::TokenRefusal;
use crate::resource::Resource;
use crate::signaling;
use crate::version::{self, Versions};

const SUPPORTED_VERSIONS: HeaderName = HeaderName::from_static("api-supported-versions");
const CORRELATION: HeaderName = HeaderName::from_static("ms-cv");

/// Names are listed one by one, since `*` does not cover `authorization`.
const CORS: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET,POST,PUT,PATCH,DELETE,OPTIONS"),
    (
        "access-control-allow-headers",
        "authorization,content-type,repeatability-first-sent,repeatability-request-id,\
         x-ms-client-request-id,x-ms-content-sha256,x-ms-date,x-ms-return-client-request-id,\
         x-ms-useragent,x-skypetoken",
    ),
    (
        "access-control-expose-headers",
        "x-ms-request-id,x-ms-client-request-id,ms-cv,location,retry-after,www-authenticate,\
         api-supported-versions",
    ),
];

/// How a call ended well, or the error to be written in the service's envelope.
pub(crate) type Answer = Result<Response, Failure>;

/// An error on its way out.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Error,
    silent: bool,
}

impl Failure {
    /// A 401 of chat: its body is empty, as clients know it; the challenge says why.
    pub(crate) fn silent(refusal: TokenRefusal) -> Self {
        let error = Error::new(ErrorKind::Unauthenticated, "Unauthorized", refusal.to_string());
        Self::silent_as(error.because(refusal.cause()))
    }

    /// As [`Failure::silent`].
    pub(crate) fn silent_as(error: Error) -> Self {
        Self { error, silent: true }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, silent: false }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if !self.silent {
            return Rejection::new(self.error, Envelope::ResourceManager).into_response();
        }
        let challenge = challenge(self.error.message());
        let mut response = Rejection::new(self.error, Envelope::Empty).into_response();
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        response
    }
}

/// RFC 6750 section 3; a description holds neither quotes nor backslashes.
fn challenge(reason: &str) -> HeaderValue {
    let plain = |c: &char| c.is_ascii_graphic() && !matches!(c, '"' | '\\') || *c == ' ';
    let reason: String = reason.chars().filter(plain).collect();
    let text = format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}

/// The routes of both parts with what surrounds every call.
pub(crate) fn finished(identity: Router, chat: Router) -> Router {
    let identity = surrounded(identity, &version::IDENTITY);
    identity.merge(surrounded(chat, &version::CHAT))
}

/// Routes with what surrounds every call: preflights, CORS, headers.
pub(crate) fn surrounded(router: Router, versions: &'static Versions) -> Router {
    let name = move |mut response: Response| async move {
        let header = HeaderValue::from_static(versions.header);
        response.headers_mut().insert(SUPPORTED_VERSIONS, header);
        response
    };
    router
        .method_not_allowed_fallback(wrong_method)
        .layer(map_response(name))
        .layer(from_fn(around))
}

/// Answers preflights, which carry no credential, and completes every other answer.
async fn around(request: Request, next: Next) -> Response {
    let correlation = request.extensions().get::<RequestId>().cloned();
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    allow_origins(headers);
    if let Some(id) = correlation
        && let Ok(value) = HeaderValue::from_str(&format!("{}.0", id.as_str()))
    {
        headers.insert(CORRELATION, value);
    }
    response
}

fn allow_origins(headers: &mut HeaderMap) {
    for (name, value) in CORS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let message = format!("The operation {} exists, but not with the method {method}.", uri.path());
    Error::new(ErrorKind::MethodNotAllowed, "MethodNotAllowed", message).into()
}

/// The refusal of a call under the paths of this service that is no operation.
pub(crate) fn refuse_unknown(method: &Method, uri: &Uri) -> Option<Response> {
    const PARTS: [&str; 4] = ["identities", "chat", "access", "teamsUser"];
    let path = uri.path();
    let first = path.split('/').nth(1).unwrap_or_default();
    if !PARTS.contains(&first) && !signaling::rest::is_ours(path) {
        return signaling::rest::probed(method, uri);
    }
    let mut response = match *method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => {
            let message = format!("There is no operation {method} {path}.");
            Failure::from(Error::new(ErrorKind::NotFound, "NotFound", message)).into_response()
        }
    };
    allow_origins(response.headers_mut());
    Some(response)
}

/// The host that a request names, with its port if it names one.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    header.or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
}

/// What absolute addresses in the answer begin with.
pub(crate) fn origin(parts: &Parts, resource: &Resource) -> String {
    if let Some(public) = &resource.public_endpoint {
        return public.trim_end_matches('/').to_owned();
    }
    let scheme = parts.extensions.get::<Scheme>().map_or("https", |scheme| scheme.as_str());
    format!("{scheme}://{}", host(parts).unwrap_or_default())
}

/// A request's query, decoded once. A `+` is a space, as HTML forms and some SDKs write it.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// All parameters, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The first value of a parameter.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}
