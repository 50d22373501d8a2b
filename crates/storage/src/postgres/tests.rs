//! What only the PostgreSQL engine promises. What both do is tested in `db/tests.rs`.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::{Client, NoTls};

use super::*;
use crate::testing::{TestDb, postgres};
use crate::{Db, vals};

const SCHEMA: Migration =
    Migration { name: "items", sql: "CREATE TABLE item (id TEXT PRIMARY KEY, n INTEGER NOT NULL)" };

/// A database with the rows `a`, `b` and `gate`, and two sessions beside the store's own: one that
/// looks, and one that holds locks. The server shows one transaction the same activity throughout.
struct Fixture {
    db: TestDb,
    url: String,
    outsider: Client,
    holder: Client,
}

impl Fixture {
    async fn new() -> Option<Self> {
        let db = postgres().await?;
        db.migrate("test", &[SCHEMA]).await.unwrap();
        db.execute("INSERT INTO item (id, n) VALUES ('a', 1), ('b', 1), ('gate', 1)", [])
            .await
            .unwrap();
        let url = db.url().unwrap().expose().to_owned();
        let (outsider, holder) = (session(&url).await, session(&url).await);
        Some(Self { db, url, outsider, holder })
    }

    /// Locks a row until [`Fixture::unlock`].
    async fn lock(&self, id: &str) {
        let sql = format!("BEGIN; SELECT n FROM item WHERE id = '{id}' FOR UPDATE");
        self.holder.batch_execute(&sql).await.unwrap();
    }

    async fn unlock(&self) {
        self.holder.batch_execute("COMMIT").await.unwrap();
    }

    /// Returns when so many other sessions wait for a lock.
    async fn waiting(&self, sessions: i64) {
        let sql = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while self.outsider.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) < sessions {
            tokio::task::yield_now().await;
        }
    }

    /// Ends the sessions of others: those that wait for a lock, or all.
    async fn end_sessions(&self, which: &str) {
        let sql = format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
        );
        self.outsider.batch_execute(&sql).await.unwrap();
    }

    async fn open(&self, options: &PostgresOptions) -> Db {
        Db::connect(&Secret::new(self.url.clone()), options).await.unwrap()
    }

    async fn n(&self, id: &str) -> i64 {
        let sql = "SELECT n FROM item WHERE id = $1";
        self.outsider.query_one(sql, &[&id]).await.unwrap().get(0)
    }
}

async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn add(id: &str) -> Statement {
    Statement::new("UPDATE item SET n = n + 1 WHERE id = $1", vals![id])
}

fn spawn_write(db: &Db, batch: Vec<Statement>) -> tokio::task::JoinHandle<Result<Vec<Outcome>>> {
    let db = db.clone();
    tokio::spawn(async move { db.write(batch).await })
}

#[tokio::test]
async fn writes_run_side_by_side() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.lock("a").await;
    let blocked = spawn_write(&fixture.db, vec![add("a")]);
    fixture.waiting(1).await;
    fixture.db.write([add("b")]).await.unwrap();
    assert!(!blocked.is_finished());
    fixture.unlock().await;
    blocked.await.unwrap().unwrap();
    assert_eq!((fixture.n("a").await, fixture.n("b").await), (2, 2));
}

#[tokio::test]
async fn a_deadlock_is_untied_and_both_writes_happen() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.lock("gate").await;
    let one = spawn_write(&fixture.db, vec![add("a"), add("gate"), add("b")]);
    fixture.waiting(1).await;
    let other = spawn_write(&fixture.db, vec![add("b"), add("gate"), add("a")]);
    fixture.waiting(2).await;
    fixture.unlock().await;
    one.await.unwrap().unwrap();
    other.await.unwrap().unwrap();
    assert_eq!((fixture.n("a").await, fixture.n("b").await), (3, 3));
}

#[tokio::test]
async fn a_lock_held_for_too_long_is_reported_and_passes() {
    let Some(fixture) = Fixture::new().await else { return };
    let hasty = PostgresOptions { patience: Duration::from_millis(20), ..Default::default() };
    let db = fixture.open(&hasty).await;
    fixture.lock("a").await;
    assert_eq!(db.write([add("a")]).await, Err(Error::Busy));
    assert_eq!(db.write([add("b"), add("a")]).await, Err(Error::Busy));
    fixture.unlock().await;
    db.write([add("b"), add("a")]).await.unwrap();
    assert_eq!((fixture.n("a").await, fixture.n("b").await), (2, 2));
}

#[tokio::test]
async fn sessions_that_the_server_ended_are_replaced() {
    let Some(fixture) = Fixture::new().await else { return };
    for _ in 0..3 {
        fixture.db.write([add("a"), add("b")]).await.unwrap();
        fixture.db.query("SELECT n FROM item", []).await.unwrap();
        fixture.end_sessions("true").await;
    }
    fixture.db.query("SELECT n FROM item", []).await.unwrap();
    assert_eq!((fixture.n("a").await, fixture.n("b").await), (4, 4));
}

