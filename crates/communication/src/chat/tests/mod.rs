//! Chat on every engine: what is stored, what is told, what is refused.

mod rest;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kernel::{ErrorKind, Result, Timestamp};
use storage::testing::TestDb;

use super::*;
use crate::testing::{NOW, World, new_thread, participant, text};
use crate::time;

storage::conformance!(
    a_new_thread_tells_of_its_people_and_topic_and_messages_follow,
    ids_and_sequence_numbers_only_grow_though_the_clock_stands,
    two_nodes_write_to_one_thread_without_losing_or_doubling,
    two_nodes_at_once_lose_nothing_and_keep_one_order,
    only_the_sender_edits_and_deletes,
    scopes_and_membership_are_told_apart,
    history_is_shared_from_the_given_time_on,
    who_was_removed_sees_what_was_before_and_nothing_after,
    strangers_are_refused_one_by_one_and_the_others_are_added,
    a_repeated_request_leads_to_the_first_thread,
    typing_and_receipts_end_above_twenty_participants,
    the_newest_receipt_of_each_reader_counts,
    pages_follow_one_another_without_gap_or_repetition,
    a_start_time_brings_what_was_written_or_changed_since,
    threads_are_listed_by_their_last_change_and_deleted_ones_say_so,
    a_thread_ends_by_its_policy_and_loses_its_messages,
    a_thread_is_full_at_its_limit,
    an_outbox_that_fails_fails_the_message,
);

const ALL: Page<MessageId> = Page { size: 200, since: None, after: None };

async fn contents(world: &World, access: &Access, thread: &str) -> Vec<String> {
    let page = world.chat().messages(access, thread, &ALL).await.unwrap();
    let texts = page.messages.iter().rev().filter(|it| it.sender.is_some());
    texts.map(|message| message.text().to_owned()).collect()
}

fn kind_of<T>(result: Result<T>) -> ErrorKind {
    result.err().map(|error| error.kind()).expect("it is refused")
}

async fn count(world: &World, table: &str) -> i64 {
    let rows = world.db.query(format!("SELECT COUNT(*) FROM {table}"), []).await.unwrap();
    rows[0].get(0).unwrap()
}

