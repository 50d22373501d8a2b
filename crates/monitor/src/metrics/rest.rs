//! The HTTP entrance: `{resource}/providers/Microsoft.Insights/metrics` and its neighbours, and
//! `/subscriptions/{id}/metrics:getBatch`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use edge::{Envelope, Rejection};
use kernel::{Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::Metrics;
use super::answer::{self, Answer};
use super::batch;
use super::catalogue::Resource;
use super::request::{Asked, Parameters, bad};

/// What stands between the id of a resource and what is asked about it.
const INSIGHTS: &str = "/providers/microsoft.insights/";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    Metrics(String),
    Definitions(String),
    Namespaces(String),
    /// Metrics of the resources that the body names.
    Batch,
}

impl Metrics {
    /// The routes of the resource manager, with requests for metrics answered before they reach them.
    pub fn in_front_of(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), handle))
    }

    async fn answer(&self, question: Question, request: Request) -> Result<Json> {
        self.admit(request.headers())?;
        let (parts, body) = request.into_parts();
        let parameters = Parameters::of(parts.uri.query());
        match question {
            Question::Batch => {
                let body = edge::body::read(body, batch::MAX_BYTES).await?;
                self.batch(&batch::Request::read(&parameters, &body)?, &parameters)
            }
            Question::Metrics(id) => self.metrics(&self.resource(&id)?, &parameters),
            Question::Definitions(id) => {
                Ok(answer::definitions(self.resource(&id)?.namespace, &id))
            }
            Question::Namespaces(id) => Ok(answer::namespaces(self.resource(&id)?.namespace, &id)),
        }
    }

    fn admit(&self, headers: &HeaderMap) -> Result<()> {
        let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let token = header.and_then(|it| it.split_once(' ')).map(|(_, token)| token.trim());
        let token = token.filter(|it| !it.is_empty()).ok_or_else(|| {
            let message = "A request for metrics needs the header Authorization: Bearer <token>.";
            Error::new(ErrorKind::Unauthenticated, "AuthenticationFailed", message)
        })?;
        self.0.bearer.check(token, true)
    }

    fn metrics(&self, resource: &Resource<'_>, parameters: &Parameters) -> Result<Json> {
        let own = resource.namespace.name;
        if let Some(other) = parameters.one("metricnamespace")
            && !other.eq_ignore_ascii_case(own)
        {
            return Err(bad(format!("The metrics of the resource are in {own}, not in {other}.")));
        }
        // What has happened in this minute so far is part of the answer.
        let asked = Asked::read(resource.namespace, parameters, self.look())?;
        Answer::new(&self.history(), &asked).single(resource)
    }

    fn batch(&self, request: &batch::Request<'_>, parameters: &Parameters) -> Result<Json> {
        let catalogue = &self.0.catalogue;
        let namespace = catalogue.namespace(request.namespace).ok_or_else(|| {
            let (name, known) = (request.namespace, catalogue.names().join(", "));
            bad(format!("There is no metricnamespace {name:?}. There are: {known}."))
        })?;
        let mut resources = Vec::new();
        for id in &request.resources {
            let found = self.resource(id)?;
            if found.namespace.name != namespace.name {
                let (name, own) = (namespace.name, found.namespace.name);
                return Err(bad(format!("The metrics of '{id}' are in {own}, not in {name}.")));
            }
            resources.push(found);
        }
        let asked = Asked::read(namespace, parameters, self.look())?;
        Answer::new(&self.history(), &asked).batch(&resources)
    }

    fn resource(&self, id: &str) -> Result<Resource<'_>> {
        let source_of = |topic: &_| self.0.counters.source_of(topic);
        self.0.catalogue.resource(id, source_of).ok_or_else(|| {
            let message = format!(
                "The resource {id:?} has no metrics here. These types have: {}.",
                self.0.catalogue.names().join(", ")
            );
            Error::new(ErrorKind::NotFound, "ResourceTypeNotSupported", message)
        })
    }
}

async fn handle(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let Some(question) = asked(request.method(), request.uri()) else {
        return next.run(request).await;
    };
    match metrics.answer(question, request).await {
        Ok(body) => {
            let mut response = Response::new(Body::from(body.to_string()));
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(error) => Rejection::new(error, Envelope::ResourceManager).into_response(),
    }
}

/// What a request asks, if it is about metrics.
fn asked(method: &Method, uri: &Uri) -> Option<Question> {
    let path = percent_decode_str(uri.path()).decode_utf8().ok()?;
    let lower = path.to_ascii_lowercase();
    if method == Method::POST {
        let mut parts = lower.split('/').filter(|part| !part.is_empty());
        let named = [parts.next()?, parts.next().map(|_| "")?, parts.next()?];
        let is_batch = named == ["subscriptions", "", "metrics:getbatch"] && parts.next().is_none();
        return is_batch.then_some(Question::Batch);
    }
    if method != Method::GET {
        return None;
    }
    let place = lower.rfind(INSIGHTS)?;
    let id = path[..place].to_owned();
    match &lower[place + INSIGHTS.len()..] {
        "metrics" => Some(Question::Metrics(id)),
        "metricdefinitions" => Some(Question::Definitions(id)),
        "metricnamespaces" => Some(Question::Namespaces(id)),
        _ => None,
    }
}
