//! Queries below `/subscriptions/…`, where the resource manager has its own routes.
//!
//! Two clients ask there: the one that drops the version of the API from the address of a resource, and
//! those of the resource manager, which name the workspace by its resource id.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::percent_decode_str;

use super::rest;
use super::service::{Logs, Scope};

/// What stands before the name of a workspace in its id.
const WORKSPACES: &str = "/providers/microsoft.operationalinsights/workspaces/";

impl Logs {
    /// The routes of the resource manager, with log queries answered before they reach them.
    pub fn in_front_of(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), answer))
    }
}

async fn answer(State(logs): State<Logs>, request: Request, next: Next) -> Response {
    let found = scope(request.method(), request.uri().path());
    let Some(scope) = found else { return next.run(request).await };
    rest::ask_body(&logs, scope, request).await.into_response()
}

/// What a request asks about, if it is a log query.
fn scope(method: &Method, path: &str) -> Option<Scope> {
    let id = path.strip_suffix("/query").filter(|_| method == Method::POST)?;
    let id = percent_decode_str(id.strip_suffix("/api").unwrap_or(id)).decode_utf8().ok()?;
    if !id.starts_with("/subscriptions/") {
        return None;
    }
    let place = id.to_ascii_lowercase().find(WORKSPACES);
    Some(match place.map(|at| &id[at + WORKSPACES.len()..]) {
        Some(name) if !name.contains('/') => Scope::Workspace(name.to_owned()),
        _ => Scope::Resource(id.into_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_about_a_workspace_or_what_is_below_a_resource() {
        let below = "/subscriptions/s/resourceGroups/g";
        let workspaces = format!("{below}/providers/Microsoft.OperationalInsights/workspaces");
        let workspace = Some(Scope::Workspace("local".to_owned()));
        for path in [format!("{workspaces}/local/query"), format!("{workspaces}/local/api/query")] {
            assert_eq!(scope(&Method::POST, &path), workspace);
        }
        let group = Some(Scope::Resource(below.to_owned()));
        assert_eq!(scope(&Method::POST, &format!("{below}/query")), group);
        for (method, path) in [("GET", "/subscriptions/s/query"), ("POST", "/providers/x/query")] {
            assert_eq!(scope(&method.parse().unwrap(), path), None);
        }
        assert_eq!(scope(&Method::POST, "/subscriptions/s/listKeys"), None);
    }
}