async fn a_new_thread_tells_of_its_people_and_topic_and_messages_follow(db: TestDb) {
    let world = World::on(&db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat").await);
    let created = world.chat().create_thread(&alice, new_thread("plans", &[&bob])).await.unwrap();
    let thread = &*created.thread.id;
    let sent = world.chat().send(&alice, thread, text("hello")).await.unwrap();
    assert_eq!((sent.sequence, sent.version), (3, sent.id));

    let page = world.chat().messages(&bob, thread, &ALL).await.unwrap();
    let seen: Vec<_> = page.messages.iter().map(|it| (it.sequence, it.kind)).collect();
    use MessageKind::{ParticipantAdded, Text, TopicUpdated};
    assert_eq!(seen, [(3, Text), (2, TopicUpdated), (1, ParticipantAdded)]);
    let Some(Content::Participants { participants, .. }) = &page.messages[2].content else {
        panic!("{:?}", page.messages[2])
    };
    assert_eq!(participants.len(), 2);
    assert!(participants.iter().all(|it| it.share_history == Some(Timestamp::default())));

    let told = world.told.take();
    let kinds: Vec<_> = told.iter().map(|change| change.kind.clone()).collect();
    assert_eq!(kinds, [ChangeKind::ThreadCreated, ChangeKind::MessageReceived(sent)]);
    assert_eq!(told[1].concerned().count(), 2);
    assert_eq!(count(&world, "work").await, 2, "the work is written with the change");
    assert_eq!(world.committed.load(Ordering::SeqCst), 2, "and its outbox is told");
}

async fn ids_and_sequence_numbers_only_grow_though_the_clock_stands(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let thread = world.thread(&alice, &[]).await;
    let sends = (0..50).map(|number| {
        let (chat, alice, thread) = (world.chat().clone(), alice.clone(), thread.clone());
        tokio::spawn(async move { chat.send(&alice, &thread, text(&number.to_string())).await })
    });
    let mut sent = Vec::new();
    for send in sends.collect::<Vec<_>>() {
        sent.push(send.await.unwrap().unwrap());
    }
    sent.sort_by_key(|message| message.sequence);
    let sequences: Vec<i64> = sent.iter().map(|message| message.sequence).collect();
    assert_eq!(sequences, (3..53).collect::<Vec<_>>());
    assert!(sent.windows(2).all(|pair| pair[0].id < pair[1].id));
    let told: Vec<_> = world.told.take().iter().map(|change| change.version()).collect();
    assert!(told.is_sorted() && told.len() == 50, "told in their order: {told:?}");
}

async fn two_nodes_write_to_one_thread_without_losing_or_doubling(db: TestDb) {
    let (one, two) = (World::on(&db).await, World::over(db.another_handle().await).await);
    let alice = one.user("chat").await;
    let thread = one.thread(&alice, &[]).await;
    for number in 0..10 {
        for world in [&one, &two] {
            world.chat().send(&alice, &thread, text(&number.to_string())).await.unwrap();
        }
    }
    let page = two.chat().messages(&alice, &thread, &ALL).await.unwrap();
    let sequences: Vec<i64> = page.messages.iter().rev().map(|it| it.sequence).collect();
    assert_eq!(sequences, (1..=22).collect::<Vec<_>>());
    assert!(page.messages.is_sorted_by(|newer, older| newer.id > older.id));

    one.chat().delete_thread(&alice, &thread).await.unwrap();
    let late = two.chat().send(&alice, &thread, text("late")).await;
    assert_eq!(kind_of(late), ErrorKind::NotFound, "the other node notices when it writes");
}

async fn two_nodes_at_once_lose_nothing_and_keep_one_order(db: TestDb) {
    let (one, two) = (World::on(&db).await, World::over(db.another_handle().await).await);
    let alice = one.user("chat").await;
    let thread = one.thread(&alice, &[]).await;
    let send = async |world: &World| {
        for number in 0..20 {
            world.chat().send(&alice, &thread, text(&number.to_string())).await.unwrap();
        }
    };
    tokio::join!(send(&one), send(&two), send(&one), send(&two));
    let page = two.chat().messages(&alice, &thread, &ALL).await.unwrap();
    let mut sequences: Vec<i64> = page.messages.iter().map(|it| it.sequence).collect();
    assert!(sequences.is_sorted_by(|newer, older| newer > older), "ids and places agree");
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), 82);
}

async fn only_the_sender_edits_and_deletes(db: TestDb) {
    let world = World::on(&db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat.join").await);
    let thread = world.thread(&alice, &[&bob]).await;
    let sent = world.chat().send(&alice, &thread, text("one")).await.unwrap();
    let patch = |content: &str| MessagePatch {
        content: Some(content.to_owned()),
        ..MessagePatch::default()
    };
    let (chat, id) = (world.chat(), sent.id);
    assert_eq!(kind_of(chat.edit(&bob, &thread, id, &patch("x")).await), ErrorKind::Forbidden);
    assert_eq!(kind_of(chat.delete_message(&bob, &thread, id).await), ErrorKind::Forbidden);

    chat.edit(&alice, &thread, id, &patch("two")).await.unwrap();
    let edited = chat.message(&bob, &thread, id).await.unwrap();
    assert_eq!((edited.text(), edited.edited), ("two", Some(NOW)));
    assert!(edited.version > edited.id);
    chat.delete_message(&alice, &thread, id).await.unwrap();
    let deleted = chat.message(&bob, &thread, id).await.unwrap();
    assert_eq!((deleted.content, deleted.deleted), (None, Some(NOW)));
    assert!(deleted.version > edited.version);
    assert_eq!(kind_of(chat.edit(&alice, &thread, id, &patch("x")).await), ErrorKind::NotFound);
}

async fn scopes_and_membership_are_told_apart(db: TestDb) {
    let world = World::on(&db).await;
    let creator = world.user("chat").await;
    let (voip, limited) = (world.user("voip").await, world.user("chat.join.limited").await);
    let thread = world.thread(&creator, &[&voip, &limited]).await;
    let stranger = world.user("chat").await;
    let refusal = |result: Result<Message>| result.unwrap_err();

    let error = refusal(world.chat().send(&voip, &thread, text("x")).await);
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.message().contains("scope chat or chat.join"), "{error}");
    let error = refusal(world.chat().send(&stranger, &thread, text("x")).await);
    assert!(error.message().contains(&thread), "{error}");
    world.chat().send(&limited, &thread, text("x")).await.unwrap();
    let added = world.chat().add_participants(&limited, &thread, vec![participant(&stranger)]);
    assert_eq!(kind_of(added.await), ErrorKind::Forbidden);
    let joined = world.access(creator.caller.id.clone(), "chat.join");
    let patch = ThreadPatch { topic: Some("new".to_owned()), ..ThreadPatch::default() };
    let updated = world.chat().update_thread(&joined, &thread, &patch).await;
    assert_eq!(kind_of(updated), ErrorKind::Forbidden);
    let created = world.chat().create_thread(&joined, new_thread("t", &[])).await;
    assert_eq!(kind_of(created), ErrorKind::Forbidden);
}

