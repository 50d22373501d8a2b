//! The store on every engine: what is written is read, who is faster wins, an audience is what
//! evaluation says.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel::{ErrorKind, Secret, Timestamp};
use storage::testing::TestDb;

use super::*;
use crate::credential::{Policy, Right};
use crate::entry::{Feedback, Submission};
use crate::installation::{Installation, Patch};
use crate::notification::State;
use crate::registration::{Description, IfMatch, Key, ListFilter, Registration, RegistrationId};
use crate::tag::{Tag, TagExpression, TagSet};
use crate::{Handle, Platform, date};

storage::conformance!(
    a_registration_is_written_read_and_replaced,
    etags_guard_writes,
    ids_of_old_are_gone,
    system_tags_survive_a_resave,
    listings_go_page_by_page,
    filters_find_handles_and_tags,
    an_audience_is_what_evaluation_says,
    an_audience_ends_with_the_send,
    an_installation_becomes_registrations,
    a_patched_installation_keeps_its_keys,
    an_installation_is_whole_whoever_writes_and_deletes_it,
    the_number_of_a_deleted_hub_is_not_used_again,
    dead_handles_are_removed_unless_renewed,
    what_is_expired_is_gone,
    hubs_and_policies_are_sealed,
    reports_count_and_forget,
);

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const FOR_EVER: Lifetime = Lifetime { from: NOW, until: date::NEVER };
const HUB: HubKey = HubKey(1);

async fn store(db: &TestDb) -> Store {
    let master = Arc::new(MasterKey::from_bytes(&[7; 32]));
    Store::open((**db).clone(), master).await.unwrap()
}

fn device(platform: Platform, address: &str, tags: &str) -> Submission {
    let mut description = Description::new(Handle::new(platform, address).unwrap());
    description.tags = TagSet::parse_list(tags).unwrap();
    Submission { description, system_tags: Vec::new() }
}

async fn create(store: &Store, address: &str, tags: &str) -> Registration {
    let submission = device(Platform::FcmV1, address, tags);
    store.create_registration(HUB, submission, FOR_EVER).await.unwrap()
}

async fn put(store: &Store, id: &str, if_match: Option<IfMatch>) -> Result<Registration> {
    let id = RegistrationId::parse(id).unwrap();
    let submission = device(Platform::FcmV1, "f", "a");
    store.put_registration(HUB, &id, &submission, if_match, FOR_EVER).await
}

fn later(secs: u64) -> Timestamp {
    NOW + Duration::from_secs(secs)
}

async fn audience_of(store: &Store, tags: Option<&str>, platform: Option<Platform>) -> Vec<String> {
    let tags = tags.map(|text| TagExpression::parse(text).unwrap());
    let selection = Selection { tags, platform };
    let before = store.keys().next(later(1));
    let audience = store.audience(HUB, &selection, before).await.unwrap();
    let (mut found, mut after) = (Vec::new(), Key(0));
    loop {
        let (page, next) = store.recipients(&audience, after, 3, NOW).await.unwrap();
        found.extend(page.iter().map(|it| it.handle.address().to_owned()));
        match next {
            Some(next) => after = next,
            None => return found,
        }
    }
}

async fn a_registration_is_written_read_and_replaced(db: TestDb) {
    let store = store(&db).await;
    let mut submission = device(Platform::FcmV1, "f:1", "News,é");
    submission.description.handle = Handle::browser("https://p.example/1", "P", "A").unwrap();
    submission.description.push_variables = Some("{\"a\":\"b\"}".to_owned());
    let made = store.create_registration(HUB, submission, FOR_EVER).await.unwrap();
    assert_eq!(made.etag, 1);
    assert_eq!(store.registration(HUB, &made.id, NOW).await.unwrap(), made);
    let other = store.registration(HubKey(2), &made.id, NOW).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::NotFound);
    let next = device(Platform::FcmV1, "f:2", "b");
    let put = store.put_registration(HUB, &made.id, &next, None, FOR_EVER).await.unwrap();
    assert_eq!((put.etag, put.key), (2, made.key));
    assert_eq!(store.registration(HUB, &made.id, NOW).await.unwrap(), put);
    assert_eq!(audience_of(&store, Some("news"), Some(Platform::Browser)).await, [""; 0]);
    assert_eq!(audience_of(&store, Some("B"), Some(Platform::FcmV1)).await, ["f:2"]);
}

