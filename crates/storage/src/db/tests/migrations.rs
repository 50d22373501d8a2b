//! Migrations, on every engine.

use crate::testing::TestDb;
use crate::{Db, Error, Migration};

const FIRST: Migration = Migration { name: "first", sql: "CREATE TABLE a (x INTEGER)" };
const SECOND: Migration = Migration { name: "second", sql: "ALTER TABLE a ADD y INTEGER" };

crate::conformance!(
    run_once_in_order_and_only_what_is_missing,
    components_number_their_own,
    an_edited_one_is_refused,
    a_newer_database_is_refused,
    a_failing_one_undoes_its_predecessors,
    processes_that_start_at_once_wait_for_one_another,
);

async fn exists(db: &Db, table: &str) -> bool {
    db.query(format!("SELECT count(*) FROM {table}"), []).await.is_ok()
}

async fn run_once_in_order_and_only_what_is_missing(db: TestDb) {
    db.migrate("c", &[FIRST]).await.unwrap();
    db.migrate("c", &[FIRST]).await.unwrap();
    db.migrate("c", &[FIRST, SECOND]).await.unwrap();
    db.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).await.unwrap();
    let renamed = Migration { name: "reworded", ..FIRST };
    db.migrate("c", &[renamed, SECOND]).await.unwrap();
}

async fn components_number_their_own(db: TestDb) {
    db.migrate("one", &[FIRST]).await.unwrap();
    let other = Migration { name: "first", sql: "CREATE TABLE b (x INTEGER)" };
    db.migrate("two", &[other]).await.unwrap();
    assert!(exists(&db, "a").await && exists(&db, "b").await);
}

async fn an_edited_one_is_refused(db: TestDb) {
    db.migrate("c", &[FIRST]).await.unwrap();
    let edited = Migration { name: "first", sql: "CREATE TABLE a (x TEXT)" };
    let error = db.migrate("c", &[edited, SECOND]).await.unwrap_err();
    let (component, name) = ("c".to_owned(), "first".to_owned());
    assert_eq!(error, Error::MigrationChanged { component, number: 1, name });
    assert!(error.to_string().contains("add a new migration"), "{error}");
    db.execute("INSERT INTO a (x) VALUES (1)", []).await.unwrap();
}

async fn a_newer_database_is_refused(db: TestDb) {
    db.migrate("c", &[FIRST, SECOND]).await.unwrap();
    let error = db.migrate("c", &[FIRST]).await.unwrap_err();
    assert_eq!(error, Error::Newer { component: "c".to_owned(), found: 2, known: 1 });
    assert!(error.to_string().contains("start the newer program"), "{error}");
}

async fn a_failing_one_undoes_its_predecessors(db: TestDb) {
    for sql in ["CREATE TABLE b (x INTEGER); SELECT nonsense", "COMMIT", "SELECT 1; COMMIT"] {
        let broken = Migration { name: "broken", sql };
        let error = db.migrate("c", &[broken]).await.unwrap_err();
        assert!(matches!(error, Error::MigrationFailed { number: 1, .. }), "{error:?}");
        assert!(error.to_string().contains("'broken' of c"), "{error}");
    }
    let broken = Migration { name: "broken", sql: "CREATE TABLE a (x INTEGER)" };
    let error = db.migrate("c", &[FIRST, broken]).await.unwrap_err();
    assert!(matches!(error, Error::MigrationFailed { number: 2, .. }), "{error:?}");
    assert!(!exists(&db, "a").await && !exists(&db, "b").await);
    db.migrate("c", &[FIRST, SECOND]).await.unwrap();
}

async fn processes_that_start_at_once_wait_for_one_another(db: TestDb) {
    let mut starts = Vec::new();
    for _ in 0..4 {
        let process = db.another_handle().await;
        starts.push(tokio::spawn(async move { process.migrate("c", &[FIRST, SECOND]).await }));
    }
    for start in starts {
        start.await.unwrap().unwrap();
    }
    db.execute("INSERT INTO a (x, y) VALUES (1, 2)", []).await.unwrap();
}
