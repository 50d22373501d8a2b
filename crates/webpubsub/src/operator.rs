//! What people at the server see: hubs with their settings, and who is connected to them.
//!
//! JSON over the admin listener, behind `edge::admin::for_people`. No key and no payload is told.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use edge::admin::Refusal;
use gateway::{Audience, ConnectionId, Page};
use kernel::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::hub::HubSettings;
use crate::live_trace::live_trace;
use crate::name::HubName;
use crate::resource::Resource;
use crate::service::WebPubSub;

/// Connections of one answer.
const MOST: usize = 200;

/// Which hub, and which of its connections.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    resource: Option<String>,
    hub: Option<String>,
    group: Option<String>,
    user: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

type Answer = std::result::Result<Json<Value>, Refusal>;

impl WebPubSub {
    /// The routes for people, `/webpubsub/…`, to be served on the admin listener only.
    pub fn operator_router(&self) -> Router {
        Router::new()
            .route("/webpubsub/hubs", get(hubs))
            .route("/webpubsub/connections", get(connections))
            .route("/webpubsub/live-trace", get(live_trace))
            .with_state(self.clone())
    }

    /// The hubs of a resource: those of the configuration, and those that somebody has named since
    /// the start.
    fn hubs_of(&self, resource: &Resource) -> BTreeMap<String, HubName> {
        let configured = resource.hubs.keys().cloned();
        let used = self.used_hubs(resource);
        configured.chain(used).map(|name| (name.as_str().to_owned(), name)).collect()
    }

    async fn hub_line(&self, resource: &Resource, name: &HubName) -> Value {
        let HubSettings { anonymous, keep_alive_secs, event_handlers } = resource.hub(name);
        let hub = self.hub(resource, name);
        json!({
            "resource": resource.name,
            "hub": name.as_str(),
            "configured": resource.hubs.contains_key(name),
            "anonymous": anonymous,
            "keepAliveSeconds": keep_alive_secs,
            "eventHandlers": event_handlers.len(),
            "connections": self.backplane().count(hub.id, Audience::Everyone).await,
        })
    }

    pub(crate) fn wanted_resource(&self, name: Option<&str>) -> Result<&Arc<Resource>> {
        let mut all = self.resources().iter();
        let found = match name {
            Some(name) => all.find(|it| it.name == name),
            None => all.next(),
        };
        found.ok_or_else(|| {
            let names: Vec<_> = self.resources().iter().map(|it| it.name.as_str()).collect();
            let message =
                format!("There is no such Web PubSub resource; there are: {}.", names.join(", "));
            Error::new(ErrorKind::NotFound, "NotFound", message).target("resource")
        })
    }
}

/// `GET /webpubsub/hubs?resource=`
async fn hubs(State(service): State<WebPubSub>, Query(wanted): Query<Wanted>) -> Answer {
    let chosen = match &wanted.resource {
        Some(name) => vec![Arc::clone(service.wanted_resource(Some(name))?)],
        None => service.resources().to_vec(),
    };
    let mut lines = Vec::new();
    for resource in &chosen {
        for name in service.hubs_of(resource).values() {
            lines.push(service.hub_line(resource, name).await);
        }
    }
    Ok(Json(json!({ "value": lines })))
}

/// `GET /webpubsub/connections?resource=&hub=&group=&user=&after=&limit=`, in the order of their ids
async fn connections(State(service): State<WebPubSub>, Query(wanted): Query<Wanted>) -> Answer {
    let resource = service.wanted_resource(wanted.resource.as_deref())?;
    let name = HubName::parse(wanted.hub.as_deref().unwrap_or_default())?;
    if !service.hubs_of(resource).contains_key(name.as_str()) {
        // To look at a hub does not bring it into being.
        return Ok(Json(json!({ "value": [], "total": 0, "next": null })));
    }
    let hub = service.hub(resource, &name);
    let audience = match (&wanted.group, &wanted.user) {
        (Some(group), _) => Audience::Group(group.as_str().into()),
        (None, Some(user)) => Audience::User(user.as_str().into()),
        (None, None) => Audience::Everyone,
    };
    let after = wanted.after.as_deref().map(|text| {
        ConnectionId::parse(text).ok_or_else(|| {
            let message = "after is `next` of an earlier page.";
            Error::new(ErrorKind::Invalid, "InvalidRequest", message).target("after")
        })
    });
    let limit = wanted.limit.unwrap_or(MOST).clamp(1, MOST);
    // One more than is shown tells whether there is another page.
    let page = Page { after: after.transpose()?, limit: limit + 1 };
    let total = service.backplane().count(hub.id, audience.clone()).await;
    let mut found = service.backplane().list(hub.id, audience, page).await;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|it| it.id.as_str().to_owned());
    let lines: Vec<Value> = found
        .iter()
        .map(|it| json!({ "id": it.id.as_str(), "user": it.user.as_deref(), "groups": it.groups }))
        .collect();
    Ok(Json(json!({ "value": lines, "total": total, "next": next })))
}
