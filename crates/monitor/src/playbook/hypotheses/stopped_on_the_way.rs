//! A notification stopped before it arrived. Observed in its journey: asked about one, this tells the
//! stage; asked nothing, it lists those that did, whose causes the other hypotheses look for.

use kernel::Stage;
use kernel::milestone::Outcome;

use super::{Hypothesis, known};
use crate::journey::{Journey, Step, Verdict};
use crate::playbook::facts::{Facts, Found, Need, Unknown, mentions, stops};
use crate::playbook::question::{Question, Symptom};
use crate::playbook::report::{self, Evidence, Judgement, Mitigation};
use crate::playbook::words::{count, line, span, when};

pub(super) static HYPOTHESIS: Hypothesis = Hypothesis {
    name: "stopped-on-the-way",
    title: "A notification stopped on its way",
    symptoms: &Symptom::ALL,
    needs: &[Need::Journeys, Need::Records],
    judge,
};

/// Stages of one journey that are told, and journeys.
const TOLD: usize = 3;

fn judge(question: &Question, facts: &Facts) -> Found<Judgement> {
    let journeys = known(&facts.journeys)?;
    match &question.journey {
        Some(id) => match journeys.first() {
            Some(journey) => Ok(of_one(journey, facts)),
            None => Err(Unknown::new(
                format!("Nothing is recorded under '{id}'."),
                "Give a trace id, an x-ms-request-id, or the id of a message, event, notification or \
                 call; `tidings trace` lists what is kept.",
            )),
        },
        None => Ok(of_many(question, journeys, facts)),
    }
}

fn of_one(journey: &Journey, facts: &Facts) -> Judgement {
    let summary = &journey.summary;
    let id = summary.id.to_string();
    let stops = stops(journey);
    if stops.is_empty() {
        let last = journey.steps.last().map_or_else(String::new, |it| format!("; {}", told(it)));
        let text = format!(
            "It went through {}, and nothing of it failed or waits{last}.",
            count(summary.stages, "stage")
        );
        return Judgement::ruled_out(Evidence::observed(text).trace(id));
    }
    let begun = when(summary.started, facts.now);
    let text = format!("It began at {begun}: {}.", line(&summary.what));
    let mut evidence = vec![Evidence::observed(text).trace(&*id)];
    let rest = stops.len().saturating_sub(TOLD);
    let stopped = |it: &Step| Evidence::observed(format!("{} {}.", became(it), told(it)));
    evidence.extend(stops.into_iter().rev().take(TOLD).map(stopped));
    if rest > 0 {
        evidence.push(Evidence::observed(format!("{} before these.", count(rest as u64, "stop"))));
    }
    let cure = Mitigation::new("If more is confirmed here, it says why. All stages, in order:")
        .command(format!("tidings trace {id}"));
    Judgement::confirmed(evidence, cure)
}

/// What became of a stage, for the beginning of a sentence.
fn became(it: &Step) -> &'static str {
    match &*it.outcome {
        outcome if outcome == Outcome::Failed.as_str() => "It failed at",
        outcome if outcome == Outcome::Again.as_str() => "It is tried again after",
        _ if it.stage == Stage::Dropped.as_str() => "It was left out on purpose at",
        _ => "It waits since",
    }
}

fn told(it: &Step) -> String {
    let Step { service, stage, detail, .. } = it;
    format!("the stage '{stage}' of {service}: {}", line(detail).trim_end_matches('.'))
}

/// Whether a service took part in it. A request that was refused before that is told if it was a call of
/// an operation, which the log tables know: a page's favicon is none.
fn is_call(journey: &Journey, facts: &Facts) -> bool {
    let rows = facts.records.iter().flat_map(|it| &it.rows);
    let mut ids = rows.map(|row| row.trace.as_str());
    journey.steps.iter().any(|it| it.service != "edge")
        || ids.any(|id| journey.subjects.iter().any(|(_, value)| value == id))
}

/// Whether somebody should have got what reached nobody, only whoever sent it knows.
fn of_many(question: &Question, journeys: &[Journey], facts: &Facts) -> Judgement {
    let named =
        [&question.user, &question.thread, &question.device, &question.subscription, &question.hub];
    let is_meant = |it: &&Journey| {
        let mut names = named.iter().copied().flatten().peekable();
        names.peek().is_none() || names.any(|name| mentions(it, name))
    };
    let is_stopped = |it: &&Journey| !stops(it).is_empty() && is_call(it, facts);
    let stopped: Vec<&Journey> = journeys.iter().filter(is_meant).filter(is_stopped).collect();
    let window = span(facts.window);
    let Some(newest) = stopped.first() else {
        let fine = format!("Nothing stopped on its way within {window}.");
        return Judgement::ruled_out(Evidence::observed(fine));
    };
    let number = count(stopped.len() as u64, "notification");
    let text = format!("{number} stopped within {window}, the newest first:");
    let mut evidence = vec![Evidence::observed(text)];
    evidence.extend(stopped.iter().take(TOLD).map(|it| one_of_many(it, facts)));
    let cure = Mitigation::new(
        "Only who sent it knows whether it should have arrived: a message to somebody who is not \
         connected reaches nobody, and that may be right. Why the newest did not:",
    )
    .command(format!("tidings doctor --journey {}", newest.summary.id));
    Judgement { verdict: report::Verdict::CannotTell, evidence, mitigations: vec![cure] }
}

