//! The HTTP entrances.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge::{Envelope, Rejection, Scheme};
use kernel::{Error, ErrorKind, Result};
use serde_json::{Value as Json, json};

use super::request::{Asked, Prefer};
use super::service::{Logs, Scope};
use crate::table::rows::TABLES;

pub(super) type Answered = std::result::Result<Response, Failure>;

impl Logs {
    /// The public routes.
    pub fn router(&self) -> Router {
        let query = || post(workspace_body).get(workspace_query);
        let metadata = || get(metadata).post(metadata);
        Router::new()
            .route("/v1/workspaces/{id}/query", query())
            .route("/workspaces/{id}/query", query())
            .route("/v1/workspaces/{id}/metadata", metadata())
            .route("/workspaces/{id}/metadata", metadata())
            .route("/v1/subscriptions/{*rest}", post(resource_body).get(resource_query))
            .route("/v1/$batch", post(batch))
            .route("/$batch", post(batch))
            .with_state(self.clone())
    }

    /// Routes of the admin listener, without a credential: `POST /logs/query`, `GET /logs/tables`.
    pub fn operator_router(&self) -> Router {
        Router::new()
            .route("/logs/query", post(operator))
            .route("/logs/tables", get(operator_tables))
            .with_state(self.clone())
    }

    /// The caller may query.
    fn admit(&self, parts: &Parts) -> Result<()> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let token = header.and_then(|it| {
            let (scheme, token) = it.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let Some(token) = token.filter(|it| !it.is_empty()) else {
            let message = "A log query needs a bearer token: send the header Authorization: Bearer \
                           <token>.";
            return Err(Error::new(ErrorKind::Unauthenticated, "AuthenticationFailed", message));
        };
        let over_tls = parts.extensions.get::<Scheme>() == Some(&Scheme::Https);
        self.0.bearer.check(token, over_tls)
    }

    async fn read(&self, body: Body) -> Result<bytes::Bytes> {
        edge::body::read(body, self.0.settings.max_request_bytes).await
    }
}

/// An error on its way into the service's envelope.
pub(super) struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let late = self.0.code() == "GatewayTimeout";
        let mut response = Rejection::new(self.0, Envelope::Logs).into_response();
        if late {
            // No other service has a status for a time that the caller has set.
            *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
        }
        response
    }
}

/// A refusal as one answer of a batch.
pub(super) async fn refusal(error: Error) -> (StatusCode, Json) {
    let (parts, body) = Failure(error).into_response().into_parts();
    let body = edge::body::read(body, usize::MAX).await.unwrap_or_default();
    (parts.status, serde_json::from_slice(&body).unwrap_or_default())
}

fn ok(body: &Json) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn workspace_body(
    State(logs): State<Logs>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answered {
    ask_body(&logs, Scope::Workspace(id), request).await
}

async fn workspace_query(
    State(logs): State<Logs>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Answered {
    ask_query(&logs, Scope::Workspace(id), query, request).await
}

async fn resource_body(
    State(logs): State<Logs>,
    Path(rest): Path<String>,
    request: Request<Body>,
) -> Answered {
    let scope = resource(&rest)?;
    ask_body(&logs, scope, request).await
}

async fn resource_query(
    State(logs): State<Logs>,
    Path(rest): Path<String>,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Answered {
    let scope = resource(&rest)?;
    ask_query(&logs, scope, query, request).await
}

/// The resource of `/v1/subscriptions/…/query`.
fn resource(rest: &str) -> Result<Scope> {
    match rest.strip_suffix("/query") {
        Some(id) => Ok(Scope::Resource(format!("/subscriptions/{id}"))),
        None => {
            let message = "Below a resource only /query is answered, as in \
                           /v1/subscriptions/<id>/resourceGroups/<group>/query.";
            Err(Error::new(ErrorKind::NotFound, "PathNotFoundError", message))
        }
    }
}

pub(super) async fn ask_body(logs: &Logs, scope: Scope, request: Request<Body>) -> Answered {
    let (parts, body) = request.into_parts();
    logs.admit(&parts)?;
    let asked = Asked::read(&logs.read(body).await?)?;
    answered(logs, &scope, &asked, &parts.headers).await
}

async fn ask_query(
    logs: &Logs,
    scope: Scope,
    query: Option<String>,
    request: Request<Body>,
) -> Answered {
    let (parts, _) = request.into_parts();
    logs.admit(&parts)?;
    let pairs = form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes());
    let pairs: Vec<(String, String)> = pairs.into_owned().collect();
    let asked = Asked::read_query(&pairs)?;
    answered(logs, &scope, &asked, &parts.headers).await
}

async fn answered(logs: &Logs, scope: &Scope, asked: &Asked, headers: &HeaderMap) -> Answered {
    let prefer = Prefer::of(headers);
    let mut response = ok(&logs.ask(scope, asked, prefer).await?);
    if headers.contains_key("prefer") {
        let applied = HeaderValue::from_str(&format!("wait={}", prefer.wait.as_secs()));
        if let Ok(applied) = applied {
            response.headers_mut().insert("preference-applied", applied);
        }
    }
    Ok(response)
}

async fn batch(State(logs): State<Logs>, request: Request<Body>) -> Answered {
    let (parts, body) = request.into_parts();
    logs.admit(&parts)?;
    Ok(ok(&logs.batch(&logs.read(body).await?).await?))
}

async fn operator(State(logs): State<Logs>, request: Request<Body>) -> Answered {
    let (parts, body) = request.into_parts();
    let asked = Asked::read(&logs.read(body).await?)?;
    let scope = Scope::Workspace(logs.0.store.workspace().to_owned());
    answered(&logs, &scope, &asked, &parts.headers).await
}

/// The tables and their columns.
async fn metadata(
    State(logs): State<Logs>,
    Path(id): Path<String>,
    request: Request<Body>,
) -> Answered {
    let (parts, _) = request.into_parts();
    logs.admit(&parts)?;
    logs.check_workspace(&id)?;
    Ok(ok(&described(&logs)))
}

async fn operator_tables(State(logs): State<Logs>) -> Response {
    ok(&described(&logs))
}

fn described(logs: &Logs) -> Json {
    let tables: Vec<Json> = TABLES
        .iter()
        .map(|table| {
            let columns = table.all_columns();
            let columns = columns
                .iter()
                .map(|column| json!({ "name": &*column.name, "type": column.kind.name() }));
            json!({ "id": format!("t/{}", table.name), "name": table.name,
                "timespanColumn": "TimeGenerated", "columns": columns.collect::<Vec<Json>>() })
        })
        .collect();
    let workspace = logs.0.store.workspace();
    let workspaces = json!([{ "id": workspace, "name": "local", "region": "local",
        "resourceId": "" }]);
    json!({ "tables": tables, "workspaces": workspaces })
}
