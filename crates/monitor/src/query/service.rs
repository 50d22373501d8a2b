//! Answering one query: who may ask, which workspace, how long, how many at a time.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Error, ErrorKind, Result};
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use super::answer::{Beside, body};
use super::bearer::BearerCheck;
use super::request::{Asked, Prefer};
use super::timespan;
use crate::kql::{self, Failure, Limits, Prepared};
use crate::table::{LogTables, Store};

/// How long a query waits for rows that were appended before it to be on disk.
const SETTLING: Duration = Duration::from_secs(2);

/// What can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What one query may take.
    pub limits: Limits,
    /// Queries that run at a time.
    pub concurrency: usize,
    /// Queries that may wait for that; more are refused.
    pub waiting: usize,
    /// The largest body of a request.
    pub max_request_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            concurrency: 2,
            waiting: 100,
            max_request_bytes: 1024 * 1024,
        }
    }
}

/// The Logs query API. Cheap to clone.
#[derive(Clone)]
pub struct Logs(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) settings: Settings,
    pub(super) bearer: Arc<dyn BearerCheck>,
    tables: LogTables,
    clock: Arc<dyn Clock>,
    pub(super) running: Semaphore,
    waiting: Semaphore,
}

/// Whom a query is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The workspace with this id.
    Workspace(String),
    /// What is below this resource id.
    Resource(String),
}

impl Logs {
    /// The API over a store whose rows come from `tables`.
    pub fn new(
        store: Store,
        tables: LogTables,
        bearer: Arc<dyn BearerCheck>,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Self {
        let running = Semaphore::new(settings.concurrency);
        let waiting = Semaphore::new(settings.waiting + settings.concurrency);
        Self(Arc::new(Inner { store, settings, bearer, tables, clock, running, waiting }))
    }

    /// The workspace of an address exists.
    pub(super) fn check_workspace(&self, id: &str) -> Result<()> {
        let known = self.0.store.workspace();
        if id.eq_ignore_ascii_case(known) || id.eq_ignore_ascii_case("local") {
            return Ok(());
        }
        let message =
            format!("There is no workspace {id:?}. This server has one: {known}, or local.");
        Err(Error::new(ErrorKind::NotFound, "WorkspaceNotFoundError", message))
    }

    /// Answers a query.
    pub(super) async fn ask(&self, scope: &Scope, asked: &Asked, prefer: Prefer) -> Result<Json> {
        if let Scope::Workspace(id) = scope {
            self.check_workspace(id)?;
        }
        for id in asked.workspaces.iter().flatten() {
            self.check_workspace(id)?;
        }
        let prepared = self.prepare(scope, asked)?;
        let Ok(_waiting) = self.0.waiting.try_acquire() else {
            let message = "Too many queries are running or waiting. Try again in a few seconds.";
            let error = Error::new(ErrorKind::Throttled, "ThrottledError", message);
            return Err(error.retry_after(Duration::from_secs(5)));
        };
        let answered = tokio::time::timeout(prefer.wait, self.answer(asked, &prepared, prefer));
        answered.await.unwrap_or_else(|_| {
            let message = format!(
                "The query took longer than {} s. Ask for less, or for more time with the header \
                 Prefer: wait=600.",
                prefer.wait.as_secs()
            );
            Err(Error::new(ErrorKind::Unavailable, "GatewayTimeout", message))
        })
    }

    fn prepare(&self, scope: &Scope, asked: &Asked) -> Result<Prepared> {
        let inner = &*self.0;
        let now = inner.clock.now().as_micros().saturating_mul(10);
        let text = &asked.query;
        let query = kql::parse(text).map_err(|error| error.explain(text))?;
        let mut prepared =
            kql::bind(&query, &inner.store, now).map_err(|error| error.explain(text))?;
        let timespan = asked.timespan.as_deref().unwrap_or_default();
        let (from, to) = timespan::parse(timespan, now).ok_or_else(|| {
            let message = "The timespan must be an ISO 8601 duration such as P1D, or two of start, end \
                           and duration with a slash between, such as \
                           2026-01-01T00:00:00Z/2026-01-02T00:00:00Z.";
            Error::new(ErrorKind::Invalid, "InvalidTimespan", message).target("timespan")
        })?;
        for scan in prepared.plan.scans_mut() {
            // The range is half open, in ticks.
            let to = to.map(|to| to - 1);
            scan.from = scan.from.max(from);
            scan.to = [scan.to, to].into_iter().flatten().min();
            if let Scope::Resource(id) = scope {
                scan.under = Some(id.to_lowercase().into());
            }
        }
        Ok(prepared)
    }

    async fn answer(&self, asked: &Asked, prepared: &Prepared, prefer: Prefer) -> Result<Json> {
        let inner = &*self.0;
        let _turn = inner.running.acquire().await.expect("the semaphore is never closed");
        // What happened before the question is part of the answer, unless the store is behind.
        let _behind = tokio::time::timeout(SETTLING, inner.tables.settled()).await.is_err();
        let begun = inner.clock.now();
        let answer = kql::run(&prepared.plan, &inner.store, inner.settings.limits).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Query(error) => error.explain(&asked.query),
            Failure::Store(error) => error,
        })?;
        let took = inner.clock.now().since(begun);
        let beside = Beside {
            render: prefer.render.then_some(prepared.render.as_ref()),
            took_ms: prefer.statistics.then(|| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        };
        Ok(body(&answer, &beside))
    }
}
