//! The series of a metric: told apart by the dimensions that a filter names, added up over all others.
//! Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::catalogue::Metric;
use super::history::Found;
use super::points::Point;
use super::request::Asked;

/// A series.
#[derive(Debug)]
pub(super) struct Series<'a> {
    /// The dimensions that it is told apart by, with its values.
    pub values: Vec<(&'static str, &'a str)>,
    pub minutes: BTreeMap<i64, Sample>,
}

/// What came together in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub value: f64,
    /// Of a mean: of how many the value is the sum.
    pub number: f64,
}

/// A dimension that is filtered by.
struct Wanted<'a> {
    name: &'static str,
    label: &'static str,
    values: &'a [String],
    is_told_apart: bool,
}

/// The series of a metric, the first ones in the order that is asked for; else those with the most.
pub(super) fn of<'a>(
    metric: &'a Metric,
    found: &[Found<'a>],
    asked: &'a Asked<'_>,
) -> Vec<Series<'a>> {
    let wanted = wanted(metric, asked);
    let told_apart = || wanted.iter().filter(|it| it.is_told_apart);
    let mut groups: BTreeMap<Vec<&str>, BTreeMap<i64, Sample>> = BTreeMap::new();
    if told_apart().next().is_none() {
        groups.insert(Vec::new(), BTreeMap::new());
    }
    for one in found {
        let value =
            |it: &Wanted<'_>| one.labels.get(it.label).map(AsRef::as_ref).unwrap_or_default();
        if !wanted.iter().all(|it| it.has(value(it))) {
            continue;
        }
        let group = groups.entry(told_apart().map(value).collect()).or_default();
        for (minute, value) in one.points.iter().filter(|(at, _)| asked.has(*at)) {
            let sample = group.entry(*minute).or_default();
            match one.is_number {
                true => sample.number += value,
                false => sample.value += value * metric.scale,
            }
        }
    }
    let mut series: Vec<_> = groups
        .into_iter()
        .map(|(values, minutes)| {
            let values = told_apart().map(|it| it.name).zip(values).collect();
            Series { values, minutes }
        })
        .collect();
    if told_apart().next().is_some() {
        sort(metric, &mut series, asked);
        series.truncate(asked.top);
    }
    series
}

fn wanted<'a>(metric: &Metric, asked: &'a Asked<'_>) -> Vec<Wanted<'a>> {
    let all = asked.filter.0.iter().filter_map(|(wanted, values)| {
        let known = metric.dimensions.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let is_told_apart = !asked.rolled_up.iter().any(|it| it.eq_ignore_ascii_case(wanted));
        known.map(|(name, label)| Wanted { name, label, values, is_told_apart })
    });
    all.collect()
}

fn sort(metric: &Metric, series: &mut [Series<'_>], asked: &Asked<'_>) {
    let (by, is_ascending) = asked.order.unwrap_or((metric.primary, false));
    let whole = |one: &Series<'_>| {
        let point = Point::of(metric, one.minutes.values());
        point.value(by)
    };
    series.sort_by(|one, other| {
        let order = whole(one).partial_cmp(&whole(other)).unwrap_or(Ordering::Equal);
        if is_ascending { order } else { order.reverse() }
    });
}

impl Wanted<'_> {
    fn has(&self, value: &str) -> bool {
        self.values.iter().any(|it| it == "*" || it.eq_ignore_ascii_case(value))
    }
}

impl Asked<'_> {
    fn has(&self, minute: i64) -> bool {
        (self.from..self.to).contains(&minute)
    }
}
