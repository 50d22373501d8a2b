//! What the SQL promises, on every engine.

use std::time::Duration;

use kernel::Timestamp;
use storage::Db;
use storage::testing::TestDb;

use super::settle::{Attempted, Settled, Settlement};
use super::sweep::{KeyCursor, Waiting};
use super::{DeadLetters, Owner, Store};
use crate::id::Ids;
use crate::{DeliveryId, Item, NewDelivery, Reason};

storage::conformance!(
    an_item_is_leased_to_one_owner_and_settled_by_it_alone,
    items_of_a_key_come_one_after_another,
    a_dead_letter_lets_the_next_of_its_key_pass,
    leases_that_ran_out_are_ended_and_those_of_this_node_kept,
    a_node_takes_back_what_its_former_life_held,
    a_sweep_finds_each_target_and_its_moment,
    a_key_whose_items_all_stand_behind_a_gone_one_is_mended,
    a_dead_letter_says_what_happened_and_can_be_redriven,
    dead_letters_are_listed_in_pages_and_by_filter,
    old_dead_letters_are_forgotten,
    pending_items_are_listed_in_pages,
    a_cancelled_target_is_empty,
    counts_tell_what_waits_where,
);

const QUEUE: &str = "q";
const LEASE: Duration = Duration::from_secs(60);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1000 + secs)
}

struct Fixture {
    store: Store,
    db: Db,
    ids: Ids,
    owner: Owner,
}

impl Fixture {
    async fn new(db: &TestDb) -> Self {
        let db = Db::clone(db);
        let store = Store::open(db.clone()).await.unwrap();
        Self { store, db, ids: Ids::default(), owner: Owner::new("a", 1) }
    }

    fn new_delivery(&self, target: &str, key: Option<&str>) -> NewDelivery {
        NewDelivery {
            id: self.ids.next(at(0), 7),
            queue: QUEUE,
            target: target.to_owned(),
            order_key: key.map(str::to_owned),
            payload: b"payload".to_vec(),
            not_before: None,
            time_to_live: Duration::from_secs(3600),
            max_attempts: 3,
        }
    }

    async fn accept(&self, target: &str, key: Option<&str>) -> DeliveryId {
        let new = self.new_delivery(target, key);
        self.db.write([Store::enqueue(&new, at(0), 1.0)]).await.unwrap();
        new.id
    }

    async fn claim(&self, owner: &Owner, target: &str, now: Timestamp) -> Vec<Item> {
        self.store.claim(owner, (QUEUE, target), 10, (now, LEASE)).await.unwrap().items
    }

    async fn claim_ids(&self, target: &str) -> Vec<DeliveryId> {
        self.claim(&self.owner, target, at(1)).await.iter().map(|item| item.id).collect()
    }

    async fn settle(&self, owner: &Owner, id: DeliveryId, key: Option<&str>, what: Settlement) {
        let settled = Settled {
            id,
            queue: QUEUE.into(),
            target: "t".into(),
            order_key: key.map(str::to_owned),
            accepted_at: at(0),
            trace: None,
            settlement: what,
        };
        self.store.settle(owner, &[settled]).await.unwrap();
    }

    async fn bury(&self, target: &str, now: Timestamp) -> DeliveryId {
        let id = self.accept(target, None).await;
        self.claim(&self.owner, target, at(1)).await;
        self.settle(&self.owner, id, None, buried(now)).await;
        id
    }

    async fn dead(&self, which: &DeadLetters) -> Vec<DeliveryId> {
        let page = self.store.dead_letters(which, None, 100).await.unwrap();
        page.items.iter().map(|letter| letter.id).collect()
    }
}

fn buried(now: Timestamp) -> Settlement {
    let attempted = Attempted { at: now, outcome: "Busy".into(), answer: "come later".into() };
    let reason = Reason::AttemptsExhausted;
    Settlement::Bury { reason, attempted: Some(attempted), held: false, at: now }
}

async fn an_item_is_leased_to_one_owner_and_settled_by_it_alone(db: TestDb) {
    let it = Fixture::new(&db).await;
    let other = Owner::new("b", 1);
    let id = it.accept("t", None).await;
    let claimed = it.claim(&it.owner, "t", at(1)).await;
    assert_eq!((claimed.len(), claimed[0].id, claimed[0].attempts), (1, id, 0));
    assert_eq!(claimed[0].payload, b"payload");
    assert!(it.claim(&other, "t", at(1)).await.is_empty());

    it.settle(&other, id, None, Settlement::Done).await;
    it.settle(&other, id, None, buried(at(2))).await;
    assert_eq!(it.store.ids().await, [id]);
    assert!(it.dead(&DeadLetters::of_queue(QUEUE)).await.is_empty());

    let attempted = Attempted { at: at(2), outcome: "Busy".into(), answer: String::new() };
    it.settle(&it.owner, id, None, Settlement::Again { due_at: at(50), attempted }).await;
    assert!(it.claim(&other, "t", at(49)).await.is_empty());
    let again = it.claim(&other, "t", at(50)).await;
    assert_eq!((again[0].attempts, again[0].last_outcome.as_deref()), (1, Some("Busy")));
    it.settle(&other, id, None, Settlement::Done).await;
    assert!(it.store.ids().await.is_empty());
}

