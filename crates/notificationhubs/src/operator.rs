//! What people at the server see: hubs with the state of their credentials, devices, notifications
//! with their outcomes, and where a push may have been dropped.
//!
//! JSON over the admin listener, behind `edge::admin::for_people`. A send needs a JSON body, which a
//! web page cannot send unasked. No key is told, and of a handle only as much as stands in the log.

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use edge::admin::Refusal;
use kernel::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::date;
use crate::metrics::{Kind, METRICS, Metric, Refused};
use crate::push::handle_prefix;
use crate::refusal::not_found;
use crate::registration::{ListFilter, Registration};
use crate::registry::HubEntry;
use crate::route::{Route, Standing};
use crate::send::{Format, QUEUE, Send, To};
use crate::service::NotificationHubs;
use crate::tag::Tag;

/// Rows of one answer.
const MOST: usize = 100;

/// Which hub, and how much of it.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    hub: Option<String>,
    namespace: Option<String>,
    tag: Option<String>,
    id: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

type Answer = std::result::Result<Json<Value>, Refusal>;

impl NotificationHubs {
    /// The routes for people, `/push/…`, to be served on the admin listener only.
    pub fn operator_router(&self) -> Router {
        Router::new()
            .route("/push/hubs", get(hubs))
            .route("/push/devices", get(devices))
            .route("/push/notifications", get(notifications))
            .route("/push/metrics", get(metrics))
            .route("/push/send", post(send))
            .with_state(self.clone())
    }

    async fn hub_overview(&self, entry: &HubEntry) -> Result<Value> {
        let prefix = format!("{}/", entry.hub.key.0);
        let counts = self.deliveries().counts(QUEUE).await?;
        let of_hub = counts.iter().filter(|it| it.target.starts_with(&prefix));
        let (waiting, sending) =
            of_hub.fold((0, 0), |(queued, leased), it| (queued + it.queued, leased + it.leased));
        let (accepted, refused, last_refused) = entry.counters.sends();
        let kinds = self.store().count_kinds(entry.hub.key).await?;
        let devices: i64 = kinds.iter().map(|(_, _, count)| count).sum();
        let mut platforms: Vec<Value> = entry.routes().map(|route| platform(route)).collect();
        platforms.sort_by_key(|it| it["platform"].to_string());
        Ok(json!({
            "namespace": entry.hub.namespace,
            "hub": entry.hub.name,
            "devices": devices,
            "kinds": kinds.iter().map(|(platform, is_template, count)| json!({
                "platform": platform.format(), "isTemplate": is_template, "devices": count,
                "hasSender": platform.has_sender(),
            })).collect::<Vec<_>>(),
            "policies": entry.policies.iter().map(|it| json!({
                "name": it.name, "rights": it.rights.to_list(),
            })).collect::<Vec<_>>(),
            "sends": {
                "waiting": waiting, "underWay": sending, "accepted": accepted,
                "refused": refused, "lastRefused": last_refused.map(told),
            },
            "lastRefusedDevice": entry.counters.refused_device().map(told),
            "lastUnknownHub": self.unknown_hubs().get().map(told),
            "platforms": platforms,
        }))
    }

    fn wanted_hub(&self, wanted: &Wanted) -> Result<std::sync::Arc<HubEntry>> {
        let snapshot = self.snapshot();
        let namespace = wanted.namespace.as_deref();
        let namespace = namespace.unwrap_or(&self.settings().default_namespace);
        let hub = match &wanted.hub {
            Some(name) => snapshot.hub(namespace, name).cloned(),
            None => snapshot.hubs().first().map(|it| std::sync::Arc::clone(it)),
        };
        hub.ok_or_else(|| {
            let names: Vec<_> = snapshot.hubs().iter().map(|it| it.hub.name.clone()).collect();
            not_found(format!(
                "There is no such notification hub; there are: {}.",
                names.join(", ")
            ))
        })
    }

    async fn notification_line(&self, entry: &HubEntry, id: &str) -> Result<Value> {
        let details = self.store().notification(entry.hub.key, id).await?;
        let counts = details.counts.iter().flat_map(|(platform, counts)| {
            counts.iter().map(|(name, count)| {
                json!({ "platform": platform.format(), "outcome": name, "devices": count })
            })
        });
        Ok(json!({
            "id": details.id,
            "state": details.state.as_str(),
            "enqueued": date::with_millis(details.enqueued_at),
            "ended": details.ended_at.map(date::with_millis),
            "tags": details.tags,
            "format": details.target_platforms,
            "outcomes": counts.collect::<Vec<_>>(),
        }))
    }
}

