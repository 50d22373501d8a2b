//! What is recorded of deliveries whose cause has a journey. What an attempt found out is told by its
//! courier, who knows; here is what becomes of the delivery.

use kernel::milestone::{Note, Stage};
use kernel::{Journey, Milestones, Timestamp, TraceContext, journey};

use crate::store::{Settled, Settlement};
use crate::{Item, NewDelivery};

const SERVICE: &str = "delivery";
/// Deliveries of one cause that are told one by one; of more, only how many there are.
const TOLD_SINGLY: usize = 4;

impl Item {
    /// The journey of what caused it, for who attempts several at once.
    pub fn journey(&self) -> Option<Journey> {
        Some(Journey::current()?.other(self.trace?))
    }
}

/// What new deliveries take along: the journey in whose course they are accepted.
pub(crate) fn taken_along() -> Option<String> {
    Journey::current().map(|journey| journey.context().to_string())
}

/// Reads what a delivery took along.
pub(crate) fn restored(text: Option<String>) -> Option<TraceContext> {
    TraceContext::parse(&text?)
}

/// The journey in whose course an attempt is made: that of its first item which has one.
pub(crate) fn of_attempt(milestones: &Milestones, items: &[Item]) -> Option<Journey> {
    items.iter().find_map(|item| item.trace).map(|context| milestones.resume(context))
}

/// The deliveries are on disk.
pub(crate) fn queued(new: &[NewDelivery]) {
    if new.len() > TOLD_SINGLY {
        journey::note(SERVICE, || {
            let queue = new[0].queue;
            let text = format!("{queue}: {} deliveries", new.len());
            Note::new(Stage::Queued, text).opens(new.len())
        });
        return;
    }
    for NewDelivery { id, queue, target, not_before, .. } in new {
        journey::note(SERVICE, || {
            let when = if not_before.is_some() { ", for later" } else { "" };
            let text = format!("{queue}: for {target}{when}");
            Note::new(Stage::Queued, text).subject("delivery", id.to_string()).opens(1)
        });
    }
}

/// What became of an attempt is on disk.
pub(crate) fn settled(milestones: &Milestones, it: &Settled, now: Timestamp) {
    let Some(context) = it.trace else { return };
    let (queue, target) = (&it.queue, &it.target);
    let note = match &it.settlement {
        Settlement::GiveBack => return,
        Settlement::Done => {
            let age = now.since(it.accepted_at);
            let text = format!("{queue}: for {target}, {age:.1?} after it was queued");
            Note::new(Stage::Delivered, text).closes()
        }
        Settlement::Again { due_at, attempted } => {
            let (outcome, pause) = (&attempted.outcome, due_at.since(now));
            let text = format!("{queue}: for {target}: {outcome}; next attempt in {pause:.1?}");
            Note::new(Stage::Retried, text).again()
        }
        Settlement::Bury { reason, attempted, .. } => {
            let outcome = attempted.as_ref().map_or("no attempt", |it| it.outcome.as_str());
            let text = format!("{queue}: for {target}: {reason}; {outcome}");
            Note::new(Stage::DeadLettered, text).failed().closes()
        }
    };
    milestones.resume(context).note(SERVICE, note.subject("delivery", it.id.to_string()));
}
