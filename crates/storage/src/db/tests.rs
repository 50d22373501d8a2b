//! The promises of the store, on every engine.

mod migrations;
mod model;

use kernel::Timestamp;

use super::*;
use crate::testing::TestDb;
use crate::{Error, vals};

const SCHEMA: Migration = Migration {
    name: "items",
    sql: "CREATE TABLE item (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
          CREATE TABLE part (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            of TEXT NOT NULL REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED,
            weight REAL,
            picture BLOB
          ) STRICT;
          CREATE UNIQUE INDEX heavy ON part (of) WHERE weight > 10;",
};

crate::conformance!(
    parameters_are_bound_by_number_in_any_order_and_more_than_once,
    every_kind_of_value_comes_back_as_it_went,
    values_keep_their_range_in_arithmetic,
    null_fits_wherever_it_stands,
    what_is_computed_reads_alike,
    text_is_ordered_by_its_bytes,
    text_with_a_zero_character_is_refused,
    outcomes_tell_rows_and_how_many_were_touched,
    rows_are_numbered_by_themselves,
    the_shared_sql_means_the_same,
    a_comment_for_postgres_disturbs_nobody,
    a_batch_is_kept_whole_or_not_at_all,
    a_batch_sees_its_own_writes,
    an_empty_batch_does_nothing,
    rules_of_the_schema_are_told_apart,
    a_constraint_that_shows_at_the_commit_fails_the_write,
    mistakes_in_a_statement_are_named,
    a_statement_cannot_begin_or_end_a_transaction,
    a_query_cannot_write,
    concurrent_writers_lose_no_update,
    writers_in_each_others_way_all_succeed,
    the_change_counter_notices_others,
    closing_finishes_what_is_under_way_and_takes_no_more,
    more_statements_than_are_kept_prepared_all_run,
);

fn insert(id: impl Into<String>) -> Statement {
    Statement::new("INSERT INTO item (id, n) VALUES ($1, 1)", vals![id.into()])
}

async fn with_items(db: &TestDb) {
    db.migrate("test", &[SCHEMA]).await.unwrap();
}

async fn values(db: &Db, sql: &'static str, params: Vec<Val>) -> Vec<Vec<Val>> {
    let rows = db.query(sql, params).await;
    rows.unwrap_or_else(|e| panic!("{e}")).into_iter().map(Row::into_values).collect()
}

