//! `GET …/groups/{group}/connections`: a group's connections, page by page, in the order of their
//! ids.

use axum::Json;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use edge::Scheme;
use gateway::{Audience, ConnectionId, Page};
use kernel::Result;
use serde_json::{Value, json};

use super::call::bad_request;
use super::{Call, Failure};
use crate::service::WebPubSub;

/// The largest page and the one that is given unless asked otherwise.
const MAX_PAGE: u32 = 200;

/// `GET /api/hubs/{hub}/groups/{group}/connections`
pub(super) async fn connections(
    State(service): State<WebPubSub>,
    call: Call,
    parts: Parts,
) -> std::result::Result<Response, Failure> {
    let wanted = Wanted::of(&call)?;
    let audience = Audience::Group(call.group()?.into());
    // One more than is shown tells whether there is another page.
    let shown = wanted.shown() as usize;
    let page = Page { after: wanted.after, limit: shown + 1 };
    let mut found = service.backplane().list(call.hub, audience, page).await;
    let more = found.len() > shown;
    found.truncate(shown);
    let value: Vec<Value> = found
        .iter()
        .map(|listed| match &listed.user {
            Some(user) => json!({ "connectionId": listed.id.as_str(), "userId": &**user }),
            None => json!({ "connectionId": listed.id.as_str() }),
        })
        .collect();
    let mut answer = json!({ "value": value });
    if let Some(next) = wanted.next(found.last().map(|last| last.id).filter(|_| more)) {
        answer["nextLink"] = next_link(&parts, &call, &next).into();
    }
    Ok(Json(answer).into_response())
}

/// What a listing was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    page: u32,
    /// How many in all, over all pages.
    top: Option<u32>,
    after: Option<ConnectionId>,
}

impl Wanted {
    fn of(call: &Call) -> Result<Self> {
        let number = |name: &'static str, max: u32| match call.query.one(name).map(str::parse) {
            None => Ok(None),
            Some(Ok(number)) if (1..=max).contains(&number) => Ok(Some(number)),
            Some(_) => Err(bad_request(format!("Invalid {name}. It is 1 to {max}.")).target(name)),
        };
        let after = match call.query.one("continuationToken") {
            None => None,
            Some(token) => Some(ConnectionId::parse(token).ok_or_else(|| {
                bad_request(
                    "Invalid continuationToken. Follow the nextLink of the page before as it is.",
                )
                .target("continuationToken")
            })?),
        };
        let page = number("maxpagesize", MAX_PAGE)?.unwrap_or(MAX_PAGE);
        Ok(Self { page, top: number("top", i32::MAX as u32)?, after })
    }

    /// How many this page shows.
    fn shown(self) -> u32 {
        self.top.map_or(self.page, |top| top.min(self.page))
    }

    /// What the next page is asked for; `None` when this is the last.
    fn next(self, last: Option<ConnectionId>) -> Option<Self> {
        let top = self.top.map(|top| top - self.shown());
        last.filter(|_| top != Some(0)).map(|last| Self { after: Some(last), top, ..self })
    }
}

/// An absolute address, since SDKs follow it as it is; built from the address of this request.
fn next_link(parts: &Parts, call: &Call, next: &Wanted) -> String {
    let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
    let authority =
        host.or_else(|| parts.uri.authority().map(|it| it.as_str())).unwrap_or_default();
    let scheme = parts.extensions.get::<Scheme>().map_or("http", |scheme| scheme.as_str());
    // Behind a proxy that ends TLS this hop is plain, but the public endpoint is not.
    let public = call.resource.endpoints.iter().find(|it| it.authority() == authority);
    let scheme = public.map_or(scheme, |it| it.scheme().as_str());
    let base = public.map_or("", |it| it.base());
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(version) = call.query.one("api-version") {
        query.append_pair("api-version", version);
    }
    query.append_pair("maxpagesize", &next.page.to_string());
    if let Some(top) = next.top {
        query.append_pair("top", &top.to_string());
    }
    if let Some(after) = &next.after {
        query.append_pair("continuationToken", after.as_str());
    }
    format!("{scheme}://{authority}{base}{}?{}", parts.uri.path(), query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_shrinks_page_by_page() {
        let id = ConnectionId::parse(&"A".repeat(24)).unwrap();
        let first = Wanted { page: 2, top: Some(3), after: None };
        assert_eq!(first.shown(), 2);
        let second = first.next(Some(id)).unwrap();
        assert_eq!(second, Wanted { page: 2, top: Some(1), after: Some(id) });
        assert_eq!(second.shown(), 1);
        assert_eq!(second.next(Some(id)), None);
        let all = Wanted { page: 2, top: None, after: None };
        assert_eq!(all.next(None), None, "nothing is left");
    }
}
