//! The promises of the store, on real files.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::mpsc as std_mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kernel::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::{Durability, vals};

const SCHEMA: Migration = Migration {
    name: "items",
    sql: "CREATE TABLE item (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;
          CREATE TABLE part (of TEXT NOT NULL REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED) STRICT;",
};

struct Fixture {
    folder: TempDir,
    db: Db,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(&Options::default()).await
    }

    async fn with(options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(folder.path().join("test.db"), options).unwrap();
        db.migrate("test", &[SCHEMA]).await.unwrap();
        Self { folder, db }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }

    /// What another process sees.
    fn outsider(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }
}

fn insert(id: impl Into<String>) -> Statement {
    Statement::new("INSERT INTO item (id, n) VALUES ($1, 1)", vals![id.into()])
}

async fn count(db: &Db) -> i64 {
    db.query("SELECT count(*) FROM item", []).await.unwrap()[0].get(0).unwrap()
}

fn count_outside(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap()
}

/// Keeps the writer busy until the returned sender is dropped, so that what is asked meanwhile queues.
fn hold_writer(db: &Db) -> std_mpsc::Sender<()> {
    let (release, held) = std_mpsc::channel::<()>();
    let job = Job::Alone(Box::new(move |_| {
        let _ = held.recv();
    }));
    assert!(db.0.writer.try_send(job).is_ok(), "the queue is empty");
    release
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Queues the batches in this order, then lets the writer have them at once.
async fn write_together(db: &Db, batches: Vec<Vec<Statement>>) -> Vec<Result<Vec<Outcome>>> {
    let release = hold_writer(db);
    let mut writes: Vec<_> = batches.into_iter().map(|batch| Box::pin(db.write(batch))).collect();
    for write in &mut writes {
        assert!(poll_once(write.as_mut()).is_pending());
    }
    drop(release);
    let mut results = Vec::new();
    for write in writes {
        results.push(write.await);
    }
    results
}

/// Transactions in the write-ahead log: frames whose header says the database's size after a commit.
/// Layout: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
fn commits_in_log(database: &Path) -> usize {
    let log = fs::read(database.with_extension("db-wal")).unwrap();
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    log[32..].chunks_exact(24 + page).filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn writes_that_wait_together_share_one_commit() {
    let fixture = Fixture::new().await;
    let before = commits_in_log(&fixture.path());
    let batches = (0..100).map(|n| vec![insert(n.to_string())]).collect();
    let results = write_together(&fixture.db, batches).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(commits_in_log(&fixture.path()) - before, 1);
    assert_eq!(count(&fixture.db).await, 100);
}

#[tokio::test]
async fn a_failing_write_does_not_spoil_its_neighbours() {
    let fixture = Fixture::new().await;
    let batches = vec![
        vec![insert("a")],
        vec![insert("b"), insert("a")],
        vec![Statement::new("INSERT INTO nowhere VALUES (1)", [])],
        vec![insert("c")],
    ];
    let results = write_together(&fixture.db, batches).await;
    assert!(results[0].is_ok() && results[3].is_ok());
    assert!(matches!(results[1], Err(Error::Duplicate(_))), "{:?}", results[1]);
    assert!(matches!(results[2], Err(Error::Statement { .. })), "{:?}", results[2]);
    let ids = fixture.db.query("SELECT id FROM item ORDER BY id", []).await.unwrap();
    let ids: Vec<String> = ids.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(ids, ["a", "c"], "the failed batch left nothing, not even its good statement");
}

#[tokio::test]
async fn a_constraint_that_shows_at_the_commit_fails_only_its_own_write() {
    let fixture = Fixture::new().await;
    let orphan = Statement::new("INSERT INTO part (of) VALUES ('missing')", []);
    let results =
        write_together(&fixture.db, vec![vec![insert("a")], vec![orphan], vec![insert("b")]]).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert!(matches!(results[1], Err(Error::Constraint(_))), "{:?}", results[1]);
    assert_eq!(count(&fixture.db).await, 2);
}

#[tokio::test]
async fn a_conflict_that_rolls_everything_back_fails_only_its_own_write() {
    let fixture = Fixture::new().await;
    let clash = Statement::new("INSERT OR ROLLBACK INTO item (id, n) VALUES ('a', 2)", []);
    let results =
        write_together(&fixture.db, vec![vec![insert("a")], vec![clash], vec![insert("b")]]).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert!(matches!(results[1], Err(Error::Duplicate(_))), "{:?}", results[1]);
    assert_eq!(count(&fixture.db).await, 2);
}

#[tokio::test]
async fn an_acknowledged_write_is_committed() {
    let fixture = Fixture::new().await;
    fixture.db.write([insert("a")]).await.unwrap();
    assert_eq!(count_outside(&fixture.outsider()), 1);
    let reopened = Db::open(fixture.path(), &Options::default()).unwrap();
    assert_eq!(count(&reopened).await, 1);
}

#[tokio::test]
async fn a_write_is_not_acknowledged_while_it_cannot_commit() {
    let fixture = Fixture::new().await;
    let outsider = fixture.outsider();
    outsider.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut write = pin!(fixture.db.write([insert("a")]));
    assert!(poll_once(write.as_mut()).is_pending());
    assert_eq!(count_outside(&outsider), 0);
    outsider.execute_batch("COMMIT").unwrap();
    write.await.unwrap();
    assert_eq!(count_outside(&outsider), 1);
}

#[tokio::test]
async fn a_lock_held_for_too_long_is_reported_and_passes() {
    let options = Options { busy_timeout: Duration::ZERO, ..Options::default() };
    let fixture = Fixture::with(&options).await;
    let outsider = fixture.outsider();
    outsider.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(fixture.db.write([insert("a")]).await, Err(Error::Busy));
    outsider.execute_batch("COMMIT").unwrap();
    fixture.db.write([insert("a")]).await.unwrap();
}

#[tokio::test]
async fn commits_wait_for_the_disk_unless_the_operator_chose_otherwise() {
    for (durability, synchronous) in [(Durability::Full, 2), (Durability::Relaxed, 1)] {
        let fixture = Fixture::with(&Options { durability, ..Options::default() }).await;
        let pragma = |connection: &mut Connection| {
            Ok(connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0))?)
        };
        assert_eq!(fixture.db.on_writer(pragma).await, Ok(synchronous));
    }
}

