//! Journeys for people at the server: JSON over the admin listener, behind `edge::admin::for_people`.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{Path, Query as UrlQuery, State};
use axum::routing::get;
use axum::{Json, Router};
use edge::admin::Refusal;
use kernel::{Error, ErrorKind, Result, Timestamp};
use serde_json::{Value, json};

use super::keeper::Journeys;
use super::model::{Query, Summary, Verdict};

/// Journeys in one answer.
const USUAL_PAGE: usize = 50;
const PAGE: usize = 1_000;

impl Journeys {
    /// `/journeys` and `/journeys/{id}`, to be served on the admin listener only.
    pub fn operator_router(&self) -> Router {
        Router::new()
            .route("/journeys", get(list))
            .route("/journeys/{subject}", get(one))
            .with_state(self.clone())
    }

    fn query(&self, given: &HashMap<String, String>) -> Result<Query> {
        let limit = given.get("limit").map_or(Ok(USUAL_PAGE), |text| {
            let known = text.parse().ok().filter(|limit| (1..=PAGE).contains(limit));
            known.ok_or_else(|| wrong("limit", "limit is a number from 1 to 1000."))
        })?;
        let verdict = given.get("outcome").map(|name| {
            let message = "outcome is done, waiting or failed.";
            Verdict::from_name(name).ok_or_else(|| wrong("outcome", message))
        });
        let since = given.get("since").map(|text| {
            let message = "since is a time such as 2030-01-31T12:00:00Z, or an age such as 15m.";
            moment(text, self.now()).ok_or_else(|| wrong("since", message))
        });
        Ok(Query {
            subject: given.get("subject").filter(|it| !it.is_empty()).cloned(),
            since: since.transpose()?,
            verdict: verdict.transpose()?,
            limit,
        })
    }
}

type Answer = std::result::Result<Json<Value>, Refusal>;

/// `GET /journeys`
async fn list(
    State(journeys): State<Journeys>,
    UrlQuery(given): UrlQuery<HashMap<String, String>>,
) -> Answer {
    let found = journeys.list(&journeys.query(&given)?).await?;
    let missed = journeys.missed();
    Ok(Json(json!({
        "journeys": found.iter().map(Summary::to_json).collect::<Vec<_>>(),
        "missed": { "journeys": missed.journeys, "milestones": missed.milestones },
    })))
}

/// `GET /journeys/{id or subject}`
async fn one(State(journeys): State<Journeys>, Path(subject): Path<String>) -> Answer {
    let found = journeys.find(&subject).await?;
    let found = found.ok_or_else(|| {
        let message = format!(
            "Nothing is recorded under '{subject}'. A journey is found by its trace id, the \
             x-ms-request-id or x-ms-client-request-id of its request, or the id of a message, \
             event, notification or call in it; and only as long as it is kept."
        );
        Error::new(ErrorKind::NotFound, "NotFound", message)
    })?;
    Ok(Json(found.to_json()))
}

/// A moment, or how long ago it was.
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_micros(moment.as_microsecond()));
    }
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text[..text.len() - 1].parse().ok()?;
    Some(now - Duration::from_secs(count.checked_mul(seconds)?))
}

fn wrong(target: &'static str, message: &str) -> Error {
    Error::new(ErrorKind::Invalid, "InvalidRequest", message).target(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_an_age() {
        let now = Timestamp::from_secs(1_000_000);
        assert_eq!(moment("1970-01-01T00:00:05Z", now), Some(Timestamp::from_secs(5)));
        assert_eq!(moment("15m", now), Some(Timestamp::from_secs(999_100)));
        assert_eq!(moment("1d", now), Some(Timestamp::from_secs(913_600)));
        for text in ["", "m", "15", "15x", "-1m", "1ü", "99999999999999999999d"] {
            assert_eq!(moment(text, now), None, "{text}");
        }
    }
}
