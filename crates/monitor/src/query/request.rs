//! What a request asks for.

use std::time::Duration;

use axum::http::HeaderMap;
use kernel::{Error, ErrorKind, Result};
use serde::Deserialize;

/// How long a query may take unless the request says, and at most.
const WAIT: Duration = Duration::from_mins(3);
const MAX_WAIT: Duration = Duration::from_mins(10);

/// The body of a query.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Asked {
    pub query: String,
    /// Clients write null or nothing where they have none.
    #[serde(default)]
    pub timespan: Option<String>,
    #[serde(default)]
    pub workspaces: Option<Vec<String>>,
}

/// The header `Prefer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefer {
    pub wait: Duration,
    pub statistics: bool,
    pub render: bool,
}

impl Asked {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self> {
        serde_json::from_slice(body).map_err(|error| {
            let message = format!(
                "The body must be JSON such as {{\"query\": \"…\", \"timespan\": \"P1D\"}}: {error}."
            );
            Error::new(ErrorKind::Invalid, "InvalidRequestBody", message)
        })
    }

    /// Reads the query string of a GET.
    pub(super) fn read_query(pairs: &[(String, String)]) -> Result<Self> {
        let one = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, it)| it.clone());
        let query = one("query").ok_or_else(|| {
            let message = "The parameter query is missing; it holds the KQL.";
            Error::new(ErrorKind::Invalid, "MissingQuery", message).target("query")
        })?;
        let workspaces = one("workspaces").map(|it| it.split(',').map(str::to_owned).collect());
        Ok(Self { query, timespan: one("timespan"), workspaces })
    }
}

impl Default for Prefer {
    fn default() -> Self {
        Self { wait: WAIT, statistics: false, render: false }
    }
}

impl Prefer {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        for value in headers.get_all("prefer").iter().filter_map(|it| it.to_str().ok()) {
            prefer.take(value);
        }
        prefer
    }

    /// Takes what a value of the header says; what it does not know it ignores.
    pub(super) fn take(&mut self, value: &str) {
        for part in value.split([',', ';']) {
            let (name, value) = part.split_once('=').unwrap_or((part, "true"));
            match (name.trim(), value.trim()) {
                ("wait", seconds) => {
                    if let Ok(seconds) = seconds.parse() {
                        self.wait = Duration::from_secs(seconds).min(MAX_WAIT);
                    }
                }
                ("include-statistics", value) => self.statistics = value == "true",
                ("include-render", value) => self.render = value == "true",
                _ => {}
            }
        }
    }
}
