//! The HTTP entrance: `{resource}/providers/Microsoft.Insights/metrics` and its neighbours.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use edge::{Envelope, Rejection};
use kernel::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::request::Asked;
use super::{Metrics, answer, catalogue};

/// What stands between the id of a resource and what is asked about it.
const INSIGHTS: &str = "/providers/microsoft.insights/";

/// What is asked about a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Metrics,
    Definitions,
    Namespaces,
}

impl Metrics {
    /// The routes of the resource manager, with requests for metrics answered before they reach them.
    pub fn in_front_of(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), handle))
    }

    fn answer(&self, id: &str, question: Question, request: &Request) -> Result<Json> {
        let header = request.headers().get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let token = header.and_then(|it| it.split_once(' ')).map(|(_, token)| token.trim());
        let token = token.filter(|it| !it.is_empty()).ok_or_else(|| {
            let message = "A request for metrics needs the header Authorization: Bearer <token>.";
            Error::new(ErrorKind::Unauthenticated, "AuthenticationFailed", message)
        })?;
        self.0.bearer.check(token, true)?;
        let (namespace, resource) = catalogue::of_resource(id).ok_or_else(|| {
            let message = format!("The resource {id:?} has no metrics here.");
            Error::new(ErrorKind::NotFound, "ResourceTypeNotSupported", message)
        })?;
        let definitions = match question {
            Question::Definitions => Some(answer::definitions(namespace, id)),
            Question::Namespaces => Some(answer::namespaces(namespace, id)),
            Question::Metrics => None,
        };
        if let Some(definitions) = definitions {
            return Ok(definitions);
        }
        let pairs = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        let pairs: Vec<(String, String)> = pairs.into_owned().collect();
        let wants_metadata = pairs.iter().any(|(key, value)| {
            key.eq_ignore_ascii_case("resultType") && value.eq_ignore_ascii_case("metadata")
        });
        // What has happened in this minute so far is part of the answer.
        let asked = Asked::read(namespace, &pairs, self.look())?;
        let mut body = answer::metrics(&self.history(), namespace, id, resource, &asked);
        if wants_metadata {
            let metrics = body["value"].as_array_mut().into_iter().flatten();
            let series = metrics.filter_map(|it| it["timeseries"].as_array_mut()).flatten();
            series.for_each(|it| it["data"] = Json::Array(Vec::new()));
        }
        Ok(body)
    }
}

async fn handle(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let Some((id, question)) = asked(request.method(), request.uri()) else {
        return next.run(request).await;
    };
    match metrics.answer(&id, question, &request) {
        Ok(body) => {
            let mut response = Response::new(Body::from(body.to_string()));
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(error) => Rejection::new(error, Envelope::ResourceManager).into_response(),
    }
}

/// The resource of a request and what is asked about it, if it is about metrics.
fn asked(method: &Method, uri: &Uri) -> Option<(String, Question)> {
    if method != Method::GET {
        return None;
    }
    let path = percent_decode_str(uri.path()).decode_utf8().ok()?;
    let place = path.to_ascii_lowercase().rfind(INSIGHTS)?;
    let (id, what) = (&path[..place], &path[place + INSIGHTS.len()..]);
    let question = match what.to_ascii_lowercase().as_str() {
        "metrics" => Question::Metrics,
        "metricdefinitions" => Question::Definitions,
        "metricnamespaces" => Question::Namespaces,
        _ => return None,
    };
    Some((id.to_owned(), question))
}
