//! The routes: files for everybody, sign-in for who has a code, the rest for who has a session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge::{Envelope, Rejection, Scheme};
use kernel::{Clock, Error, ErrorKind, Result, Secret, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::installation::Installation;
use crate::oidc::{self, Oidc};
use crate::sign_in::{CODE_LIFETIME, SESSION_LIFETIME, SignIn};
use crate::{assets, cookie, origin};

/// The largest body of a call of the console's own.
const BODY_BYTES: usize = 16 * 1024;
/// Where the operator routes stand.
const OPERATOR: &str = "/console/api/operator";
/// Where the routes of services stand below the host name of a resource.
const BY_HOST: &str = "/console/at";

/// The console of one server. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    installation: Box<dyn Installation>,
    /// Where people open it, without a path.
    address: String,
    sign_in: Mutex<SignIn>,
    oidc: Option<Arc<Oidc>>,
    clock: Arc<dyn Clock>,
}

impl Console {
    /// The console of an installation that people reach at `address` (scheme, host and port), and sign in
    /// to with links, and with an identity provider if there is one.
    pub fn new(
        installation: impl Installation,
        address: &str,
        oidc: Option<Oidc>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            installation: Box::new(installation),
            address: address.trim_end_matches('/').to_owned(),
            sign_in: Mutex::default(),
            oidc: oidc.map(Arc::new),
            clock,
        }))
    }

    /// A new link. It signs in whoever opens it first, within ten minutes.
    pub fn link(&self) -> Secret {
        let code = self.sign_in().issue(self.now());
        // Behind '#', so that no server and no log of a proxy sees it.
        Secret::new(format!("{}/console#code={}", self.0.address, code.expose()))
    }

    /// The public routes. Behind the session are `operator`, the routes of the admin listener, and
    /// `public`, those of the services, for resources that only another host name picks.
    pub fn router(&self, operator: Router, public: Router) -> Router {
        let operator = operator.layer(from_fn(from_inside)).fallback(no_such_call);
        // A route with parameters would leave them to the routes of the services, beside theirs.
        let by_host = Router::new().fallback(async move |request| reach(public, request).await);
        let inside = Router::new()
            .route("/console/api/session", get(session))
            .route("/console/api/sign-out", post(sign_out))
            .route("/console/api/keys", post(replace_key))
            .nest_service(OPERATOR, operator)
            .nest_service(BY_HOST, by_host)
            .layer(from_fn_with_state(self.clone(), admit));
        let outside = Router::new()
            .route("/console", get(page))
            .route("/console/", get(page))
            .route("/console/{*name}", get(file))
            .route("/console/api/sign-in", get(ways).post(sign_in))
            .merge(inside)
            .with_state(self.clone());
        match &self.0.oidc {
            Some(oidc) => outside.merge(oidc::rest::router(self.clone(), Arc::clone(oidc))),
            None => outside,
        }
    }

    /// The route of the admin listener that makes links.
    pub fn admin_router(&self) -> Router {
        Router::new().route("/console/links", post(make_link)).with_state(self.clone())
    }

    /// Where people open it, without a path.
    pub(crate) fn address(&self) -> &str {
        &self.0.address
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A session for a caller who has proven their name and that they may, and the cookie with which they keep it.
    pub(crate) fn open_session(&self, name: String, caller: &Caller) -> HeaderValue {
        let session = self.sign_in().open(Some(name), self.now());
        caller.keep(&session)
    }

    fn sign_in(&self) -> MutexGuard<'_, SignIn> {
        // No code between lock and unlock can leave it half changed.
        self.0.sign_in.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        Rejection::new(self.0, Envelope::ResourceManager).into_response()
    }
}

type Answer<T = Response> = std::result::Result<T, Failure>;

/// How a request reached us, as far as cookies and origins depend on it.
pub(crate) struct Caller {
    /// The name of their cookies.
    pub(crate) cookie: String,
    session: Option<String>,
    pub(crate) scheme: Scheme,
}

impl Caller {
    pub(crate) fn of(parts: &Parts) -> Self {
        let cookie = cookie::name(origin::host(parts));
        let session = cookie::SESSION.find(&parts.headers, &cookie).map(str::to_owned);
        let scheme = parts.extensions.get::<Scheme>().copied().unwrap_or(Scheme::Http);
        Self { cookie, session, scheme }
    }

