//! Who is attempted when, without any store.

use super::*;
use crate::id::Ids;
use crate::{Courier, Doing, Parcel, Schedule};

struct Planned(Plan);

impl Courier for Planned {
    fn plan(&self, _: &str) -> Plan {
        self.0.clone()
    }

    fn attempt(&self, _: Parcel) -> Doing<'_, Verdict> {
        Box::pin(std::future::ready(Verdict::Delivered))
    }
}

fn engine(concurrency: usize, at_a_time: usize) -> Engine {
    let plan = Plan { concurrency, failures_before_probation: 1, ..Plan::default() };
    let schedule = Schedule::new([Duration::from_secs(10)], Duration::ZERO);
    let queues = vec![Queue { name: "q", schedule, courier: Arc::new(Planned(plan)) }];
    Engine::new(queues, 1.0, at_a_time)
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1000 + secs)
}

fn address(target: &str) -> Address {
    Address { queue: 0, target: target.into() }
}

fn claimed(ids: &Ids, count: usize) -> Option<Claimed> {
    let item = |_| Item {
        id: ids.next(at(0), 0),
        order_key: None,
        payload: Vec::new(),
        accepted_at: at(0),
        expires_at: at(100),
        attempts: 0,
        max_attempts: 3,
        last_outcome: None,
        progress: None,
        trace: None,
    };
    Some(Claimed { items: (0..count).map(item).collect(), next_due: None })
}

/// The numbers of the attempts that are wanted.
fn attempts(effects: &mut Vec<Effect>) -> Vec<u64> {
    let number = |effect| match effect {
        Effect::Attempt { number, .. } => Some(number),
        _ => None,
    };
    effects.drain(..).filter_map(number).collect()
}

fn fails() -> Verdict {
    let probation = Some(Duration::from_secs(30));
    let (outcome, answer) = ("Busy".into(), String::new());
    Verdict::Retry { outcome, answer, not_before: None, probation }
}

#[test]
fn a_target_has_as_many_attempts_as_its_plan_allows() {
    let (mut engine, ids, mut effects) = (engine(3, 100), Ids::default(), Vec::new());
    engine.found(&address("t"), at(0), at(0), &mut effects);
    assert!(matches!(effects[..], [Effect::Claim { limit: 32, .. }]));
    effects.clear();
    engine.claimed(&address("t"), claimed(&ids, 5), at(0), &mut effects);
    assert_eq!(attempts(&mut effects), [1, 2, 3]);
    engine.attempted(1, &Verdict::Delivered, (at(0), 0), &mut effects);
    assert_eq!(attempts(&mut effects), [4]);
}

#[test]
fn a_busy_node_leaves_one_attempt_to_each_target() {
    let (mut engine, ids, mut effects) = (engine(10, 4), Ids::default(), Vec::new());
    let mut begun = Vec::new();
    for target in ["a", "b", "c", "d", "e", "f"] {
        engine.found(&address(target), at(0), at(0), &mut effects);
        engine.claimed(&address(target), claimed(&ids, 20), at(0), &mut effects);
        begun.push(attempts(&mut effects).len());
    }
    assert_eq!(begun[0], 4, "the first has all that there is");
    assert!(begun.iter().all(|count| *count >= 1), "{begun:?}");
}

#[test]
fn a_target_on_probation_gives_its_leases_back_and_is_probed_by_one() {
    let (mut engine, ids, mut effects) = (engine(2, 100), Ids::default(), Vec::new());
    engine.found(&address("t"), at(0), at(0), &mut effects);
    engine.claimed(&address("t"), claimed(&ids, 5), at(0), &mut effects);
    effects.clear();
    engine.attempted(1, &fails(), (at(0), 0), &mut effects);
    let settled: Vec<_> = effects
        .drain(..)
        .filter_map(|effect| match effect {
            Effect::Settle(batch) => Some(batch),
            _ => None,
        })
        .flatten()
        .collect();
    let given_back = settled.iter().filter(|it| it.settlement == Settlement::GiveBack).count();
    assert_eq!((settled.len(), given_back), (4, 3));

    engine.settled(settled, true, at(0), &mut effects);
    engine.attempted(2, &fails(), (at(1), 0), &mut effects);
    assert!(attempts(&mut effects).is_empty());
    assert_eq!(engine.wake_at(), Some(at(30)));
    engine.tick(at(30), &mut effects);
    assert!(matches!(effects[..], [Effect::Claim { limit: 1, .. }]));
    effects.clear();
    engine.claimed(&address("t"), claimed(&ids, 1), at(30), &mut effects);
    assert_eq!(attempts(&mut effects).len(), 1);
}

#[test]
fn a_target_that_was_cancelled_is_forgotten_with_its_probation() {
    let (mut engine, ids, mut effects) = (engine(1, 100), Ids::default(), Vec::new());
    engine.found(&address("t"), at(0), at(0), &mut effects);
    engine.claimed(&address("t"), claimed(&ids, 1), at(0), &mut effects);
    engine.attempted(1, &fails(), (at(0), 0), &mut effects);
    engine.cancelled(&address("t"), at(1), &mut effects);
    assert!(engine.targets.is_empty() && engine.wake_at().is_none());
    effects.clear();
    engine.found(&address("t"), at(1), at(1), &mut effects);
    assert!(matches!(effects[..], [Effect::Claim { .. }]), "another one of its name: {effects:?}");
}

#[test]
fn an_expired_item_is_buried_without_an_attempt() {
    let (mut engine, ids, mut effects) = (engine(2, 100), Ids::default(), Vec::new());
    engine.found(&address("t"), at(100), at(100), &mut effects);
    effects.clear();
    engine.claimed(&address("t"), claimed(&ids, 1), at(100), &mut effects);
    let [Effect::Settle(batch)] = &effects[..] else { panic!("{effects:?}") };
    let expired =
        Settlement::Bury { reason: Reason::Expired, attempted: None, held: false, at: at(100) };
    assert_eq!(batch[0].settlement, expired);
}

#[test]
fn a_settlement_that_failed_is_kept_until_the_next_sweep() {
    let (mut engine, ids, mut effects) = (engine(2, 100), Ids::default(), Vec::new());
    engine.found(&address("t"), at(0), at(0), &mut effects);
    engine.claimed(&address("t"), claimed(&ids, 1), at(0), &mut effects);
    effects.clear();
    engine.attempted(1, &Verdict::Delivered, (at(0), 0), &mut effects);
    let Some(Effect::Settle(batch)) = effects.pop() else { panic!("{effects:?}") };
    engine.settled(batch.clone(), false, at(0), &mut effects);
    assert!(effects.is_empty() && engine.held() == [batch[0].id] && !engine.is_idle());
    engine.retry(&mut effects);
    assert!(matches!(&effects[..], [Effect::Settle(again)] if *again == batch));
    engine.settled(batch, true, at(0), &mut effects);
    assert!(engine.held().is_empty() && engine.is_idle());
}

#[test]
fn a_lease_that_was_lost_and_won_again_makes_no_second_attempt() {
    let (mut engine, ids, mut effects) = (engine(2, 100), Ids::default(), Vec::new());
    let one = claimed(&ids, 1);
    for expected in [1, 0] {
        engine.found(&address("t"), at(0), at(0), &mut effects);
        engine.claimed(&address("t"), one.clone(), at(0), &mut effects);
        assert_eq!(attempts(&mut effects).len(), expected);
    }
}

#[test]
fn an_answer_is_cut_between_characters() {
    assert_eq!(beginning(&"é".repeat(600), 1023).len(), 1022);
    assert_eq!(beginning("a\0b", 10), "ab");
}