fn one_of_many(journey: &Journey, facts: &Facts) -> Evidence {
    let summary = &journey.summary;
    let verb = if summary.verdict == Verdict::Failed { "failed" } else { "waits" };
    let last = stops(journey).last().map_or_else(String::new, |it| told(it));
    let at = when(summary.started, facts.now);
    let text = format!("What began at {at} {verb} at {last}.");
    Evidence::observed(text).trace(summary.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::facts::Table;
    use crate::playbook::report::Finding;
    use crate::playbook::testing::{healthy, journey, record, silent, step};

    fn asked(question: &Question, journeys: Vec<Journey>) -> Finding {
        let mut facts = healthy();
        facts.journeys = Ok(journeys);
        HYPOTHESIS.judged(question, &facts)
    }

    fn nobody() -> Journey {
        let mut found = journey(
            Verdict::Failed,
            vec![
                step("webpubsub", Stage::Accepted, Outcome::Done),
                step("gateway", Stage::Matched, Outcome::Failed),
                step("edge", Stage::Answered, Outcome::Done),
            ],
        );
        found.steps[1].detail = "nobody: the user 'ann' has no connection here".to_owned();
        found
    }

    #[test]
    fn asked_about_one_the_stage_is_told_with_the_way_to_all_of_them() {
        silent(&HYPOTHESIS);
        let question = Question { journey: Some("7".to_owned()), ..Question::default() };
        let found = asked(&question, vec![nobody()]);
        assert_eq!(found.verdict, report::Verdict::Confirmed);
        let text = &found.evidence[1].text;
        assert!(text.starts_with("It failed at the stage 'matched' of gateway: nobody"), "{text}");
        let id = nobody().summary.id.to_string();
        assert_eq!(found.evidence[0].trace.as_deref(), Some(&*id));
        assert_eq!(found.mitigations[0].command, Some(format!("tidings trace {id}")));
    }

    #[test]
    fn asked_about_one_that_arrived_it_is_ruled_out() {
        let question = Question { journey: Some("7".to_owned()), ..Question::default() };
        let steps = vec![step("gateway", Stage::Written, Outcome::Done)];
        let found = asked(&question, vec![journey(Verdict::Done, steps)]);
        assert_eq!(found.verdict, report::Verdict::RuledOut);
        assert!(found.evidence[0].text.contains("'written'"), "{found:?}");
        assert_eq!(asked(&question, vec![]).verdict, report::Verdict::CannotTell);
    }

    #[test]
    fn asked_nothing_those_that_stopped_are_listed_and_left_to_judge() {
        let found = asked(&Question::default(), vec![nobody()]);
        assert_eq!(found.verdict, report::Verdict::CannotTell);
        assert!(found.evidence[1].trace.is_some(), "{found:?}");
        let command = found.mitigations[0].command.as_deref().unwrap();
        assert!(command.starts_with("tidings doctor --journey "), "{command}");
    }

    #[test]
    fn a_refused_request_is_told_if_it_was_a_call_of_an_operation() {
        let mut refused =
            journey(Verdict::Failed, vec![step("edge", Stage::Refused, Outcome::Failed)]);
        refused.subjects = vec![("request".to_owned(), "r".to_owned())];
        let mut facts = healthy();
        facts.journeys = Ok(vec![refused]);
        let verdict = |facts: &Facts| HYPOTHESIS.judged(&Question::default(), facts).verdict;
        assert_eq!(verdict(&facts), report::Verdict::RuledOut);
        record(&mut facts, Table::HttpRequests, "400", None);
        facts.records.as_mut().unwrap().rows[0].trace = "r".to_owned();
        assert_eq!(verdict(&facts), report::Verdict::CannotTell);
    }

    #[test]
    fn asked_about_somebody_only_what_names_them_is_told() {
        let about = |user: &str| Question { user: Some(user.to_owned()), ..Question::default() };
        assert_eq!(asked(&about("bob"), vec![nobody()]).verdict, report::Verdict::RuledOut);
        assert_eq!(asked(&about("ann"), vec![nobody()]).verdict, report::Verdict::CannotTell);
    }
}
