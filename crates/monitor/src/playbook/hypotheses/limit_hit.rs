//! Something is larger, longer or more than a limit permits. Observed.

use kernel::Cause;

use super::{Hypothesis, and_more, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, Sign, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::count;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "limit-hit",
    title: "A limit of size or number is hit",
    symptoms: &[Symptom::Publish, Symptom::Connect, Symptom::Push],
    needs: &[Need::Hubs, Need::Records],
    judge,
};

const SIGN: Sign = Sign {
    tables: &[Table::Chat, Table::HttpRequests, Table::Connectivity, Table::Publications],
    statuses: &["413"],
    causes: &[Cause::LimitHit],
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let mut evidence = Vec::new();
    for hub in facts.hubs.iter().flatten() {
        for (platform, devices) in hub.ended_in(&["InvalidNotificationSize"]) {
            let (sends, name) = (count(devices, "send"), &hub.name);
            let text =
                format!("{sends} of '{name}' to {platform} had a payload that is too large.");
            evidence.push(Evidence::observed(text));
        }
    }
    let evidence = and_more(evidence, seen(question, facts, &SIGN))?;
    let cure = Mitigation::new(
        "Send less in one message, or raise the limit where the configuration has one; what the real \
         services refuse, too, is better made smaller.",
    )
    .command("tidings config explain gateway.max_message_bytes");
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "request beyond a limit")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, failure, record, silent};

    #[test]
    fn requests_beyond_a_limit_are_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| record(facts, Table::HttpRequests, "413", None));
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Publications, Cause::LimitHit);
        });
    }

    #[test]
    fn payloads_beyond_a_limit_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            let ended = ("apple".to_owned(), "InvalidNotificationSize".to_owned(), 1);
            facts.hubs.as_mut().unwrap()[0].outcomes.push(ended);
        });
    }
}
