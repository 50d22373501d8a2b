//! The points of a series: minutes put together into intervals, as aggregations ask. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::answer::moment;
use super::catalogue::{Aggregation, Measure, Metric};
use super::request::{Asked, FULL};
use super::series::Sample;

/// What came together in an interval.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    sum: f64,
    /// What the sum is divided by for an average: minutes, or what a mean counts.
    number: f64,
    least: f64,
    most: f64,
}

/// The points of a series in order.
pub(super) fn of(metric: &Metric, minutes: &BTreeMap<i64, Sample>, asked: &Asked<'_>) -> Vec<Json> {
    let primary = [metric.primary];
    let wanted = if asked.aggregations.is_empty() { &primary[..] } else { &asked.aggregations };
    let (name, length) = asked.interval;
    let mut out = Vec::new();
    // Intervals begin where clocks do, but the one that is the whole range.
    let mut begin = match name == FULL {
        true => asked.from,
        false => asked.from.div_euclid(length) * length,
    };
    while begin < asked.to {
        let point = Point::of(metric, minutes.range(begin..begin + length).map(|(_, it)| it));
        let mut json = Map::from_iter([("timeStamp".to_owned(), Json::from(moment(begin)))]);
        for aggregation in wanted.iter().filter(|it| metric.supported().contains(it)) {
            // A counter that did not grow has grown by nothing; what else nobody has seen is unknown.
            if metric.measure == Measure::Growth || point.number > 0.0 {
                let key = aggregation.name().to_ascii_lowercase();
                json.insert(key, point.value(*aggregation).into());
            }
        }
        out.push(json.into());
        begin += length;
    }
    out
}

impl Point {
    pub(super) fn of<'a>(metric: &Metric, minutes: impl Iterator<Item = &'a Sample>) -> Self {
        let is_mean = matches!(metric.measure, Measure::Mean { .. });
        let mut point = Self::default();
        for (at, Sample { value, number }) in minutes.enumerate() {
            point.least = if at == 0 { *value } else { point.least.min(*value) };
            point.most = point.most.max(*value);
            point.sum += value;
            point.number += if is_mean { *number } else { 1.0 };
        }
        point
    }

    pub(super) fn value(self, aggregation: Aggregation) -> f64 {
        match aggregation {
            Aggregation::Average => self.sum / self.number.max(1.0),
            Aggregation::Maximum => self.most,
            Aggregation::Minimum => self.least,
            Aggregation::Total | Aggregation::Count => self.sum,
        }
    }
}
