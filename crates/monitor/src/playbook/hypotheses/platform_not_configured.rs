//! Devices of a platform are registered, and the hub has no credentials for it, or such as cannot be
//! used. Measured by a test send to the linked hub, observed in the hubs of this server.

use super::linked_hub::{code, evidence_where};
use super::{Hypothesis, and_more, hubs, known};
use crate::playbook::facts::{Facts, Found, Hub, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::count;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "platform-not-configured",
    title: "The hub has no credentials for the platform",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link, Need::Hubs, Need::Journeys],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let hubs = hubs(question, facts)?.iter().flat_map(without_credentials).collect();
    let evidence = and_more(hubs, linked(facts))?;
    let cure = Mitigation::new(
        "Give the hub the platform's credential: a token key of Apple (.p8), a service account of \
         Firebase (JSON), VAPID keys for browsers; by management calls or in the configuration.",
    )
    .command("tidings push fix");
    let fine = "Each hub has credentials for the platforms of its devices.";
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn without_credentials(hub: &Hub) -> Vec<Evidence> {
    let of = |(platform, devices): (&String, &u64)| {
        let route = hub.routes.iter().find(|it| it.platform == *platform);
        let why = match route {
            None => "no credential for them".to_owned(),
            // That one has a hypothesis of its own.
            Some(route) if route.is_certificate => return None,
            Some(route) => {
                format!("a credential that cannot be used: {}", route.unusable.as_ref()?)
            }
        };
        let devices = count(*devices, "device");
        let name = &hub.name;
        let text = format!("The hub '{name}' has {devices} of {platform}, and {why}.");
        Some(Evidence::observed(text))
    };
    hub.devices.iter().filter_map(of).collect()
}

/// A linked hub needs no credentials for platforms that no device has.
fn linked(facts: &Facts) -> Found<Vec<Evidence>> {
    let phones = &known(&facts.link)?.phones;
    evidence_where(facts, &[code::CREDENTIALS_MISSING], |fault| {
        fault.platform.as_ref().is_none_or(|platform| phones.contains_key(platform))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, hub_fault, rules_out, silent};

    #[test]
    fn a_linked_hub_without_a_platform_that_devices_have_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Measured", |facts| {
            hub_fault(facts, code::CREDENTIALS_MISSING, "apple");
        });
        rules_out(&HYPOTHESIS, |facts| {
            hub_fault(facts, code::CREDENTIALS_MISSING, "fcmv1");
        });
    }

    #[test]
    fn a_hub_of_this_server_without_or_with_a_bad_credential_is_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| facts.hubs.as_mut().unwrap()[0].routes.clear());
        let told = confirms(&HYPOTHESIS, "Observed", |facts| {
            let hub = &mut facts.hubs.as_mut().unwrap()[0];
            hub.routes[0].unusable = Some("the key is no key".to_owned());
        });
        assert!(told.contains("the key is no key"), "{told}");
    }
}
