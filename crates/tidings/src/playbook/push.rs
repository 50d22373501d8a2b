//! Pushes: the linked hub, the hubs of this server, what was given up.

use std::collections::BTreeMap;

use ::communication::link::{ApnsMode, Stage};
use ::communication::push::QUEUE;
use ::communication::standing;
use ::monitor::playbook::{
    Dead, Fault, Found, Hub, HubCheck, Link, LinkedHub, Problem, Question, Route,
};
use ::notificationhubs::Trial;
use delivery::DeadLetters;
use kernel::Timestamp;
use serde_json::Value;

use crate::phones::apns_mode;

use super::operators::{encoded, moment, number, text};
use super::{Installation, unknown};

/// Notifications and dead letters that are looked at.
const LATEST: usize = 100;

impl Installation {
    /// The link of the Communication resource; asks its hub.
    pub(super) async fn linked(&self) -> Found<Link> {
        let (links, resource) = (&self.phones.links, self.communication.name());
        let status = links.status(resource).await.map_err(|error| unknown(&error))?;
        let phones = standing::devices(&self.db, self.clock.now()).await;
        let phones = phones.map_err(|error| unknown(&error))?;
        let counted = links.counters().into_iter();
        let refused = counted
            .filter(|(_, stage, count)| *stage == Stage::Link && *count > 0)
            .map(|(code, _, count)| (code.to_owned(), count));
        let refused = refused.collect();
        let Some(status) = status else { return Ok(Link { hub: None, refused, phones }) };
        let fault = |it: &::communication::link::Fault| Fault {
            code: it.kind.code().to_owned(),
            detail: it.detail.clone(),
            platform: it.platform.map(|it| it.format().to_owned()),
        };
        let check = match links.check(resource).await {
            Ok(Some(faults)) => HubCheck::Asked(faults.iter().map(fault).collect()),
            Ok(None) => HubCheck::NotAsked("it was unlinked meanwhile".to_owned()),
            Err(error) => HubCheck::NotAsked(error.to_string()),
        };
        let hub = LinkedHub {
            id: status.hub_id.as_str().to_owned(),
            linked_at: status.linked_at,
            last_fault: status.fault.as_ref().map(|(it, at)| (fault(it), *at)),
            check,
        };
        Ok(Link { hub: Some(hub), refused, phones })
    }

    /// The hubs of this server, or the one that was asked about; shows their credentials.
    pub(super) async fn own_hubs(&self, question: &Question) -> Found<Vec<Hub>> {
        let listed = self.operators.get("/push/hubs").await?;
        let is_meant = |name: &str| {
            question.hub.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let since = self.clock.now() - question.since;
        let mut hubs = Vec::new();
        for it in listed.as_array().into_iter().flatten() {
            let (namespace, name) = (text(&it["namespace"]), text(&it["hub"]));
            if is_meant(&name) {
                hubs.push(self.own_hub(it, namespace, name, since).await?);
            }
        }
        Ok(hubs)
    }

    async fn own_hub(
        &self,
        shown: &Value,
        namespace: String,
        name: String,
        since: Timestamp,
    ) -> Found<Hub> {
        let which = format!("namespace={}&hub={}", encoded(&namespace), encoded(&name));
        let devices = self.operators.get(&format!("/push/devices?{which}&limit={LATEST}")).await?;
        let latest = format!("/push/notifications?{which}&limit={LATEST}");
        let latest = self.operators.get(&latest).await?;
        let trials = self.notification_hubs.try_credentials(&namespace, &name).await;
        let trials = trials.map_err(|error| unknown(&error))?;
        let credentials = self.notification_hubs.credentials(&namespace, &name);
        let credentials = credentials.map_err(|error| unknown(&error))?;
        let asked = Asked {
            trials: &trials,
            has_certificate: apns_mode(&credentials) == Some(ApnsMode::Certificate),
            now: self.clock.now(),
        };
        let routes = shown["platforms"].as_array().into_iter().flatten();
        Ok(Hub {
            namespace,
            name,
            devices: by_platform(&devices["devices"]),
            routes: routes.map(|it| route(it, &asked)).collect(),
            outcomes: outcomes(&latest, since),
        })
    }

    /// Pushes of chat that were given up in the window.
    pub(super) async fn given_up(&self, question: &Question) -> Found<Vec<Dead>> {
        let queue = DeadLetters::of_queue(QUEUE);
        let page = self.phones.deliveries().dead_letters(&queue, None, LATEST).await;
        let page = page.map_err(|error| unknown(&error.into()))?;
        let since = self.clock.now() - question.since;
        let mut dead: BTreeMap<String, Dead> = BTreeMap::new();
        for letter in page.items.into_iter().filter(|it| it.died_at >= since) {
            let outcome = letter.last_outcome.unwrap_or_default();
            let it = dead.entry(outcome.clone()).or_insert_with(|| Dead {
                reason: letter.reason.as_str().to_owned(),
                outcome,
                answer: letter.last_answer.unwrap_or_default(),
                ..Dead::default()
            });
            it.count += 1;
            it.last = it.last.max(letter.died_at);
        }
        Ok(dead.into_values().collect())
    }
}

fn by_platform(devices: &Value) -> BTreeMap<String, u64> {
    let mut platforms = BTreeMap::new();
    for device in devices.as_array().into_iter().flatten() {
        *platforms.entry(text(&device["platform"])).or_default() += 1;
    }
    platforms
}

/// What is known of a hub beside what the service tells people.
struct Asked<'a> {
    trials: &'a [Trial],
    /// Whether its credential for APNs is a certificate.
    has_certificate: bool,
    now: Timestamp,
}

