//! Journeys in their surroundings, and the bounds of what is recorded.

use std::sync::atomic::AtomicI64;

use super::*;
use crate::milestone::{Outcome, Stage};

#[derive(Default)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.load(Ordering::Relaxed))
    }
}

fn milestones(bounds: Bounds) -> (Milestones, Arc<Hand>) {
    let clock = Arc::new(Hand::default());
    (Milestones::new(Arc::clone(&clock) as Arc<dyn Clock>, bounds), clock)
}

fn id(number: u8) -> TraceId {
    TraceId::from_bytes([number; 16]).unwrap()
}

fn step() -> Note {
    Note::new(Stage::Accepted, "a step").subject("event", "e-1")
}

fn stages(milestones: &Milestones) -> Vec<(TraceId, Stage)> {
    milestones.take().iter().map(|it| (it.trace, it.stage)).collect()
}

#[test]
fn a_step_is_recorded_in_the_journey_that_it_happens_in() {
    let (milestones, _) = milestones(Bounds::default());
    let (outer, inner) = (milestones.begin(None, id(1)), milestones.begin(None, id(2)));
    note("test", || panic!("nobody listens"));
    outer.within(|| {
        inner.within(|| note("test", step));
        note("test", step);
    });
    assert_eq!(stages(&milestones), [(id(2), Stage::Accepted), (id(1), Stage::Accepted)]);
    assert_eq!(Journey::current(), None);
}

#[test]
fn a_panic_leaves_the_surroundings_as_they_were() {
    let (milestones, _) = milestones(Bounds::default());
    let journey = milestones.begin(None, id(1));
    let work = std::panic::AssertUnwindSafe(|| journey.within(|| panic!("on purpose")));
    assert!(std::panic::catch_unwind(work).is_err());
    assert_eq!(Journey::current(), None);
}

#[test]
fn a_task_is_in_its_journey_at_every_step_and_others_are_not() {
    let (milestones, _) = milestones(Bounds::default());
    let journey = milestones.begin(None, id(1));
    let mut paused = false;
    let task = journey.scope(poll_fn(move |_| {
        note("test", step);
        if std::mem::replace(&mut paused, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    }));
    let mut task = pin!(task);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(task.as_mut().poll(&mut context).is_pending());
    note("test", || panic!("the task rests"));
    assert!(task.as_mut().poll(&mut context).is_ready());
    assert_eq!(milestones.take().len(), 2);
}

#[test]
fn a_caller_that_tells_its_journey_is_gone_on_with() {
    let (milestones, _) = milestones(Bounds::default());
    let caller =
        TraceContext { trace: id(7), span: SpanId::from_bytes([9; 8]).unwrap(), sampled: true };
    let journey = milestones.begin(Some(caller), id(1));
    journey.end("edge", Note::new(Stage::Answered, "202").took(Duration::from_millis(3)));
    let context = journey.context();
    assert_eq!((context.trace, context.sampled), (id(7), true));
    assert_eq!(journey.request(), Some(id(1)), "requests of one journey stay apart");
    assert_ne!(context.span, caller.span);
    let kept = milestones.resume(TraceContext::parse(&context.to_string()).unwrap());
    assert_eq!(kept.request(), None);
    kept.note("delivery", Note::new(Stage::Queued, "later").again());
    let recorded = milestones.take();
    assert_eq!(recorded[0].ends, Some(Ends { parent: Some(caller.span) }));
    assert_eq!((recorded[1].trace, recorded[1].span), (id(7), context.span));
    assert_eq!((recorded[1].ends, recorded[1].outcome), (None, Outcome::Again));
}

#[test]
fn only_so_many_journeys_of_a_second_are_recorded_but_those_whole() {
    let bounds = Bounds { journeys_per_second: 2, ..Bounds::default() };
    let (milestones, clock) = milestones(bounds);
    let journeys: Vec<_> = (1..=3).map(|number| milestones.begin(None, id(number))).collect();
    for _ in 0..2 {
        journeys.iter().for_each(|journey| journey.note("test", step()));
    }
    let recorded: Vec<_> = milestones.take().iter().map(|it| it.trace).collect();
    assert_eq!(recorded, [id(1), id(2), id(1), id(2)]);
    assert!(!journeys[2].context().sampled);
    assert_eq!(milestones.missed(), Missed { journeys: 1, milestones: 0 });
    // Callers that record have a budget of their own, and so has the next second.
    let caller = TraceContext { sampled: true, ..journeys[0].context() };
    assert!(milestones.begin(Some(caller), id(4)).is_recorded());
    clock.0.store(1, Ordering::Relaxed);
    assert!(milestones.begin(None, id(5)).is_recorded());
}

#[test]
fn a_full_queue_drops_and_counts() {
    let (milestones, _) = milestones(Bounds { waiting: 1, ..Bounds::default() });
    let journey = milestones.begin(None, id(1));
    journey.note("test", step());
    journey.note("test", step());
    assert_eq!(milestones.take().len(), 1);
    assert_eq!(milestones.missed().milestones, 1);
    journey.note("test", step());
    assert_eq!(milestones.take().len(), 1, "there is room again");
}

#[test]
fn without_a_queue_ids_are_passed_on_and_nothing_is_recorded() {
    let milestones = Milestones::default();
    let journey = milestones.begin(None, id(1));
    journey.note("test", step());
    assert!(!journey.has_notes() && milestones.take().is_empty());
    assert_eq!(journey.context().trace, id(1));
}
