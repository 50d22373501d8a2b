//! The data plane over HTTP: `/{hub}/registrations` and its siblings.
//!
//! Clients write paths in every case, with and without a last slash, and tags without encoding, so
//! the path is taken apart here rather than by a router. Order of checks: operation, hub, credential,
//! body, so that strangers send nothing.
//!
//! - `operation`: what a method and path ask for
//! - `address`: which hub a request is for
//! - `answer`: answers and refusals with the headers of the service
//! - `devices`: registrations and installations
//! - `messages`: sends of every kind; `multipart` is the body of a batch
//! - `reports`: telemetry, and what push services refused

mod address;
mod answer;
mod devices;
mod messages;
mod multipart;
mod operation;
mod reports;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Request, Uri};
use axum::response::Response;
use bytes::Bytes;
use kernel::{Error, ErrorKind, Result};

use crate::credential::{self, Expected};
use crate::registry::HubEntry;
use crate::service::NotificationHubs;
use answer::Tracking;
use operation::Operation;

/// The largest request that the service takes, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// A request that has been let in.
struct Call {
    hub: Arc<HubEntry>,
    /// `https://host:port/hub`: what addresses in answers begin with.
    base: String,
    query: Query,
    headers: HeaderMap,
    body: Bytes,
}

impl NotificationHubs {
    /// Whether a path is one of the data plane of some hub.
    pub fn claims(uri: &Uri) -> bool {
        operation::is_ours(uri.path())
    }

    /// Answers a request of the data plane.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        let tracking = Tracking::of(request.headers());
        let (parts, body) = request.into_parts();
        match self.answer(parts, body).await {
            Ok(response) => tracking.answer(response),
            Err(error) => tracking.refuse(error, self.now()),
        }
    }

    async fn answer(&self, parts: Parts, body: Body) -> Result<Response> {
        let (hub_name, operation) = Operation::parse(&parts.method, parts.uri.path())?;
        let host = host(&parts);
        let hub = self.addressed(&parts, host.as_deref(), &hub_name);
        let hub = hub.inspect_err(|error| self.unknown_hubs().note(error, self.now()))?;
        let (counters, kind) = (Arc::clone(&hub.counters), operation.request());
        let answer = self.answer_of(hub, host, operation, (parts, body)).await;
        counters.request(kind, answer.as_ref().err(), self.now());
        answer
    }

    async fn answer_of(
        &self,
        hub: Arc<HubEntry>,
        host: Option<String>,
        operation: Operation,
        (parts, body): (Parts, Body),
    ) -> Result<Response> {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        if let Some(needed) = operation.needed(&query) {
            self.admit(&hub, &parts, host.as_deref(), needed)?;
        }
        let body = edge::body::read(body, MAX_BODY).await?;
        let authority = host.unwrap_or_else(|| "localhost".to_owned());
        let base = format!("https://{authority}/{}", hub.hub.name);
        let call = Call { hub, base, query, headers: parts.headers, body };
        self.perform(operation, &call).await
    }

    async fn perform(&self, operation: Operation, call: &Call) -> Result<Response> {
        match operation {
            Operation::CreateRegistrationId => self.create_registration_id(call),
            Operation::CreateRegistration => self.create_registration(call).await,
            Operation::PutRegistration(id) => self.put_registration(call, &id).await,
            Operation::GetRegistration(id) => self.get_registration(call, &id).await,
            Operation::DeleteRegistration(id) => self.delete_registration(call, &id).await,
            Operation::ListRegistrations => self.list_registrations(call, None).await,
            Operation::ListByTag(tag) => self.list_registrations(call, Some(&tag)).await,
            Operation::PutInstallation(id) => self.put_installation(call, &id).await,
            Operation::GetInstallation(id) => self.get_installation(call, &id).await,
            Operation::PatchInstallation(id) => self.patch_installation(call, &id).await,
            Operation::DeleteInstallation(id) => self.delete_installation(call, &id).await,
            Operation::Send => self.send(call).await,
            Operation::SendBatch => self.send_batch(call).await,
            Operation::Schedule => self.schedule(call).await,
            Operation::Cancel(id) => self.cancel(call, &id).await,
            Operation::Telemetry(id) => self.telemetry(call, &id).await,
            Operation::FeedbackContainer => self.feedback_container(call),
            Operation::Feedback(blob) => self.feedback(call, blob.as_deref()).await,
            Operation::Jobs => Err(Error::new(
                ErrorKind::NotFound,
                "40400",
                "Import and export jobs are not a part of this server yet.",
            )),
        }
    }

    fn admit(
        &self,
        hub: &HubEntry,
        parts: &Parts,
        host: Option<&str>,
        needed: credential::Needed,
    ) -> Result<()> {
        let snapshot = self.snapshot();
        let policies = self.policies_of(hub, &snapshot);
        let expected = Expected {
            hub: &hub.hub.name,
            hosts: &self.settings().hosts,
            host,
            path: parts.uri.path(),
            needed,
        };
        let header = parts.headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        credential::verify(header, &expected, &policies, self.now())?;
        Ok(())
    }
}

impl Call {
    /// A header as text: clients send tags as UTF-8 bytes, as Latin-1, or as ASCII.
    fn header(&self, name: &HeaderName) -> Option<String> {
        let bytes = self.headers.get(name)?.as_bytes();
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().copied().map(char::from).collect(),
        };
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// An address below the hub, with the version that the client has asked for.
    fn url(&self, path: &str) -> String {
        let version = self.query.get("api-version").unwrap_or("2020-06");
        let plain = version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let version = if plain { version } else { "2020-06" };
        format!("{}/{path}?api-version={version}", self.base)
    }
}

fn host(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    header.or_else(|| parts.uri.authority().map(|it| it.as_str())).map(str::to_owned)
}

/// The query of a request: names in any case, values that may be missing.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Self(pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is there; clients write it with and without a value.
    fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.eq_ignore_ascii_case("false"))
    }
}