async fn ids(db: &Db) -> Vec<String> {
    let rows = db.query("SELECT id FROM item ORDER BY id", []).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

async fn parameters_are_bound_by_number_in_any_order_and_more_than_once(db: TestDb) {
    let rows = values(&db, "SELECT $2, $1, $2, $3", vals!["one", "two", 3_i64]).await;
    assert_eq!(rows, [vals!["two", "one", "two", 3_i64]]);
}

async fn every_kind_of_value_comes_back_as_it_went(db: TestDb) {
    let moment = Timestamp::from_micros(1_760_000_000_123_456);
    let params =
        vals!["té🦀xt", i64::MIN, 0.1, vec![0_u8, 255], None::<String>, true, moment, Some("x")];
    let rows = db.query("SELECT $1, $2, $3, $4, $5, $6, $7, $8", params).await.unwrap();
    let row = &rows[0];
    assert_eq!(row.get::<String>(0).unwrap(), "té🦀xt");
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

async fn values_keep_their_range_in_arithmetic(db: TestDb) {
    let moment = 1_760_000_000_123_456_i64;
    assert_eq!(values(&db, "SELECT $1 + 5", vals![moment]).await, [vals![moment + 5]]);
    with_items(&db).await;
    db.execute("INSERT INTO item (id, n) VALUES ($1, $2 + 1)", vals!["a", moment]).await.unwrap();
    let due = "SELECT n FROM item WHERE n < $1 + 10 AND n >= coalesce($2, $1)";
    assert_eq!(values(&db, due, vals![moment, None::<i64>]).await, [vals![moment + 1]]);
}

async fn null_fits_wherever_it_stands(db: TestDb) {
    with_items(&db).await;
    let part = "INSERT INTO part (of, weight, picture) SELECT id, $1, $2 FROM item";
    db.write([insert("a"), Statement::new(part, vals![None::<f64>, None::<Vec<u8>>])])
        .await
        .unwrap();
    let rows = values(&db, "SELECT weight, picture FROM part", vec![]).await;
    assert_eq!(rows, [[Val::Null, Val::Null]]);
    let none = "SELECT of FROM part WHERE weight IS NOT DISTINCT FROM $1";
    assert_eq!(values(&db, none, vals![None::<f64>]).await, [vals!["a"]]);
}

async fn what_is_computed_reads_alike(db: TestDb) {
    with_items(&db).await;
    db.write([insert("a"), insert("b"), insert("ccc")]).await.unwrap();
    let sql = "SELECT count(*), sum(n), max(length(id)), min(id), avg(n), 1 < 2, id || $1
               FROM item WHERE id = 'ccc' GROUP BY id";
    let expected = vals![1_i64, 1_i64, 3_i64, "ccc", 1.0, true, "ccc!"];
    assert_eq!(values(&db, sql, vals!["!"]).await, [expected]);
    assert_eq!(values(&db, "SELECT sum(n) FROM item", vec![]).await, [vals![3_i64]]);
}

async fn text_is_ordered_by_its_bytes(db: TestDb) {
    with_items(&db).await;
    let by_bytes = ["", "A", "B", "Z", "_", "a", "a b", "a-b", "aB", "ab", "é"];
    db.write(by_bytes.iter().rev().map(|id| insert(*id)).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(ids(&db).await, by_bytes);
    let after = "SELECT count(*) FROM item WHERE id > $1";
    assert_eq!(values(&db, after, vals!["_"]).await, [vals![6_i64]]);
}

async fn text_with_a_zero_character_is_refused(db: TestDb) {
    with_items(&db).await;
    assert_eq!(db.write([insert("a\0b")]).await, Err(Error::ZeroCharacter));
    assert_eq!(db.query("SELECT $1", vals!["\0"]).await, Err(Error::ZeroCharacter));
}

async fn outcomes_tell_rows_and_how_many_were_touched(db: TestDb) {
    with_items(&db).await;
    let batch = [
        insert("a"),
        insert("b"),
        Statement::new("UPDATE item SET n = n + $1 RETURNING id, n", vals![4_i64]),
        Statement::new("SELECT count(*) FROM item", []),
        Statement::new("WITH all_of AS (SELECT id FROM item) SELECT id FROM all_of", []),
        Statement::new("DELETE FROM item WHERE id = $1", vals!["none"]),
    ];
    let outcomes = db.write(batch).await.unwrap();
    let affected: Vec<_> = outcomes.iter().map(|outcome| outcome.affected).collect();
    assert_eq!(affected, [1, 1, 2, 0, 0, 0]);
    assert_eq!(outcomes[2].rows.len(), 2);
    assert_eq!(outcomes[2].rows[1].get::<i64>(1), Ok(5));
    assert_eq!(outcomes[3].rows[0].get::<i64>(0), Ok(2));
    let upsert = "INSERT INTO item (id, n) VALUES ($1, 9) ON CONFLICT (id) DO UPDATE SET n = 9";
    assert_eq!(db.execute(upsert, vals!["a"]).await.unwrap().affected, 1);
    let unless = "INSERT INTO item (id, n) VALUES ($1, 9) ON CONFLICT (id) DO NOTHING RETURNING n";
    assert_eq!(db.execute(unless, vals!["a"]).await, Ok(Outcome::default()));
}

async fn rows_are_numbered_by_themselves(db: TestDb) {
    with_items(&db).await;
    let part = "INSERT INTO part (of) VALUES ('a') RETURNING number";
    let part = Statement::new(part, []);
    let outcomes = db.write([insert("a"), part.clone(), part]).await.unwrap();
    let number = |index: usize| outcomes[index].rows[0].get::<i64>(0).unwrap();
    assert!(number(1) > 0 && number(1) < number(2));
}

async fn the_shared_sql_means_the_same(db: TestDb) {
    with_items(&db).await;
    db.write(["a", "b", "c", "d"].map(insert)).await.unwrap();
    let upsert = "INSERT INTO item (id, n) VALUES ($1, $2)
                  ON CONFLICT (id) DO UPDATE SET n = item.n + excluded.n WHERE item.n < $3";
    assert_eq!(db.execute(upsert, vals!["a", 6_i64, 5_i64]).await.unwrap().affected, 1);
    assert_eq!(db.execute(upsert, vals!["a", 6_i64, 5_i64]).await.unwrap().affected, 0);
    let take = "WITH picked AS MATERIALIZED (
                  SELECT id FROM item WHERE n <= $1 ORDER BY id LIMIT $2
                  /*postgres: FOR UPDATE SKIP LOCKED*/)
                UPDATE item SET n = $3 WHERE id IN (SELECT id FROM picked) RETURNING id";
    let taken = db.execute(take, vals![3_i64, 2_i64, 50_i64]).await.unwrap();
    let mut taken: Vec<String> = taken.rows.iter().map(|row| row.get(0).unwrap()).collect();
    taken.sort();
    assert_eq!(taken, ["b", "c"]);
    let page = "SELECT id, row_number() OVER (ORDER BY id DESC) FROM item
                WHERE (n, id) > ($1, $2) ORDER BY n, id LIMIT 2";
    let page = values(&db, page, vals![7_i64, "a"]).await;
    assert_eq!(page, [vals!["b", 2_i64], vals!["c", 1_i64]]);
    let several = "INSERT INTO item (id, n) VALUES ($1, $2), ($3, $2) RETURNING CAST(n AS TEXT)";
    let several = db.execute(several, vals!["x", 8_i64, "y"]).await.unwrap();
    assert_eq!(several.rows[1].get::<String>(0).unwrap(), "8");
}

async fn a_comment_for_postgres_disturbs_nobody(db: TestDb) {
    with_items(&db).await;
    let lock = "SELECT id /* every one */ FROM item /*postgres: FOR UPDATE*/";
    let outcomes = db.write([insert("a"), Statement::new(lock, [])]).await.unwrap();
    assert_eq!(outcomes[1].rows.len(), 1);
}

async fn a_batch_is_kept_whole_or_not_at_all(db: TestDb) {
    with_items(&db).await;
    db.write([insert("a")]).await.unwrap();
    let error = db.write([insert("b"), insert("a"), insert("c")]).await.unwrap_err();
    assert!(matches!(error, Error::Duplicate(_)), "{error:?}");
    assert_eq!(ids(&db).await, ["a"]);
    db.write([insert("b"), insert("c")]).await.unwrap();
    assert_eq!(ids(&db).await, ["a", "b", "c"]);
}

async fn a_batch_sees_its_own_writes(db: TestDb) {
    db.migrate("test", &[]).await.unwrap();
    let batch = [
        Statement::new("CREATE TABLE note (body TEXT NOT NULL)", []),
        Statement::new("INSERT INTO note (body) VALUES ($1)", vals!["x"]),
        Statement::new("SELECT body FROM note", []),
    ];
    let outcomes = db.write(batch).await.unwrap();
    assert_eq!(outcomes[2].rows[0].get::<String>(0).unwrap(), "x");
}

async fn an_empty_batch_does_nothing(db: TestDb) {
    assert_eq!(db.write([]).await, Ok(vec![]));
}

async fn rules_of_the_schema_are_told_apart(db: TestDb) {
    with_items(&db).await;
    db.write([insert("a")]).await.unwrap();
    let heavy = "INSERT INTO part (of, weight) VALUES ('a', $1)";
    db.execute(heavy, vals![9.5]).await.unwrap();
    db.execute(heavy, vals![9.5]).await.unwrap();
    db.execute(heavy, vals![11.0]).await.unwrap();
    let error = db.execute(heavy, vals![12.0]).await.unwrap_err();
    assert!(matches!(error, Error::Duplicate(_)), "{error:?}");
    let nothing = "INSERT INTO item (id, n) VALUES ('b', $1)";
    let error = db.execute(nothing, vals![None::<i64>]).await.unwrap_err();
    assert!(matches!(error, Error::Constraint(_)), "{error:?}");
    assert!(!format!("{error}").contains("11"), "{error}");
}

async fn a_constraint_that_shows_at_the_commit_fails_the_write(db: TestDb) {
    with_items(&db).await;
    let orphan = Statement::new("INSERT INTO part (of) VALUES ('missing')", []);
    for batch in [vec![orphan.clone()], vec![insert("a"), orphan.clone()]] {
        let error = db.write(batch).await.unwrap_err();
        assert!(matches!(error, Error::Constraint(_)), "{error:?}");
    }
    db.write([orphan, insert("missing")]).await.unwrap();
    assert_eq!(ids(&db).await, ["missing"]);
}

async fn mistakes_in_a_statement_are_named(db: TestDb) {
    with_items(&db).await;
    for (sql, params, reason) in [
        ("SELECT ?", vals![1_i64], "written $1, $2"),
        ("SELECT $0", vals![1_i64], "written $1, $2"),
        ("SELECT $01", vals![1_i64], "written $1, $2"),
        ("SELECT $2", vals![1_i64], "$2 is used, but 1 parameter(s) are given"),
        ("SELECT $1", vals![1_i64, 2_i64], "$2 is given, but not used"),
        ("SELECT 1; SELECT 2", vals![], "ultiple "),
        ("SELECT id FROM nowhere", vals![], "nowhere"),
        ("SELECT missing FROM item", vals![], "missing"),
        ("SELECT id FROM item WHERE", vals![], ""),
        ("", vals![], "neither reads nor writes"),
    ] {
        match db.query(sql, params).await {
            Err(Error::Statement { reason: found, sql: named }) => {
                assert!(found.contains(reason), "{sql}: {found}");
                assert_eq!(named, sql);
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}

async fn a_statement_cannot_begin_or_end_a_transaction(db: TestDb) {
    with_items(&db).await;
    for sql in ["COMMIT", "ROLLBACK", "BEGIN", "/* SELECT */ COMMIT"] {
        for batch in
            [vec![Statement::new(sql, [])], vec![insert("meddler"), Statement::new(sql, [])]]
        {
            let result = db.write(batch).await;
            assert!(matches!(result, Err(Error::Statement { .. })), "{sql}: {result:?}");
        }
    }
    assert!(ids(&db).await.is_empty());
}

async fn a_query_cannot_write(db: TestDb) {
    with_items(&db).await;
    db.write([insert("a")]).await.unwrap();
    for sql in ["DELETE FROM item", "UPDATE item SET n = 5 RETURNING n", "DROP TABLE item"] {
        match db.query(sql, []).await {
            Err(Error::Statement { reason, .. }) => {
                assert!(reason.contains("a query cannot write"), "{sql}: {reason}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(ids(&db).await, ["a"]);
}

async fn concurrent_writers_lose_no_update(db: TestDb) {
    with_items(&db).await;
    db.write([insert("counter")]).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let db = Db::clone(&db);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                for _ in 0..20 {
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
    assert_eq!(seen, (2..=321).collect::<Vec<_>>());
}

async fn writers_in_each_others_way_all_succeed(db: TestDb) {
    with_items(&db).await;
    db.write([insert("a"), insert("b")]).await.unwrap();
    let add =
        |id: &'static str| Statement::new("UPDATE item SET n = n + 1 WHERE id = $1", vals![id]);
    let tasks: Vec<_> = (0..6)
        .map(|task| {
            let db = Db::clone(&db);
            let batch = if task % 2 == 0 { ["a", "b"] } else { ["b", "a"] }.map(add);
            tokio::spawn(async move {
                for _ in 0..5 {
                    db.write(batch.clone()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rows = values(&db, "SELECT n FROM item", vec![]).await;
    assert_eq!(rows, [vals![31_i64], vals![31_i64]]);
}

async fn the_change_counter_notices_others(db: TestDb) {
    with_items(&db).await;
    let other = db.another_handle().await;
    let mut last = db.change_counter().await.unwrap();
    for id in ["a", "b", "c"] {
        other.write([insert(id)]).await.unwrap();
        let now = db.change_counter().await.unwrap();
        assert_ne!(now, last);
        last = now;
    }
}

async fn closing_finishes_what_is_under_way_and_takes_no_more(db: TestDb) {
    with_items(&db).await;
    let write = tokio::spawn({
        let db = Db::clone(&db);
        async move { db.write([insert("a")]).await }
    });
    tokio::task::yield_now().await;
    db.close().await;
    write.await.unwrap().unwrap();
    assert_eq!(db.write([insert("b")]).await, Err(Error::Closed));
    assert_eq!(db.query("SELECT 1", []).await, Err(Error::Closed));
    assert_eq!(db.migrate("test", &[SCHEMA]).await, Err(Error::Closed));
    db.close().await;
    assert_eq!(ids(&db.another_handle().await).await, ["a"]);
}

async fn more_statements_than_are_kept_prepared_all_run(db: TestDb) {
    for n in 0..600_i64 {
        let rows = db.query(format!("SELECT {n} + $1"), vals![1_i64]).await.unwrap();
        assert_eq!(rows[0].get::<i64>(0), Ok(n + 1));
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
