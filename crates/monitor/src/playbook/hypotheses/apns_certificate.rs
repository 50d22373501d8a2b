//! The linked hub proves itself to APNs with a certificate, but pushes of this service go out with token keys
//! only. Measured.

use super::Hypothesis;
use super::linked_hub::{code, evidence, fine};
use crate::playbook::facts::{Facts, Found, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "apns-certificate",
    title: "The hub reaches APNs with a certificate",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link],
    judge,
};

fn judge(_: &Question, facts: &Facts) -> Found<Judgement> {
    let evidence = evidence(facts, &[code::APNS_CERTIFICATE])?;
    let cure = Mitigation::new(
        "Give the hub an APNs token key (.p8, with key id, team id and bundle id) in place of the \
         certificate.",
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
        confirms(&HYPOTHESIS, "Measured", |facts| hub_says(facts, code::APNS_CERTIFICATE));
    }

    #[test]
    fn a_refused_link_is_told_while_there_is_none() {
        confirms(&HYPOTHESIS, "Observed", |facts| link_refused(facts, code::APNS_CERTIFICATE));
    }
}
