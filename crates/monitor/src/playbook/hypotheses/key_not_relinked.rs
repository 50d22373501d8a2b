//! The hub's key was regenerated, and the link still has the old one. Measured by a test send, observed
//! by sends, correlated with the time since when they fail.

use super::Hypothesis;
use super::linked_hub::{code, evidence, fine};
use crate::playbook::facts::{Facts, Found, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::when;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "key-not-relinked",
    title: "The hub's key was regenerated and not linked again",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link, Need::Journeys],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let mut evidence = evidence(facts, &[code::KEY_REJECTED])?;
    if !evidence.is_empty() {
        evidence.extend(since_when(facts));
    }
    let cure = Mitigation::new(
        "Link again with a current connection string (linkNotificationHub), after each \
         regenerateKeys of the rule that it names.",
    );
    Ok(Judgement::by(evidence, cure, fine(facts)))
}

/// The link was tested when it was made, so the key has changed since.
fn since_when(facts: &Facts) -> Option<Evidence> {
    let hub = facts.link.as_ref().ok()?.hub.as_ref()?;
    let linked = when(hub.linked_at, facts.now);
    let text = match &hub.last_fault {
        Some((fault, at)) if fault.code == code::KEY_REJECTED => format!(
            "The key worked when the hub was linked at {linked}, and was refused first at {}: it was \
             replaced between.",
            when(*at, facts.now)
        ),
        _ => format!("The key worked when the hub was linked at {linked}: it was replaced since."),
    };
    Some(Evidence::correlated(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, hub_says, rules_out, send_found, silent};

    #[test]
    fn a_key_that_the_hub_refuses_now_is_told_with_the_time_of_the_link() {
        silent(&HYPOTHESIS);
        for tag in ["Measured", "Correlated"] {
            confirms(&HYPOTHESIS, tag, |facts| hub_says(facts, code::KEY_REJECTED));
        }
    }

    #[test]
    fn what_a_send_found_is_told_unless_the_hub_works_by_now() {
        for tag in ["Observed", "Correlated"] {
            confirms(&HYPOTHESIS, tag, |facts| send_found(facts, code::KEY_REJECTED, false));
        }
        rules_out(&HYPOTHESIS, |facts| send_found(facts, code::KEY_REJECTED, true));
    }
}
