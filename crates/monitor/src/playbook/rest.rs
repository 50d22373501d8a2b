//! The playbook over the admin listener: `POST /playbook` asks, `GET /playbook` lists what is looked at.
//!
//! It is behind `edge::admin::for_people`, and a question needs a JSON body, which a web page cannot
//! send unasked.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use edge::{Envelope, Rejection};
use kernel::{Error, ErrorKind};
use serde_json::{Value, json};

use super::examine::Playbook;
use super::hypotheses::ALL;
use super::question::{Question, Symptom};
use super::report::Report;

/// The largest question; tokens take the most of it.
const MAX_BODY: usize = 64 * 1024;

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

impl Playbook {
    /// The routes for people, to be served on the admin listener only.
    pub fn operator_router(&self) -> Router {
        Router::new().route("/playbook", get(list).post(ask)).with_state(self.clone())
    }
}

/// `POST /playbook`: a question as JSON, a report as JSON.
async fn ask(
    State(playbook): State<Playbook>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Report>, Failure> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        let message = "A question needs a body with Content-Type: application/json.";
        let kind = ErrorKind::UnsupportedMediaType;
        return Err(Error::new(kind, "UnsupportedMediaType", message).into());
    }
    let question = Question::parse(&edge::body::read(body, MAX_BODY).await?)?;
    Ok(Json(playbook.examine(&question).await))
}

/// `GET /playbook`: the symptoms and hypotheses that there are.
async fn list() -> Json<Value> {
    let symptoms = Symptom::ALL.map(|it| json!({ "name": it.name(), "title": it.title() }));
    let hypotheses = ALL.iter().map(|it| {
        let symptoms: Vec<&str> = it.symptoms.iter().map(|it| it.name()).collect();
        json!({ "name": it.name, "title": it.title, "symptoms": symptoms })
    });
    Json(json!({ "symptoms": symptoms, "hypotheses": hypotheses.collect::<Vec<_>>() }))
}
