//! A push service refuses the hub's credential: a service account of Firebase that was deleted or lost
//! its rights, a token key of Apple that was revoked. Measured with a message to a device that cannot
//! exist, observed in what sends were answered.

use super::linked_hub::{code, evidence};
use super::{Hypothesis, PUSH_SERVICE, and_more, hubs, with_journey};
use crate::playbook::facts::{Facts, Found, Hub, Need, Problem, Route};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::when;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "fcm-credential-revoked",
    title: "The push service refuses the hub's credential",
    symptoms: &[Symptom::Push],
    needs: &[Need::Link, Need::Hubs, Need::Journeys],
    judge,
};

const REFUSALS: [&str; 2] = ["InvalidCredentials", "InvalidToken"];

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let routes = hubs(question, facts)?
        .iter()
        .flat_map(|hub| hub.routes.iter().map(move |route| (hub, route)));
    let refused = routes.flat_map(|(hub, route)| refused(hub, route, facts)).collect();
    let refused = with_journey(refused, facts, PUSH_SERVICE, &REFUSALS);
    let evidence = and_more(refused, evidence(facts, &[code::CREDENTIALS_REJECTED]))?;
    let cure = Mitigation::new(
        "Make a new key for the service account in the Firebase console (Project settings, Service \
         accounts), or a new token key at Apple, and set it in the hub. Until then one message a \
         minute is tried.",
    )
    .command("tidings push fix");
    let fine = "No push service refuses a credential.";
    Ok(Judgement::by(evidence, cure, Evidence::measured(fine)))
}

fn refused(hub: &Hub, route: &Route, facts: &Facts) -> Vec<Evidence> {
    let is_refusal = |it: &&Problem| REFUSALS.contains(&it.outcome.as_str());
    let (name, platform) = (&hub.name, &route.platform);
    let mut evidence = Vec::new();
    if let Some(Problem { reason, explanation, .. }) = route.tried.as_ref().filter(is_refusal) {
        let text = format!(
            "The push service of {platform} refuses the credential of '{name}' just now: {reason}: \
             {explanation}."
        );
        evidence.push(Evidence::measured(text));
    }
    if let Some(problem) = route.last_problem.as_ref().filter(is_refusal)
        && route.is_refused
    {
        let Problem { at, reason, explanation, .. } = problem;
        let at = when(*at, facts.now);
        let text = format!(
            "Messages of '{name}' to {platform} wait since it refused one at {at}: {reason}: {explanation}."
        );
        evidence.push(Evidence::observed(text));
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, hub_says, problem, silent};

    #[test]
    fn a_refusal_just_now_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Measured", |facts| {
            let problem = problem(facts, "InvalidCredentials", "invalid_grant");
            facts.hubs.as_mut().unwrap()[0].routes[0].tried = Some(problem);
        });
        confirms(&HYPOTHESIS, "Measured", |facts| hub_says(facts, code::CREDENTIALS_REJECTED));
    }

    #[test]
    fn a_credential_that_is_paused_is_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let problem = problem(facts, "InvalidCredentials", "PERMISSION_DENIED");
            let route = &mut facts.hubs.as_mut().unwrap()[0].routes[0];
            (route.last_problem, route.is_refused) = (Some(problem), true);
        });
    }
}
