//! What a request for metrics asks. Pure.

use kernel::{Error, ErrorKind, Result};

use super::catalogue::{Aggregation, Metric, Namespace};
use super::history::MINUTES;
use crate::query::timespan;

/// Lengths of a point, in minutes, by their names.
const INTERVALS: [(&str, i64); 8] = [
    ("PT1M", 1),
    ("PT5M", 5),
    ("PT15M", 15),
    ("PT30M", 30),
    ("PT1H", 60),
    ("PT6H", 360),
    ("PT12H", 720),
    ("P1D", 1_440),
];
const TICKS_PER_MINUTE: i64 = 600_000_000;

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub metrics: Vec<&'static Metric>,
    /// Empty for the primary one of each metric.
    pub aggregations: Vec<Aggregation>,
    /// From inclusive, to exclusive, in minutes since 1970.
    pub from: i64,
    pub to: i64,
    pub interval: (&'static str, i64),
    pub filter: Filter,
}

/// Which values of dimensions are wanted, and which dimensions are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(pub Vec<(String, Vec<String>)>);

impl Asked {
    /// Reads the decoded query of a request in the minute `now`.
    pub(super) fn read(
        namespace: &'static Namespace,
        pairs: &[(String, String)],
        now: i64,
    ) -> Result<Self> {
        let one = |name: &str| {
            let found = pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
        };
        let list = |name: &str| {
            let parts = one(name).into_iter().flat_map(|it| it.split(','));
            parts.map(str::trim).filter(|it| !it.is_empty())
        };
        let mut metrics = Vec::new();
        for name in list("metricnames") {
            let found = namespace.metrics.iter().find(|it| it.name.eq_ignore_ascii_case(name));
            metrics.push(found.ok_or_else(|| unknown(namespace, name))?);
        }
        if metrics.is_empty() {
            metrics.extend(namespace.metrics.first());
        }
        let mut aggregations = Vec::new();
        for name in list("aggregation") {
            let found = Aggregation::named(name).ok_or_else(|| {
                bad(format!(
                    "There is no aggregation {name:?}: it is Average, Count, Maximum, Minimum \
                             or Total."
                ))
            })?;
            aggregations.push(found);
        }
        let interval = one("interval").unwrap_or("PT1M");
        let interval = INTERVALS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(interval));
        let interval = interval.ok_or_else(|| {
            let names: Vec<_> = INTERVALS.iter().map(|(name, _)| *name).collect();
            bad(format!("The interval is one of {}.", names.join(", ")))
        })?;
        let (from, to) = range(one("timespan"), now)?;
        let filter = one("$filter").map(Filter::parse).transpose()?.unwrap_or_default();
        Ok(Self { metrics, aggregations, from, to, interval, filter })
    }
}

fn range(text: Option<&str>, now: i64) -> Result<(i64, i64)> {
    let ticks = (now + 1).saturating_mul(TICKS_PER_MINUTE);
    let range = timespan::parse(text.unwrap_or("PT1H"), ticks).ok_or_else(|| {
        bad(
            "The timespan must be an ISO 8601 duration such as PT1H, or start and end with a slash \
             between.",
        )
    })?;
    let minutes = |ticks: i64| ticks.div_euclid(TICKS_PER_MINUTE);
    let to = range.1.map_or(now + 1, |to| minutes(to.saturating_add(TICKS_PER_MINUTE - 1)));
    let from = range.0.map_or(to - 60, minutes);
    // Nothing is known beyond, and an answer has a bounded number of points.
    Ok((from.max(now - MINUTES), to.min(now + 1)))
}

impl Filter {
    /// Reads `Dim eq 'v' or Dim eq 'w' and Other eq '*'`.
    ///
    /// # Errors
    /// When it is something else.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            bad("The filter must be such as: Operation eq 'SendChatMessage' or Operation eq \
                 'GetChatMessage' and StatusCode eq '*'.")
        };
        let mut parts: Vec<(String, Vec<String>)> = Vec::new();
        for condition in split(text, " and ") {
            let mut dimension: Option<String> = None;
            let mut values = Vec::new();
            for choice in split(condition, " or ") {
                let (name, value) = choice.trim().split_once(" eq ").ok_or_else(wrong)?;
                let value = value.trim().strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
                let name = name.trim();
                if dimension.as_deref().is_some_and(|known| !known.eq_ignore_ascii_case(name)) {
                    return Err(bad("In a filter, or may only join values of one dimension."));
                }
                dimension = Some(name.to_owned());
                values.push(value.ok_or_else(wrong)?.to_owned());
            }
            parts.push((dimension.ok_or_else(wrong)?, values));
        }
        Ok(Self(parts))
    }
}

/// Splits outside of quotes.
fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let lower = text.to_ascii_lowercase();
    let (mut parts, mut begun, mut at, mut quoted) = (Vec::new(), 0, 0, false);
    while at < text.len() {
        quoted ^= text.as_bytes()[at] == b'\'';
        if !quoted && lower[at..].starts_with(separator) {
            parts.push(&text[begun..at]);
            at += separator.len();
            begun = at;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    parts.push(&text[begun..]);
    parts
}

fn unknown(namespace: &Namespace, name: &str) -> Error {
    let names: Vec<_> = namespace.metrics.iter().map(|it| it.name).collect();
    let (kind, names) = (namespace.name, names.join(", "));
    bad(format!("Resources of type {kind} have no metric {name:?}. They have: {names}."))
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message.into())
}
