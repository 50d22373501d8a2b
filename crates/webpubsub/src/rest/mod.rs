//! The REST data plane, `/api/hubs/{hub}/…`.
//!
//! Handlers are rows of a table: check the caller ([`Call`]), do one thing, say how it went. The
//! statuses are those of api-version 2024-12-01.

mod bulk;
mod call;
mod connections;
mod groups;
mod listing;
mod permissions;
mod send;
mod tokens;
mod users;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, head, post, put};
use edge::{Envelope, Rejection};
use kernel::{Error, ErrorKind};

use crate::service::WebPubSub;

pub(crate) use call::Call;

const SUPPORTED_VERSIONS: HeaderName = HeaderName::from_static("api-supported-versions");

pub(crate) fn router(service: WebPubSub) -> Router {
    let at = |rest: &str| format!("/api/hubs/{{hub}}{rest}");
    Router::new()
        // Paths here have segments such as ":send", which an older syntax used for parameters.
        .without_v07_checks()
        .route("/api/health", get(health))
        .route(&at("/:send"), post(send::to_everyone))
        .route(&at("/:closeConnections"), post(connections::close_everyone))
        .route(&at("/:addToGroups"), post(bulk::add))
        .route(&at("/:removeFromGroups"), post(bulk::remove))
        .route(&at("/:generateToken"), post(tokens::generate))
        .route(
            &at("/connections/{connection}"),
            head(connections::exists).delete(connections::close),
        )
        .route(&at("/connections/{connection}/:send"), post(send::to_connection))
        .route(&at("/connections/{connection}/groups"), delete(connections::leave_all_groups))
        .route(&at("/groups/{group}"), head(groups::exists))
        .route(&at("/groups/{group}/:send"), post(send::to_group))
        .route(&at("/groups/{group}/:closeConnections"), post(groups::close_connections))
        .route(&at("/groups/{group}/connections"), get(listing::connections))
        .route(
            &at("/groups/{group}/connections/{connection}"),
            put(groups::add_connection).delete(groups::remove_connection),
        )
        .route(&at("/users/{user}"), head(users::exists))
        .route(&at("/users/{user}/:send"), post(send::to_user))
        .route(&at("/users/{user}/:closeConnections"), post(users::close_connections))
        .route(&at("/users/{user}/groups"), delete(users::leave_all_groups))
        .route(&at("/users/{user}/groups/{group}"), put(users::join).delete(users::leave))
        .route(
            &at("/permissions/{permission}/connections/{connection}"),
            put(permissions::grant).delete(permissions::revoke).head(permissions::check),
        )
        .method_not_allowed_fallback(wrong_method)
        .layer(map_response(name_versions))
        .with_state(service)
}

/// How a call ended well, or the error to be written in the service's envelope.
type Answer = Result<StatusCode, Failure>;

/// An error on its way into the service's envelope.
pub(crate) struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        Rejection::new(self.0, Envelope::WebPubSub).into_response()
    }
}

/// `HEAD /api/health`, no credential needed
async fn health() -> StatusCode {
    StatusCode::OK
}

/// The refusal of a call under `/api/` that is no operation.
pub(crate) fn unknown(method: &Method, uri: &Uri) -> Response {
    let message = format!(
        "There is no operation {method} {}. The operations are those of the Web PubSub data plane, \
         api-version {}.",
        uri.path(),
        call::NEWEST_VERSION
    );
    Failure(Error::new(ErrorKind::NotFound, "Error.NotFound", message)).into_response()
}

async fn wrong_method(method: Method, uri: Uri) -> Failure {
    let message = format!("The operation {} exists, but not with the method {method}.", uri.path());
    Failure(Error::new(ErrorKind::MethodNotAllowed, "Error.MethodNotAllowed", message))
}

async fn name_versions(mut response: Response) -> Response {
    let versions = HeaderValue::from_static(call::VERSIONS_HEADER);
    response.headers_mut().insert(SUPPORTED_VERSIONS, versions);
    response
}
