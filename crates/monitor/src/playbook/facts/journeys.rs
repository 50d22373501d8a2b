//! Where notifications stopped on their way, read from their journeys.

use kernel::Stage;
use kernel::milestone::Outcome;

use crate::journey::{Journey, Step, Verdict};
use crate::playbook::question::Symptom;

/// The stages at which a journey did not go on as it should: what failed for good, what is tried again,
/// what was left out on purpose. What went well later, at the same stage of the same service, counts as
/// over; of a journey that waits, the last stage is where it waits.
pub(in crate::playbook) fn stops(journey: &Journey) -> Vec<&Step> {
    let steps = &journey.steps;
    let is_over = |at: usize| {
        let it = &steps[at];
        let mut later = steps[at + 1..].iter();
        later.any(|next| is_same_work(it, next) && next.outcome == Outcome::Done.as_str())
    };
    let stopped = |at: usize| match &steps[at] {
        it if it.stage == Stage::Dropped.as_str() => true,
        it if it.outcome == Outcome::Failed.as_str() => true,
        it if it.outcome == Outcome::Again.as_str() => !is_over(at),
        _ => false,
    };
    let mut stops: Vec<&Step> =
        (0..steps.len()).filter(|at| stopped(*at)).map(|at| &steps[at]).collect();
    if stops.is_empty() && journey.summary.verdict == Verdict::Waiting {
        stops.extend(steps.iter().rfind(|it| it.stage == Stage::Queued.as_str()).or(steps.last()));
    }
    stops
}

/// Whether two steps are attempts at the same thing, such as a webhook that failed and then answered.
fn is_same_work(one: &Step, other: &Step) -> bool {
    let settled = [Stage::Retried.as_str(), Stage::Delivered.as_str()];
    let both = |it: &Step| settled.contains(&&*it.stage);
    one.service == other.service && (one.stage == other.stage || both(one) && both(other))
}

/// Whether a journey stopped at this stage of this service.
pub(in crate::playbook) fn stopped_at<'a>(
    journey: &'a Journey,
    service: &str,
    stage: Stage,
) -> Option<&'a Step> {
    stops(journey).into_iter().rfind(|it| it.service == service && it.stage == stage.as_str())
}

/// Whether a journey is about something with this name: an id of its own, or a name within a stage.
pub(in crate::playbook) fn mentions(journey: &Journey, name: &str) -> bool {
    journey.subjects.iter().any(|(_, value)| value == name)
        || journey.steps.iter().any(|it| has_word(&it.detail, name))
}

/// Whether `name` stands in a text, and not as a part of a longer name.
pub(in crate::playbook) fn has_word(text: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    text.match_indices(name).any(|(at, found)| {
        let before = text[..at].chars().next_back().is_none_or(|c| !is_name(c));
        let after = text[at + found.len()..].chars().next().is_none_or(|c| !is_name(c));
        before && after && !found.is_empty()
    })
}

/// What people may miss of what a journey carries, by the services that it went through.
pub(in crate::playbook) fn symptoms(journey: &Journey) -> Vec<Symptom> {
    let mut found = Vec::new();
    for step in &journey.steps {
        found.extend_from_slice(match &*step.service {
            "webpubsub" | "gateway" => &[Symptom::Realtime, Symptom::Connect],
            "chat" | "signaling" => &[Symptom::Realtime],
            "calling" => &[Symptom::Realtime, Symptom::Push],
            "push" | "notificationhubs" => &[Symptom::Push],
            "eventgrid" => &[Symptom::Webhook],
            "edge" if step.outcome == Outcome::Failed.as_str() => &[Symptom::Publish],
            _ => &[],
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{journey, step};

    fn names(journey: &Journey) -> Vec<&str> {
        stops(journey).into_iter().map(|it| &*it.stage).collect()
    }

    #[test]
    fn a_journey_stops_where_it_failed_or_was_left_out() {
        let failed = journey(
            Verdict::Failed,
            vec![
                step("eventgrid", Stage::Accepted, Outcome::Done),
                step("eventgrid", Stage::WebhookAnswered, Outcome::Failed),
                step("delivery", Stage::DeadLettered, Outcome::Failed),
            ],
        );
        assert_eq!(names(&failed), ["webhook answered", "dead-lettered"]);
        assert!(stopped_at(&failed, "delivery", Stage::DeadLettered).is_some());
        assert!(stopped_at(&failed, "push", Stage::DeadLettered).is_none());
        let left_out = vec![step("eventgrid", Stage::Dropped, Outcome::Done)];
        assert_eq!(names(&journey(Verdict::Done, left_out)), ["dropped"]);
    }

    #[test]
    fn what_was_tried_again_and_went_well_is_over() {
        let steps = |last| {
            vec![
                step("eventgrid", Stage::WebhookAnswered, Outcome::Again),
                step("delivery", Stage::Retried, Outcome::Again),
                step("eventgrid", Stage::WebhookAnswered, last),
                step("delivery", Stage::Delivered, Outcome::Done),
            ]
        };
        assert_eq!(names(&journey(Verdict::Done, steps(Outcome::Done))), Vec::<&str>::new());
        let waiting = journey(Verdict::Waiting, steps(Outcome::Again));
        assert_eq!(names(&waiting), ["webhook answered", "webhook answered"]);
    }

    #[test]
    fn a_journey_that_waits_stops_where_its_work_is_queued() {
        let steps = vec![
            step("delivery", Stage::Queued, Outcome::Done),
            step("edge", Stage::Answered, Outcome::Done),
        ];
        assert_eq!(names(&journey(Verdict::Waiting, steps.clone())), ["queued"]);
        assert_eq!(names(&journey(Verdict::Done, steps)), Vec::<&str>::new());
    }

    #[test]
    fn names_are_found_whole() {
        let mut found =
            journey(Verdict::Done, vec![step("gateway", Stage::Matched, Outcome::Done)]);
        found.subjects = vec![("thread".to_owned(), "19:t@thread.v2".to_owned())];
        found.steps[0].detail = "nobody: the user 'ann' in hub 'chat'".to_owned();
        for name in ["19:t@thread.v2", "ann", "chat"] {
            assert!(mentions(&found, name), "{name}");
        }
        for name in ["an", "nobody: the user 'an", "19:t", ""] {
            assert!(!mentions(&found, name), "{name}");
        }
    }
}
