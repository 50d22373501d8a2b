//! Points of metrics as JSON. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::catalogue::{Aggregation, Metric, Namespace};
use super::history::{Found, History};
use super::request::Asked;

/// The values of one minute and what came together there.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    sum: f64,
    minutes: f64,
    least: f64,
    most: f64,
}

/// The body of an answer: each metric with its series.
pub(super) fn metrics(
    history: &History,
    namespace: &Namespace,
    id: &str,
    resource: &str,
    asked: &Asked,
) -> Json {
    let label = namespace.label.map(|label| (label, resource));
    let value = asked.metrics.iter().map(|metric| {
        let found = history.of(metric, label);
        json!({
            "id": format!("{id}/providers/Microsoft.Insights/metrics/{}", metric.name),
            "type": "Microsoft.Insights/metrics",
            "name": name(metric.name, metric.display),
            "displayDescription": metric.display,
            "unit": metric.unit,
            "errorCode": "Success",
            "timeseries": timeseries(metric, &found, asked),
        })
    });
    let (from, to) = (moment(asked.from), moment(asked.to));
    json!({
        "cost": 0,
        "timespan": format!("{from}/{to}"),
        "interval": asked.interval.0,
        "namespace": namespace.name,
        "resourceregion": "local",
        "value": value.collect::<Vec<Json>>(),
    })
}

fn timeseries(metric: &Metric, found: &[Found<'_>], asked: &Asked) -> Vec<Json> {
    // Dimensions that the filter names are told apart, all others are added up.
    let dimensions = asked.filter.0.iter().filter_map(|(wanted, values)| {
        let known = metric.dimensions.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        known.map(|(name, label)| (*name, *label, values))
    });
    let dimensions: Vec<_> = dimensions.collect();
    let mut groups: BTreeMap<Vec<&str>, BTreeMap<i64, f64>> = BTreeMap::new();
    if dimensions.is_empty() {
        groups.insert(Vec::new(), BTreeMap::new());
    }
    for (labels, points) in found {
        let values = dimensions.iter().map(|(_, label, wanted)| {
            let value = labels.get(*label).map(AsRef::as_ref).unwrap_or_default();
            let fits = wanted.iter().any(|it| it == "*" || it.eq_ignore_ascii_case(value));
            fits.then_some(value)
        });
        let Some(values) = values.collect::<Option<Vec<&str>>>() else { continue };
        let group = groups.entry(values).or_default();
        for (minute, value) in points.iter().filter(|(at, _)| (asked.from..asked.to).contains(at)) {
            *group.entry(*minute).or_default() += value * metric.scale;
        }
    }
    let series = groups.iter().map(|(values, minutes)| {
        let metadata = dimensions.iter().zip(values).map(|((dimension, ..), value)| {
            let dimension = dimension.to_ascii_lowercase();
            json!({ "name": name(&dimension, &dimension), "value": value })
        });
        json!({
            "metadatavalues": metadata.collect::<Vec<Json>>(),
            "data": data(metric, minutes, asked),
        })
    });
    series.collect()
}

fn data(metric: &Metric, minutes: &BTreeMap<i64, f64>, asked: &Asked) -> Vec<Json> {
    let primary = [metric.primary];
    let wanted = if asked.aggregations.is_empty() { &primary[..] } else { &asked.aggregations };
    let (_, length) = asked.interval;
    let mut out = Vec::new();
    let mut begin = asked.from.div_euclid(length) * length;
    while begin < asked.to {
        let mut point = Point::default();
        for value in minutes.range(begin..begin + length).map(|(_, value)| *value) {
            point.least = if point.minutes == 0.0 { value } else { point.least.min(value) };
            point.most = point.most.max(value);
            point.sum += value;
            point.minutes += 1.0;
        }
        let mut json = Map::from_iter([("timeStamp".to_owned(), Json::from(moment(begin)))]);
        for aggregation in wanted.iter().filter(|it| metric.supported().contains(it)) {
            // A counter that did not grow has grown by nothing; a gauge that nobody looked at is unknown.
            if metric.is_counter() || point.minutes > 0.0 {
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
    fn value(self, aggregation: Aggregation) -> f64 {
        match aggregation {
            Aggregation::Average => self.sum / self.minutes.max(1.0),
            Aggregation::Maximum => self.most,
            Aggregation::Minimum => self.least,
            Aggregation::Total | Aggregation::Count => self.sum,
        }
    }
}

/// The definitions of all metrics of a resource.
pub(super) fn definitions(namespace: &Namespace, id: &str) -> Json {
    let value = namespace.metrics.iter().map(|metric| {
        let supported = metric.supported().iter().map(|it| it.name());
        let dimensions = metric.dimensions.iter().map(|(it, _)| name(it, it));
        json!({
            "id": format!("{id}/providers/microsoft.insights/metricdefinitions/{}", metric.name),
            "resourceId": id,
            "namespace": namespace.name,
            "name": name(metric.name, metric.display),
            "displayDescription": metric.display,
            "isDimensionRequired": false,
            "unit": metric.unit,
            "primaryAggregationType": metric.primary.name(),
            "supportedAggregationTypes": supported.collect::<Vec<_>>(),
            "metricAvailabilities": [{ "timeGrain": "PT1M", "retention": "P1D" }],
            "dimensions": dimensions.collect::<Vec<Json>>(),
        })
    });
    json!({ "value": value.collect::<Vec<Json>>() })
}

/// The one namespace of a resource.
pub(super) fn namespaces(namespace: &Namespace, id: &str) -> Json {
    json!({ "value": [{
        "id": format!("{id}/providers/microsoft.insights/metricNamespaces/{}", namespace.name),
        "type": "Microsoft.Insights/metricNamespaces",
        "name": namespace.name,
        "classification": "Platform",
        "properties": { "metricNamespaceName": namespace.name },
    }] })
}

fn name(value: &str, shown: &str) -> Json {
    json!({ "value": value, "localizedValue": shown })
}

/// The beginning of a minute.
fn moment(minute: i64) -> String {
    crate::kql::moment::iso(minute.saturating_mul(600_000_000))
}
