//! What is appended is read back by queries, on every engine.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock, Timestamp};
use storage::testing::TestDb;
use tokio_util::sync::CancellationToken;

use super::rows::{ACSAuthIncomingOperations, AegDeliveryFailureLogs, WebPubSubConnectivity};
use super::*;
use crate::kql::{self, Answer, Limits, Value};

storage::conformance!(
    appended_rows_are_read_newest_first_with_all_columns,
    a_scan_narrows_by_time_operation_and_resource,
    old_rows_are_forgotten_by_age,
    the_oldest_rows_are_forgotten_by_size,
    pages_join_without_gap_or_repetition,
    the_writer_settles_what_was_appended,
);

const RESOURCE: &str =
    "/subscriptions/S-1/resourceGroups/g/providers/Microsoft.SignalRService/WebPubSub/Local";

struct Fixed(Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

async fn store(db: &TestDb) -> Store {
    Store::open(storage::Db::clone(db), "the-workspace").await.unwrap()
}

fn connected(secs: i64, connection: &str) -> WebPubSubConnectivity {
    WebPubSubConnectivity {
        time: Timestamp::from_secs(secs),
        resource: RESOURCE.to_owned(),
        connection_id: connection.to_owned(),
        operation_name: "ConnectionStarted".to_owned(),
        message: "zero \0 and \"quotes\"".to_owned(),
        ..WebPubSubConnectivity::default()
    }
}

fn record<T: TableRow>(row: T) -> schema::Record {
    let (time, resource, cells) = row.into_cells();
    schema::Record { table: T::SCHEMA, time, resource, cells }
}

async fn ask(store: &Store, text: &str) -> Answer {
    let query = kql::parse(text).unwrap();
    let prepared = kql::bind(&query, store, 0).unwrap();
    kql::run(&prepared.plan, store, Limits::default()).await.unwrap()
}

async fn texts(store: &Store, text: &str) -> Vec<String> {
    let rows = ask(store, text).await.rows;
    rows.iter().map(|row| row[0].to_text().as_ref().to_owned()).collect()
}

async fn appended_rows_are_read_newest_first_with_all_columns(db: TestDb) {
    let store = store(&db).await;
    let token = ACSAuthIncomingOperations {
        time: Timestamp::from_secs(7),
        scopes: serde_json::json!(["chat"]),
        duration_ms: Some(12),
        ..ACSAuthIncomingOperations::default()
    };
    let rows = [record(connected(5, "c1")), record(connected(6, "c2")), record(token)];
    store.append(&rows).await.unwrap();
    let answer = ask(&store, "WebPubSubConnectivity").await;
    let names: Vec<&str> = answer.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(&names[..4], ["TenantId", "TimeGenerated", "CallerIpAddress", "ConnectionId"]);
    assert_eq!(&names[names.len() - 2..], ["_BilledSize", "_IsBillable"]);
    assert_eq!(texts(&store, "WebPubSubConnectivity | project ConnectionId").await, ["c2", "c1"]);
    let project = "WebPubSubConnectivity | take 1 | project strcat(TenantId, '|', Type, '|', \
                   _ResourceId, '|', _SubscriptionId, '|', Message)";
    let expected = format!(
        "the-workspace|WebPubSubConnectivity|{}|s-1|zero \0 and \"quotes\"",
        RESOURCE.to_lowercase()
    );
    assert_eq!(texts(&store, project).await, [expected]);
    let scopes = "ACSAuthIncomingOperations | project strcat(Scopes[0], DurationMs + 1)";
    assert_eq!(texts(&store, scopes).await, ["chat13"]);
}

async fn a_scan_narrows_by_time_operation_and_resource(db: TestDb) {
    let store = store(&db).await;
    let mut other = connected(8, "c4");
    other.operation_name = "ConnectionEnded".to_owned();
    other.resource = format!("{RESOURCE}-two");
    let rows: Vec<_> = [connected(5, "c1"), connected(6, "c2"), connected(7, "c3"), other]
        .into_iter()
        .map(record)
        .collect();
    store.append(&rows).await.unwrap();
    for (condition, expected) in [
        (
            "TimeGenerated >= datetime(1970-01-01T00:00:06) and TimeGenerated < datetime(1970-01-01T00:00:07)",
            vec!["c2"],
        ),
        ("OperationName == 'ConnectionEnded'", vec!["c4"]),
        (
            "OperationName == 'ConnectionEnded' and TimeGenerated < datetime(1970-01-01T00:00:08)",
            vec![],
        ),
        ("_ResourceId endswith '-two'", vec!["c4"]),
    ] {
        let text = format!("WebPubSubConnectivity | where {condition} | project ConnectionId");
        assert_eq!(texts(&store, &text).await, expected, "{condition}");
    }
    let query = kql::parse("WebPubSubConnectivity | count").unwrap();
    let mut plan = kql::bind(&query, &store, 0).unwrap().plan;
    plan.scans_mut()[0].under = Some(RESOURCE.to_lowercase().into());
    let answer = kql::run(&plan, &store, Limits::default()).await.unwrap();
    assert_eq!(answer.rows, [[Value::Long(3)]], "a resource whose name goes on is another one");
}

async fn old_rows_are_forgotten_by_age(db: TestDb) {
    let store = store(&db).await;
    let failure = AegDeliveryFailureLogs { time: Timestamp::from_secs(1), ..Default::default() };
    let rows = [record(connected(5, "c1")), record(connected(6, "c2")), record(failure)];
    store.append(&rows).await.unwrap();
    assert_eq!(store.forget(Timestamp::from_secs(6), u64::MAX).await.unwrap(), 2);
    assert_eq!(texts(&store, "union * | project Type").await, ["WebPubSubConnectivity"]);
}

async fn the_oldest_rows_are_forgotten_by_size(db: TestDb) {
    let store = store(&db).await;
    let rows: Vec<_> = (0..300).map(|at| record(connected(at, "c"))).collect();
    store.append(&rows).await.unwrap();
    let each = ask(&store, "WebPubSubConnectivity | take 1 | project _BilledSize").await;
    let Value::Real(each) = each.rows[0][0] else { panic!("a real") };
    let gone = store.forget(Timestamp::default(), each as u64 * 250).await.unwrap();
    assert!((50..=60).contains(&gone), "{gone}");
    let left = ask(&store, "WebPubSubConnectivity | summarize min(TimeGenerated), count()").await;
    assert_eq!(left.rows[0][0], Value::Moment(i64::try_from(gone).unwrap() * 10_000_000));
}

async fn pages_join_without_gap_or_repetition(db: TestDb) {
    let store = store(&db).await;
    // Many rows of one moment: pages end inside of it.
    let rows: Vec<_> = (0..2_345).map(|at| record(connected(at / 900, &at.to_string()))).collect();
    store.append(&rows).await.unwrap();
    let answer =
        ask(&store, "WebPubSubConnectivity | summarize count(), dcount(ConnectionId)").await;
    assert_eq!(answer.rows, [[Value::Long(2_345), Value::Long(2_345)]]);
}

async fn the_writer_settles_what_was_appended(db: TestDb) {
    let store = store(&db).await;
    let tables = LogTables::new(Intake { rows_per_second: 10_000, ..Intake::default() });
    let clock = Arc::new(Fixed(Timestamp::from_secs(10)));
    let retention = Retention { age: Duration::from_secs(5), bytes: u64::MAX };
    store.append(&[record(connected(1, "old"))]).await.unwrap();
    let writer = Writer::new(tables.clone(), store.clone(), retention, clock);
    let stop = CancellationToken::new();
    let running = writer.run(stop.clone());
    let asking = async {
        for at in 0..1_200 {
            tables.append(connected(8, &at.to_string()));
        }
        tables.settled().await;
        let count =
            ask(&store, "WebPubSubConnectivity | where ConnectionId != 'old' | count").await;
        assert_eq!(count.rows, [[Value::Long(1_200)]]);
        tables.append(connected(9, "last"));
        stop.cancel();
    };
    tokio::join!(running, asking);
    let last = texts(&store, "WebPubSubConnectivity | take 1 | project ConnectionId").await;
    assert_eq!(last, ["last"], "what is there at the end is written");
    tables.settled().await;
}

#[test]
fn a_full_queue_drops_its_oldest_rows_and_counts_them() {
    let tables = LogTables::new(Intake { capacity: 2, ..Intake::default() });
    for at in 0..5 {
        tables.append(connected(at, "c"));
    }
    let (rows, upto, dropped) = tables.take(1);
    assert_eq!((rows[0].time, upto, dropped), (Timestamp::from_secs(3), 4, 3));
    let (rows, upto, dropped) = tables.take(10);
    assert_eq!((rows.len(), upto, dropped), (1, 5, 0));
}

#[test]
fn a_flood_in_one_table_hides_nothing_in_another() {
    let tables = LogTables::new(Intake { rows_per_second: 2, ..Intake::default() });
    let now = Timestamp::from_secs(100);
    for _ in 0..5 {
        tables.append(connected(100, "c"));
    }
    assert!(!tables.has_room::<WebPubSubConnectivity>(now));
    assert!(tables.has_room::<AegDeliveryFailureLogs>(now));
    tables.append(connected(99, "late rows count into the second that is counted"));
    tables.append(connected(101, "the next second has room"));
    assert!(tables.has_room::<WebPubSubConnectivity>(Timestamp::from_secs(101)));
    let tallies = tables.tallies();
    let (_, tally) = tallies.iter().find(|(name, _)| *name == "WebPubSubConnectivity").unwrap();
    assert_eq!(*tally, Tally { taken: 3, too_many: 4, too_slow: 0 });
}

#[test]
fn tables_that_are_switched_off_take_nothing_and_count_nothing() {
    let tables = LogTables::new(Intake { rows_per_second: 0, ..Intake::default() });
    tables.append(connected(100, "c"));
    assert!(!tables.has_room::<WebPubSubConnectivity>(Timestamp::from_secs(100)));
    assert!(tables.tallies().iter().all(|(_, tally)| *tally == Tally::default()));
}
