//! A journey as it is read.

use std::time::Duration;

use kernel::{Timestamp, TraceId};
use serde_json::{Value, json};

/// How a journey stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that it caused is done.
    Done,
    /// Something of it waits for another attempt.
    Waiting,
    /// Something of it failed for good.
    Failed,
}

impl Verdict {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }

    /// From [`Verdict::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Done, Self::Waiting, Self::Failed].into_iter().find(|it| it.as_str() == name)
    }
}

/// A journey in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: TraceId,
    /// Who recorded the first stage that says what it is.
    pub service: String,
    /// What that stage told.
    pub what: String,
    /// When it began.
    pub started: Timestamp,
    /// When its last stage was.
    pub ended: Timestamp,
    /// How many stages were recorded.
    pub stages: u64,
    /// How it stands.
    pub verdict: Verdict,
}

/// One stage of a journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: Option<Duration>,
    /// Who recorded it.
    pub service: String,
    /// What happened; the names are those of [`kernel::Stage`].
    pub stage: String,
    /// How it went; the names are those of [`kernel::milestone::Outcome`].
    pub outcome: String,
    /// More about it.
    pub detail: String,
}

/// A journey whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journey {
    /// In one line.
    pub summary: Summary,
    /// What it can be found by: kind and value.
    pub subjects: Vec<(String, String)>,
    /// Its stages in order; the first so many, when there are very many.
    pub steps: Vec<Step>,
}

/// What a search by a subject has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The newest journey.
    pub journey: Journey,
    /// Others with the same subject, such as the other messages of a thread.
    pub others: Vec<TraceId>,
}

/// Which journeys are asked for, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// With this id or subject.
    pub subject: Option<String>,
    /// That began then or later.
    pub since: Option<Timestamp>,
    /// That stand like this.
    pub verdict: Option<Verdict>,
    /// So many at most.
    pub limit: usize,
}

impl Summary {
    /// As it is served.
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "service": self.service,
            "what": self.what,
            "started": rfc3339(self.started),
            "ended": rfc3339(self.ended),
            "stages": self.stages,
            "outcome": self.verdict.as_str(),
        })
    }
}

impl Journey {
    /// As it is served.
    pub fn to_json(&self) -> Value {
        let step = |step: &Step| {
            json!({
                "time": rfc3339(step.at),
                "offsetMs": millis(step.at.since(self.summary.started)),
                "tookMs": step.took.map(millis),
                "service": step.service,
                "stage": step.stage,
                "outcome": step.outcome,
                "detail": step.detail,
            })
        };
        let subject = |(kind, value): &(String, String)| json!({ "kind": kind, "value": value });
        let mut json = self.summary.to_json();
        json["subjects"] = self.subjects.iter().map(subject).collect();
        json["stages"] = self.steps.iter().map(step).collect();
        json
    }
}

impl Found {
    /// As it is served.
    pub fn to_json(&self) -> Value {
        let mut json = self.journey.to_json();
        json["others"] = self.others.iter().map(ToString::to_string).collect();
        json
    }
}

/// A moment in UTC, to the microsecond.
pub(super) fn rfc3339(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
    format!("{moment:.6}")
}

/// Milliseconds to the microsecond.
fn millis(span: Duration) -> f64 {
    span.as_micros() as f64 / 1_000.0
}
