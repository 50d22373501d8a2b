//! A client is told and answers that nothing in it takes the notification (404): no
//! `chatClient.on(…)` for it. Inferred from the answers.

use kernel::Stage;

use super::{Hypothesis, and_more, known, seen, with_journey};
use crate::playbook::facts::{Answers, Facts, Found, Need, Sign, Table};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::count;

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "handler-not-registered",
    title: "The client has no handler for the event",
    symptoms: &[Symptom::Realtime],
    needs: &[Need::Answers, Need::Records, Need::Journeys],
    judge,
};

const SIGN: Sign = Sign { tables: &[Table::Received], statuses: &["404"], causes: &[] };

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let answers = known(&facts.answers)?;
    let evidence = match question.user {
        // Counted for everybody together.
        Some(_) => Vec::new(),
        None => answers.iter().filter_map(unhandled).collect(),
    };
    let evidence = and_more(evidence, seen(question, facts, &SIGN)).unwrap_or_default();
    let evidence = with_journey(evidence, facts, ("signaling", Stage::Acknowledged), &[]);
    let cure = Mitigation::new(
        "Register the handler after startRealtimeNotifications() has resolved: \
         chatClient.on(\"chatMessageReceived\", handler), with the exact name of the event; use the \
         chat SDK's own client and a supported version of it.",
    );
    let handled: u64 = answers.iter().map(|it| it.handled).sum();
    let fine = format!(
        "Clients took {}, and answered none with 404. Whether a page shows what its client took, only \
         the page knows.",
        count(handled, "notification")
    );
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn unhandled(it: &Answers) -> Option<Evidence> {
    let Answers { event, handled, unhandled, .. } = it;
    (*unhandled > 0).then(|| {
        Evidence::inferred(format!(
            "{} of {event} were answered with 404 since the server was started ({handled} were taken): \
             nothing in the client took them.",
            count(*unhandled, "notification")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::testing::{confirms, record, silent};

    #[test]
    fn notifications_that_nothing_took_are_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Inferred", |facts| {
            let event = "chatMessageReceived".to_owned();
            facts.answers = Ok(vec![Answers { event, unhandled: 1, ..Answers::default() }]);
        });
    }

    #[test]
    fn rows_of_such_answers_are_told() {
        confirms(&HYPOTHESIS, "Observed", |facts| {
            record(facts, Table::Received, "404", None);
        });
    }
}