async fn history_is_shared_from_the_given_time_on(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let thread = world.thread(&alice, &[]).await;
    let mut times = Vec::new();
    for content in ["one", "two", "three"] {
        world.clock.advance(Duration::from_secs(10));
        times.push(world.chat().send(&alice, &thread, text(content)).await.unwrap().created());
    }
    world.clock.advance(Duration::from_secs(10));
    let beginning = Some(Timestamp::default());
    let future = Some(NOW + Duration::from_hours(1));
    for (share, expected) in [
        (None, vec![]),
        (beginning, vec!["one", "two", "three"]),
        (Some(times[1]), vec!["two", "three"]),
        (future, vec![]),
    ] {
        let user = world.user("chat").await;
        let mut new = participant(&user);
        new.share_history = share;
        world.chat().add_participants(&alice, &thread, vec![new]).await.unwrap();
        assert_eq!(contents(&world, &user, &thread).await, expected);
        let first = world.chat().message(&user, &thread, time::to_millis(times[0])).await;
        assert_eq!(first.is_ok(), share == beginning);
    }
}

async fn who_was_removed_sees_what_was_before_and_nothing_after(db: TestDb) {
    let world = World::on(&db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat").await);
    let thread = world.thread(&alice, &[&bob]).await;
    world.chat().send(&alice, &thread, text("before")).await.unwrap();
    world.told.take();
    world.chat().remove_participant(&alice, &thread, &bob.caller.id).await.unwrap();
    let told = world.told.take();
    assert_eq!(told[0].removed()[0].id, bob.caller.id);
    assert!(told[0].concerned().any(|it| it.id == bob.caller.id), "the removed one is told");

    let after = world.chat().send(&alice, &thread, text("after")).await.unwrap();
    assert_eq!(contents(&world, &bob, &thread).await, ["before"]);
    assert!(world.chat().message(&bob, &thread, after.id).await.is_err());
    assert_eq!(kind_of(world.chat().send(&bob, &thread, text("x")).await), ErrorKind::Forbidden);
    world.chat().remove_participant(&alice, &thread, &bob.caller.id).await.unwrap();
    assert_eq!(world.told.take().len(), 1, "who is gone is not removed again");

    world.chat().add_participants(&alice, &thread, vec![participant(&bob)]).await.unwrap();
    world.chat().send(&bob, &thread, text("back")).await.unwrap();
    assert_eq!(contents(&world, &bob, &thread).await, ["back"]);
}

async fn strangers_are_refused_one_by_one_and_the_others_are_added(db: TestDb) {
    let world = World::on(&db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat").await);
    let foreign = world.access(crate::RawId::user("another-resource", "u"), "chat");
    let ghost = world.access(crate::RawId::user(crate::testing::RESOURCE_ID, "gone"), "chat");
    let new = new_thread("t", &[&foreign, &ghost, &bob, &bob]);
    let created = world.chat().create_thread(&alice, new).await.unwrap();
    let refused: Vec<_> = created.refused.iter().map(|it| (&it.id, &*it.code)).collect();
    assert_eq!(refused, [(&foreign.caller.id, "403"), (&ghost.caller.id, "404")]);
    assert_eq!(created.thread.participants.len(), 2);
}

async fn a_repeated_request_leads_to_the_first_thread(db: TestDb) {
    let world = World::on(&db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat").await);
    let foreign = world.access(crate::RawId::user("another-resource", "u"), "chat");
    let order = || {
        let request_id = Some("0b6f4a10-6f9e-4f7f-a3a2-111111111111".to_owned());
        NewThread { request_id, ..new_thread("t", &[&foreign]) }
    };
    let create = |who: Access| {
        let (chat, order) = (world.chat().clone(), order());
        tokio::spawn(async move { chat.create_thread(&who, order).await })
    };
    let at_once: Vec<_> = (0..4).map(|_| create(alice.clone())).collect();
    let mut created = Vec::new();
    for task in at_once {
        created.push(task.await.unwrap().unwrap());
    }
    assert!(created.iter().all(|it| it.thread.id == created[0].thread.id));
    assert!(created.iter().all(|it| it.refused == created[0].refused && it.refused.len() == 1));
    assert_eq!(count(&world, "chat_threads").await, 1);
    let other = create(bob).await.unwrap().unwrap();
    assert_ne!(other.thread.id, created[0].thread.id, "request ids belong to their caller");
}

async fn typing_and_receipts_end_above_twenty_participants(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let thread = world.thread(&alice, &[]).await;
    let sent = world.chat().send(&alice, &thread, text("x")).await.unwrap();
    let mut users = Vec::new();
    for _ in 0..20 {
        users.push(participant(&world.user("chat").await));
    }
    let last = users.pop().unwrap();
    world.chat().add_participants(&alice, &thread, users).await.unwrap();
    world.chat().typing(&alice, &thread, None).await.unwrap();
    world.chat().read(&alice, &thread, sent.id).await.unwrap();
    world.chat().add_participants(&alice, &thread, vec![last]).await.unwrap();
    assert_eq!(kind_of(world.chat().typing(&alice, &thread, None).await), ErrorKind::Forbidden);
    assert_eq!(kind_of(world.chat().read(&alice, &thread, sent.id).await), ErrorKind::Forbidden);
}

async fn the_newest_receipt_of_each_reader_counts(db: TestDb) {
    let world = World::on(&db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat").await);
    let thread = world.thread(&alice, &[&bob]).await;
    let one = world.chat().send(&alice, &thread, text("one")).await.unwrap();
    let two = world.chat().send(&alice, &thread, text("two")).await.unwrap();
    world.chat().read(&bob, &thread, two.id).await.unwrap();
    world.chat().read(&bob, &thread, one.id).await.unwrap();
    let (receipts, more) = world.chat().receipts(&alice, &thread, 0, 10).await.unwrap();
    assert_eq!((receipts.len(), receipts[0].message, more), (1, two.id, false));
    assert_eq!(kind_of(world.chat().read(&bob, &thread, 5).await), ErrorKind::NotFound);
}

async fn pages_follow_one_another_without_gap_or_repetition(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let thread = world.thread(&alice, &[]).await;
    for number in 0..7 {
        world.chat().send(&alice, &thread, text(&number.to_string())).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = Page { size: 4, since: None, after };
        let page = world.chat().messages(&alice, &thread, &page).await.unwrap();
        seen.extend(page.messages.iter().map(|message| message.sequence));
        // What is written meanwhile changes nothing.
        world.chat().send(&alice, &thread, text("more")).await.unwrap();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=9).rev().collect::<Vec<_>>());
}

async fn a_start_time_brings_what_was_written_or_changed_since(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let thread = world.thread(&alice, &[]).await;
    let old = world.chat().send(&alice, &thread, text("old")).await.unwrap();
    world.chat().send(&alice, &thread, text("untouched")).await.unwrap();
    world.clock.advance(Duration::from_mins(1));
    let since = Some(world.clock_now());
    world.chat().send(&alice, &thread, text("new")).await.unwrap();
    let content = Some("edited".to_owned());
    let patch = MessagePatch { content, ..MessagePatch::default() };
    world.chat().edit(&alice, &thread, old.id, &patch).await.unwrap();
    let page = Page { since, ..ALL };
    let page = world.chat().messages(&alice, &thread, &page).await.unwrap();
    let texts: Vec<_> = page.messages.iter().map(Message::text).collect();
    assert_eq!(texts, ["new", "edited"]);
}

async fn threads_are_listed_by_their_last_change_and_deleted_ones_say_so(db: TestDb) {
    let world = World::on(&db).await;
    let (alice, bob) = (world.user("chat").await, world.user("chat").await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(1));
        ids.push(world.thread(&alice, &[&bob]).await);
    }
    world.clock.advance(Duration::from_secs(1));
    let since = world.clock_now();
    world.chat().send(&alice, &ids[0], text("x")).await.unwrap();
    world.chat().delete_thread(&alice, &ids[1]).await.unwrap();
    let list = |size, since, after| Page { size, since, after };
    let page = world.chat().threads(&bob, &list(2, None, None)).await.unwrap();
    let mut seen: Vec<_> = page.threads.iter().map(|it| it.id.clone()).collect();
    let rest = world.chat().threads(&bob, &list(2, None, page.next)).await.unwrap();
    seen.extend(rest.threads.iter().map(|it| it.id.clone()));
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[2], ids[2], "nothing has changed there");
    let changed = world.chat().threads(&bob, &list(200, Some(since), None)).await.unwrap();
    assert_eq!(changed.threads.len(), 2);
    let deleted = changed.threads.iter().find(|it| it.id == ids[1]).unwrap();
    assert!(deleted.deleted.is_some());
    assert_eq!(kind_of(world.chat().get_thread(&bob, &ids[1]).await), ErrorKind::NotFound);
}

async fn a_thread_ends_by_its_policy_and_loses_its_messages(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let order = NewThread { retention: Retention::Days(30), ..new_thread("t", &[]) };
    let thread = world.chat().create_thread(&alice, order).await.unwrap().thread;
    world.chat().send(&alice, &thread.id, text("x")).await.unwrap();
    world.clock.advance(Duration::from_hours(30 * 24) - Duration::from_secs(1));
    world.chat().sweep().await.unwrap();
    assert!(world.chat().get_thread(&alice, &thread.id).await.is_ok());
    world.told.take();

    world.clock.advance(Duration::from_secs(1));
    let late = world.chat().send(&alice, &thread.id, text("late")).await;
    assert_eq!(kind_of(late), ErrorKind::NotFound, "even before it is swept");
    world.chat().sweep().await.unwrap();
    let told = world.told.take();
    assert_eq!((&told[0].kind, &told[0].actor), (&ChangeKind::ThreadDeleted, &None));
    assert_eq!(count(&world, "chat_messages").await, 0);
}

async fn a_thread_is_full_at_its_limit(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let mut others = Vec::new();
    for _ in 0..250 {
        others.push(world.user("chat").await);
    }
    let first: Vec<&Access> = others[..200].iter().collect();
    let thread = world.thread(&alice, &first).await;
    let rest: Vec<_> = others[200..249].iter().map(participant).collect();
    world.chat().add_participants(&alice, &thread, rest).await.unwrap();
    let one_more = vec![participant(&others[249])];
    let refused = world.chat().add_participants(&alice, &thread, one_more).await;
    assert_eq!(kind_of(refused), ErrorKind::Invalid);
    let (page, more) = world.chat().participants(&alice, &thread, 200, 200).await.unwrap();
    assert_eq!((page.len(), more), (50, false));
}

async fn an_outbox_that_fails_fails_the_message(db: TestDb) {
    let world = World::on(&db).await;
    let alice = world.user("chat").await;
    let thread = world.thread(&alice, &[]).await;
    world.db.execute("DROP TABLE work", []).await.unwrap();
    assert!(world.chat().send(&alice, &thread, text("x")).await.is_err());
    assert_eq!(contents(&world, &alice, &thread).await, [""; 0]);
    assert_eq!(world.told.take(), Vec::<Arc<ChatChange>>::new());
    assert_eq!(world.committed.load(Ordering::SeqCst), 1, "the thread's own");
    world.db.execute("CREATE TABLE work (transaction_id TEXT NOT NULL)", []).await.unwrap();
    world.chat().send(&alice, &thread, text("y")).await.unwrap();
    assert_eq!(contents(&world, &alice, &thread).await, ["y"]);
}