    fn keep(&self, session: &Secret) -> HeaderValue {
        cookie::SESSION.keep(&self.cookie, session, SESSION_LIFETIME, self.scheme)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> std::result::Result<Self, Self::Rejection> {
        Ok(Self::of(parts))
    }
}

/// `GET /console`
async fn page(request: Request<Body>) -> Response {
    show(assets::PAGE, request)
}

/// `GET /console/{name}`
async fn file(Path(name): Path<String>, request: Request<Body>) -> Response {
    show(&name, request)
}

fn show(name: &str, request: Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    match assets::find(name) {
        Some(asset) => asset.answer(&parts.headers, origin::host(&parts)),
        None => {
            let message = "The console has no such page; it begins at /console.";
            Failure(Error::new(ErrorKind::NotFound, "NotFound", message)).into_response()
        }
    }
}

/// Lets in a session from its own page.
async fn admit(State(console): State<Console>, request: Request<Body>, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match admitted(&console, &parts) {
        Ok(()) => {
            let mut response = next.run(Request::from_parts(parts, body)).await;
            // Keys and payloads stay out of caches.
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => Failure(error).into_response(),
    }
}

fn admitted(console: &Console, parts: &Parts) -> Result<()> {
    origin::check(parts)?;
    let session = Caller::of(parts).session;
    let now = console.now();
    match session.is_some_and(|session| console.sign_in().admits(&session, now)) {
        true => Ok(()),
        false => Err(signed_out("You are not signed in, or your session has ended.")),
    }
}

fn signed_out(what: &str) -> Error {
    let cure = "`tidings console` prints a new link for a running server.";
    Error::new(ErrorKind::Unauthenticated, "SignedOut", format!("{what} {cure}"))
}

/// The operator routes take requests of this machine only, by the name of their host. These come from
/// whoever has the session, so they are let in, and the session stays outside.
async fn from_inside(mut request: Request<Body>, next: Next) -> Response {
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    headers.remove(COOKIE);
    next.run(request).await
}

/// Asks a service by the host name of one of its resources, which no page can put into a request.
async fn reach(public: Router, mut request: Request<Body>) -> Answer {
    let path = request.uri().path_and_query().map_or("", |it| it.as_str());
    let asked = path.strip_prefix('/').and_then(|it| it.split_at_checked(it.find('/')?));
    let target = asked.and_then(|(host, rest)| {
        Some((HeaderValue::from_str(host).ok()?, rest.parse::<Uri>().ok()?))
    });
    let Some((host, uri)) = target else {
        let message = "The path is /console/at/<host>/<path of the call>.";
        return Err(Error::new(ErrorKind::Invalid, "InvalidRequest", message).into());
    };
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    headers.remove(COOKIE);
    Ok(public.oneshot(request).await.into_response())
}

async fn no_such_call(request: Request<Body>) -> Failure {
    let message = format!("This server has nothing at {} for operators.", request.uri().path());
    Error::new(ErrorKind::NotFound, "NotFound", message).into()
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

/// `GET /console/api/sign-in`: what there is beside links
async fn ways(State(console): State<Console>) -> Json<Value> {
    let provider = console.0.oidc.as_ref().map(|oidc| {
        // The whole address: the provider sends the browser there, and cookies stay with a host.
        json!({ "name": oidc.name(), "start": format!("{}{}", console.address(), oidc::rest::START) })
    });
    Json(json!({ "provider": provider }))
}

/// `POST /console/api/sign-in`
async fn sign_in(State(console): State<Console>, caller: Caller, request: Request<Body>) -> Answer {
    let (parts, body) = request.into_parts();
    origin::check(&parts)?;
    let Code { code } = read(body).await?;
    let session = console.sign_in().exchange(&code, console.now());
    let session = session.ok_or_else(|| {
        let minutes = CODE_LIFETIME.as_secs() / 60;
        signed_out(&format!(
            "The sign-in link does not work any more: each works once, and for {minutes} minutes."
        ))
    })?;
    tracing::info!("somebody has signed in to the console with a link");
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, caller.keep(&session))]).into_response())
}

/// `POST /console/api/sign-out`
async fn sign_out(State(console): State<Console>, caller: Caller) -> Response {
    if let Some(session) = &caller.session {
        console.sign_in().end(session);
    }
    let forget = cookie::SESSION.forget(&caller.cookie, caller.scheme);
    (StatusCode::NO_CONTENT, [(SET_COOKIE, forget)]).into_response()
}

/// `GET /console/api/session`
async fn session(State(console): State<Console>, caller: Caller) -> Answer<Json<Value>> {
    described(&console, &caller).await
}

/// What a session is told.
async fn described(console: &Console, caller: &Caller) -> Answer<Json<Value>> {
    let mut told = console.0.installation.describe().await?.to_json();
    let session = caller.session.as_deref().unwrap_or_default();
    told["operator"] = console.sign_in().name(session).into();
    Ok(Json(told))
}

#[derive(Deserialize)]
struct Replaced {
    service: String,
    name: String,
    key: String,
}

/// `POST /console/api/keys`
async fn replace_key(
    State(console): State<Console>,
    caller: Caller,
    request: Request<Body>,
) -> Answer<Json<Value>> {
    let Replaced { service, name, key } = read(request.into_body()).await?;
    console.0.installation.replace_key(&service, &name, &key).await?;
    described(&console, &caller).await
}

/// `POST /console/links` of the admin listener
async fn make_link(State(console): State<Console>, request: Request<Body>) -> Answer<Json<Value>> {
    let text = |name| request.headers().get(name).and_then(|it| it.to_str().ok());
    // A page can neither have an address as its own host nor send JSON elsewhere unasked.
    let local = text(HOST).is_none_or(edge::host::is_local_or_address);
    let json = text(CONTENT_TYPE).is_some_and(|it| it.starts_with("application/json"));
    if !local || !json {
        let message = "A link is asked for at the admin listener's address, with a JSON body.";
        return Err(Error::new(ErrorKind::Forbidden, "Forbidden", message).into());
    }
    Ok(Json(json!({
        "link": console.link().expose(),
        "minutes": CODE_LIFETIME.as_secs() / 60,
    })))
}

async fn read<T: DeserializeOwned>(body: Body) -> Result<T> {
    let body = edge::body::read(body, BODY_BYTES).await?;
    serde_json::from_slice(&body).map_err(|cause| {
        let message = format!("The body cannot be read: {cause}.");
        Error::new(ErrorKind::Invalid, "InvalidRequest", message).target("body")
    })
}
