//! What people at the server see and do: topics and event subscriptions with their health, dead
//! letters, putting them back, and a live tail.
//!
//! JSON over the admin listener, behind `edge::admin::for_people`. Changes need a JSON body, which a
//! web page cannot send unasked. Keys and secrets are not told.

use std::collections::HashMap;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use delivery::{Counts, DeadLetter, DeadLetters, DeliveryId, Reason};
use edge::admin::Refusal;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::calendar;
use crate::event::Event;
use crate::registry::SubscriptionEntry;
use crate::service::{EventGrid, QUEUE};
use crate::subscription::State as ValidationState;
use crate::unreadable::{Kind, Unreadable};

/// Dead letters on one page, at most.
const PAGE: usize = 1000;
const USUAL_PAGE: usize = 50;
/// The largest body of a command.
const BODY_BYTES: usize = 64 * 1024;
/// Lines on their way to one watcher.
const WATCHER_QUEUE: usize = 64;

impl EventGrid {
    /// The routes for people, `/eventgrid/…`, to be served on the admin listener only.
    pub fn operator_router(&self) -> Router {
        Router::new()
            .route("/eventgrid/topics", get(topics))
            .route("/eventgrid/subscriptions", get(subscriptions))
            .route("/eventgrid/dead-letters", get(dead_letters))
            .route("/eventgrid/dead-letters/redrive", post(redrive))
            .route("/eventgrid/tail", get(tail))
            .with_state(self.clone())
    }

    /// All event subscriptions with what waits, what died and how the last attempt ended; of one
    /// topic if its name is given.
    async fn overview(&self, topic: Option<&str>) -> Result<Vec<Value>> {
        let counts = self.deliveries().counts(QUEUE).await?;
        let counts: HashMap<&str, &Counts> =
            counts.iter().map(|it| (it.target.as_str(), it)).collect();
        let snapshot = self.snapshot();
        let of_topic = |entry: &SubscriptionEntry| {
            topic.is_none_or(|name| entry.subscription.scope.name().eq_ignore_ascii_case(name))
        };
        let (now, none) = (self.now(), Counts::default());
        let counts = |key: &str| counts.get(key).copied().unwrap_or(&none);
        let readable = snapshot.subscriptions().filter(|entry| of_topic(entry));
        let mut lines: Vec<_> = readable
            .map(|entry| (&*entry.key, self.line(entry, counts(&entry.key), now)))
            .collect();
        let unreadable = snapshot
            .all_unreadable(Kind::EventSubscription)
            .filter(|it| topic.is_none_or(|name| it.topic().eq_ignore_ascii_case(name)));
        lines.extend(unreadable.map(|it| (&*it.key, self.unreadable_line(it, counts(&it.key)))));
        lines.sort_by_key(|(key, _)| *key);
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }

    fn unreadable_line(&self, it: &Unreadable, counts: &Counts) -> Value {
        json!({
            "name": it.name(),
            "topic": it.topic(),
            "scope": it.scope(),
            "state": "Unreadable",
            "reason": it.reason,
            "expired": false,
            "queued": counts.queued,
            "inFlight": counts.leased,
            "dead": counts.dead,
            "health": self.watch().health(&it.key).to_json(),
        })
    }

    fn line(&self, entry: &SubscriptionEntry, counts: &Counts, now: Timestamp) -> Value {
        let subscription = &entry.subscription;
        let state = subscription.state.at(now);
        let reason = match &state {
            ValidationState::Creating { reason } => reason.clone(),
            ValidationState::Failed { reason } => Some(reason.clone()),
            ValidationState::AwaitingManualAction { .. } | ValidationState::Succeeded => None,
        };
        json!({
            "name": subscription.name,
            "topic": subscription.scope.name(),
            "scope": subscription.scope.as_str(),
            "destination": subscription.properties.destination.label(),
            "state": state.as_str(),
            "reason": reason,
            "expired": subscription.properties.has_expired(now),
            "queued": counts.queued,
            "inFlight": counts.leased,
            "dead": counts.dead,
            "health": self.watch().health(&entry.key).to_json(),
        })
    }

    /// Which dead letters a question is about.
    fn chosen(&self, choice: &Choice) -> Result<DeadLetters> {
        let mut chosen = DeadLetters::of_queue(QUEUE);
        if let Some(name) = &choice.subscription {
            chosen.target = Some(self.target(name, choice.topic.as_deref())?);
        }
        if let Some(reason) = &choice.reason {
            let found = Reason::from_name(reason);
            let message = "reason is attempts-exhausted, expired or refused.";
            chosen.reason = Some(found.ok_or_else(|| wrong("reason", message))?);
        }
        if let Some(id) = &choice.id {
            let id: std::result::Result<DeliveryId, _> = id.parse();
            chosen.id = Some(id.map_err(|_| wrong("id", "id is that of a dead letter."))?);
        }
        Ok(chosen)
    }

    /// The key of the one event subscription with this name; a topic tells apart several.
    fn target(&self, name: &str, topic: Option<&str>) -> Result<String> {
        let snapshot = self.snapshot();
        let readable = snapshot.subscriptions().map(|entry| {
            let subscription = &entry.subscription;
            (subscription.scope.name(), subscription.name.as_str(), &*entry.key)
        });
        let unreadable = snapshot
            .all_unreadable(Kind::EventSubscription)
            .map(|it| (it.topic(), it.name(), &*it.key));
        let mut found = readable.chain(unreadable).filter(|(its_topic, its_name, _)| {
            its_name.eq_ignore_ascii_case(name)
                && topic.is_none_or(|topic| its_topic.eq_ignore_ascii_case(topic))
        });
        match (found.next(), found.next()) {
            (Some((.., only)), None) => Ok(only.to_owned()),
            (None, _) => {
                let message = format!("There is no event subscription '{}'.", name.escape_debug());
                Err(Error::new(ErrorKind::NotFound, "NotFound", message).target("subscription"))
            }
            (Some(_), Some(_)) => {
                let message =
                    "Several topics have an event subscription of this name; name the topic.";
                Err(wrong("topic", message))
            }
        }
    }
}

