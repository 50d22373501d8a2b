//! The routes as a browser meets them, with a provider that answers as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth::ProviderMetadata;
use axum::Router;
use axum::body::Body;
use axum::http::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::http::{Request, Response, StatusCode};
use edge::Scheme;
use kernel::{Clock, Error, ErrorKind, Timestamp};
use serde_json::{Map, Value, json};
use testkit::ManualClock;
use tower::ServiceExt as _;

use super::{Grant, Issuer, Oidc, Operators, Settings};
use crate::Console;
use crate::installation::Pending;
use crate::tests::Fake;

const HOME: &str = "push.example.com";
const ISSUER: &str = "https://login.example.com/tenant";

/// Makes the code `good` into Ada, and every other into a refusal.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Vec<String>>>);

impl Issuer for Provider {
    fn metadata(&self) -> Pending<'_, Arc<ProviderMetadata>> {
        let metadata = json!({
            "issuer": ISSUER, "jwks_uri": "https://login.example.com/keys",
            "authorization_endpoint": "https://login.example.com/authorize?p=1",
        });
        let metadata = ProviderMetadata::parse(metadata.to_string().as_bytes(), ISSUER);
        Box::pin(async { Ok(Arc::new(metadata.unwrap())) })
    }

    fn redeem<'a>(&'a self, grant: Grant<'a>) -> Pending<'a, Map<String, Value>> {
        assert_eq!(grant.redirect_uri, format!("https://{HOME}/console/oidc/callback"));
        self.0.lock().unwrap().push(grant.nonce.to_owned());
        let name = match grant.code.expose() {
            "good" => Ok("ada"),
            "stranger" => Ok("eve"),
            _ => Err(Error::new(ErrorKind::Forbidden, "x", "It says: <b>invalid_grant</b>")),
        };
        Box::pin(async move {
            let claims = json!({ "sub": "1", "email": format!("{}@example.com", name?) });
            Ok(claims.as_object().cloned().unwrap())
        })
    }
}

struct Server {
    router: Router,
    clock: Arc<ManualClock>,
    provider: Provider,
}

/// A browser's way to the provider.
struct Away {
    cookie: String,
    query: HashMap<String, String>,
}

impl Server {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let settings = Settings {
            issuer: ISSUER.to_owned(),
            client_id: "tidings".to_owned(),
            scopes: vec!["groups".to_owned()],
            operators: Operators::new("email", vec!["ada@example.com".to_owned()]),
        };
        let provider = Provider::default();
        let oidc = Oidc::new(settings, provider.clone());
        let at = format!("https://{HOME}");
        let console =
            Console::new(Fake::default(), &at, Some(oidc), Arc::clone(&clock) as Arc<dyn Clock>);
        let router = console.router(Router::new(), Router::new());
        Self { router, clock, provider }
    }

    async fn get(&self, path: &str, cookie: &str) -> Response<Body> {
        let request = Request::get(path).header(HOST, HOME).header(COOKIE, cookie);
        let request = request.header("sec-fetch-site", "cross-site").extension(Scheme::Https);
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn away(&self) -> Away {
        let answer = self.get("/console/oidc/start", "").await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let to = answer.headers()[LOCATION].to_str().unwrap();
        let query = to.strip_prefix("https://login.example.com/authorize?p=1&").unwrap();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Away { cookie: pair(&answer, 0), query }
    }

    async fn back(&self, away: &Away, more: &str) -> Response<Body> {
        let state = &away.query["state"];
        self.get(&format!("/console/oidc/callback?state={state}&{more}"), &away.cookie).await
    }
}

/// Name and value of a cookie that an answer sets.
fn pair(answer: &Response<Body>, at: usize) -> String {
    let set = answer.headers().get_all(SET_COOKIE).iter().nth(at).unwrap();
    set.to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn text(answer: Response<Body>) -> String {
    let body = edge::body::read(answer.into_body(), 100_000).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn an_operator_comes_back_with_a_session() {
    let server = Server::new();
    let ways = text(server.get("/console/api/sign-in", "").await).await;
    let expected = format!("https://{HOME}/console/oidc/start");
    let expected = json!({"provider": {"name": "login.example.com", "start": expected}});
    assert_eq!(serde_json::from_str::<Value>(&ways).unwrap(), expected);

    let away = server.away().await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "tidings"),
        ("redirect_uri", "https://push.example.com/console/oidc/callback"),
        ("scope", "openid profile email groups"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(away.query[name], value);
    }
    let back = server.back(&away, "code=good").await;
    assert_eq!(
        (back.status(), &back.headers()[LOCATION]),
        (StatusCode::SEE_OTHER, &"/console".parse().unwrap())
    );
    assert_eq!(*server.provider.0.lock().unwrap(), [away.query["nonce"].as_str()]);
    assert_eq!(pair(&back, 1), "tidings-console-sign-in=", "the cookie of the sign-in is gone");
    let session = pair(&back, 0);
    // A page asks for it, not the provider's.
    let request = Request::get("/console/api/session").header(HOST, HOME).header(COOKIE, session);
    let request = request.header("sec-fetch-site", "same-origin").body(Body::empty()).unwrap();
    let answer = server.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let told: Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(told["operator"], "ada@example.com");
}

#[tokio::test]
async fn a_sign_in_is_bound_to_its_browser_and_works_once() {
    let server = Server::new();
    let (own, other) = (server.away().await, server.away().await);
    let foreign = Away { cookie: other.cookie.clone(), query: own.query.clone() };
    let none = Away { cookie: String::new(), query: own.query.clone() };
    for away in [&foreign, &none] {
        let back = server.back(away, "code=good").await;
        assert_eq!(back.status(), StatusCode::FORBIDDEN);
        assert!(!pair(&back, 0).starts_with("tidings-console="), "no session");
    }
    assert_eq!(server.back(&own, "code=good").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(server.back(&own, "code=good").await.status(), StatusCode::FORBIDDEN);
    server.clock.advance(Duration::from_mins(10));
    let late = text(server.back(&other, "code=good").await).await;
    assert!(late.contains("took longer than 10 minutes"), "{late}");
    assert_eq!(server.provider.0.lock().unwrap().len(), 1, "the provider heard of one");
}

#[tokio::test]
async fn refusals_are_shown_on_the_page_as_text() {
    let server = Server::new();
    for (more, expected) in [
        ("code=stranger", "&#39;eve@example.com&#39;, who is no operator"),
        ("code=bad", "It says: &lt;b&gt;invalid_grant&lt;/b&gt;"),
        ("error=access_denied&error_description=%3Cscript%3E", "access_denied (&lt;script&gt;)"),
        ("code=good&iss=https://evil.example", "of the issuer &#39;https://evil.example&#39;"),
        ("", "neither a code nor an error"),
    ] {
        let back = server.back(&server.away().await, more).await;
        assert_eq!(back.status(), StatusCode::FORBIDDEN, "{more}");
        assert!(!pair(&back, 0).starts_with("tidings-console="), "no session for {more}");
        assert!(back.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
        let page = text(back).await;
        assert!(page.contains("<meta name=\"refusal\"") && page.contains(expected), "{page}");
    }
    let twice = server.get("/console/oidc/callback?state=a&state=b", "").await;
    assert_eq!(twice.status(), StatusCode::BAD_REQUEST);
}
