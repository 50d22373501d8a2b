//! What a request for metrics asks. Pure.
//!
//! Both forms of requests are read alike: that of one resource and the batch differ in the names of a
//! few parameters only.

use kernel::{Error, ErrorKind, Result};

use super::catalogue::{Aggregation, Metric, Namespace};
use super::filter::Filter;
use super::history::MINUTES;
use crate::kql::moment;
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
/// One point for the whole range.
pub(super) const FULL: &str = "FULL";
/// Series of a metric that is split, if nothing else is said.
const TOP: usize = 10;
const TICKS_PER_MINUTE: i64 = 600_000_000;

/// A request.
#[derive(Debug)]
pub(super) struct Asked<'c> {
    pub metrics: Vec<&'c Metric>,
    /// Empty for the primary one of each metric.
    pub aggregations: Vec<Aggregation>,
    /// From inclusive, to exclusive, in minutes since 1970.
    pub from: i64,
    pub to: i64,
    /// The length of a point in minutes, and its name.
    pub interval: (&'static str, i64),
    pub filter: Filter,
    /// Dimensions that are filtered by, but not told apart.
    pub rolled_up: Vec<String>,
    /// Which series come first, of those that a filter tells apart: by what, and whether the least do.
    pub order: Option<(Aggregation, bool)>,
    /// How many of them are told.
    pub top: usize,
    /// Whether series are told without their points.
    pub is_metadata: bool,
}

/// The decoded query of a request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Decodes names too: one SDK encodes a hyphen in them.
    pub(super) fn of(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// What a parameter says, if it says anything.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let parts = self.one(name).into_iter().flat_map(|it| it.split(','));
        parts.map(str::trim).filter(|it| !it.is_empty())
    }
}

impl<'c> Asked<'c> {
    /// Reads a request in the minute `now`.
    pub(super) fn read(
        namespace: &'c Namespace,
        parameters: &Parameters,
        now: i64,
    ) -> Result<Self> {
        let mut metrics = Vec::new();
        for name in parameters.list("metricnames") {
            let found = namespace.metrics.iter().find(|it| it.name.eq_ignore_ascii_case(name));
            metrics.push(found.ok_or_else(|| unknown(namespace, name))?);
        }
        if metrics.is_empty() {
            metrics.extend(namespace.metrics.first());
        }
        let aggregations = parameters.list("aggregation").map(aggregation);
        let aggregations = aggregations.collect::<Result<_>>()?;
        let (from, to) = range(parameters, now)?;
        let filter = parameters.one("$filter").or_else(|| parameters.one("filter"));
        let filter = filter.map(Filter::parse).transpose()?.unwrap_or_default();
        filter.check(&metrics)?;
        let is_metadata = parameters.one("resultType");
        Ok(Self {
            metrics,
            aggregations,
            from,
            to,
            interval: interval(parameters.one("interval"), to - from)?,
            filter,
            rolled_up: parameters.list("rollupby").map(str::to_owned).collect(),
            order: parameters.one("orderby").map(order).transpose()?,
            top: parameters.one("top").map_or(Ok(TOP), top)?,
            is_metadata: is_metadata.is_some_and(|it| it.eq_ignore_ascii_case("metadata")),
        })
    }
}

fn aggregation(name: &str) -> Result<Aggregation> {
    Aggregation::named(name).ok_or_else(|| {
        bad(format!(
            "There is no aggregation {name:?}: it is Average, Count, Maximum, Minimum or Total."
        ))
    })
}

/// Reads `total desc`; the least come first if no direction is given. `sum` is what requests call a
/// total.
fn order(text: &str) -> Result<(Aggregation, bool)> {
    let (name, direction) = text.split_once(' ').unwrap_or((text, "asc"));
    let name = if name.eq_ignore_ascii_case("sum") { "Total" } else { name };
    let is_ascending = match direction.trim().to_ascii_lowercase().as_str() {
        "asc" => true,
        "desc" => false,
        _ => return Err(bad("The orderby must be such as: sum desc.")),
    };
    Ok((aggregation(name)?, is_ascending))
}