async fn items_of_a_key_come_one_after_another(db: TestDb) {
    let it = Fixture::new(&db).await;
    let first = it.accept("t", Some("k")).await;
    let second = it.accept("t", Some("k")).await;
    let free = it.accept("t", Some("other")).await;
    assert_eq!(it.claim_ids("t").await, [first, free]);
    let attempted = Attempted { at: at(1), outcome: "Busy".into(), answer: String::new() };
    let again = Settlement::Again { due_at: at(1), attempted };
    it.settle(&it.owner, first, Some("k"), again).await;
    assert_eq!(it.claim_ids("t").await, [first], "a retry blocks the later ones");
    it.settle(&it.owner, first, Some("k"), Settlement::Done).await;
    assert_eq!(it.claim_ids("t").await, [second]);
}

async fn a_dead_letter_lets_the_next_of_its_key_pass(db: TestDb) {
    let it = Fixture::new(&db).await;
    let first = it.accept("t", Some("k")).await;
    let second = it.accept("t", Some("k")).await;
    assert_eq!(it.claim_ids("t").await, [first]);
    it.settle(&it.owner, first, Some("k"), buried(at(1))).await;
    assert_eq!(it.claim_ids("t").await, [second]);
}

async fn leases_that_ran_out_are_ended_and_those_of_this_node_kept(db: TestDb) {
    let it = Fixture::new(&db).await;
    let other = Owner::new("b", 1);
    let mine = it.accept("mine", None).await;
    it.accept("theirs", None).await;
    it.claim(&it.owner, "mine", at(0)).await;
    it.claim(&other, "theirs", at(0)).await;
    let renew = |now| it.store.renew_and_release(&it.owner, std::slice::from_ref(&mine), now);
    assert_eq!(renew((at(59), LEASE)).await.unwrap(), []);
    let released = renew((at(60), LEASE)).await.unwrap();
    assert_eq!(released, [(QUEUE.to_owned(), "theirs".to_owned())]);
    assert_eq!(it.claim(&it.owner, "theirs", at(60)).await.len(), 1);
    assert!(it.claim(&other, "mine", at(60)).await.is_empty());
}

async fn a_node_takes_back_what_its_former_life_held(db: TestDb) {
    let it = Fixture::new(&db).await;
    it.accept("t", None).await;
    it.claim(&it.owner, "t", at(0)).await;
    let (next_life, stranger) = (Owner::new("a", 2), Owner::new("ab", 1));
    it.store.take_back(&stranger).await.unwrap();
    assert!(it.claim(&stranger, "t", at(1)).await.is_empty());
    it.store.take_back(&next_life).await.unwrap();
    assert_eq!(it.claim(&next_life, "t", at(1)).await.len(), 1);
    it.store.give_all_back(&next_life).await.unwrap();
    assert_eq!(it.claim(&stranger, "t", at(1)).await.len(), 1);
}

async fn a_sweep_finds_each_target_and_its_moment(db: TestDb) {
    let it = Fixture::new(&db).await;
    for target in ["b", "a", "a", "c"] {
        it.accept(target, None).await;
    }
    it.claim(&it.owner, "b", at(1)).await;
    let waiting = |target: &str, due_at| Waiting { target: target.to_owned(), due_at };
    let (a, b, c) = (waiting("a", Some(at(0))), waiting("b", None), waiting("c", Some(at(0))));
    let found = it.store.targets(QUEUE, "", 10).await.unwrap();
    assert_eq!(found, [a.clone(), b.clone(), c.clone()]);
    assert_eq!(it.store.targets(QUEUE, "", 2).await.unwrap(), [a, b.clone()]);
    assert_eq!(it.store.targets(QUEUE, "b", 2).await.unwrap(), [b, c]);
    assert_eq!(it.store.targets("none", "", 2).await.unwrap(), []);
}

async fn a_key_whose_items_all_stand_behind_a_gone_one_is_mended(db: TestDb) {
    let it = Fixture::new(&db).await;
    let first = it.accept("t", Some("k")).await;
    let second = it.accept("t", Some("k")).await;
    it.accept("t", Some("sound")).await;
    // As two transactions leave it that did not see one another.
    let gone = "DELETE FROM deliveries WHERE id = $1";
    it.db.execute(gone, storage::vals![first]).await.unwrap();
    let mut cursor = KeyCursor::default();
    let mut mended = Vec::new();
    for _ in 0..3 {
        let (targets, next) = it.store.mend_keys(QUEUE, &cursor, 1).await.unwrap();
        mended.extend(targets);
        cursor = next;
    }
    assert_eq!(mended, ["t"]);
    assert!(it.claim_ids("t").await.contains(&second));
}

