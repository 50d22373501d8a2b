//! Somebody says that it is too much: this server to a caller, a push service to a hub, a webhook to
//! deliveries. Observed.

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, Sign, Table};
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

const SIGN: Sign = Sign {
    tables: &[
        Table::Auth,
        Table::Chat,
        Table::HttpRequests,
        Table::Connectivity,
        Table::Publications,
    ],
    statuses: &[],
    words: &["too many", "too much", "throttl"],
};
const STATUS: Sign = Sign {
    tables: &[Table::Auth, Table::Chat, Table::HttpRequests],
    statuses: &["429"],
    words: &[],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let mut evidence: Vec<Evidence> = Vec::new();
    for hub in facts.hubs.iter().flatten() {
        for (platform, devices) in hub.ended_in(&["Throttled", "ChannelThrottled"]) {
            let (sends, name) = (count(devices, "send"), &hub.name);
            let text = format!("The push service of {platform} throttled {sends} of '{name}'.");
            evidence.push(Evidence::observed(text));
        }
    }
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
    let both = seen(question, facts, &SIGN)
        .and_then(|seen_words| and_more(seen_words, seen(question, facts, &STATUS)));
    let evidence = and_more(evidence, both)?;
    let cure = Mitigation::new(
        "Send less at once, and wait as long as Retry-After says. The limits of this server are in its \
         configuration.",
    )
    .command("tidings config explain");
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "call that was too much")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, record, silent};

    #[test]
    fn calls_that_were_too_much_are_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| record(facts, Table::Chat, "429", "Slow down."));
        confirms(&HYPOTHESIS, "Observed", |facts| {
            record(facts, Table::Publications, "PublishFailures", "Too many publications.");
        });
    }

    #[test]
    fn push_services_and_webhooks_that_throttle_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let ended = ("fcmv1".to_owned(), "Throttled".to_owned(), 3);
            facts.hubs.as_mut().unwrap()[0].outcomes.push(ended);
        });
        confirms(&HYPOTHESIS, "Observed", |facts| {
            facts.subscriptions.as_mut().unwrap()[0].last_outcome = Some("Busy".to_owned());
        });
    }
}
