//! A webhook fails, is slow, or is left alone for a while after failing often. Observed in its last
//! attempts and in the log tables, measured by asking for its validation once more.

use kernel::Stage;

use super::{Hypothesis, and_more, known, subscriptions, with_journey};
use crate::playbook::facts::{Facts, Found, Need, Sign, Subscription, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, line, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "webhook-failing",
    title: "The webhook fails, is slow or is on probation",
    symptoms: &[Symptom::Webhook],
    needs: &[Need::Subscriptions, Need::Records, Need::Journeys],
    judge,
};

const DELIVERED: &str = "Delivered";
/// A webhook that takes longer to answer a validation than this, in milliseconds, is called slow.
const SLOW_MS: u64 = 3_000;

/// Deliveries that failed.
const SIGN: Sign = Sign { tables: &[Table::Deliveries], statuses: &[], causes: &[] };

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let subscriptions = subscriptions(question, facts)?;
    let failing: Vec<&Subscription> = subscriptions.iter().filter(|it| is_failing(it)).collect();
    let evidence: Vec<Evidence> = failing.iter().flat_map(|it| troubles(it, facts)).collect();
    let rows = known(&facts.records).map(|records| {
        let name = question.subscription.as_deref();
        let told = records.seen(&SIGN, name, (facts.now, facts.window));
        // What failed and works again is no fault any more.
        if evidence.is_empty() { Vec::new() } else { told }
    });
    let evidence = and_more(evidence, rows)?;
    let evidence = with_journey(evidence, facts, ("eventgrid", Stage::WebhookAnswered), &[]);
    let cure = Mitigation::new(
        "Look at the log of the webhook: it must answer 200, 201, 202, 203 or 204 within the time limit \
         (eventgrid.timeout), at an address that this server may call (outbound.allow). What waits is \
         delivered once it works; what was given up is put back by:",
    )
    .command("tidings events redrive --all");
    let fine = "The last attempt at every webhook went well, or there was none.";
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn is_failing(it: &Subscription) -> bool {
    let is_bad = |outcome: &str| outcome != DELIVERED;
    let last_is_bad = it.last_outcome.as_deref().is_some_and(is_bad);
    let is_slow = it.repeated.as_ref().is_some_and(|it| it.millis > SLOW_MS);
    it.state == "Succeeded" && (last_is_bad || it.probation_until.is_some() || is_slow)
}

fn troubles(it: &Subscription, facts: &Facts) -> Vec<Evidence> {
    let Subscription { name, destination, .. } = it;
    let mut evidence = Vec::new();
    if let (Some(outcome), Some(at)) = (&it.last_outcome, it.last_attempt)
        && outcome != DELIVERED
    {
        let number = it.queued + it.in_flight;
        let verb = if number == 1 { "waits" } else { "wait" };
        let (at, waiting) = (when(at, facts.now), count(number, "event"));
        let text = format!(
            "The last attempt of '{name}' at {destination} ended with {outcome} at {at}; {waiting} {verb}."
        );
        evidence.push(Evidence::observed(text));
    }
    if let Some(until) = it.probation_until {
        let until = when(until, facts.now);
        let text = format!("{destination} is on probation until {until}: it failed too often.");
        evidence.push(Evidence::observed(text));
    }
    if let Some(repeated) = &it.repeated
        && (!repeated.consents || repeated.millis > SLOW_MS)
    {
        let (said, millis) = (line(&repeated.said), repeated.millis);
        let text = format!("{destination}, asked just now: {said} ({millis} ms).");
        evidence.push(Evidence::measured(text));
    }
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::facts::Repeated;
    use crate::playbook::testing::{confirms, record, rules_out, silent};

    fn first(facts: &mut Facts) -> &mut Subscription {
        &mut facts.subscriptions.as_mut().unwrap()[0]
    }

    #[test]
    fn a_webhook_whose_last_attempt_failed_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| {
            first(facts).last_outcome = Some("TimedOut".to_owned());
        });
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let until = facts.now;
            first(facts).probation_until = Some(until);
        });
    }

    #[test]
    fn a_slow_webhook_is_told() {
        confirms(&HYPOTHESIS, "Measured", |facts| {
            let (consents, said) = (true, "it consents".to_owned());
            first(facts).repeated = Some(Repeated { consents, said, millis: 4_000 });
        });
    }

    #[test]
    fn a_failure_that_is_over_is_none() {
        rules_out(&HYPOTHESIS, |facts| record(facts, Table::Deliveries, "", None));
    }
}
