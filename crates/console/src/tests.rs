//! The routes as a browser meets them, without a socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge::Scheme;
use kernel::{Clock, Result, Secret, Timestamp};
use serde_json::{Value, json};
use testkit::ManualClock;
use tower::ServiceExt as _;

use crate::{Console, Description, Installation, Key, Pending, Resource};

const HOME: &str = "localhost:8443";

#[derive(Default)]
pub(crate) struct Fake(Arc<Mutex<Vec<String>>>);

impl Installation for Fake {
    fn describe(&self) -> Pending<'_, Description> {
        let key = Key {
            name: "primary".to_owned(),
            rights: None,
            connection_string: Secret::new("Endpoint=https://localhost:8443;AccessKey=k;"),
        };
        let resource = Resource {
            service: "webpubsub",
            name: "local".to_owned(),
            endpoint: "https://localhost:8443".to_owned(),
            host: None,
            id: None,
            keys: vec![key],
        };
        let description = Description {
            version: "1",
            development: true,
            management: Secret::new("development"),
            resources: vec![resource],
        };
        Box::pin(async { Ok(description) })
    }

    fn replace_key<'a>(&'a self, service: &'a str, name: &'a str, key: &'a str) -> Pending<'a, ()> {
        self.0.lock().unwrap().push(format!("{service}/{name}/{key}"));
        Box::pin(async { Result::Ok(()) })
    }
}

/// Tells what a route hears.
async fn seen(headers: HeaderMap, uri: Uri) -> Json<Value> {
    let text = |name| headers.get(name).map(|it| it.to_str().unwrap().to_owned());
    Json(json!({ "host": text(HOST), "cookie": text(COOKIE), "path": uri.to_string() }))
}

/// As [`seen`], with one parameter of its own and none of another's.
async fn seen_by_parameter(Path(_): Path<String>, headers: HeaderMap, uri: Uri) -> Json<Value> {
    seen(headers, uri).await
}

struct Server {
    console: Console,
    router: Router,
    clock: Arc<ManualClock>,
    replaced: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let fake = Fake::default();
        let replaced = Arc::clone(&fake.0);
        let at = format!("https://{HOME}/");
        let console = Console::new(fake, &at, None, Arc::clone(&clock) as Arc<dyn Clock>);
        let public = Router::new().route("/api/{*path}", post(seen_by_parameter));
        let router = console.router(Router::new().route("/seen", get(seen)), public);
        Self { console, router, clock, replaced }
    }

    fn code(&self) -> String {
        let link = self.console.link();
        let expected = format!("https://{HOME}/console#code=");
        link.expose().strip_prefix(&expected).unwrap().to_owned()
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        cookie: Option<&str>,
        body: Value,
    ) -> Response<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, HOME)
            .header(ORIGIN, format!("https://{HOME}"))
            .extension(Scheme::Https);
        if let Some(cookie) = cookie {
            request = request.header(COOKIE, cookie);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn signed_in(&self) -> String {
        let body = json!({ "code": self.code() });
        let answer = self.ask("POST", "/console/api/sign-in", None, body).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let set = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert!(set.contains("HttpOnly; SameSite=Strict; Secure"), "{set}");
        set.split(';').next().unwrap().to_owned()
    }
}

async fn json_of(answer: Response<Body>) -> Value {
    let body = edge::body::read(answer.into_body(), 100_000).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn a_link_signs_in_once_and_the_session_sees_the_resources() {
    let server = Server::new();
    let code = server.code();
    let body = json!({ "code": code });
    let first = server.ask("POST", "/console/api/sign-in", None, body.clone()).await;
    assert_eq!(first.status(), StatusCode::NO_CONTENT);
    let again = server.ask("POST", "/console/api/sign-in", None, body).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    let told = json_of(again).await;
    assert!(told["error"]["message"].as_str().unwrap().contains("`tidings console`"), "{told}");

    let cookie = server.signed_in().await;
    let session = server.ask("GET", "/console/api/session", Some(&cookie), Value::Null).await;
    assert_eq!(session.headers()["cache-control"], "no-store");
    let session = json_of(session).await;
    let key = &session["resources"][0]["keys"][0];
    assert_eq!(key["connectionString"], "Endpoint=https://localhost:8443;AccessKey=k;");
    assert_eq!(session["management"]["token"], "development");
    assert_eq!(session["operator"], Value::Null, "a link has no name");
}

#[tokio::test]
async fn without_a_session_nothing_is_told() {
    let server = Server::new();
    for (method, path) in [
        ("GET", "/console/api/session"),
        ("POST", "/console/api/keys"),
        ("POST", "/console/api/sign-out"),
        ("GET", "/console/api/operator/seen"),
        ("GET", "/console/api/operator/nothing"),
    ] {
        for cookie in [None, Some("tidings-console-8443=guessed"), Some("tidings-console-8443=")] {
            let answer = server.ask(method, path, cookie, json!({})).await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path} {cookie:?}");
        }
    }
}

