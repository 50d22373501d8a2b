//! What is stored reads back as the same, on every engine.

use kernel::Timestamp;
use serde_json::json;
use storage::testing::TestDb;

use super::*;
use crate::topic::CustomTopic;

storage::conformance!(
    topics_read_back_with_their_keys,
    subscriptions_read_back_in_every_state,
    a_topic_takes_its_subscriptions_along,
    a_name_is_taken_once_across_groups,
    another_master_key_opens_nothing_it_has_not_sealed,
    a_row_that_cannot_be_read_leaves_the_others,
    the_first_keys_of_a_topic_stay_until_one_is_replaced,
    a_validation_that_was_overtaken_changes_nothing,
    the_revision_grows_with_definitions_alone,
    what_was_changed_meanwhile_is_not_deleted,
);

async fn store(db: &TestDb) -> Store {
    Store::open(Db::clone(db), Arc::new(MasterKey::from_bytes(&[7; 32]))).await.unwrap()
}

fn id(group: &str, name: &str) -> ResourceId {
    let id = format!("/subscriptions/s/resourceGroups/{group}/providers/Microsoft.EventGrid");
    ResourceId::parse(&format!("{id}/topics/{name}")).unwrap()
}

fn topic(group: &str, name: &str) -> Topic {
    Topic {
        id: id(group, name),
        location: "eastus".to_owned(),
        tags: [("a".to_owned(), "b".to_owned())].into(),
        kind: TopicKind::Custom(CustomTopic { disable_local_auth: true, ..CustomTopic::default() }),
        owned_by_file: false,
        created: Timestamp::from_secs(1_800_000_000),
        changed: Timestamp::from_secs(1_800_000_001),
    }
}

fn subscription(name: &str, state: State) -> EventSubscription {
    let properties = json!({
        "destination": { "endpointType": "WebHook",
            "properties": { "endpointUrl": "https://h.example/?code=hunter2" } },
        "expirationTimeUtc": "2030-01-31T12:00:00Z",
    });
    EventSubscription {
        scope: id("g", "Orders"),
        name: name.to_owned(),
        properties: Properties::read_back(&properties).unwrap(),
        state,
        allowed_rate: Some(120),
        owned_by_file: true,
        created: Timestamp::from_secs(1),
        changed: Timestamp::from_secs(2),
    }
}

async fn topics_read_back_with_their_keys(db: TestDb) {
    let store = store(&db).await;
    let (topic, keys) = (topic("g", "Orders"), TopicKeys::generate());
    store.write(vec![store.put_topic(&topic, Some(&keys))]).await.unwrap();
    let [(read, read_keys)] = &store.load().await.unwrap().topics[..] else { panic!("one") };
    assert_eq!(format!("{read:?}"), format!("{topic:?}"));
    assert_eq!(read_keys.as_ref(), Some(&keys));

    let changed = Topic { location: "west".to_owned(), ..topic };
    store.write(vec![store.put_topic(&changed, None)]).await.unwrap();
    let [(read, read_keys)] = &store.load().await.unwrap().topics[..] else { panic!("one") };
    assert_eq!((read.location.as_str(), read_keys), ("west", &None));
}

async fn subscriptions_read_back_in_every_state(db: TestDb) {
    let store = store(&db).await;
    let states = [
        State::Creating { reason: None },
        State::Creating { reason: Some("503".to_owned()) },
        State::AwaitingManualAction { code: "c".to_owned(), until: Timestamp::from_secs(9) },
        State::Succeeded,
        State::Failed { reason: "late".to_owned() },
    ];
    for state in states {
        let subscription = subscription("Billing", state);
        store.write(vec![store.put_subscription(&subscription)]).await.unwrap();
        let [read] = &store.load().await.unwrap().subscriptions[..] else { panic!("one") };
        assert_eq!(format!("{read:?}"), format!("{subscription:?}"));
        assert_eq!(read.properties, subscription.properties, "with its secrets");
    }
    let sealed = db.query("SELECT properties FROM eventgrid_subscriptions", []).await.unwrap();
    let sealed: Vec<u8> = sealed[0].get(0).unwrap();
    assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
}

async fn a_topic_takes_its_subscriptions_along(db: TestDb) {
    let store = store(&db).await;
    let subscription = subscription("Billing", State::Succeeded);
    let statements =
        vec![store.put_topic(&topic("g", "Orders"), None), store.put_subscription(&subscription)];
    store.write(statements).await.unwrap();
    store.write(Store::delete_topic(id("G", "ORDERS").key())).await.unwrap();
    let left = store.load().await.unwrap();
    assert!(left.topics.is_empty() && left.subscriptions.is_empty());
}

async fn a_name_is_taken_once_across_groups(db: TestDb) {
    let store = store(&db).await;
    store.write(vec![store.put_topic(&topic("g", "Orders"), None)]).await.unwrap();
    let taken = store.write(vec![store.put_topic(&topic("h", "ORDERS"), None)]).await;
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Conflict);
}

async fn another_master_key_opens_nothing_it_has_not_sealed(db: TestDb) {
    let own = store(&db).await;
    let keys = TopicKeys::generate();
    own.write(vec![own.put_topic(&topic("g", "Orders"), Some(&keys))]).await.unwrap();
    let other = Arc::new(MasterKey::from_bytes(&[8; 32]));
    let other = Store::open(Db::clone(&db), other).await.unwrap();
    let stored = other.load().await.unwrap();
    let ([], [topic]) = (&stored.topics[..], &stored.unreadable[..]) else { panic!("one") };
    assert!(topic.reason.contains("sealed with the master key"), "{}", topic.reason);
}

