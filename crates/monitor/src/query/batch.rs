//! Several queries in one request.

use axum::http::StatusCode;
use kernel::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::request::{Asked, Prefer};
use super::rest::refusal;
use super::service::{Logs, Scope};

/// Queries that one request may hold.
const MAX_QUERIES: usize = 100;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    id: String,
    #[serde(default)]
    headers: serde_json::Map<String, Json>,
    body: Asked,
    #[serde(default)]
    workspace: String,
}

impl Logs {
    /// Answers each query by itself, under its own id.
    pub(super) async fn batch(&self, body: &[u8]) -> Result<Json> {
        let batch: Batch = serde_json::from_slice(body).map_err(|error| {
            let message = format!(
                "The body must be JSON such as {{\"requests\": [{{\"id\": \"1\", \"workspace\": \"…\", \
                 \"body\": {{\"query\": \"…\"}}}}]}}: {error}."
            );
            Error::new(ErrorKind::Invalid, "InvalidRequestBody", message)
        })?;
        if batch.requests.len() > MAX_QUERIES {
            let message = format!(
                "There are {} queries in the batch, at most {MAX_QUERIES} are answered. Send several \
                 batches.",
                batch.requests.len()
            );
            return Err(Error::new(ErrorKind::Invalid, "TooManyQueries", message));
        }
        let mut responses = Vec::with_capacity(batch.requests.len());
        for one in &batch.requests {
            let mut prefer = Prefer::default();
            for (name, value) in &one.headers {
                if let (true, Some(value)) = (name.eq_ignore_ascii_case("prefer"), value.as_str()) {
                    prefer.take(value);
                }
            }
            let scope = Scope::Workspace(one.workspace.clone());
            let (status, body) = match self.ask(&scope, &one.body, prefer).await {
                Ok(body) => (StatusCode::OK, body),
                Err(error) => refusal(error).await,
            };
            responses.push(json!({ "id": one.id, "status": status.as_u16(), "headers": {},
                "body": body }));
        }
        Ok(json!({ "responses": responses }))
    }
}
