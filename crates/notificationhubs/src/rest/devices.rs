//! Registrations and installations.

use axum::http::header::{CONTENT_LOCATION, ETAG, IF_MATCH};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use kernel::Result;

use super::Call;
use super::answer::{created, empty, put, with_body};
use crate::date::NEVER;
use crate::entry::{ENTRY_TYPE, FEED_TYPE, read_registration, write_entry, write_feed};
use crate::installation::{Installation, Patch};
use crate::refusal::bad_request;
use crate::registration::{IfMatch, ListFilter, Registration, RegistrationId};
use crate::service::NotificationHubs;
use crate::store::{Lifetime, MAX_PAGE};
use crate::tag::Tag;

const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuationtoken");
const JSON_TYPE: &str = "application/json; charset=utf-8";
/// The largest id of an installation, in bytes.
const MAX_INSTALLATION_ID: usize = 512;

impl NotificationHubs {
    /// `POST /registrationids`
    pub(super) fn create_registration_id(&self, call: &Call) -> Result<Response> {
        let id = RegistrationId::issue(self.store().keys().next(self.now()), 1);
        Ok(created(&call.url(&format!("registrationids/{id}"))))
    }

    /// `POST /registrations`
    pub(super) async fn create_registration(&self, call: &Call) -> Result<Response> {
        let submission = read_registration(&call.body)?;
        let lifetime = self.lifetime(call);
        let created =
            self.store().create_registration(call.hub.hub.key, submission, lifetime).await?;
        Ok(self.entry(call, &created))
    }

    /// `PUT /registrations/{id}`
    pub(super) async fn put_registration(&self, call: &Call, id: &str) -> Result<Response> {
        let id = RegistrationId::parse(id)?;
        let submission = read_registration(&call.body)?;
        let (hub, if_match, lifetime) = (call.hub.hub.key, if_match(call)?, self.lifetime(call));
        let put = self.store().put_registration(hub, &id, &submission, if_match, lifetime).await?;
        Ok(self.entry(call, &put))
    }

    /// `GET /registrations/{id}`
    pub(super) async fn get_registration(&self, call: &Call, id: &str) -> Result<Response> {
        let id = RegistrationId::parse(id)?;
        let found = self.store().registration(call.hub.hub.key, &id, self.now()).await?;
        Ok(self.entry(call, &found))
    }

    /// `DELETE /registrations/{id}`
    pub(super) async fn delete_registration(&self, call: &Call, id: &str) -> Result<Response> {
        let id = RegistrationId::parse(id)?;
        self.store().delete_registration(call.hub.hub.key, &id, if_match(call)?).await?;
        Ok(empty(StatusCode::OK))
    }

    /// `GET /registrations` and `GET /tags/{tag}/registrations`
    pub(super) async fn list_registrations(
        &self,
        call: &Call,
        tag: Option<&str>,
    ) -> Result<Response> {
        let filter = match (tag, call.query.get("$filter").map(str::trim)) {
            (Some(tag), _) => Some(ListFilter::Tag(listed_tag(tag)?)),
            (None, Some(text)) if !text.is_empty() => Some(ListFilter::parse(text)?),
            _ => None,
        };
        let top = match call.query.get("$top") {
            None => MAX_PAGE,
            Some(text) => text.trim().parse().ok().filter(|top| *top > 0).ok_or_else(|| {
                bad_request("$top is no number above 0; a page has at most 100 registrations.")
            })?,
        };
        let (hub, now) = (call.hub.hub.key, self.now());
        let continuation = call.query.get("continuationtoken").filter(|it| !it.is_empty());
        let page =
            self.store().list_registrations(hub, filter.as_ref(), top, continuation, now).await?;
        let url = call.url(&match tag {
            Some(tag) => format!("tags/{}/registrations", encoded(tag)),
            None => "registrations".to_owned(),
        });
        let url_of = |it: &Registration| call.url(&format!("registrations/{}", it.id));
        let mut response = with_body(FEED_TYPE, write_feed(&page.registrations, &url, url_of, now));
        if let Some(continuation) = &page.continuation {
            put(&mut response, CONTINUATION, continuation);
        }
        Ok(response)
    }

    fn entry(&self, call: &Call, registration: &Registration) -> Response {
        let url = call.url(&format!("registrations/{}", registration.id));
        let mut response = with_body(ENTRY_TYPE, write_entry(registration, &url, self.now()));
        put(&mut response, ETAG, &format!("W/\"{}\"", registration.etag));
        put(&mut response, CONTENT_LOCATION, &url);
        response
    }

    fn lifetime(&self, call: &Call) -> Lifetime {
        let from = self.now();
        let until = call.hub.hub.registration_ttl.map(|ttl| {
            kernel::Timestamp::from_micros(from.as_micros().saturating_add(ttl)).min(NEVER)
        });
        Lifetime { from, until: until.unwrap_or(NEVER) }
    }

    /// `PUT /installations/{id}`
    pub(super) async fn put_installation(&self, call: &Call, id: &str) -> Result<Response> {
        check_installation_id(id)?;
        let mut installation = Installation::parse(&call.body, id)?;
        installation.expires_at = installation.expires_at.min(self.lifetime(call).until);
        self.store().put_installation(call.hub.hub.key, &installation, self.now()).await?;
        Ok(self.installation_written(call, id))
    }

    /// `GET /installations/{id}`
    pub(super) async fn get_installation(&self, call: &Call, id: &str) -> Result<Response> {
        let found = self.store().installation(call.hub.hub.key, id, self.now()).await?;
        Ok(with_body(JSON_TYPE, found.to_json()))
    }

    /// `PATCH /installations/{id}`
    pub(super) async fn patch_installation(&self, call: &Call, id: &str) -> Result<Response> {
        let patch = Patch::parse(&call.body)?;
        self.store().patch_installation(call.hub.hub.key, id, &patch, self.now()).await?;
        Ok(self.installation_written(call, id))
    }

    /// `DELETE /installations/{id}`; one that is not there is as good as deleted.
    pub(super) async fn delete_installation(&self, call: &Call, id: &str) -> Result<Response> {
        self.store().delete_installation(call.hub.hub.key, id).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    fn installation_written(&self, call: &Call, id: &str) -> Response {
        let mut response = empty(StatusCode::OK);
        let url = call.url(&format!("installations/{}", encoded(id)));
        put(&mut response, CONTENT_LOCATION, &url);
        response
    }
}

fn if_match(call: &Call) -> Result<Option<IfMatch>> {
    let header = call.header(&IF_MATCH);
    header.as_deref().map(IfMatch::parse).transpose()
}

/// A tag to list by may be one of the service, too.
fn listed_tag(tag: &str) -> Result<Tag> {
    let system = |start: &str, make: fn(&str) -> Tag| {
        let head = tag.get(..start.len())?;
        let id = tag.get(start.len()..)?.strip_suffix('}')?;
        head.eq_ignore_ascii_case(start).then(|| make(id))
    };
    let known = system("$InstallationId:{", Tag::installation).or(system("$UserId:{", Tag::user));
    known.map_or_else(|| Tag::parse(tag), Ok)
}

fn check_installation_id(id: &str) -> Result<()> {
    if id.len() <= MAX_INSTALLATION_ID && !id.chars().any(char::is_control) {
        return Ok(());
    }
    Err(bad_request(format!(
        "The installation id has more than {MAX_INSTALLATION_ID} bytes, or a control character."
    )))
}

fn encoded(segment: &str) -> String {
    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC).to_string()
}