#[tokio::test]
async fn a_transaction_that_broke_before_its_commit_happens_once() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.lock("b").await;
    let write = spawn_write(&fixture.db, vec![add("a"), add("b")]);
    fixture.waiting(1).await;
    fixture.end_sessions("wait_event_type = 'Lock'").await;
    fixture.waiting(1).await;
    fixture.unlock().await;
    write.await.unwrap().unwrap();
    assert_eq!((fixture.n("a").await, fixture.n("b").await), (2, 2));
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_called_unknown_and_not_repeated() {
    let Some(fixture) = Fixture::new().await else { return };
    // A statement that is a transaction by itself is cut where its parameter stands.
    for (batch, word) in [(vec![add("a"), add("gate")], "COMMIT"), (vec![add("gate")], "gate")] {
        let (port, cut) = cutting_proxy(&fixture.url, word).await;
        let (user, rest) = fixture.url.split_once('@').unwrap();
        let (_, database) = rest.split_once('/').unwrap();
        let url = Secret::new(format!("{user}@127.0.0.1:{port}/{database}"));
        let db = Db::connect(&url, &PostgresOptions::default()).await.unwrap();
        db.write([add("b")]).await.unwrap();
        let before = fixture.n("gate").await;
        cut.send(true).unwrap();
        let result = db.write(batch).await;
        assert!(matches!(result, Err(Error::Unknown(_))), "{result:?}");
        cut.send(false).unwrap();
        db.write([add("b")]).await.unwrap();
        assert!(fixture.n("gate").await - before <= 1, "it was repeated");
    }
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_still_happens() {
    let Some(fixture) = Fixture::new().await else { return };
    fixture.lock("a").await;
    {
        let mut abandoned = pin!(fixture.db.write([add("b"), add("a")]));
        let poll = abandoned.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(poll, Poll::Pending));
    }
    fixture.waiting(1).await;
    fixture.unlock().await;
    fixture.db.close().await;
    assert_eq!((fixture.n("a").await, fixture.n("b").await), (2, 2));
}

#[tokio::test]
async fn a_statement_outlives_a_change_of_its_tables() {
    let Some(fixture) = Fixture::new().await else { return };
    let columns = async || {
        let rows = fixture.db.query("SELECT * FROM item WHERE id = 'a'", []).await.unwrap();
        rows.into_iter().next().unwrap().into_values().len()
    };
    assert_eq!(columns().await, 2);
    fixture.outsider.batch_execute("ALTER TABLE item ADD extra BIGINT").await.unwrap();
    assert_eq!(columns().await, 3);
}

#[tokio::test]
async fn a_full_lane_makes_the_caller_wait() {
    let Some(fixture) = Fixture::new().await else { return };
    let narrow = PostgresOptions { queue: 2, writers: 2, ..Default::default() };
    let db = fixture.open(&narrow).await;
    fixture.lock("a").await;
    let blocked: Vec<_> = (0..2).map(|_| spawn_write(&db, vec![add("a")])).collect();
    fixture.waiting(2).await;
    let mut third = pin!(db.write([add("b")]));
    let poll = third.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Pending));
    fixture.unlock().await;
    third.await.unwrap();
    for write in blocked {
        write.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named_without_its_password() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = Secret::new(format!("postgres://me:hunter2@{closed}/tidings"));
    let error = Db::connect(&url, &PostgresOptions::default()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&format!("{closed}/tidings")), "{text}");
    assert!(text.contains("refused") && !text.contains("hunter2"), "{text}");
    assert_eq!(kernel::Error::from(error).kind(), kernel::ErrorKind::Unavailable);

    let Some(fixture) = Fixture::new().await else { return };
    let missing = fixture.url.replace("tidings_test", "missing");
    let error = Db::connect(&Secret::new(missing), &PostgresOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[tokio::test]
async fn the_mode_of_tls_is_honoured() {
    let (Some(fixture), Some(ca)) = (Fixture::new().await, extra_ca()) else { return };
    let url = fixture.url.replace("127.0.0.1", "localhost");
    let encrypted = async |mode: &str, extra_ca: Option<PathBuf>| {
        let url = Secret::new(url.replace("sslmode=disable", mode));
        let db = Db::connect(&url, &PostgresOptions { extra_ca, ..Default::default() }).await?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        db.query(sql, []).await?[0].get::<bool>(0)
    };
    assert_eq!(encrypted("sslmode=disable", None).await, Ok(false));
    assert_eq!(encrypted("sslmode=prefer", None).await, Ok(true));
    for mode in ["sslmode=require", "sslmode=verify-full"] {
        assert_eq!(encrypted(mode, Some(ca.clone())).await, Ok(true), "{mode}");
        let error = encrypted(mode, None).await.unwrap_err().to_string();
        assert!(error.contains("certificate") && error.contains("extra CA"), "{error}");
    }
    let missing = Some(ca.with_extension("missing"));
    let error = encrypted("sslmode=require", missing).await.unwrap_err().to_string();
    assert!(error.contains("ca.missing"), "{error}");
}

/// The certificate that the server for tests shows; none when it is not one of `scripts/with-postgres`.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but their surroundings")]
fn extra_ca() -> Option<PathBuf> {
    std::env::var("TIDINGS_TEST_POSTGRES_CA").ok().map(PathBuf::from)
}

/// A way to the server that breaks, while it is told to, where the client sends this word. What was
/// sent reaches the server; its answer does not come back.
async fn cutting_proxy(url: &str, word: &'static str) -> (u16, tokio::sync::watch::Sender<bool>) {
    let (_, rest) = url.split_once('@').unwrap();
    let (server, _) = rest.split_once('/').unwrap();
    let server = server.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (cut, cutting) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pass_until_cut(client, server, word, cutting.clone()));
        }
    });
    (port, cut)
}

async fn pass_until_cut(
    mut client: TcpStream,
    mut server: TcpStream,
    word: &'static str,
    cutting: tokio::sync::watch::Receiver<bool>,
) {
    let (mut asked, mut answered) = ([0; 8192], [0; 8192]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let asked = &asked[..length];
                if server.write_all(asked).await.is_err() {
                    return;
                }
                let said = asked.windows(word.len()).any(|window| window == word.as_bytes());
                if said && *cutting.borrow() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
