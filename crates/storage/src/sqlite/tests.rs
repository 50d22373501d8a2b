//! What only the SQLite engine promises, on real files. What both do is tested in `db/tests.rs`.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::mpsc as std_mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::db::Engine;
use crate::{Db, Durability, vals};

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

fn engine(db: &Db) -> &Sqlite {
    let Engine::Sqlite(engine) = &db.0 else { panic!("not SQLite: {db:?}") };
    engine
}

/// Keeps the writer busy until the returned sender is dropped, so that what is asked meanwhile queues.
fn hold_writer(db: &Db) -> std_mpsc::Sender<()> {
    let (release, held) = std_mpsc::channel::<()>();
    let job = Job::Alone(Box::new(move |_| {
        let _ = held.recv();
    }));
    assert!(engine(db).0.writer.try_send(job).is_ok(), "the queue is empty");
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
        assert_eq!(engine(&fixture.db).on_writer(pragma).await, Ok(synchronous));
    }
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
    assert_eq!(engine(&fixture.db).0.writer.capacity(), 0);
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
fn a_statement_is_prepared_once_whatever_its_parameters() {
    const SQL: &str = "SELECT id FROM item WHERE n >= $1 LIMIT $2";
    let folder = tempfile::tempdir().unwrap();
    let (path, options) = (folder.path().join("test.db"), Options::default());
    let writer = open_writer(&path, &options).unwrap();
    writer.execute_batch(SCHEMA.sql).unwrap();
    for connection in [&writer, &open_reader(&path, &options).unwrap()] {
        for n in 0..4_i64 {
            reader::run(connection, &Statement::new(SQL, vals![n, n + 1])).unwrap();
        }
        let prepared = connection.prepare_cached(SQL).unwrap();
        assert_eq!(prepared.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }
}
