//! A webhook has not consented to events, so it gets none. Observed in the state of its event
//! subscription, measured by asking it once more.

use super::{Hypothesis, subscriptions};
use crate::playbook::facts::{Facts, Found, Need, Subscription};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::line;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "webhook-not-validated",
    title: "The webhook was not validated",
    symptoms: &[Symptom::Webhook],
    needs: &[Need::Subscriptions],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let subscriptions = subscriptions(question, facts)?;
    let evidence: Vec<Evidence> =
        subscriptions.iter().filter(|it| it.state != "Succeeded").flat_map(waiting).collect();
    let expired = subscriptions
        .iter()
        .filter(|it| it.is_expired)
        .map(|it| Evidence::observed(format!("The event subscription '{}' has expired.", it.name)));
    let evidence = evidence.into_iter().chain(expired).collect();
    let cure = Mitigation::new(
        "Answer the validation event with {\"validationResponse\": \"<validationCode>\"}, or OPTIONS \
         with WebHook-Allowed-Origin where events are CloudEvents, or open the validation URL; then \
         create the event subscription again if it has failed.",
    )
    .command("tidings events subscriptions");
    let fine = match subscriptions.len() {
        0 => "There is no event subscription.".to_owned(),
        _ => "Every event subscription is validated.".to_owned(),
    };
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn waiting(it: &Subscription) -> Vec<Evidence> {
    let Subscription { name, topic, state, reason, destination, .. } = it;
    let why = reason.as_ref().map_or_else(String::new, |why| format!(": {}", line(why)));
    let text = format!("'{name}' of {topic} is {state}, so {destination} gets no events{why}.");
    let mut evidence = vec![Evidence::observed(text)];
    if let Some(repeated) = &it.repeated {
        let (said, millis) = (line(&repeated.said), repeated.millis);
        let text = format!("{destination}, asked again just now: {said} ({millis} ms).");
        evidence.push(Evidence::measured(text));
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::facts::Repeated;
    use crate::playbook::testing::{confirms, silent};

    #[test]
    fn a_webhook_that_has_not_consented_is_told_with_what_it_says_now() {
        silent(&HYPOTHESIS);
        for tag in ["Observed", "Measured"] {
            confirms(&HYPOTHESIS, tag, |facts| {
                let it = &mut facts.subscriptions.as_mut().unwrap()[0];
                it.state = "AwaitingManualAction".to_owned();
                it.repeated = Some(Repeated { said: "404".to_owned(), ..Repeated::default() });
            });
        }
    }

    #[test]
    fn an_event_subscription_whose_time_is_over_is_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            facts.subscriptions.as_mut().unwrap()[0].is_expired = true;
        });
    }
}
