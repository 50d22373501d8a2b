//! What the playbook answers: for each hypothesis a verdict, how it is known, and what cures it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::facts::Unknown;

/// How a hypothesis ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is so.
    Confirmed,
    /// What would tell is not there.
    CannotTell,
    /// It is not so.
    RuledOut,
}

impl Verdict {
    /// In words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::CannotTell => "cannot tell",
            Self::RuledOut => "ruled out",
        }
    }
}

/// How something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Tag {
    /// It was tested just now.
    Measured,
    /// It stands in a record.
    Observed,
    /// It coincides in time with a change.
    Correlated,
    /// Something is absent that would be there.
    Inferred,
}

impl Tag {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "Measured",
            Self::Observed => "Observed",
            Self::Correlated => "Correlated",
            Self::Inferred => "Inferred",
        }
    }
}

/// One thing that is known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Evidence {
    /// How.
    pub tag: Tag,
    /// What.
    pub text: String,
    /// The query of the log tables that tells the same, for who wants to look.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub query: Option<String>,
    /// The id by which `tidings trace` tells the journey that it is of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<String>,
}

impl Evidence {
    /// Tested just now.
    pub fn measured(text: impl Into<String>) -> Self {
        Self::new(Tag::Measured, text)
    }

    /// Read in a record.
    pub fn observed(text: impl Into<String>) -> Self {
        Self::new(Tag::Observed, text)
    }

    /// Coincides with a change.
    pub fn correlated(text: impl Into<String>) -> Self {
        Self::new(Tag::Correlated, text)
    }

    /// Follows from an absence.
    pub fn inferred(text: impl Into<String>) -> Self {
        Self::new(Tag::Inferred, text)
    }

    fn new(tag: Tag, text: impl Into<String>) -> Self {
        Self { tag, text: text.into(), query: None, trace: None }
    }

    /// With the query that repeats it.
    #[must_use]
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// With the id of its journey, if there is one.
    #[must_use]
    pub fn trace(mut self, id: impl Into<String>) -> Self {
        self.trace = Some(id.into()).filter(|id| !id.is_empty());
        self
    }
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mitigation {
    /// In words.
    pub text: String,
    /// A command that does it or shows more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<String>,
    /// Where it is told: a page of the documentation, with its place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link: Option<String>,
}

impl Mitigation {
    /// Words alone.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), command: None, link: None }
    }

    /// With a command.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.command = Some(command.into());
        self
    }
}

/// What a hypothesis says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How it ended.
    pub verdict: Verdict,
    /// How that is known.
    pub evidence: Vec<Evidence>,
    /// What cures it; of no use unless confirmed.
    pub mitigations: Vec<Mitigation>,
}

impl Judgement {
    /// It is so.
    pub fn confirmed(evidence: Vec<Evidence>, cure: Mitigation) -> Self {
        Self { verdict: Verdict::Confirmed, evidence, mitigations: vec![cure] }
    }

    /// It is not so.
    pub fn ruled_out(evidence: Evidence) -> Self {
        Self { verdict: Verdict::RuledOut, evidence: vec![evidence], mitigations: Vec::new() }
    }

    /// It cannot be told; what would tell.
    pub fn cannot_tell(evidence: Evidence, how: Mitigation) -> Self {
        let (verdict, evidence) = (Verdict::CannotTell, vec![evidence]);
        Self { verdict, evidence, mitigations: vec![how] }
    }

    /// So if there is evidence for it, and not so otherwise.
    pub fn by(evidence: Vec<Evidence>, cure: Mitigation, otherwise: Evidence) -> Self {
        match evidence.is_empty() {
            true => Self::ruled_out(otherwise),
            false => Self::confirmed(evidence, cure),
        }
    }

    /// With one more thing to do.
    #[must_use]
    pub fn and(mut self, mitigation: Mitigation) -> Self {
        if self.verdict == Verdict::Confirmed {
            self.mitigations.push(mitigation);
        }
        self
    }
}

impl From<Unknown> for Judgement {
    fn from(unknown: Unknown) -> Self {
        let Unknown { why, cure } = unknown;
        Self::cannot_tell(Evidence::inferred(why), Mitigation::new(cure))
    }
}

/// A hypothesis and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Finding {
    /// Its name, for scripts.
    pub hypothesis: String,
    /// In words.
    pub title: String,
    /// How it ended.
    pub verdict: Verdict,
    /// How that is known.
    pub evidence: Vec<Evidence>,
    /// What cures it.
    pub mitigations: Vec<Mitigation>,
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing is confirmed.
    pub healthy: bool,
    /// How many hypotheses were looked at.
    pub checked: usize,
    /// How long it took.
    pub took_ms: u64,
    /// Confirmed first, then what cannot be told, then what was ruled out.
    pub findings: Vec<Finding>,
}

impl Report {
    /// A report in the order in which it is read.
    pub fn new(mut findings: Vec<Finding>, took: Duration) -> Self {
        // Stable: the order of the table within a verdict.
        findings.sort_by_key(|it| it.verdict);
        Self {
            healthy: findings.iter().all(|it| it.verdict != Verdict::Confirmed),
            checked: findings.len(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            findings,
        }
    }

    /// The findings that ended so.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |it| it.verdict == verdict)
    }
}
