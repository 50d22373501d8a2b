//! What a resource's metrics were, as JSON. Pure.

use kernel::Result;
use serde_json::{Value as Json, json};

use super::catalogue::{Namespace, Resource};
use super::history::History;
use super::points;
use super::request::{Asked, bad};
use super::series::{self, Series};

/// Points of one answer; a request for more is refused. Some ten megabytes of JSON.
const MAX_POINTS: usize = 200_000;

/// An answer on its way.
pub(super) struct Answer<'a> {
    history: &'a History,
    asked: &'a Asked<'a>,
    points_left: usize,
}

impl<'a> Answer<'a> {
    pub(super) fn new(history: &'a History, asked: &'a Asked<'a>) -> Self {
        Self { history, asked, points_left: MAX_POINTS }
    }

    /// The answer about one resource.
    ///
    /// # Errors
    /// When it would have too many points.
    pub(super) fn single(mut self, resource: &Resource<'_>) -> Result<Json> {
        let (from, to) = self.range();
        Ok(json!({
            "cost": 0,
            "timespan": format!("{from}/{to}"),
            "interval": self.asked.interval.0,
            "namespace": resource.namespace.name,
            "resourceregion": REGION,
            "value": self.metrics(resource)?,
        }))
    }

    /// The answer about several resources.
    ///
    /// # Errors
    /// When it would have too many points.
    pub(super) fn batch(mut self, resources: &[Resource<'_>]) -> Result<Json> {
        let (from, to) = self.range();
        let mut values = Vec::new();
        for resource in resources {
            values.push(json!({
                "starttime": from,
                "endtime": to,
                "interval": self.asked.interval.0,
                "namespace": resource.namespace.name,
                "resourceregion": REGION,
                "resourceid": resource.id,
                "value": self.metrics(resource)?,
            }));
        }
        Ok(json!({ "values": values }))
    }

    fn range(&self) -> (String, String) {
        (moment(self.asked.from), moment(self.asked.to))
    }

    fn metrics(&mut self, resource: &Resource<'_>) -> Result<Vec<Json>> {
        let mut metrics = Vec::new();
        for metric in &self.asked.metrics {
            let found = self.history.of(metric, &resource.any_of);
            let mut timeseries = Vec::new();
            for one in series::of(metric, &found, self.asked) {
                let data = match self.asked.is_metadata {
                    true => Vec::new(),
                    false => points::of(metric, &one.minutes, self.asked),
                };
                let left = self.points_left.checked_sub(data.len());
                self.points_left = left.ok_or_else(|| {
                    bad(format!(
                        "The answer would have more than {MAX_POINTS} points: ask for longer \
                         intervals, or for fewer resources, metrics or dimensions."
                    ))
                })?;
                timeseries.push(json!({ "metadatavalues": metadata(&one), "data": data }));
            }
            metrics.push(json!({
                "id": format!("{}/providers/Microsoft.Insights/metrics/{}", resource.id, metric.name),
                "type": "Microsoft.Insights/metrics",
                "name": name(metric.name, metric.display),
                "displayDescription": metric.display,
                "unit": metric.unit,
                "errorCode": "Success",
                "timeseries": timeseries,
            }));
        }
        Ok(metrics)
    }
}

const REGION: &str = "local";

fn metadata(series: &Series<'_>) -> Vec<Json> {
    let values = series.values.iter().map(|(dimension, value)| {
        let dimension = dimension.to_ascii_lowercase();
        json!({ "name": name(&dimension, &dimension), "value": value })
    });
    values.collect()
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
pub(super) fn moment(minute: i64) -> String {
    crate::kql::moment::iso(minute.saturating_mul(600_000_000))
}
