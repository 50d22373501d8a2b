//! Who calls, and what about: the checks that every operation shares.

use std::collections::HashMap;
use std::sync::Arc;

use auth::Purpose;
use axum::extract::{FromRequestParts, Path};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use gateway::{Audience, ConnectionId, HubId, Target};
use kernel::{Error, ErrorKind, Result};

use super::Failure;
use crate::filter::Filter;
use crate::name::{self, HubName};
use crate::query::Query;
use crate::receivers::Receivers;
use crate::resource::Resource;
use crate::service::WebPubSub;

pub(crate) const NEWEST_VERSION: &str = "2024-12-01";
/// The value of `api-supported-versions`.
pub(crate) const VERSIONS_HEADER: &str =
    "2021-10-01, 2022-11-01, 2023-07-01, 2024-01-01, 2024-12-01";
/// Versions that old SDKs send and that are answered like the stable ones.
const PREVIEW_VERSIONS: [&str; 5] =
    ["2020-10-01", "2021-01-01", "2021-05-01-preview", "2021-08-01-preview", "2022-10-01-preview"];

/// A call whose token, api-version and hub have been checked.
pub(crate) struct Call {
    pub(crate) resource: Arc<Resource>,
    pub(crate) hub: HubId,
    pub(crate) query: Query,
    segments: HashMap<String, String>,
}

impl Call {
    /// The group in the path.
    pub(crate) fn group(&self) -> Result<&str> {
        let group = self.segment("group");
        name::check_group(group).map(|()| group)
    }

    /// The user in the path.
    pub(crate) fn user(&self) -> &str {
        self.segment("user")
    }

    /// The connection in the path; `None` when no connection can have this name.
    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        ConnectionId::parse(self.segment("connection"))
    }

    /// The receivers in an audience: without those the caller leaves out, and under its filter.
    pub(crate) fn target(&self, audience: Audience) -> Result<Target> {
        let excluded = self.query.all("excluded").filter_map(ConnectionId::parse).collect();
        let filter = receivers(self.query.one("filter"))?;
        Ok(Target { hub: self.hub, audience, excluded, filter })
    }

    /// The error for a connection that does not exist.
    pub(crate) fn no_such_connection(&self) -> Error {
        let message = format!(
            "The connection '{}' does not exist in hub '{}': it has ended, or it belongs to \
             another hub or resource.",
            self.segment("connection"),
            self.segment("hub")
        );
        Error::new(ErrorKind::NotFound, "Error.NotFound", message).target("connectionId")
    }

    /// A named part of the path, URL-decoded.
    pub(crate) fn segment(&self, name: &str) -> &str {
        self.segments.get(name).map_or("", String::as_str)
    }
}

impl FromRequestParts<WebPubSub> for Call {
    type Rejection = Failure;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &WebPubSub,
    ) -> std::result::Result<Self, Failure> {
        let Path(segments) = Path::<HashMap<String, String>>::from_request_parts(parts, &())
            .await
            .map_err(|_| bad_request("The path is not percent-encoded UTF-8."))?;
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let resource = Arc::clone(service.resource(header(HOST).or_else(|| parts.uri.host()))?);
        let token = auth::bearer(header(AUTHORIZATION)).map_err(Error::from)?;
        let path_and_query = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        service.verify(&resource, token, Purpose::Rest { path_and_query })?;

        let query = Query::of(&parts.uri);
        check_version(query.one("api-version"))?;
        let hub = segments.get("hub").map_or("", String::as_str);
        let hub = service.hub(&resource, &HubName::parse(hub)?).id;
        Ok(Self { resource, hub, query, segments })
    }
}

/// The predicate of a filter; a missing or empty one means everybody.
pub(crate) fn receivers(filter: Option<&str>) -> Result<Option<Arc<dyn gateway::Filter>>> {
    let Some(text) = filter.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    Ok(Some(Arc::new(Receivers(Filter::parse(text)?))))
}

/// A call without a version is treated as one of the newest.
fn check_version(version: Option<&str>) -> Result<()> {
    let Some(version) = version else { return Ok(()) };
    if VERSIONS_HEADER.split(", ").chain(PREVIEW_VERSIONS).any(|known| known == version) {
        return Ok(());
    }
    let message = format!(
        "The specified API version is not supported. Use one of {VERSIONS_HEADER}, or none for the \
         newest."
    );
    Err(bad_request(message).target("api-version"))
}

pub(crate) fn bad_request(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "Error.BadRequest", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_preview_and_absent_versions_pass() {
        for version in [None, Some("2024-12-01"), Some("2021-10-01"), Some("2021-05-01-preview")] {
            assert!(check_version(version).is_ok(), "{version:?}");
        }
        for version in ["", "2024-12-02", "2021-10-01, 2022-11-01"] {
            let error = check_version(Some(version)).unwrap_err();
            assert_eq!(error.target_name(), Some("api-version"));
        }
    }
}