/// A choice of dead letters, as a query or a body.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Choice {
    topic: Option<String>,
    subscription: Option<String>,
    reason: Option<String>,
    id: Option<String>,
    /// For a list only: how many, and from where.
    limit: Option<usize>,
    after: Option<String>,
    /// For a redrive only: everything, where nothing narrows it.
    all: bool,
}

type Answer<T> = std::result::Result<T, Refusal>;

/// `GET /eventgrid/topics`
async fn topics(State(service): State<EventGrid>) -> Json<Value> {
    let shown = service.topics(None).into_iter().map(|topic| {
        json!({
            "name": topic.id.name(),
            "id": topic.id.as_str(),
            "kind": if topic.custom().is_some() { "custom" } else { "system" },
            "endpoint": topic.custom().map(|_| service.topic_endpoint(&topic)),
            "inputSchema": topic.custom().map(|it| it.input_schema.name()),
            "source": topic.source().as_str(),
            "eventSubscriptions": service.event_subscriptions(&topic.id).len(),
        })
    });
    Json(json!({ "value": shown.collect::<Vec<_>>() }))
}

/// `GET /eventgrid/subscriptions?topic=`
async fn subscriptions(
    State(service): State<EventGrid>,
    Query(choice): Query<Choice>,
) -> Answer<Json<Value>> {
    let overview = service.overview(choice.topic.as_deref()).await?;
    Ok(Json(json!({ "value": overview })))
}

/// `GET /eventgrid/dead-letters?subscription=&topic=&reason=&id=&limit=&after=`, newest first
async fn dead_letters(
    State(service): State<EventGrid>,
    Query(choice): Query<Choice>,
) -> Answer<Json<Value>> {
    let chosen = service.chosen(&choice)?;
    let after = choice.after.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| wrong("after", "after is `next` of an earlier page."))?;
    let limit = choice.limit.unwrap_or(USUAL_PAGE).clamp(1, PAGE);
    let page = service.deliveries().dead_letters(&chosen, after, limit).await?;
    let next = page.next.map(|cursor| cursor.to_string());
    let letters: Vec<Value> = page.items.into_iter().map(letter).collect();
    Ok(Json(json!({ "value": letters, "next": next })))
}

/// `POST /eventgrid/dead-letters/redrive` with the same choice as a JSON body
async fn redrive(
    State(service): State<EventGrid>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<Value>> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        let message = "A redrive needs a body with Content-Type: application/json.";
        return Err(
            Error::new(ErrorKind::UnsupportedMediaType, "UnsupportedMediaType", message).into()
        );
    }
    let body = edge::body::read(body, BODY_BYTES).await?;
    let choice: Choice = serde_json::from_slice(&body)
        .map_err(|cause| wrong("body", &format!("The body cannot be read: {cause}.")))?;
    let narrowed = choice.subscription.is_some() || choice.reason.is_some() || choice.id.is_some();
    if !narrowed && !choice.all {
        let message = "Name a subscription, a reason or an id, or set all to true.";
        return Err(wrong("all", message).into());
    }
    let count = service.deliveries().redrive(&service.chosen(&choice)?).await?;
    Ok(Json(json!({ "redriven": count })))
}

/// `GET /eventgrid/tail`: one JSON object a line, from now on. A reader that is too slow loses lines
/// and is told how many.
async fn tail(State(service): State<EventGrid>) -> Response {
    let (sender, mut lines) = mpsc::channel(WATCHER_QUEUE);
    let mut source = service.watch().lines();
    let stop = service.tasks().token().clone();
    service.tasks().spawn("event grid tail", async move {
        let forward = async {
            loop {
                let line = match source.recv().await {
                    Ok(line) => format!("{line}\n"),
                    Err(RecvError::Lagged(count)) => {
                        format!("{}\n", json!({ "kind": "missed", "lines": count }))
                    }
                    Err(RecvError::Closed) => return,
                };
                if sender.send(Bytes::from(line)).await.is_err() {
                    return;
                }
            }
        };
        // A watcher that went away is noticed at once, not at the next line.
        tokio::select! {
            () = forward => {}
            () = sender.closed() => {}
            () = stop.cancelled() => {}
        }
    });
    edge::lines::answer(move |context| lines.poll_recv(context))
}

/// A dead letter as people see it, with its event.
fn letter(letter: DeadLetter) -> Value {
    let (scope, name) = letter.target.split_once('|').unwrap_or(("", &letter.target));
    let event = Event::restore(&Bytes::from(letter.payload)).ok();
    let original =
        event.as_ref().and_then(|it| serde_json::from_slice::<Value>(it.original()).ok());
    json!({
        "id": letter.id.to_string(),
        "eventSubscription": name,
        "scope": scope,
        "reason": letter.reason.as_str(),
        "attempts": letter.attempts,
        "lastOutcome": letter.last_outcome,
        "lastAnswer": letter.last_answer,
        "accepted": calendar::rfc3339(letter.accepted_at),
        "died": calendar::rfc3339(letter.died_at),
        "eventType": event.as_ref().map(Event::event_type),
        "event": original,
    })
}

fn wrong(target: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequest", message).target(target)
}