fn told(refused: Refused) -> Value {
    let Refused { at, status, message } = refused;
    json!({ "at": date::with_millis(at), "status": status, "message": message })
}

fn platform(route: &Route) -> Value {
    let Standing { unusable, paused, holds_bad_handles, last_problem, last_success } =
        route.standing();
    json!({
        "platform": route.platform.format(),
        "unusable": unusable,
        "credentialRefused": paused,
        "keepsDeadDevices": holds_bad_handles,
        "lastSuccess": last_success.map(date::with_millis),
        "lastProblem": last_problem.map(|it| json!({
            "at": date::with_millis(it.at),
            "outcome": it.outcome.as_str(),
            "reason": it.reason,
            "explanation": it.explanation,
        })),
    })
}

/// A send of a person.
#[derive(Debug, Deserialize)]
struct NewPush {
    hub: Option<String>,
    namespace: Option<String>,
    format: String,
    tags: Option<String>,
    payload: String,
}

async fn send(State(service): State<NotificationHubs>, Json(push): Json<NewPush>) -> Answer {
    let NewPush { hub, namespace, format, tags, payload } = push;
    let entry = service.wanted_hub(&Wanted { hub, namespace, ..Wanted::default() })?;
    let send = Send {
        format: Format::parse(Some(&format))?,
        to: To::Audience(tags),
        headers: HeaderMap::new(),
        body: payload.into(),
        scheduled: None,
        request_id: None,
    };
    let id = service.accept(&entry, send).await?;
    Ok(Json(json!({ "id": id })))
}

async fn hubs(State(service): State<NotificationHubs>) -> Answer {
    let snapshot = service.snapshot();
    let mut lines = Vec::new();
    for entry in snapshot.hubs() {
        lines.push(service.hub_overview(entry).await?);
    }
    Ok(Json(Value::Array(lines)))
}

async fn devices(State(service): State<NotificationHubs>, Query(wanted): Query<Wanted>) -> Answer {
    let entry = service.wanted_hub(&wanted)?;
    let filter = wanted.tag.as_deref().map(Tag::parse_any).transpose()?.map(ListFilter::Tag);
    let top = wanted.limit.unwrap_or(MOST).clamp(1, MOST);
    let (store, hub) = (service.store(), entry.hub.key);
    let after = wanted.after.as_deref();
    let page = store.list_registrations(hub, filter.as_ref(), top, after, service.now()).await?;
    let line = |it: &Registration| {
        let description = &it.description;
        json!({
            "id": it.id.as_str(),
            "platform": description.handle.platform().format(),
            "handle": handle_prefix(description.handle.address()),
            "tags": description.tags.to_list(),
            "template": description.template.as_ref().and_then(|it| it.name.clone()),
            "isTemplate": description.template.is_some(),
            "installation": it.installation,
        })
    };
    let devices: Vec<Value> = page.registrations.iter().map(line).collect();
    Ok(Json(json!({ "devices": devices, "next": page.continuation })))
}

async fn notifications(
    State(service): State<NotificationHubs>,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let entry = service.wanted_hub(&wanted)?;
    let limit = wanted.limit.unwrap_or(20).clamp(1, MOST);
    let ids: Vec<String> = match wanted.id {
        Some(id) => vec![id],
        None => {
            let latest = service.store().latest_notifications(entry.hub.key, limit).await?;
            latest.into_iter().map(|it| it.id).collect()
        }
    };
    let mut lines = Vec::new();
    for id in ids {
        lines.push(service.notification_line(&entry, &id).await?);
    }
    Ok(Json(Value::Array(lines)))
}

async fn metrics(State(service): State<NotificationHubs>, Query(wanted): Query<Wanted>) -> Answer {
    let entry = service.wanted_hub(&wanted)?;
    service.count_scheduled().await?;
    let line = |metric: &Metric| {
        json!({
            "name": metric.name,
            "kind": match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            },
            "help": metric.help,
            "value": entry.counters.value(metric),
        })
    };
    Ok(Json(METRICS.iter().map(line).collect()))
}