async fn a_row_that_cannot_be_read_leaves_the_others(db: TestDb) {
    let store = store(&db).await;
    let statements = vec![
        store.put_topic(&topic("g", "Orders"), None),
        store.put_topic(&topic("g", "Broken"), None),
        store.put_subscription(&subscription("Billing", State::Succeeded)),
        store.put_subscription(&subscription("Broken", State::Succeeded)),
        Statement::new(
            "UPDATE eventgrid_topics SET document = '{' WHERE custom_name = 'broken'",
            [],
        ),
        Statement::new(
            "UPDATE eventgrid_subscriptions SET properties = $1 WHERE name = 'broken'",
            vals![vec![1_u8]],
        ),
    ];
    store.change(statements).await.unwrap();
    let stored = store.load().await.unwrap();
    assert_eq!(stored.topics[0].0.id.name(), "Orders");
    assert_eq!(stored.subscriptions[0].name, "Billing");
    assert_eq!((stored.topics.len(), stored.subscriptions.len()), (1, 1));
    let [topic, of_orders] = &stored.unreadable[..] else { panic!("{:?}", stored.unreadable) };
    let (scope, broken) = (id("g", "orders"), id("g", "broken"));
    assert_eq!((topic.kind, topic.key.as_str()), (Kind::Topic, broken.key()));
    assert_eq!((of_orders.scope(), of_orders.name()), (scope.key(), "broken"));
    assert_eq!(of_orders.key, subscription("Broken", State::Succeeded).key());
    assert!(of_orders.owned_by_file && !topic.owned_by_file);
}

async fn the_first_keys_of_a_topic_stay_until_one_is_replaced(db: TestDb) {
    let (one, other) = (store(&db).await, store(&db).await);
    let topic = topic("g", "Orders");
    let (first, second) = (TopicKeys::generate(), TopicKeys::generate());
    one.change(vec![one.put_topic(&topic, Some(&first))]).await.unwrap();
    other.change(vec![other.put_topic(&topic, Some(&second))]).await.unwrap();
    let keys = async || one.load().await.unwrap().topics.remove(0).1.unwrap();
    assert_eq!(keys().await, first);

    // Each replaces one, neither knows of the other.
    one.change(vec![one.put_key(&topic.id, TopicKey::First, &second)]).await.unwrap();
    other.change(vec![other.put_key(&topic.id, TopicKey::Second, &second)]).await.unwrap();
    assert_eq!(keys().await, second);
}

async fn a_validation_that_was_overtaken_changes_nothing(db: TestDb) {
    let store = store(&db).await;
    let asked = subscription("Billing", State::Creating { reason: None });
    let validated = EventSubscription { state: State::Succeeded, ..asked.clone() };
    let state = async || store.load().await.unwrap().subscriptions.pop().map(|it| it.state);

    store.change(vec![Store::put_state(&validated, &asked.state)]).await.unwrap();
    assert_eq!(state().await, None, "it is not made by that");
    store.change(vec![store.put_subscription(&asked)]).await.unwrap();
    store.change(vec![Store::put_state(&validated, &asked.state)]).await.unwrap();
    assert_eq!(state().await, Some(State::Succeeded));

    let later = asked.changed + std::time::Duration::from_micros(1);
    let edited = EventSubscription { changed: later, ..asked.clone() };
    store.change(vec![store.put_subscription(&edited)]).await.unwrap();
    store.change(vec![Store::put_state(&validated, &asked.state)]).await.unwrap();
    assert_eq!(state().await, Some(State::Creating { reason: None }));

    // Two servers ask at once: the code that the webhook was given first stays good.
    let code = |code: &str| {
        let (code, until) = (code.to_owned(), Timestamp::from_secs(9));
        State::AwaitingManualAction { code, until }
    };
    for state in [code("one"), code("other")] {
        let waits = EventSubscription { state, ..edited.clone() };
        store.change(vec![Store::put_state(&waits, &edited.state)]).await.unwrap();
    }
    assert_eq!(state().await, Some(code("one")));
    let opened = EventSubscription { state: State::Succeeded, ..edited };
    for (wrong, changed) in [(code("other"), [0]), (code("one"), [1])] {
        let changes = store.change(vec![Store::put_state(&opened, &wrong)]).await;
        assert_eq!(changes.unwrap(), changed);
    }
}

async fn the_revision_grows_with_definitions_alone(db: TestDb) {
    let (one, other) = (store(&db).await, store(&db).await);
    let before = one.revision().await.unwrap();
    one.write(vec![Statement::new("DELETE FROM eventgrid_topics WHERE id = 'none'", [])])
        .await
        .unwrap();
    assert_eq!(one.revision().await.unwrap(), before);
    other.change(vec![other.put_topic(&topic("g", "Orders"), None)]).await.unwrap();
    assert_eq!(one.revision().await.unwrap(), before + 1);
    assert_eq!(one.load().await.unwrap().revision, before + 1);
}

async fn what_was_changed_meanwhile_is_not_deleted(db: TestDb) {
    let store = store(&db).await;
    let known = subscription("Billing", State::Succeeded);
    let later = known.changed + std::time::Duration::from_micros(1);
    let edited = EventSubscription { changed: later, ..known.clone() };
    store.change(vec![store.put_subscription(&edited)]).await.unwrap();
    for (it, gone) in [(&known, [0]), (&edited, [1]), (&edited, [0])] {
        assert_eq!(store.change(vec![Store::delete_unchanged(it)]).await.unwrap(), gone);
    }
}
