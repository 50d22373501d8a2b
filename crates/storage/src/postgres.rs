//! The engine for several nodes: PostgreSQL behind two small pools, one that writes and one that may
//! only read.
//!
//! A batch is one transaction on one connection; several run side by side. What failed although it
//! certainly changed nothing (a lost race, a deadlock, a connection that broke before the commit) is
//! tried again for [`PostgresOptions::patience`]. What may have been committed is never repeated:
//! [`Error::Unknown`]. A write runs in a task of its own, so a caller that goes away neither stops it
//! halfway nor leaves its transaction open.

mod dialect;
mod failure;
mod lane;
mod migrate;
mod options;
mod run;
#[cfg(test)]
mod tests;
mod tls;
mod value;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use kernel::Secret;
use tokio::time::Instant;

use self::failure::{Failure, Remedy};
use self::lane::{Access, Lane};
use crate::{Error, Migration, Outcome, Result, Row, Statement};

pub use self::options::PostgresOptions;

/// A handle to the connections; clones share them.
#[derive(Clone)]
pub(crate) struct Postgres(Arc<Inner>);

struct Inner {
    writers: Lane,
    readers: Lane,
    patience: Duration,
}

impl Postgres {
    pub(crate) async fn connect(url: &Secret, options: &PostgresOptions) -> Result<Self> {
        let target = options::Target::parse(url, options)?;
        let writers = Lane::new(&target, options, Access::Write);
        let readers = Lane::new(&target, options, Access::Read);
        drop(writers.client().await.map_err(|failure| failure.error)?);
        Ok(Self(Arc::new(Inner { writers, readers, patience: options.patience })))
    }

    pub(crate) fn server(&self) -> &str {
        self.0.writers.server()
    }

    pub(crate) async fn migrate(
        &self,
        component: &'static str,
        migrations: &[Migration],
    ) -> Result<()> {
        let inner = Arc::clone(&self.0);
        let migrations = migrations.to_vec();
        detached(&self.0.writers, async move { inner.migrate(component, &migrations).await }).await
    }

    pub(crate) async fn query(&self, statement: &Statement) -> Result<Vec<Row>> {
        let _place = self.0.readers.enter().await?;
        let mut patience = Patience::new(self.0.patience);
        loop {
            match self.0.read(statement).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => patience.after(failure).await?,
            }
        }
    }

    pub(crate) async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>> {
        let inner = Arc::clone(&self.0);
        detached(&self.0.writers, async move { inner.write(&statements).await }).await
    }

    /// Which transactions a reader would see now, in 64 bits. The text behind it names the oldest
    /// running transaction, the next one and all between that run, so it differs after every commit;
    /// it also moves when a write begins or fails, anywhere on the server. Writers pay nothing for it.
    pub(crate) async fn change_counter(&self) -> Result<i64> {
        let visible = Statement::new("SELECT CAST(pg_current_snapshot() AS TEXT)", []);
        let rows = self.query(&visible).await?;
        let snapshot: String = rows.first().map_or_else(|| Ok(String::new()), |row| row.get(0))?;
        let hash = digest(&SHA256, snapshot.as_bytes());
        let eight = hash.as_ref().first_chunk().expect("SHA-256 has more than 8 bytes");
        Ok(i64::from_be_bytes(*eight))
    }

    pub(crate) async fn close(&self) {
        self.0.writers.close().await;
        self.0.readers.close().await;
    }
}

impl Inner {
    async fn read(&self, statement: &Statement) -> Result<Vec<Row>, Failure> {
        let client = self.readers.client().await?;
        let result = run::read(&client, statement).await;
        self.readers.keep(client, result.as_ref().err());
        result
    }

    async fn write(&self, statements: &[Statement]) -> Result<Vec<Outcome>> {
        let mut patience = Patience::new(self.patience);
        loop {
            match self.try_write(statements).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(failure) => patience.after(failure).await?,
            }
        }
    }

    async fn try_write(&self, statements: &[Statement]) -> Result<Vec<Outcome>, Failure> {
        let mut client = self.writers.client().await?;
        let result = match statements {
            [only] => run::alone(&client, only).await.map(|outcome| vec![outcome]),
            several => run::together(&mut client, several).await,
        };
        self.writers.keep(client, result.as_ref().err());
        result
    }

    async fn migrate(&self, component: &str, migrations: &[Migration]) -> Result<()> {
        let mut patience = Patience::new(self.patience);
        loop {
            let attempt = async {
                let mut client = self.writers.client().await?;
                let result = migrate::migrate(&mut client, component, migrations).await;
                self.writers.keep(client, result.as_ref().err());
                result
            };
            match attempt.await {
                Ok(()) => return Ok(()),
                Err(failure) => patience.after(failure).await?,
            }
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Postgres")
            .field("server", &self.0.writers.server())
            .finish_non_exhaustive()
    }
}

/// Does the work to its end, whether or not the caller still waits for it.
async fn detached<T: Send + 'static>(
    lane: &Lane,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let place = lane.enter().await?;
    let task = tokio::spawn(async move {
        let result = work.await;
        drop(place);
        result
    });
    task.await.unwrap_or_else(|ended| Err(Error::Unknown(format!("its task ended: {ended}"))))
}

/// How long to go on trying, and how often.
struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    fn new(span: Duration) -> Self {
        Self { until: Instant::now() + span, pause: Duration::from_millis(2) }
    }

    /// Returns when it is time to try again.
    async fn after(&mut self, failure: Failure) -> Result<()> {
        if failure.remedy == Remedy::None || Instant::now() + self.pause > self.until {
            return Err(failure.error);
        }
        tracing::debug!(error = %failure.error, "nothing was committed; trying again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_millis(250));
        Ok(())
    }
}