fn top(text: &str) -> Result<usize> {
    let found = text.parse().ok().filter(|top| *top > 0);
    found.ok_or_else(|| bad(format!("The top must be a number above 0, not {text:?}.")))
}

fn interval(text: Option<&str>, whole: i64) -> Result<(&'static str, i64)> {
    let text = text.unwrap_or("PT1M");
    if text.eq_ignore_ascii_case(FULL) {
        return Ok((FULL, whole.max(1)));
    }
    let found = INTERVALS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names: Vec<_> = INTERVALS.iter().map(|(name, _)| *name).collect();
        bad(format!("The interval is one of {} and {FULL}.", names.join(", ")))
    })
}

fn range(parameters: &Parameters, now: i64) -> Result<(i64, i64)> {
    let ticks = (now + 1).saturating_mul(TICKS_PER_MINUTE);
    let range = match (parameters.one("starttime"), parameters.one("endtime")) {
        (None, None) => timespan::parse(parameters.one("timespan").unwrap_or("PT1H"), ticks)
            .ok_or_else(|| {
                bad(
                    "The timespan must be an ISO 8601 duration such as PT1H, or start and end with \
                     a slash between.",
                )
            })?,
        (None, Some(_)) => return Err(bad("An endtime needs a starttime.")),
        (Some(from), to) => {
            (Some(at("starttime", from)?), to.map(|to| at("endtime", to)).transpose()?)
        }
    };
    let minutes = |ticks: i64| ticks.div_euclid(TICKS_PER_MINUTE);
    let to = range.1.map_or(now + 1, |to| minutes(to.saturating_add(TICKS_PER_MINUTE - 1)));
    let from = range.0.map_or(to - 60, minutes);
    if from > to {
        return Err(bad("The start of the range is after its end."));
    }
    // Nothing is known beyond, and an answer has a bounded number of points.
    Ok((from.max(now - MINUTES), to.min(now + 1)))
}

fn at(name: &str, text: &str) -> Result<i64> {
    moment::parse(text).ok_or_else(|| {
        bad(format!("The {name} must be a moment such as 2026-01-31T12:00:00Z, not {text:?}."))
    })
}

fn unknown(namespace: &Namespace, name: &str) -> Error {
    let names: Vec<_> = namespace.metrics.iter().map(|it| it.name).collect();
    let (kind, names) = (namespace.name, names.join(", "));
    bad(format!("Resources of type {kind} have no metric {name:?}. They have: {names}."))
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, "BadRequest", message.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalogue::Catalogue;

    fn read(query: &str) -> Result<(i64, i64, &'static str, i64)> {
        let catalogue = Catalogue::new([]);
        let namespace = catalogue.namespace("Microsoft.SignalRService/WebPubSub").unwrap();
        // The minute that begins at 2027-01-15T08:00:00Z.
        let now = 1_800_000_000 / 60;
        let asked = Asked::read(namespace, &Parameters::of(Some(query)), now)?;
        Ok((now - asked.from, now - asked.to, asked.interval.0, asked.interval.1))
    }

    #[test]
    fn a_range_is_a_timespan_or_two_moments() {
        for (query, expected) in [
            ("", (59, -1, "PT1M", 1)),
            ("timespan=PT5M&interval=pt5m", (4, -1, "PT5M", 5)),
            ("starttime=2027-01-15T07:50:00.123Z", (10, -1, "PT1M", 1)),
            (
                "starttime=2027-01-15T07:50:00Z&endtime=2027-01-15T07:55:30Z&interval=FULL",
                (10, 4, "FULL", 6),
            ),
        ] {
            assert_eq!(read(query).unwrap(), expected, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for query in [
            "endtime=2027-01-15T07:55:00Z",
            "starttime=yesterday",
            "starttime=2027-01-15T07:55:00Z&endtime=2027-01-15T07:50:00Z",
            "top=0",
            "orderby=weight%20desc",
            "orderby=sum%20up",
            "interval=PT2M",
            "filter=Nothing%20eq%20'*'",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
        let whole = "metricnames=ConnectionCloseCount&top=3&orderby=sum%20desc\
                     &filter=ConnectionCloseCategory%20eq%20'*'";
        assert!(read(whole).is_ok());
    }
}
