//! A client takes what it is sent too slowly, and was disconnected for it. Observed.

use kernel::Cause;

use super::{Hypothesis, nothing_seen, seen};
use crate::playbook::facts::{Facts, Found, Need, Sign, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Judgement, Mitigation};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "slow-consumer",
    title: "A slow client was disconnected",
    symptoms: &[Symptom::Connect, Symptom::Realtime],
    needs: &[Need::Records],
    judge,
};

const SIGN: Sign =
    Sign { tables: &[Table::Connectivity], statuses: &[], causes: &[Cause::SlowReceiver] };

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let evidence = seen(question, facts, &SIGN)?;
    let cure = Mitigation::new(
        "Let the client read faster than it is sent to: do no long work in its message handler, send \
         it less (groups, filters), or raise gateway.outbound_queue_bytes and \
         gateway.outbound_queue_messages.",
    )
    .command("tidings config explain gateway");
    Ok(Judgement::by(evidence, cure, nothing_seen(facts, "client that was too slow")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, failure, silent};

    #[test]
    fn a_client_that_was_disconnected_for_it_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| {
            failure(facts, Table::Connectivity, Cause::SlowReceiver);
        });
    }
}
