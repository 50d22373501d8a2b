//! A database for one test, and the macro that runs a test on every engine.
//!
//! A crate that keeps rows here lists `storage` with the feature `testing` among its
//! dev-dependencies, writes each case as `async fn case(db: TestDb)`, and names them all once in
//! [`conformance!`](crate::conformance). A case that is forgotten there is dead code, which the
//! compiler reports.
//!
//! PostgreSQL needs a server, named by the variable `TIDINGS_TEST_POSTGRES`; `scripts/with-postgres`
//! starts one. Without it the cases for PostgreSQL say that they are skipped, except in continuous
//! integration (`CI` is set), where that is a failure.

use std::io::Write as _;
use std::ops::Deref;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, io, process, thread};

use kernel::Secret;
use tempfile::TempDir;

use crate::{Db, Durability, Options, PostgresOptions};

/// The variable that names the server for tests: a URL whose user may create databases.
const SERVER: &str = "TIDINGS_TEST_POSTGRES";

/// An empty database that goes when this does. Its migrations are the test's business.
#[derive(Debug)]
pub struct TestDb {
    db: Db,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(TempDir),
    Server { server: String, database: String },
}

/// A SQLite database in a folder of its own.
///
/// # Panics
/// When the folder or the file cannot be made.
pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("tests have a folder for temporary files");
    TestDb::open(Place::Folder(folder)).await
}

/// A PostgreSQL database with a name of its own; none when there is no server for tests.
///
/// # Panics
/// When the server cannot be used, or there is none in continuous integration.
pub async fn postgres() -> Option<TestDb> {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let server = server()?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let database = format!("tidings_test_{}_{number}", process::id());
    let control = connect(&server).await;
    let create = format!("CREATE DATABASE {database} TEMPLATE template0");
    control.execute(drop_database(&database), []).await.expect("old databases can be dropped");
    control.execute(create, []).await.expect("the server lets its user create databases");
    control.close().await;
    Some(TestDb::open(Place::Server { server, database }).await)
}

impl TestDb {
    async fn open(place: Place) -> Self {
        Self { db: place.open().await, place }
    }

    /// A second handle on the same database, as another process would have.
    ///
    /// # Panics
    /// When the database cannot be opened.
    pub async fn another_handle(&self) -> Db {
        self.place.open().await
    }

    /// The URL of a PostgreSQL database.
    #[cfg(test)]
    pub(crate) fn url(&self) -> Option<Secret> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Server { server, database } => Some(Secret::new(named(server, database))),
        }
    }
}

impl Place {
    async fn open(&self) -> Db {
        match self {
            Self::Folder(folder) => {
                // Tests end with the machine that they run on, so nothing has to wait for its disk.
                let options = Options { durability: Durability::Relaxed, ..Options::default() };
                Db::open(folder.path().join("test.db"), &options).expect("a folder holds a file")
            }
            Self::Server { server, database } => connect(&named(server, database)).await,
        }
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Drop for TestDb {
    /// Drops the database of the server, also after a failed test: on a thread of its own, for the
    /// test's runtime is busy ending.
    fn drop(&mut self) {
        let Place::Server { server, database } = &self.place else { return };
        let (server, drop) = (server.clone(), drop_database(database));
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a thread has a runtime").block_on(async {
                // A name that stays behind does no harm, and the test may be failing already.
                if let Ok(db) = Db::connect(&Secret::new(server), &PostgresOptions::default()).await
                {
                    let _ = db.execute(drop, []).await;
                }
            });
        };
        let _ = thread::spawn(work).join();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but their surroundings")]
fn server() -> Option<String> {
    static TOLD: Once = Once::new();
    if let Ok(server) = env::var(SERVER) {
        return Some(server);
    }
    assert!(
        env::var("CI").is_err(),
        "{SERVER} must name a server; run under scripts/with-postgres"
    );
    // Past the test harness, which keeps what passing tests print to itself.
    TOLD.call_once(|| {
        let _ = writeln!(io::stderr(), "PostgreSQL cases are SKIPPED: {SERVER} names no server");
    });
    None
}

async fn connect(url: &str) -> Db {
    let options = PostgresOptions { durability: Durability::Relaxed, ..PostgresOptions::default() };
    Db::connect(&Secret::new(url), &options).await.expect("the server for tests can be used")
}

fn drop_database(name: &str) -> String {
    format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")
}

/// The URL of another database on a server.
fn named(server: &str, database: &str) -> String {
    let (place, query) = server.split_once('?').unwrap_or((server, ""));
    let (scheme, place) = place.split_once("://").expect("the server for tests is a URL");
    let host = place.split('/').next().unwrap_or(place);
    format!("{scheme}://{host}/{database}?{query}")
}

/// Makes one test of each case for each engine: `sqlite::case` and `postgres::case`. A case is an
/// `async fn(TestDb)` beside the call.
#[macro_export]
macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case($crate::testing::sqlite().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                if let Some(db) = $crate::testing::postgres().await {
                    super::$case(db).await;
                }
            })+
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::conformance!(a_second_handle_sees_the_same_database);

    async fn a_second_handle_sees_the_same_database(db: TestDb) {
        db.execute("CREATE TABLE item (n INTEGER NOT NULL)", []).await.unwrap();
        db.execute("INSERT INTO item (n) VALUES (7)", []).await.unwrap();
        let rows = db.another_handle().await.query("SELECT n FROM item", []).await.unwrap();
        assert_eq!(rows[0].get::<i64>(0), Ok(7));
    }

    #[test]
    fn another_database_of_the_same_server_has_the_same_url_but_for_its_name() {
        let url = named("postgres://me@127.0.0.1:5433/postgres?sslmode=disable", "other");
        assert_eq!(url, "postgres://me@127.0.0.1:5433/other?sslmode=disable");
        assert_eq!(named("postgres://me@host", "other"), "postgres://me@host/other?");
    }
}