fn route(shown: &Value, asked: &Asked<'_>) -> Route {
    let platform = text(&shown["platform"]);
    let tried = asked.trials.iter().find(|it| it.platform.format() == platform).map(|it| Problem {
        at: asked.now,
        outcome: it.outcome.name.as_str().to_owned(),
        reason: it.outcome.reason.to_string(),
        explanation: it.outcome.explanation.to_string(),
    });
    let problem = &shown["lastProblem"];
    let last_problem = moment(&problem["at"]).map(|at| Problem {
        at,
        outcome: text(&problem["outcome"]),
        reason: text(&problem["reason"]),
        explanation: text(&problem["explanation"]),
    });
    Route {
        is_certificate: asked.has_certificate && platform == "apple",
        platform,
        unusable: shown["unusable"].as_str().map(str::to_owned),
        is_refused: shown["credentialRefused"].as_bool().unwrap_or_default(),
        keeps_dead: shown["keepsDeadDevices"].as_bool().unwrap_or_default(),
        last_problem,
        last_success: moment(&shown["lastSuccess"]),
        tried,
    }
}

/// Outcomes of the notifications since a moment: platform, outcome, devices.
fn outcomes(latest: &Value, since: Timestamp) -> Vec<(String, String, u64)> {
    let mut all: BTreeMap<(String, String), u64> = BTreeMap::new();
    for notification in latest.as_array().into_iter().flatten() {
        if moment(&notification["enqueued"]).is_none_or(|at| at < since) {
            continue;
        }
        for it in notification["outcomes"].as_array().into_iter().flatten() {
            let key = (text(&it["platform"]), text(&it["outcome"]));
            *all.entry(key).or_default() += number(&it["devices"]);
        }
    }
    all.into_iter().map(|((platform, outcome), count)| (platform, outcome, count)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outcomes_of_the_window_are_added_up() {
        let of = |at: &str, outcome: &str| {
            json!({ "enqueued": at, "outcomes": [
                { "platform": "apple", "outcome": outcome, "devices": 2 },
            ] })
        };
        let latest = json!([
            of("2026-01-02T03:04:05.000Z", "Success"),
            of("2026-01-02T03:04:06.000Z", "Success"),
            of("2026-01-02T03:04:07.000Z", "BadChannel"),
            of("2026-01-01T00:00:00.000Z", "Throttled"),
        ]);
        let since = Timestamp::from_secs(1_767_323_045);
        let expected = [("apple", "BadChannel", 2), ("apple", "Success", 4)];
        let expected = expected.map(|(a, b, count)| (a.to_owned(), b.to_owned(), count));
        assert_eq!(outcomes(&latest, since), expected);
    }
}
