//! What an operator's machinery asks: alive, ready, metrics.
//!
//! No authentication: the program binds it to loopback unless told otherwise.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kernel::{Error, ErrorKind};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::host::is_local_or_address;
use crate::respond::{Envelope, Rejection};

/// The content type of the OpenMetrics text format, version 1.0.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/healthz` (the process answers), `/readyz` (it can do its work; else 503 with the reason that
/// `ready` gives) and `/metrics` (OpenMetrics text, which Prometheus reads).
pub fn router(
    registry: Arc<Registry>,
    ready: impl Fn() -> Result<(), String> + Clone + Send + Sync + 'static,
) -> Router {
    Router::new()
        .route("/healthz", get(async || uncached("ok")))
        .route("/readyz", get(async move || readiness(ready())))
        .route("/metrics", get(async move || metrics(&registry)))
}

/// The routes of the admin listener that tell people what services do. They have no credentials, so web
/// pages must not reach them through a browser on the same machine: requests are refused whose `Host` is
/// a name that a stranger could point here.
pub fn for_people(routes: Router) -> Router {
    routes.layer(from_fn(only_from_here))
}

/// A refusal on its way to people, in the envelope that most services have.
pub struct Refusal(Error);

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Rejection::new(self.0, Envelope::ResourceManager).into_response()
    }
}

async fn only_from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    if host.is_none_or(is_local_or_address) {
        return next.run(request).await;
    }
    let message = "Use the address of the admin listener as a number or as localhost.";
    let error = Error::new(ErrorKind::Forbidden, "Forbidden", message).target("Host");
    Refusal(error).into_response()
}

fn readiness(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => uncached("ready"),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, uncached(reason)).into_response(),
    }
}

fn metrics(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(cause) => {
            tracing::error!(%cause, "metrics could not be encoded");
            (StatusCode::INTERNAL_SERVER_ERROR, "metrics could not be encoded").into_response()
        }
    }
}

fn uncached(body: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, "no-store")], body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use prometheus_client::metrics::counter::Counter;
    use tower::ServiceExt;

    use super::*;

    async fn get_from(router: Router, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let content_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = crate::body::read(response.into_body(), 10_000).await.unwrap();
        (status, content_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn what_is_for_people_is_no_page_of_a_stranger() {
        let routes = || for_people(Router::new().route("/hubs", get(async || "hubs")));
        let ask = async |host: Option<&str>| {
            let request = Request::get("/hubs");
            let request =
                host.map_or_else(|| Request::get("/hubs"), |host| request.header(HOST, host));
            let request = request.body(Body::empty()).unwrap();
            routes().oneshot(request).await.unwrap().status()
        };
        for host in [None, Some("localhost:8081"), Some("127.0.0.1:8081"), Some("[::1]:8081")] {
            assert_eq!(ask(host).await, StatusCode::OK, "{host:?}");
        }
        for host in ["rebound.example:8081", "localhost.example", "a"] {
            assert_eq!(ask(Some(host)).await, StatusCode::FORBIDDEN, "{host}");
        }
    }

    #[tokio::test]
    async fn readiness_says_why_not() {
        let router = router(Arc::default(), || Err("the store is still opening".to_owned()));
        let (health, _, _) = get_from(router.clone(), "/healthz").await;
        let (status, _, body) = get_from(router, "/readyz").await;
        assert_eq!((health, status), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(body, "the store is still opening");
    }

    #[tokio::test]
    async fn metrics_come_as_openmetrics_text() {
        let mut registry = Registry::default();
        let counter: Counter = Counter::default();
        registry.register("connections", "Connections accepted", counter.clone());
        counter.inc_by(3);
        let (_, content_type, body) =
            get_from(router(Arc::new(registry), || Ok(())), "/metrics").await;
        assert_eq!(content_type, OPENMETRICS);
        assert!(body.contains("connections_total 3") && body.ends_with("# EOF\n"), "{body}");
    }
}
