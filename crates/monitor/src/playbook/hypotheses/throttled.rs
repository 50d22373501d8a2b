//! Somebody says that it is too much: this server to a caller, a push service to a hub, a webhook to
//! deliveries. Observed.

use kernel::Cause;

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Hub, Need, Sign, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "throttled",
    title: "Somebody throttles: this server, a push service or a webhook",
    symptoms: &Symptom::ALL,
    needs: &[Need::Hubs, Need::Subscriptions, Need::Pushes, Need::Records],
    judge,
};

/// What telemetry calls a send that was too much.
const OUTCOMES: [&str; 2] = ["Throttled", "ChannelThrottled"];

const SIGN: Sign = Sign {
    tables: &[
        Table::Auth,
        Table::Chat,
        Table::HttpRequests,
        Table::Connectivity,
        Table::Publications,
    ],
    statuses: &["429"],
    causes: &[Cause::Throttled],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let mut evidence: Vec<Evidence> =
        facts.hubs.iter().flatten().flat_map(|hub| by_push_services(hub, facts)).collect();
    for it in facts.subscriptions.iter().flatten() {
        if it.last_outcome.as_deref() == Some("Busy") {
            let at = it.last_attempt.map(|at| when(at, facts.now)).unwrap_or_default();
            let text = format!("The webhook of '{}' said that it is busy at {at}.", it.name);
            evidence.push(Evidence::observed(text));
        }
    }
    let busy = facts.pushes.iter().flatten().filter(|it| it.outcome == "Busy");
    evidence.extend(busy.map(|it| {
        let pushes = count(it.count, "push");
        let text = format!("{pushes} about chat ended since the hub was busy: {}.", it.answer);
        Evidence::observed(text)
    }));
    let evidence = and_more(evidence, seen(question, facts, &SIGN))?;
    let cure = Mitigation::new(
        "Send less at once, and wait as long as Retry-After says. The limits of this server are in its \
         configuration.",
    )
    .command("tidings config explain");
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "call that was too much")))
}

/// What sends ended in, and those that are still tried.
fn by_push_services(hub: &Hub, facts: &Facts) -> Vec<Evidence> {
    let name = &hub.name;
    let ended = hub.ended_in(&OUTCOMES).into_iter().map(|(platform, devices)| {
        let sends = count(devices, "send");
        format!("The push service of {platform} throttled {sends} of '{name}'.")
    });
    let tried = hub.routes.iter().filter_map(|route| {
        let problem = route.last_problem.as_ref()?;
        let is_over = route.last_success.is_some_and(|success| success > problem.at);
        (OUTCOMES.contains(&problem.outcome.as_str()) && !is_over).then(|| {
            let (platform, at) = (&route.platform, when(problem.at, facts.now));
            let reason = &problem.reason;
            format!("The push service of {platform} throttles '{name}' since {at}: {reason}.")
        })
    });
    ended.chain(tried).map(Evidence::observed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, failure, problem, record, silent};

    #[test]
    fn calls_that_were_too_much_are_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| record(facts, Table::Chat, "429", None));
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Publications, Cause::Throttled);
        });
    }

    #[test]
    fn push_services_and_webhooks_that_throttle_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let ended = ("fcmv1".to_owned(), "Throttled".to_owned(), 3);
            facts.hubs.as_mut().unwrap()[0].outcomes.push(ended);
        });
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let mut problem = problem(facts, "Throttled", "TooManyRequests");
            problem.at = facts.now;
            let route = &mut facts.hubs.as_mut().unwrap()[0].routes[0];
            (route.last_problem, route.last_success) = (Some(problem), None);
        });
        confirms(&HYPOTHESIS, "Observed", |facts| {
            facts.subscriptions.as_mut().unwrap()[0].last_outcome = Some("Busy".to_owned());
        });
    }
}