#[tokio::test]
async fn a_session_ends_by_signing_out_and_by_itself() {
    let server = Server::new();
    let path = "/console/api/session";
    let (left, kept) = (server.signed_in().await, server.signed_in().await);
    let out = server.ask("POST", "/console/api/sign-out", Some(&left), json!({})).await;
    assert!(out.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let gone = server.ask("GET", path, Some(&left), Value::Null).await;
    assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.ask("GET", path, Some(&kept), Value::Null).await.status(), StatusCode::OK);
    server.clock.advance(Duration::from_hours(12));
    let gone = server.ask("GET", path, Some(&kept), Value::Null).await;
    assert_eq!(gone.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn operator_routes_hear_a_local_host_and_no_cookie() {
    let server = Server::new();
    let cookie = server.signed_in().await;
    let seen = server.ask("GET", "/console/api/operator/seen", Some(&cookie), Value::Null).await;
    let expected = json!({ "host": "localhost", "cookie": null, "path": "/seen" });
    assert_eq!(json_of(seen).await, expected);
    let none = server.ask("GET", "/console/api/operator/none", Some(&cookie), Value::Null).await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn public_routes_are_reached_by_the_host_of_a_resource_and_without_the_session() {
    let server = Server::new();
    let cookie = server.signed_in().await;
    let path = "/console/at/b.example.com/api/hubs/x/:send?api-version=1&a=%2F";
    let refused = server.ask("POST", path, None, Value::Null).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let seen = json_of(server.ask("POST", path, Some(&cookie), Value::Null).await).await;
    assert_eq!((&seen["host"], &seen["cookie"]), (&json!("b.example.com"), &Value::Null));
    assert_eq!(seen["path"], "/api/hubs/x/:send?api-version=1&a=%2F");
    let inside = "/console/at/b.example.com/console/api/session";
    let inside = server.ask("GET", inside, Some(&cookie), Value::Null).await;
    assert_eq!(inside.status(), StatusCode::NOT_FOUND, "the console is not reached by itself");
}

#[tokio::test]
async fn another_origin_changes_nothing_even_with_the_session() {
    let server = Server::new();
    let cookie = server.signed_in().await;
    let change = json!({ "service": "webpubsub", "name": "local", "key": "primary" });
    let request = Request::post("/console/api/keys")
        .header(HOST, HOME)
        .header(ORIGIN, "https://localhost:3000")
        .header(COOKIE, &cookie)
        .body(Body::from(change.to_string()))
        .unwrap();
    let refused = server.router.clone().oneshot(request).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(server.replaced.lock().unwrap().is_empty());
    let done = server.ask("POST", "/console/api/keys", Some(&cookie), change).await;
    assert_eq!(done.status(), StatusCode::OK);
    assert_eq!(*server.replaced.lock().unwrap(), ["webpubsub/local/primary"]);
}

#[tokio::test]
async fn links_are_made_for_who_asks_the_admin_listener_as_no_page_can() {
    let server = Server::new();
    let ask = |host: &str, kind: &str| {
        let request = Request::post("/console/links").header(HOST, host).header(CONTENT_TYPE, kind);
        server.console.admin_router().oneshot(request.body(Body::from("{}")).unwrap())
    };
    let made = ask("127.0.0.1:8081", "application/json").await.unwrap();
    assert!(json_of(made).await["link"].as_str().unwrap().contains("/console#code="));
    for (host, kind) in
        [("rebound.example:8081", "application/json"), ("127.0.0.1:8081", "text/plain")]
    {
        assert_eq!(ask(host, kind).await.unwrap().status(), StatusCode::FORBIDDEN, "{host} {kind}");
    }
}

#[tokio::test]
async fn files_need_no_session_and_unknown_ones_are_told() {
    let server = Server::new();
    for path in ["/console", "/console/", "/console/app.js", "/console/pages/logs.js"] {
        let answer = server.ask("GET", path, None, Value::Null).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert!(answer.headers().contains_key("content-security-policy"));
    }
    for path in ["/console/none.js", "/console/../Cargo.toml", "/console/api"] {
        let answer = server.ask("GET", path, None, Value::Null).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn without_an_identity_provider_there_are_links_alone() {
    let server = Server::new();
    let ways = server.ask("GET", "/console/api/sign-in", None, Value::Null).await;
    assert_eq!(json_of(ways).await, json!({ "provider": null }));
    let start = server.ask("GET", "/console/oidc/start", None, Value::Null).await;
    assert_eq!(start.status(), StatusCode::NOT_FOUND);
}