async fn a_dead_letter_says_what_happened_and_can_be_redriven(db: TestDb) {
    let it = Fixture::new(&db).await;
    let id = it.bury("t", at(9)).await;
    let all = DeadLetters::of_queue(QUEUE);
    let letter = it.store.dead_letters(&all, None, 10).await.unwrap().items.remove(0);
    assert_eq!((letter.id, letter.attempts, letter.reason), (id, 1, Reason::AttemptsExhausted));
    assert_eq!(letter.last_outcome.as_deref(), Some("Busy"));
    assert_eq!(letter.last_answer.as_deref(), Some("come later"));
    assert_eq!((letter.last_attempt_at, letter.died_at), (Some(at(9)), at(9)));
    assert_eq!(letter.payload, b"payload");

    assert_eq!(it.store.unreported(QUEUE, at(9), 10).await.unwrap(), [letter]);
    it.store.reported(id, Some(at(70))).await.unwrap();
    assert!(it.store.unreported(QUEUE, at(69), 10).await.unwrap().is_empty());
    assert_eq!(it.store.unreported(QUEUE, at(70), 10).await.unwrap().len(), 1);
    it.store.reported(id, None).await.unwrap();
    assert!(it.store.unreported(QUEUE, at(999), 10).await.unwrap().is_empty());

    let redriven = it.store.redrive(&all, at(8), at(5000), 10).await.unwrap();
    assert!(redriven.is_empty(), "it died later than asked for");
    it.store.redrive(&all, at(9), at(5000), 10).await.unwrap();
    assert!(it.dead(&all).await.is_empty());
    let item = it.claim(&it.owner, "t", at(5000)).await.remove(0);
    assert_eq!((item.id, item.attempts, item.accepted_at), (id, 0, at(0)));
    assert_eq!(item.expires_at, at(5000) + Duration::from_secs(3600));
}

async fn dead_letters_are_listed_in_pages_and_by_filter(db: TestDb) {
    let it = Fixture::new(&db).await;
    let mut newest_first = Vec::new();
    for second in [2, 3, 3] {
        newest_first.insert(0, it.bury("t", at(second)).await);
    }
    let all = DeadLetters::of_queue(QUEUE);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = it.store.dead_letters(&all, after, 2).await.unwrap();
        seen.extend(page.items.iter().map(|letter| letter.id));
        after = page.next.map(|cursor| cursor.to_string().parse().unwrap());
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, newest_first);
    let of = |target: &str| DeadLetters { target: Some(target.to_owned()), ..all.clone() };
    assert_eq!(it.dead(&of("t")).await.len(), 3);
    assert_eq!(it.dead(&of("other")).await, []);
    let refused = DeadLetters { reason: Some(Reason::Refused), ..all.clone() };
    assert_eq!(it.dead(&refused).await, []);
    let one = DeadLetters { id: Some(seen[1]), ..all.clone() };
    assert_eq!(it.store.discard(&one, at(99), 10).await, Ok(1));
    assert_eq!(it.dead(&all).await, [seen[0], seen[2]]);
}

async fn old_dead_letters_are_forgotten(db: TestDb) {
    let it = Fixture::new(&db).await;
    it.bury("t", at(2)).await;
    let young = it.bury("t", at(50)).await;
    let forget = |now| it.store.forget_old(QUEUE, (now, LEASE), 10);
    assert_eq!(forget(at(62)).await, Ok(0));
    assert_eq!(forget(at(63)).await, Ok(1));
    assert_eq!(it.dead(&DeadLetters::of_queue(QUEUE)).await, [young]);
}

async fn pending_items_are_listed_in_pages(db: TestDb) {
    let it = Fixture::new(&db).await;
    let mut ids = Vec::new();
    for key in [None, None, Some("k"), Some("k")] {
        ids.push(it.accept("t", key).await);
    }
    let first = it.store.pending((QUEUE, "t"), None, 3).await.unwrap();
    let rest = it.store.pending((QUEUE, "t"), first.next, 3).await.unwrap();
    assert_eq!(rest.next, None);
    let seen: Vec<_> = first.items.iter().chain(&rest.items).map(|it| it.id).collect();
    assert_eq!(seen, ids);
    assert!(first.items.iter().all(|it| !it.leased && it.due_at == at(0)));
}

async fn a_cancelled_target_is_empty(db: TestDb) {
    let it = Fixture::new(&db).await;
    for key in [None, None, Some("k"), Some("k")] {
        it.accept("t", key).await;
    }
    let kept = it.accept("other", None).await;
    it.store.claim(&it.owner, (QUEUE, "t"), 1, (at(1), LEASE)).await.unwrap();
    it.db.write([Store::cancel(QUEUE, "t")]).await.unwrap();
    assert_eq!(it.store.ids().await, [kept]);
}

async fn counts_tell_what_waits_where(db: TestDb) {
    let it = Fixture::new(&db).await;
    it.bury("t", at(2)).await;
    for key in [None, None, Some("k"), Some("k")] {
        it.accept("t", key).await;
    }
    it.store.claim(&it.owner, (QUEUE, "t"), 1, (at(1), LEASE)).await.unwrap();
    let counts = it.store.counts(QUEUE, at(1)).await.unwrap();
    let [t] = counts.as_slice() else { panic!("one target, not {counts:?}") };
    assert_eq!((t.target.as_str(), t.queued, t.due, t.leased, t.dead), ("t", 3, 2, 1, 1));
}
