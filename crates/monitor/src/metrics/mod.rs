//! The Metrics API: the documented metrics of a resource, minute by minute.
//!
//! - `catalogue`: the documented names, and which of the program's own counters each one is
//! - `exposition`: reading those counters from their text form, pure
//! - `history`: what they were in each minute of the last day, in memory, pure
//! - `request`, `filter`, `batch`: what is asked, pure
//! - `series`, `points`, `answer`: what is answered, pure
//! - [`Metrics`]: the routes, and the task that looks at the counters
//!
//! Metrics live as long as the process: who needs them for longer has Prometheus read them. A minute
//! that goes on is told as far as it has come.

mod answer;
mod batch;
mod catalogue;
mod exposition;
mod filter;
mod history;
mod points;
mod request;
mod rest;
mod series;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;
use wire::ResourceId;

use crate::query::BearerCheck;
use catalogue::Catalogue;
use history::History;

pub use catalogue::{HubMetric, HubValue};

/// Gives the program's counters.
pub trait Counters: Send + Sync + 'static {
    /// The text of all of them now, as Prometheus reads them.
    fn text(&self) -> String;

    /// What notification hubs count beside them, under documented names.
    fn hubs(&self) -> Vec<HubValue>;

    /// The id of the resource whose events a system topic carries, if there is such a topic.
    fn source_of(&self, system_topic: &ResourceId) -> Option<String>;
}

/// The Metrics API. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    counters: Arc<dyn Counters>,
    bearer: Arc<dyn BearerCheck>,
    clock: Arc<dyn Clock>,
    catalogue: Catalogue,
    history: Mutex<History>,
}

impl Metrics {
    /// The API over the program's counters, and over the metrics that notification hubs have.
    pub fn new(
        counters: Arc<dyn Counters>,
        hubs: impl IntoIterator<Item = HubMetric>,
        bearer: Arc<dyn BearerCheck>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (catalogue, history) = (Catalogue::new(hubs), Mutex::default());
        Self(Arc::new(Inner { counters, bearer, clock, catalogue, history }))
    }

    /// Looks at the counters at the end of each minute, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            self.look();
            let past = self.0.clock.now().as_micros().rem_euclid(60_000_000);
            let left = Duration::from_micros(u64::try_from(60_000_000 - past).unwrap_or(0));
            if stop.run_until_cancelled(tokio::time::sleep(left)).await.is_none() {
                return;
            }
        }
    }

    /// Takes down what the counters are now. Returns the minute that is under way.
    fn look(&self) -> i64 {
        let (text, hubs) = (self.0.counters.text(), self.0.counters.hubs());
        let minute = minute(self.0.clock.now());
        let all = exposition::series(&text).chain(hubs.iter().map(HubValue::series));
        self.history().take(&self.0.catalogue, minute, all);
        minute
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.0.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole minutes since 1970.
fn minute(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(60)
}
