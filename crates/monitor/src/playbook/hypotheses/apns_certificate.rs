//! A hub proves itself to APNs with a certificate, but this server's pushes go out with token keys only.
//! Measured at the linked hub, observed in the hubs of this server, whether the certificate holds or not.

use super::linked_hub::{code, evidence, fine};
use super::{Hypothesis, and_more, hubs};
use crate::playbook::facts::{Facts, Found, Hub, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::count;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "apns-certificate",
    title: "The hub reaches APNs with a certificate",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link, Need::Hubs, Need::Journeys],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let own = hubs(question, facts)?.iter().filter_map(by_certificate).collect();
    let evidence = and_more(own, evidence(facts, &[code::APNS_CERTIFICATE]))?;
    let cure = Mitigation::new(
        "Give the hub an APNs token key (.p8, with key id, team id and bundle id) in place of the \
         certificate: Apple's developer account makes one under Certificates, Identifiers & Profiles, \
         Keys.",
    )
    .command("tidings push fix");
    Ok(Judgement::by(evidence, cure, fine(facts)))
}

fn by_certificate(hub: &Hub) -> Option<Evidence> {
    let Hub { name, devices, routes, .. } = hub;
    routes.iter().any(|it| it.is_certificate).then(|| {
        let waiting = devices.get("apple").copied().unwrap_or_default();
        let text = format!(
            "The hub '{name}' has a certificate for APNs, and {} of apple that it cannot reach by it.",
            count(waiting, "device")
        );
        Evidence::observed(text)
    })
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

    #[test]
    fn a_hub_of_this_server_is_told_whether_it_is_linked_or_not() {
        let told = confirms(&HYPOTHESIS, "Observed", |facts| {
            facts.hubs.as_mut().unwrap()[0].routes[0].is_certificate = true;
        });
        assert!(told.contains("3 devices of apple"), "{told}");
    }
}
