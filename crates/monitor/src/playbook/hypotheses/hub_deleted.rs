//! The hub that is linked was deleted, or never was in that namespace. Measured by a test send, observed by
//! sends.

use super::Hypothesis;
use super::linked_hub::{code, evidence, fine};
use crate::playbook::facts::{Facts, Found, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "hub-deleted",
    title: "The linked hub does not exist any more",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link, Need::Journeys],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let evidence = evidence(facts, &[code::NOT_FOUND])?;
    let cure = Mitigation::new(
        "Create the hub again or link another one (linkNotificationHub), with the connection string of the \
         namespace that it is in.",
    );
    Ok(Judgement::by(evidence, cure, fine(facts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, hub_says, rules_out, send_found, silent};

    #[test]
    fn what_the_hub_says_now_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Measured", |facts| hub_says(facts, code::NOT_FOUND));
    }

    #[test]
    fn what_a_send_found_is_told_unless_the_hub_works_by_now() {
        confirms(&HYPOTHESIS, "Observed", |facts| send_found(facts, code::NOT_FOUND, false));
        rules_out(&HYPOTHESIS, |facts| send_found(facts, code::NOT_FOUND, true));
    }
}