async fn etags_guard_writes(db: TestDb) {
    let store = store(&db).await;
    let kind = |result: Result<Registration>| result.map(|it| it.etag).map_err(|it| it.kind());
    assert_eq!(kind(put(&store, "own-1", Some(IfMatch::Any)).await), Err(ErrorKind::NotFound));
    assert_eq!(kind(put(&store, "own-1", None).await), Ok(1));
    assert_eq!(
        kind(put(&store, "own-1", Some(IfMatch::Version(9))).await),
        Err(ErrorKind::PreconditionFailed)
    );
    assert_eq!(kind(put(&store, "own-1", Some(IfMatch::Version(1))).await), Ok(2));
    assert_eq!(kind(put(&store, "own-1", Some(IfMatch::Any)).await), Ok(3));
    let id = RegistrationId::parse("own-1").unwrap();
    let stale = store.delete_registration(HUB, &id, Some(IfMatch::Version(1))).await;
    assert_eq!(stale.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    store.delete_registration(HUB, &id, Some(IfMatch::Version(3))).await.unwrap();
    let gone = store.delete_registration(HUB, &id, None).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(audience_of(&store, Some("a"), Some(Platform::FcmV1)).await, [""; 0]);
}

async fn ids_of_old_are_gone(db: TestDb) {
    let store = store(&db).await;
    let old = NOW - Duration::from_secs(40 * 24 * 3600);
    let id = RegistrationId::issue(store.keys().next(old), 1);
    let error = put(&store, id.as_str(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
}

async fn system_tags_survive_a_resave(db: TestDb) {
    let store = store(&db).await;
    put_installation(&store, "i1", "62bc").await;
    let tag = ListFilter::Tag(Tag::installation("i1"));
    let page = store.list_registrations(HUB, Some(&tag), 9, None, NOW).await.unwrap();
    let id = page.registrations[0].id.clone();
    let mut submission = device(Platform::Apple, "62bc", "new");
    submission.system_tags = vec![Tag::installation("i1")];
    let saved = store.put_registration(HUB, &id, &submission, None, FOR_EVER).await.unwrap();
    assert!(saved.description.tags.contains(&Tag::installation("i1")));
    submission.system_tags = vec![Tag::installation("i2")];
    let refused = store.put_registration(HUB, &id, &submission, None, FOR_EVER).await;
    assert_eq!(refused.unwrap_err().message(), "Tags can not start with $.");
}

async fn listings_go_page_by_page(db: TestDb) {
    let store = store(&db).await;
    for n in 0..5 {
        create(&store, &format!("f{n}"), "t").await;
    }
    for filter in [None, Some(ListFilter::Tag(Tag::parse("T").unwrap()))] {
        let (mut all, mut continuation) = (Vec::new(), None);
        for expected in [2, 2, 1] {
            let page = store
                .list_registrations(HUB, filter.as_ref(), 2, continuation.as_deref(), NOW)
                .await
                .unwrap();
            assert_eq!(page.registrations.len(), expected);
            all.extend(
                page.registrations.iter().map(|it| it.description.handle.address().to_owned()),
            );
            continuation = page.continuation;
        }
        assert_eq!((all.join(","), continuation), ("f0,f1,f2,f3,f4".to_owned(), None));
    }
    assert!(store.list_registrations(HUB, None, 2, Some("x"), NOW).await.is_err());
}

async fn filters_find_handles_and_tags(db: TestDb) {
    let store = store(&db).await;
    create(&store, "f1", "a").await;
    create(&store, "f1", "b").await;
    create(&store, "f2", "b").await;
    let count = async |filter: &str| {
        let filter = ListFilter::parse(filter).unwrap();
        store
            .list_registrations(HUB, Some(&filter), 9, None, NOW)
            .await
            .unwrap()
            .registrations
            .len()
    };
    assert_eq!(count("FcmV1RegistrationId eq 'f1'").await, 2);
    assert_eq!(count("ChannelUri eq 'f2'").await, 1);
    assert_eq!(count("Tags eq 'B'").await, 2);
    assert_eq!(count("FcmV1RegistrationId eq 'f3'").await, 0);
}

async fn an_audience_is_what_evaluation_says(db: TestDb) {
    let store = store(&db).await;
    let all = ["a", "b", "c"];
    let mut devices = Vec::new();
    for bits in 0..32 {
        let mut tags: Vec<&str> = (0..3).filter(|n| bits >> n & 1 == 1).map(|n| all[n]).collect();
        // So rare beside the others that these are looked up for its device.
        tags.extend((bits == 31).then_some("rare"));
        let (address, tags) = (format!("f{bits}"), tags.join(","));
        create(&store, &address, &tags).await;
        devices.push((address, TagSet::parse_list(&tags).unwrap()));
    }
    for expression in [
        "a",
        "!a",
        "a && b",
        "a || b",
        "a && !b",
        "a && (b || c)",
        "!(a || b)",
        "a || !b",
        "absent",
        "(a || b) && (b || c)",
        "a && !a",
        "!(a && b && c)",
        "a || b || c || absent",
        "!a || (b && c)",
        "a && b && c && !absent",
        "b && !a && !c",
        "a && b && (c || !a)",
        "rare && a && b",
        "rare && !a",
        "rare && !(a && absent)",
    ] {
        let parsed = TagExpression::parse(expression).unwrap();
        let meant = devices.iter().filter(|(_, tags)| parsed.matches(tags));
        let meant: Vec<String> = meant.map(|(address, _)| address.clone()).collect();
        let found = audience_of(&store, Some(expression), Some(Platform::FcmV1)).await;
        assert_eq!(found, meant, "{expression}: in order, none twice, none missed");
    }
    assert_eq!(audience_of(&store, None, Some(Platform::FcmV1)).await.len(), 32);
    assert_eq!(audience_of(&store, None, Some(Platform::Apple)).await.len(), 0);
    assert_eq!(audience_of(&store, None, None).await.len(), 0, "nobody has a template");
}

async fn an_audience_ends_with_the_send(db: TestDb) {
    let store = store(&db).await;
    create(&store, "early", "a").await;
    let selection = Selection {
        tags: Some(TagExpression::parse("a").unwrap()),
        platform: Some(Platform::FcmV1),
    };
    let audience = store.audience(HUB, &selection, store.keys().next(NOW)).await.unwrap();
    create(&store, "late", "a").await;
    let (page, next) = store.recipients(&audience, Key(0), 100, NOW).await.unwrap();
    assert_eq!((page.len(), page[0].handle.address(), next), (1, "early", None));
}

async fn put_installation(store: &Store, id: &str, channel: &str) {
    let body = serde_json::json!({
        "platform": "apns", "pushChannel": channel, "tags": ["news"],
        "templates": {"T": {"body": "{\"a\":\"$(m)\"}"}},
    });
    let installation = Installation::parse(body.to_string().as_bytes(), id).unwrap();
    store.put_installation(HUB, &installation, NOW).await.unwrap();
}

async fn registrations_of(store: &Store, id: &str) -> Vec<Registration> {
    let filter = ListFilter::Tag(Tag::installation(id));
    store.list_registrations(HUB, Some(&filter), 9, None, NOW).await.unwrap().registrations
}

async fn an_installation_becomes_registrations(db: TestDb) {
    let store = store(&db).await;
    put_installation(&store, "i1", "62bc").await;
    put_installation(&store, "i1", "62bc").await;
    let registrations = registrations_of(&store, "i1").await;
    assert_eq!(registrations.len(), 2);
    assert!(
        registrations.iter().all(|it| it.etag == 2 && it.installation.as_deref() == Some("i1"))
    );
    assert_eq!(audience_of(&store, Some("news"), Some(Platform::Apple)).await, ["62BC"]);
    assert_eq!(audience_of(&store, Some("t"), None).await, ["62BC"], "the template by its name");
    let read = store.installation(HUB, "i1", NOW).await.unwrap();
    assert_eq!(read.updated_at, Some(NOW));
    assert!(store.delete_installation(HUB, "i1").await.unwrap());
    assert!(!store.delete_installation(HUB, "i1").await.unwrap());
    assert_eq!(registrations_of(&store, "i1").await, []);
    let gone = store.installation(HUB, "i1", NOW).await.unwrap_err();
    assert_eq!(gone.message(), "Installation not found.");
}

async fn a_patched_installation_keeps_its_keys(db: TestDb) {
    let store = store(&db).await;
    put_installation(&store, "i1", "62bc").await;
    let before: BTreeSet<Key> =
        registrations_of(&store, "i1").await.iter().map(|it| it.key).collect();
    let patch = |text: &str| Patch::parse(text.as_bytes()).unwrap();
    let add = patch(r#"[{"op":"add","path":"/templates/U","value":"{\"body\":\"{}\"}"}]"#);
    store.patch_installation(HUB, "i1", &add, NOW).await.unwrap();
    let after: BTreeSet<Key> =
        registrations_of(&store, "i1").await.iter().map(|it| it.key).collect();
    assert!(after.len() == 3 && before.is_subset(&after));
    let absent = store.patch_installation(HUB, "i2", &add, NOW).await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    let wrong = patch(r#"[{"op":"remove","path":"/pushChannel"}]"#);
    let wrong = store.patch_installation(HUB, "i1", &wrong, NOW).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
}

async fn an_installation_is_whole_whoever_writes_and_deletes_it(db: TestDb) {
    let master = || Arc::new(MasterKey::from_bytes(&[7; 32]));
    let one = store(&db).await;
    let other = Store::open(db.another_handle().await, master()).await.unwrap();
    for round in 0..20 {
        put_installation(&one, "i1", "62bc").await;
        let delete = async || match other.delete_installation(HUB, "i1").await {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
        };
        tokio::join!(put_installation(&one, "i1", "62bc"), delete());
        let exists = one.installation(HUB, "i1", NOW).await.is_ok();
        let expected = if exists { 2 } else { 0 };
        assert_eq!(registrations_of(&one, "i1").await.len(), expected, "round {round}");
    }
}

async fn the_number_of_a_deleted_hub_is_not_used_again(db: TestDb) {
    let store = store(&db).await;
    let change = HubChange {
        document: "{}".to_owned(),
        credentials: Secret::new("c"),
        registration_ttl: None,
    };
    let first = store.create_hub("ns", "one", &change, &[], NOW).await.unwrap();
    assert!(store.delete_hub(first).await.unwrap());
    let second = store.create_hub("ns", "two", &change, &[], NOW).await.unwrap();
    assert_ne!(first, second, "or it would get what is still written to the first");
}

async fn dead_handles_are_removed_unless_renewed(db: TestDb) {
    let store = store(&db).await;
    put_installation(&store, "i1", "62bc").await;
    let made = create(&store, "f1", "a").await;
    let before = NOW - Duration::from_secs(1);
    let renewed = store.remove_dead_handle(HUB, Platform::FcmV1, "f1", before).await.unwrap();
    assert_eq!(renewed, [], "it registered again after the push service's word");
    let removed = store.remove_dead_handle(HUB, Platform::FcmV1, "f1", NOW).await.unwrap();
    assert_eq!(removed, [Removed { id: made.id, installation: None }]);
    let removed = store.remove_dead_handle(HUB, Platform::Apple, "62BC", NOW).await.unwrap();
    assert_eq!(removed.len(), 2);
    assert!(store.installation(HUB, "i1", NOW).await.unwrap().channel_expired);
    let patch = br#"[{"op":"replace","path":"/pushChannel","value":"AB"}]"#;
    store.patch_installation(HUB, "i1", &Patch::parse(patch).unwrap(), NOW).await.unwrap();
    assert!(!store.installation(HUB, "i1", NOW).await.unwrap().channel_expired);
    assert_eq!(registrations_of(&store, "i1").await.len(), 2);
    let single = create(&store, "f2", "a").await;
    assert!(!store.remove_dead_registration(HUB, single.key, before).await.unwrap());
    assert!(store.remove_dead_registration(HUB, single.key, NOW).await.unwrap());
}

async fn what_is_expired_is_gone(db: TestDb) {
    let store = store(&db).await;
    let submission = device(Platform::FcmV1, "f1", "a");
    let made = store
        .create_registration(HUB, submission, Lifetime { from: NOW, until: NOW })
        .await
        .unwrap();
    create(&store, "f2", "a").await;
    let gone = store.registration(HUB, &made.id, NOW).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert_eq!(audience_of(&store, Some("a"), Some(Platform::FcmV1)).await, ["f2"]);
    let mut installation =
        Installation::parse(br#"{"platform":"fcmv1","pushChannel":"f3"}"#, "i").unwrap();
    installation.expires_at = NOW;
    store.put_installation(HUB, &installation, NOW).await.unwrap();
    assert_eq!(store.count_registrations(HUB).await.unwrap(), 3);
    assert_eq!(store.remove_expired(NOW, 100).await.unwrap(), 3);
    assert_eq!(store.remove_expired(later(999), 100).await.unwrap(), 0);
    assert_eq!(store.count_registrations(HUB).await.unwrap(), 1);
}

async fn hubs_and_policies_are_sealed(db: TestDb) {
    let store = store(&db).await;
    let change = |credentials: &str| HubChange {
        document: "{}".to_owned(),
        credentials: Secret::new(credentials),
        registration_ttl: None,
    };
    let policies = Policy::of_new_hub();
    let key = store.create_hub("NS", "Hub", &change("c1"), &policies, NOW).await.unwrap();
    let twice = store.create_hub("ns", "hub", &change("c1"), &policies, NOW).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Conflict);
    let second = store.create_hub("ns", "other", &change("c2"), &policies, NOW).await.unwrap();
    assert_ne!(second, key);
    assert!(store.create_hub("ns", "a/b", &change(""), &[], NOW).await.is_err());
    let hub = store.hub("ns", "HUB").await.unwrap().unwrap();
    assert_eq!((hub.name.as_str(), hub.credentials.expose()), ("Hub", "c1"));
    assert!(store.update_hub(&hub, &change("c3"), later(1)).await.unwrap());
    assert_eq!(store.hub("ns", "hub").await.unwrap().unwrap().credentials.expose(), "c3");
    assert_eq!(store.hubs().await.unwrap().len(), 2);
    let read = store.policies("ns", Some(key)).await.unwrap();
    assert_eq!(read, [policies[1].clone(), policies[0].clone()], "by name");
    let own = Policy::generate("own", [Right::Send].into_iter().collect()).unwrap();
    store.put_policy("ns", None, &own, NOW).await.unwrap();
    assert_eq!(store.policies("NS", None).await.unwrap(), [own]);
    assert!(store.delete_policy("ns", None, "own").await.unwrap());
    let other =
        Store::open((*db).clone(), Arc::new(MasterKey::from_bytes(&[8; 32]))).await.unwrap();
    assert!(other.policies("ns", Some(key)).await.is_err(), "another master key opens nothing");
    create(&store, "f", "a").await;
    assert!(store.delete_hub(key).await.unwrap());
    assert_eq!(store.count_registrations(key).await.unwrap(), 0);
}

async fn reports_count_and_forget(db: TestDb) {
    let store = store(&db).await;
    let new = NewNotification {
        id: "n1".to_owned(),
        state: State::Enqueued,
        body: "{}".to_owned(),
        tags: Some("a".to_owned()),
        platforms: "apple".to_owned(),
    };
    let feedback = Feedback {
        at: NOW,
        error: "ExpiredChannel".to_owned(),
        platform: Platform::Apple,
        handle: "AB".to_owned(),
        registration_id: Some("1-2-3".to_owned()),
        installation_id: None,
        notification_id: Some("n1".to_owned()),
        new_handle: None,
    };
    let count = |devices| store.count_outcome(HUB, "n1", Platform::Apple, "Success", devices);
    let step = |from, to| store.move_notification(HUB, "n1", from, to, later(1));
    store
        .db()
        .write([
            store.insert_notification(HUB, &new, NOW),
            step(State::Enqueued, State::Processing),
            step(State::Enqueued, State::Abandoned),
            count(2),
            count(3),
            step(State::Processing, State::Completed),
            store.insert_feedback(HUB, &feedback),
        ])
        .await
        .unwrap();
    let details = store.notification(HUB, "n1").await.unwrap();
    assert_eq!(details.state, State::Completed);
    assert_eq!((details.started_at, details.ended_at), (Some(later(1)), Some(later(1))));
    assert_eq!(details.counts, [(Platform::Apple, vec![("Success".to_owned(), 5)])]);
    let feedback_of = async |of, after| store.feedback(HUB, of, after, 10).await.unwrap();
    let read = feedback_of(FeedbackOf::Hub, Key(0)).await;
    assert_eq!(read[0].feedback, feedback);
    assert_eq!(feedback_of(FeedbackOf::Hub, read[0].key).await, []);
    for (of, expected) in [
        (FeedbackOf::Notification("n1"), 1),
        (FeedbackOf::Notification("n2"), 0),
        (FeedbackOf::Time(NOW, later(1)), 1),
        (FeedbackOf::Time(later(1), later(2)), 0),
    ] {
        assert_eq!(feedback_of(of, Key(0)).await.len(), expected, "{of:?}");
    }
    store.forget_reports(later(9)).await.unwrap();
    assert_eq!(store.notification(HUB, "n1").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(feedback_of(FeedbackOf::Hub, Key(0)).await, []);
}
