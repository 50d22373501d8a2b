//! The rule of the linked connection string lacks the right Send. Measured by a test send, observed by sends.

use super::Hypothesis;
use super::linked_hub::{code, evidence, fine};
use crate::playbook::facts::{Facts, Found, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "no-send-right",
    title: "The hub's connection string may not send",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link, Need::Journeys],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let evidence = evidence(facts, &[code::SEND_RIGHT_MISSING])?;
    let cure = Mitigation::new(
        "Link again with the connection string of a rule that has the right Send, such as \
         DefaultFullSharedAccessSignature; DefaultListenSharedAccessSignature may only register.",
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
        confirms(&HYPOTHESIS, "Measured", |facts| hub_says(facts, code::SEND_RIGHT_MISSING));
    }

    #[test]
    fn what_a_send_found_is_told_unless_the_hub_works_by_now() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            send_found(facts, code::SEND_RIGHT_MISSING, false)
        });
        rules_out(&HYPOTHESIS, |facts| send_found(facts, code::SEND_RIGHT_MISSING, true));
    }
}