#[tokio::test]
async fn parameters_are_bound_by_number_in_any_order_and_more_than_once() {
    let db = Db::in_memory().unwrap();
    let rows = db.query("SELECT $2, $1, $2, $3", vals!["one", "two", 3_i64]).await.unwrap();
    let row = rows[0].clone().into_values();
    assert_eq!(row, vals!["two", "one", "two", 3_i64]);
}

#[tokio::test]
async fn mistakes_in_a_statement_are_named() {
    let fixture = Fixture::new().await;
    for (sql, params, reason) in [
        ("SELECT ?", vals![1_i64], "written $1, $2"),
        ("SELECT ?1", vals![1_i64], "written $1, $2"),
        ("SELECT :name", vals![1_i64], "written $1, $2"),
        ("SELECT $0", vals![1_i64], "written $1, $2"),
        ("SELECT $01", vals![1_i64], "written $1, $2"),
        ("SELECT $2", vals![1_i64], "$2 is used, but 1 parameter(s) are given"),
        ("SELECT $1", vals![1_i64, 2_i64], "$2 is given, but not used"),
        ("SELECT 1; SELECT 2", vals![], "ultiple statements"),
        ("SELECT", vals![], "incomplete input"),
        ("COMMIT", vals![], "neither reads nor writes"),
        ("", vals![], "neither reads nor writes"),
        ("DELETE FROM item", vals![], "a query cannot write"),
    ] {
        match fixture.db.query(sql, params).await {
            Err(Error::Statement { reason: found, .. }) => {
                assert!(found.contains(reason), "{sql}: {found}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_write_cannot_end_the_transaction_that_it_shares() {
    let fixture = Fixture::new().await;
    for sql in ["COMMIT", "ROLLBACK", "BEGIN", "RELEASE job"] {
        let meddler = vec![insert("meddler"), Statement::new(sql, [])];
        let results = write_together(&fixture.db, vec![vec![insert(sql)], meddler]).await;
        assert!(results[0].is_ok(), "{sql}");
        assert!(matches!(results[1], Err(Error::Statement { .. })), "{sql}: {:?}", results[1]);
    }
    assert_eq!(count(&fixture.db).await, 4);
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went() {
    let db = Db::in_memory().unwrap();
    let moment = Timestamp::from_micros(1_760_000_000_123_456);
    let params =
        vals!["té\0xt", i64::MIN, 0.1, vec![0_u8, 255], None::<String>, true, moment, Some("x")];
    let rows = db.query("SELECT $1, $2, $3, $4, $5, $6, $7, $8", params).await.unwrap();
    let row = &rows[0];
    assert_eq!(row.get::<String>(0).unwrap(), "té\0xt");
    assert_eq!(row.get::<i64>(1), Ok(i64::MIN));
    assert_eq!(row.get::<f64>(2), Ok(0.1));
    assert_eq!(row.get::<Vec<u8>>(3).unwrap(), [0, 255]);
    assert_eq!(row.get::<Option<String>>(4), Ok(None));
    assert_eq!(row.get::<bool>(5), Ok(true));
    assert_eq!(row.get::<Timestamp>(6), Ok(moment));
    assert_eq!(row.get::<Option<String>>(7), Ok(Some("x".to_owned())));
    for (index, found) in [(1, "an integer"), (4, "null"), (8, "no such column")] {
        let expected = Error::Column { index, expected: "text", found };
        assert_eq!(row.get::<String>(index), Err(expected));
    }
}

#[tokio::test]
async fn outcomes_tell_rows_and_how_many_were_touched() {
    let fixture = Fixture::new().await;
    let outcomes = fixture
        .db
        .write([
            insert("a"),
            insert("b"),
            Statement::new("UPDATE item SET n = n + $1 RETURNING id, n", vals![4_i64]),
            Statement::new("SELECT count(*) FROM item", []),
            Statement::new("DELETE FROM item WHERE id = $1", vals!["none"]),
        ])
        .await
        .unwrap();
    let affected: Vec<_> = outcomes.iter().map(|outcome| outcome.affected).collect();
    assert_eq!(affected, [1, 1, 2, 0, 0]);
    assert_eq!(outcomes[2].rows.len(), 2);
    assert_eq!(outcomes[2].rows[1].get::<i64>(1), Ok(5));
    assert_eq!(outcomes[3].rows[0].get::<i64>(0), Ok(2));
    let upsert = "INSERT INTO item (id, n) VALUES ($1, 9) ON CONFLICT (id) DO UPDATE SET n = 9";
    assert_eq!(fixture.db.execute(upsert, vals!["a"]).await.unwrap().affected, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_lose_no_update() {
    let fixture = Fixture::new().await;
    fixture.db.write([insert("counter")]).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let db = fixture.db.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for _ in 0..50 {
                    let sql = "UPDATE item SET n = n + 1 RETURNING n";
                    let outcome = db.execute(sql, []).await.unwrap();
                    let written: i64 = outcome.rows[0].get(0).unwrap();
                    let read = db.query("SELECT n FROM item", []).await.unwrap();
                    assert!(read[0].get::<i64>(0).unwrap() >= written, "a reader lags behind");
                    seen.push(written);
                }
                seen
            })
        })
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.extend(task.await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (2..=801).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_handles_on_one_file_write_side_by_side() {
    let fixture = Fixture::new().await;
    let options = Options { busy_timeout: Duration::from_secs(60), ..Options::default() };
    let tasks: Vec<_> = (0..2)
        .map(|handle| {
            let db = Db::open(fixture.path(), &options).unwrap();
            tokio::spawn(async move {
                for n in 0..50 {
                    db.write([insert(format!("{handle}/{n}"))]).await.unwrap();
                }
                db.close().await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count(&fixture.db).await, 100);
}

#[tokio::test]
async fn the_change_counter_notices_others_and_not_oneself() {
    let fixture = Fixture::new().await;
    let start = fixture.db.change_counter().await.unwrap();
    fixture.db.write([insert("mine")]).await.unwrap();
    assert_eq!(fixture.db.change_counter().await, Ok(start));
    let other = Db::open(fixture.path(), &Options::default()).unwrap();
    other.write([insert("theirs")]).await.unwrap();
    let after = fixture.db.change_counter().await.unwrap();
    assert_ne!(after, start);
    assert_eq!(fixture.db.change_counter().await, Ok(after));
}

#[tokio::test]
async fn a_full_queue_makes_the_caller_wait() {
    let fixture = Fixture::with(&Options { queue: 1, ..Options::default() }).await;
    let release = hold_writer(&fixture.db);
    let mut writes: Vec<_> =
        (0..8).map(|n| Box::pin(fixture.db.write([insert(n.to_string())]))).collect();
    for write in &mut writes {
        assert!(poll_once(write.as_mut()).is_pending());
    }
    assert_eq!(fixture.db.0.writer.capacity(), 0);
    drop(release);
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(count(&fixture.db).await, 8);
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_still_happens() {
    let fixture = Fixture::new().await;
    let release = hold_writer(&fixture.db);
    {
        let mut abandoned = pin!(fixture.db.write([insert("a")]));
        assert!(poll_once(abandoned.as_mut()).is_pending());
    }
    drop(release);
    fixture.db.write([insert("b")]).await.unwrap();
    assert_eq!(count(&fixture.db).await, 2);
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_folds_the_log() {
    let fixture = Fixture::new().await;
    let release = hold_writer(&fixture.db);
    let mut queued = pin!(fixture.db.write([insert("a")]));
    assert!(poll_once(queued.as_mut()).is_pending());
    drop(release);
    fixture.db.close().await;
    queued.await.unwrap();
    assert!(!fixture.path().with_extension("db-wal").exists());

    assert_eq!(fixture.db.write([insert("b")]).await, Err(Error::Closed));
    assert_eq!(fixture.db.query("SELECT 1", []).await, Err(Error::Closed));
    fixture.db.close().await;
    assert_eq!(count_outside(&fixture.outsider()), 1);
}

#[tokio::test]
async fn a_database_in_memory_keeps_the_same_promises() {
    let db = Db::in_memory().unwrap();
    db.migrate("test", &[SCHEMA]).await.unwrap();
    let results =
        write_together(&db, vec![vec![insert("a")], vec![insert("a")], vec![insert("b")]]).await;
    assert!(results[0].is_ok() && results[1].is_err() && results[2].is_ok());
    assert_eq!(count(&db).await, 2);
    assert!(db.query("DELETE FROM item", []).await.is_err());
    db.close().await;
    assert_eq!(db.query("SELECT 1", []).await, Err(Error::Closed));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let junk = folder.path().join("junk.db");
    fs::write(&junk, "this is not a database, but a text of some length\n".repeat(100)).unwrap();
    for (path, says) in [
        (folder.path().join("missing/test.db"), "No such file"),
        (folder.path().to_owned(), "unable to open"),
        (junk, "not a database"),
    ] {
        let error = Db::open(&path, &Options::default()).unwrap_err();
        let Error::Open { path: named, reason } = error else { panic!("{error}") };
        assert_eq!(named, path);
        assert!(reason.contains(says), "{reason}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_database_and_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new().await;
    for file in fs::read_dir(fixture.folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn processes_that_create_the_database_at_once_all_succeed() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        thread::scope(|scope| {
            let open = || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let db = Db::open(&path, &Options::default()).unwrap();
                runtime.block_on(db.migrate("test", &[SCHEMA])).unwrap();
            };
            for thread in (0..4).map(|_| scope.spawn(open)).collect::<Vec<_>>() {
                thread.join().unwrap();
            }
        });
    }
}

#[test]
fn the_caller_of_a_service_learns_no_details() {
    let engine = Error::Duplicate("UNIQUE constraint failed: access_key.value".to_owned());
    let shown = kernel::Error::from(engine);
    assert_eq!(shown.kind(), kernel::ErrorKind::Conflict);
    assert!(!shown.message().contains("access_key"));
    assert!(shown.operator_context().unwrap().contains("access_key"));
}

mod migrations {
    use super::*;

    const FIRST: Migration = Migration { name: "first", sql: "CREATE TABLE a (x INTEGER)" };
    const SECOND: Migration = Migration { name: "second", sql: "ALTER TABLE a ADD y INTEGER" };

    async fn tables(db: &Db) -> Vec<String> {
        let sql =
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'applied%'";
        db.query(sql, []).await.unwrap().iter().map(|row| row.get(0).unwrap()).collect()
    }

    #[tokio::test]
    async fn run_once_in_order_and_only_what_is_missing() {
        let db = Db::in_memory().unwrap();
        db.migrate("c", &[FIRST]).await.unwrap();
        db.migrate("c", &[FIRST]).await.unwrap();
        db.migrate("c", &[FIRST, SECOND]).await.unwrap();
        db.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).await.unwrap();
        let renamed = Migration { name: "reworded", ..FIRST };
        db.migrate("c", &[renamed, SECOND]).await.unwrap();
    }

    #[tokio::test]
    async fn components_number_their_own() {
        let db = Db::in_memory().unwrap();
        db.migrate("one", &[FIRST]).await.unwrap();
        let other = Migration { name: "first", sql: "CREATE TABLE b (x INTEGER)" };
        db.migrate("two", &[other]).await.unwrap();
        assert_eq!(tables(&db).await, ["a", "b"]);
    }

    #[tokio::test]
    async fn an_edited_one_is_refused() {
        let db = Db::in_memory().unwrap();
        db.migrate("c", &[FIRST]).await.unwrap();
        let edited = Migration { name: "first", sql: "CREATE TABLE a (x TEXT)" };
        let error = db.migrate("c", &[edited, SECOND]).await.unwrap_err();
        let (component, name) = ("c".to_owned(), "first".to_owned());
        assert_eq!(error, Error::MigrationChanged { component, number: 1, name });
        assert!(error.to_string().contains("add a new migration"), "{error}");
        db.execute("INSERT INTO a (x) VALUES (1)", []).await.unwrap();
    }

    #[tokio::test]
    async fn a_newer_database_is_refused() {
        let db = Db::in_memory().unwrap();
        db.migrate("c", &[FIRST, SECOND]).await.unwrap();
        let error = db.migrate("c", &[FIRST]).await.unwrap_err();
        assert_eq!(error, Error::Newer { component: "c".to_owned(), found: 2, known: 1 });
        assert!(error.to_string().contains("start the newer program"), "{error}");
    }

    #[tokio::test]
    async fn a_failing_one_undoes_its_predecessors() {
        let db = Db::in_memory().unwrap();
        for sql in ["CREATE TABLE b (x INTEGER); SELECT nonsense", "COMMIT"] {
            let broken = Migration { name: "broken", sql };
            let error = db.migrate("c", &[broken]).await.unwrap_err();
            assert!(matches!(error, Error::MigrationFailed { number: 1, .. }), "{error:?}");
            assert!(error.to_string().contains("'broken' of c"), "{error}");
        }
        let broken = Migration { name: "broken", sql: "CREATE TABLE a (x INTEGER)" };
        let error = db.migrate("c", &[FIRST, broken]).await.unwrap_err();
        assert!(matches!(error, Error::MigrationFailed { number: 2, .. }), "{error:?}");
        assert!(tables(&db).await.is_empty());
        db.migrate("c", &[FIRST, SECOND]).await.unwrap();
    }
}
