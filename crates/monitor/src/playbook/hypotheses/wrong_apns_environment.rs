//! The hub's credential is for another environment of APNs (sandbox, production) or another app than
//! its devices. Observed in what APNs answers; such devices are kept, since they may live elsewhere.

use super::{Hypothesis, PUSH_SERVICE, hubs, with_journey};
use crate::playbook::facts::{Facts, Found, Hub, Need, Problem, Route};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::when;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "wrong-apns-environment",
    title: "The APNs credential is for another environment or topic",
    symptoms: &[Symptom::Push],
    needs: &[Need::Hubs, Need::Journeys],
    judge,
};

/// What APNs says when a credential and a device, a topic or an environment do not belong together.
const MISMATCHES: [&str; 6] = [
    "DeviceTokenNotForTopic",
    "TopicDisallowed",
    "BadTopic",
    "MissingTopic",
    "BadEnvironmentKeyIdInToken",
    "BadCertificateEnvironment",
];

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let routes = hubs(question, facts)?
        .iter()
        .flat_map(|hub| hub.routes.iter().map(move |route| (hub, route)))
        .filter(|(_, route)| route.platform == "apple");
    let evidence = routes.filter_map(|(hub, route)| mismatch(hub, route, facts)).collect();
    let evidence = with_journey(evidence, facts, PUSH_SERVICE, &["apple"]);
    let cure = Mitigation::new(
        "Use the endpoint of the environment that the app was built for (development builds: \
         https://api.sandbox.push.apple.com:443/3/device, App Store and TestFlight: \
         https://api.push.apple.com:443/3/device), and the app's own bundle id as appName.",
    )
    .command("tidings push fix");
    let fine = "APNs knows the devices of every hub, or none was tried.";
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn mismatch(hub: &Hub, route: &Route, facts: &Facts) -> Option<Evidence> {
    let tried = route.tried.as_ref().filter(|it| MISMATCHES.contains(&it.reason.as_str()));
    if let Some(Problem { reason, explanation, .. }) = tried {
        let text = format!("APNs answers to '{}' just now: {reason}: {explanation}.", hub.name);
        return Some(Evidence::measured(text));
    }
    let Problem { at, outcome, reason, explanation } = route.last_problem.as_ref()?;
    // One that was reached since belongs to the credential.
    if route.last_success.is_some_and(|success| success > *at) {
        return None;
    }
    let is_unproven = outcome == "BadChannel" && route.keeps_dead;
    (MISMATCHES.contains(&reason.as_str()) || is_unproven).then(|| {
        let at = when(*at, facts.now);
        let name = &hub.name;
        let text = format!("APNs answered to '{name}' at {at}: {reason}: {explanation}.");
        Evidence::observed(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, problem, rules_out, silent};

    #[test]
    fn devices_of_another_environment_or_topic_are_told() {
        silent(&HYPOTHESIS);
        for reason in ["BadDeviceToken", "TopicDisallowed"] {
            confirms(&HYPOTHESIS, "Observed", |facts| {
                let problem = problem(facts, "BadChannel", reason);
                let route = &mut facts.hubs.as_mut().unwrap()[0].routes[0];
                (route.last_problem, route.keeps_dead) = (Some(problem), true);
                route.last_success = None;
            });
        }
    }

    #[test]
    fn what_apns_says_just_now_is_told() {
        confirms(&HYPOTHESIS, "Measured", |facts| {
            let problem = problem(facts, "WrongToken", "BadEnvironmentKeyIdInToken");
            facts.hubs.as_mut().unwrap()[0].routes[0].tried = Some(problem);
        });
    }

    #[test]
    fn one_dead_device_among_others_is_none() {
        rules_out(&HYPOTHESIS, |facts| {
            let problem = problem(facts, "BadChannel", "BadDeviceToken");
            facts.hubs.as_mut().unwrap()[0].routes[0].last_problem = Some(problem);
        });
    }
}
