//! What the services tell people over the admin listener, asked within the process.

use ::monitor::playbook::{Found, Unknown};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use kernel::Timestamp;
use serde_json::Value;
use tower::ServiceExt as _;

/// An answer that is read is no larger than this.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The operators' routes of all services.
pub(super) struct Operators(Router);

impl Operators {
    /// Those of `router`.
    pub(super) fn new(router: Router) -> Self {
        Self(router)
    }

    /// A JSON answer.
    pub(super) async fn get(&self, path: &str) -> Found<Value> {
        let request = Request::get(path).body(Body::empty());
        self.ask(path, request.expect("paths are made of names that are encoded")).await
    }

    /// A JSON answer to a JSON body.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Found<Value> {
        let request = Request::post(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        self.ask(path, request.expect("paths are made of names that are encoded")).await
    }

    async fn ask(&self, path: &str, request: Request<Body>) -> Found<Value> {
        let refused = |why: String| Unknown::new(why, "Look at the server's log.");
        let response = self.0.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = response.status();
        let body = edge::body::read(response.into_body(), MAX_ANSWER).await;
        let body = body.map_err(|error| refused(error.to_string()))?;
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status == StatusCode::OK {
            return Ok(json);
        }
        let path = path.split('?').next().unwrap_or_default();
        let said = json["error"]["message"].as_str().unwrap_or_default();
        Err(refused(format!("The server answered {status} to {path}. {said}")))
    }
}

/// A name as part of a query.
pub(super) fn encoded(name: &str) -> String {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// A text of an answer.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A number of an answer.
pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// A moment of an answer.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    let moment: jiff::Timestamp = value.as_str()?.parse().ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}
