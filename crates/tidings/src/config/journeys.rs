//! The sections `[journeys]` and `[telemetry]`, and the variables that OpenTelemetry has for the
//! latter everywhere (Environment Variable Specification, OTLP exporter).

use std::time::Duration;

use kernel::Secret;
use kernel::journey::Bounds;
use monitor::journey::Retention;
use percent_encoding::percent_decode_str;

use super::build::Builder;
use super::layers::Settings;
use super::problem::Place;

const ENDPOINT: &str = "telemetry.otlp_endpoint";
const BASE_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_VARIABLE: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS_VARIABLE: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// `[journeys]` and `[telemetry]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journeys {
    /// How much is recorded.
    pub bounds: Bounds,
    /// How long it is kept.
    pub retention: Retention,
    /// Who gets it as spans.
    pub collector: Option<Collector>,
}

/// An OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// Where spans are posted to; an absolute URL.
    pub url: String,
    /// Further headers.
    pub headers: Vec<(String, Secret)>,
}

impl Builder<'_> {
    pub(super) fn journeys(&mut self, settings: &Settings) -> Journeys {
        let per_second = settings.integer("journeys.per_second");
        Journeys {
            bounds: Bounds {
                journeys_per_second: u32::try_from(per_second).unwrap_or(u32::MAX),
                ..Bounds::default()
            },
            retention: Retention {
                age: Duration::from_hours(24 * settings.integer("journeys.keep_days")),
                milestones: settings.integer("journeys.max_stages"),
            },
            collector: self.collector(settings),
        }
    }

    fn collector(&mut self, settings: &Settings) -> Option<Collector> {
        let variables = self.outside.variables();
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, value)| name == wanted && !value.is_empty());
            found.map(|(_, value)| value.as_str())
        };
        let with_path = |base: &str| format!("{}/v1/traces", base.trim_end_matches('/'));
        let (place, url) = if let Some(base) = settings.text(ENDPOINT) {
            (settings.place(ENDPOINT), with_path(base))
        } else if let Some(url) = variable(TRACES_VARIABLE) {
            (Place::Environment(TRACES_VARIABLE.to_owned()), url.to_owned())
        } else {
            let base = variable(BASE_VARIABLE)?;
            (Place::Environment(BASE_VARIABLE.to_owned()), with_path(base))
        };
        if !is_url(&url) {
            let message = "the address of the collector is no http or https URL".to_owned();
            self.error(&place, message, "give one such as http://localhost:4318");
        }
        let headers = headers(variable(HEADERS_VARIABLE).unwrap_or_default());
        Some(Collector { url, headers })
    }
}

fn is_url(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>();
    uri.is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// `name=value,name=value`, the values percent-encoded.
fn headers(text: &str) -> Vec<(String, Secret)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let header = |(name, value): (&str, &str)| {
        let value = percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
        (name.trim().to_lowercase(), Secret::new(value))
    };
    pairs.map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let read = headers("Api-Key=a%20b, x = y ,nonsense");
        let read: Vec<_> = read.iter().map(|(name, value)| (&**name, value.expose())).collect();
        assert_eq!(read, [("api-key", "a b"), ("x", "y")]);
        assert!(headers("").is_empty());
    }

    #[test]
    fn a_collector_has_a_whole_url() {
        for good in ["http://localhost:4318/v1/traces", "https://collector.example/x/v1/traces"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["localhost:4318/v1/traces", "grpc://x/v1/traces", "/v1/traces", ""] {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
