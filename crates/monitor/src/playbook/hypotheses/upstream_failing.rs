//! The application's event handler does not take the events of a hub's clients. Observed.

use super::{Hypothesis, known};
use crate::playbook::facts::{Facts, Found, Handler, Need};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, line, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "upstream-failing",
    title: "The event handler of a hub fails",
    symptoms: &[Symptom::Connect, Symptom::Realtime, Symptom::Webhook],
    needs: &[Need::Handlers],
    judge,
};

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let is_meant = |it: &&Handler| question.hub.as_ref().is_none_or(|hub| it.hub == *hub);
    let handlers = known(&facts.handlers)?.iter().filter(is_meant);
    let evidence = handlers.map(|it| failing(it, facts)).collect();
    let cure = Mitigation::new(
        "Look at the application at that address: it must run, answer OPTIONS with \
         WebHook-Allowed-Origin, answer events with 200 or 204 in time (upstream.timeout), and be at \
         an address that this server may call (outbound.allow).",
    );
    let fine = "Every event handler took its last event, or there is none.";
    Ok(Judgement::by(evidence, cure, Evidence::observed(fine)))
}

fn failing(it: &Handler, facts: &Facts) -> Evidence {
    let Handler { hub, url, event, reason, at, count: number } = it;
    let (events, at, reason) = (count(*number, "event"), when(*at, facts.now), line(reason));
    Evidence::observed(format!(
        "{url}, the handler of the hub '{hub}', failed for {events} in a row; the last was '{event}' at \
         {at}: {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::report::Verdict;
    use crate::playbook::testing::{confirms, healthy, silent};

    fn handler() -> Handler {
        let reason = "it answered 500".to_owned();
        Handler { hub: "chat".to_owned(), reason, count: 2, ..Handler::default() }
    }

    #[test]
    fn a_handler_that_fails_is_told() {
        silent(&HYPOTHESIS);
        confirms(&HYPOTHESIS, "Observed", |facts| facts.handlers = Ok(vec![handler()]));
    }

    #[test]
    fn who_asks_about_a_hub_is_told_of_its_handlers_alone() {
        let mut facts = healthy();
        facts.handlers = Ok(vec![handler()]);
        let question = Question { hub: Some("news".to_owned()), ..Question::default() };
        assert_eq!(HYPOTHESIS.judged(&question, &facts).verdict, Verdict::RuledOut);
    }
}
