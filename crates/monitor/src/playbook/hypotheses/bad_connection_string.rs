//! What a hub was to be linked with is no connection string, no resource id of a hub, or leads to nobody.
//! Observed when linking, measured afterwards.

use super::Hypothesis;
use super::linked_hub::{code, evidence, fine};
use crate::playbook::facts::{Facts, Found, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "bad-connection-string",
    title: "The hub's connection string or resource id is wrong",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link, Need::Journeys],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let evidence =
        evidence(facts, &[code::CONNECTION_STRING, code::RESOURCE_ID, code::UNREACHABLE])?;
    let cure = Mitigation::new(
        "Copy both from the hub: resourceId as /subscriptions/<id>/resourceGroups/<group>/providers/\
         Microsoft.NotificationHubs/namespaces/<namespace>/notificationHubs/<hub>, and \
         connectionString as listKeys answers it.",
    );
    Ok(Judgement::by(evidence, cure, fine(facts)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, hub_says, link_refused, silent};

    #[test]
    fn what_the_hub_says_now_is_told() {
        silent(&HYPOTHESIS);
        for code in [code::CONNECTION_STRING, code::RESOURCE_ID, code::UNREACHABLE] {
            confirms(&HYPOTHESIS, "Measured", |facts| hub_says(facts, code));
        }
    }

    #[test]
    fn a_refused_link_is_told_while_there_is_none() {
        for code in [code::CONNECTION_STRING, code::RESOURCE_ID] {
            confirms(&HYPOTHESIS, "Observed", |facts| link_refused(facts, code));
        }
    }
}
