//! Event subscriptions and event handlers.

use std::collections::BTreeMap;
use std::time::Duration;

use ::monitor::playbook::{Dead, Found, Handler, Question, Repeated, Subscription};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::ResourceId;

use super::Installation;
use super::operators::{encoded, moment, number, text};

/// Webhooks that are asked for their consent once more.
const MOST_ASKED: usize = 16;
/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(4);

impl Installation {
    /// All event subscriptions, or those of the name that was asked about. A webhook that gets nothing,
    /// or was asked about, is asked for its consent once more.
    pub(super) async fn event_subscriptions(
        &self,
        question: &Question,
    ) -> Found<Vec<Subscription>> {
        let listed = self.operators.get("/eventgrid/subscriptions").await?;
        let wanted = question.subscription.as_deref();
        let mut all = Vec::new();
        let mut asked = JoinSet::new();
        for shown in listed["value"].as_array().into_iter().flatten() {
            let mut it = subscription(shown);
            if wanted.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&it.name)) {
                continue;
            }
            if it.dead > 0 {
                it.dead_letters = self.dead_letters(&it).await?;
            }
            let is_well = it.state == "Succeeded"
                && it.probation_until.is_none()
                && it.last_outcome.as_deref().is_none_or(|outcome| outcome == "Delivered");
            let scope = ResourceId::parse(shown["scope"].as_str().unwrap_or_default());
            if let Ok(scope) = scope
                && (wanted.is_some() || !is_well)
                && asked.len() < MOST_ASKED
            {
                let (service, name, at) = (self.event_grid.clone(), it.name.clone(), all.len());
                asked.spawn(async move { (at, repeated(&service, &scope, &name).await) });
            }
            all.push(it);
        }
        while let Some(answered) = asked.join_next().await {
            if let Ok((at, repeated)) = answered {
                all[at].repeated = repeated;
            }
        }
        Ok(all)
    }

    async fn dead_letters(&self, it: &Subscription) -> Found<Vec<Dead>> {
        let (name, topic) = (encoded(&it.name), encoded(&it.topic));
        let path = format!("/eventgrid/dead-letters?subscription={name}&topic={topic}&limit=100");
        let letters = self.operators.get(&path).await?;
        let mut dead: BTreeMap<(String, String), Dead> = BTreeMap::new();
        for letter in letters["value"].as_array().into_iter().flatten() {
            let (reason, outcome) = (text(&letter["reason"]), text(&letter["lastOutcome"]));
            let it = dead.entry((reason.clone(), outcome.clone())).or_insert_with(|| {
                let answer = text(&letter["lastAnswer"]);
                Dead { reason, outcome, answer, ..Dead::default() }
            });
            it.count += 1;
            it.last = it.last.max(moment(&letter["died"]).unwrap_or_default());
        }
        Ok(dead.into_values().collect())
    }

    /// Event handlers whose last event failed.
    pub(super) fn failing_handlers(&self) -> Vec<Handler> {
        let failing = self.web_pubsub.failing_handlers().into_iter().map(|it| Handler {
            hub: it.hub,
            // Queries of such URLs hold secrets.
            url: it.url.split('?').next().unwrap_or_default().to_owned(),
            event: it.event,
            reason: it.reason,
            at: it.at,
            count: it.count,
        });
        failing.collect()
    }
}

async fn repeated(
    service: &eventgrid::EventGrid,
    scope: &ResourceId,
    name: &str,
) -> Option<Repeated> {
    let begun = Instant::now();
    let asking = tokio::time::timeout(PATIENCE, service.try_validation(scope, name)).await;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (consents, said) = match asking {
        Ok(Ok(answer)) => answer?,
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => (false, format!("no answer within {} seconds", PATIENCE.as_secs())),
    };
    Some(Repeated { consents, said, millis })
}

fn subscription(shown: &Value) -> Subscription {
    let health = &shown["health"];
    let optional = |value: &Value| value.as_str().map(str::to_owned);
    let last_filtered = moment(&health["lastFiltered"]["at"])
        .map(|at| (text(&health["lastFiltered"]["event"]), at));
    Subscription {
        name: text(&shown["name"]),
        topic: text(&shown["topic"]),
        destination: text(&shown["destination"]),
        state: text(&shown["state"]),
        reason: optional(&shown["reason"]),
        is_expired: shown["expired"].as_bool().unwrap_or_default(),
        queued: number(&shown["queued"]),
        in_flight: number(&shown["inFlight"]),
        delivered: number(&health["delivered"]),
        last_outcome: optional(&health["lastOutcome"]),
        last_attempt: moment(&health["lastAttempt"]),
        probation_until: moment(&health["probationUntil"]),
        filtered: number(&health["filtered"]),
        last_filtered,
        dead: number(&shown["dead"]),
        dead_letters: Vec::new(),
        repeated: None,
    }
}
