//! What the program decides for the service.

use std::path::PathBuf;
use std::time::Duration;

use crate::outcome::Rules;

/// How the service behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where topics are published to, `scheme://host:port` without a path; shown to callers.
    pub base_url: String,
    /// The same for validation URLs, which webhooks are given.
    pub validation_base_url: String,
    /// Who we say we are to webhooks that speak CloudEvents. Receivers often have Azure's own name
    /// in their code, so that is the usual value.
    pub origin: String,
    /// The topic of requests whose host and path name none.
    pub default_topic: Option<String>,
    /// The largest body of a publish, in bytes.
    pub max_request_bytes: usize,
    /// Publishes that are worked on at a time; more are refused with 429.
    pub max_concurrent_publishes: usize,
    /// How long somebody has to open a validation URL.
    pub validation_window: Duration,
    /// How long after a failed validation it is tried once more.
    pub validation_pause: Duration,
    /// How long a webhook has for its answer.
    pub attempt_timeout: Duration,
    /// Attempts at a time for one event subscription.
    pub concurrency: usize,
    /// Failures in a row before a webhook is left alone for a while.
    pub failures_before_probation: u32,
    /// What is retried, when, and what is given up at once.
    pub rules: Rules,
    /// The folder of dead letters; without one they are kept in the store alone.
    pub dead_letter_folder: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "http://localhost:8080".to_owned(),
            validation_base_url: "http://localhost:8080".to_owned(),
            origin: "eventgrid.azure.net".to_owned(),
            default_topic: None,
            // Documented is 1 MB; this is what the service was measured to take.
            max_request_bytes: 1_536_000,
            max_concurrent_publishes: 256,
            validation_window: Duration::from_secs(10 * 60),
            validation_pause: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(30),
            concurrency: 16,
            failures_before_probation: 10,
            rules: Rules::default(),
            dead_letter_folder: None,
        }
    }
}
